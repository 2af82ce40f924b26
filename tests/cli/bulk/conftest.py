from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _environment(environment: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    return environment


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    """Where the commands keep their jobs."""
    return tmp_path / "jobs"
