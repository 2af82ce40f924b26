"""The notebook, cell by cell in a real kernel."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.recipes.conftest import MISSING

RECIPE = Path(__file__).parents[2] / "examples" / "recipes" / "notebook.py"


def test_the_cells_run_in_a_kernel(perfectpay_env, perfectpay_sandbox, tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient", reason=MISSING)
    pytest.importorskip("ipykernel", reason=MISSING)
    nbformat = pytest.importorskip("nbformat", reason=MISSING)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    (card_id,) = perfectpay_sandbox.seed_cards(1)
    customer_id = perfectpay_sandbox.store.methods[card_id].customer_id
    cells = re.split(r"^# %%", RECIPE.read_text("utf-8"), flags=re.MULTILINE)[1:]
    code = [f"#{cell}".replace("cus_1", customer_id) for cell in cells]
    new = nbformat.v4
    notebook = new.new_notebook(cells=[new.new_code_cell(source) for source in code])
    nbclient.NotebookClient(
        notebook, timeout=60, resources={"metadata": {"path": tmp_path}}
    ).execute()
    said = [
        output.get("text") or output["data"]["text/plain"]
        for cell in notebook.cells
        for output in cell.outputs
    ]
    card, failure, expiries = said
    assert "CardDetails(" in card
    assert failure == "refused 404\n"
    assert expiries.endswith("True)]")
    assert perfectpay_sandbox.api_key not in nbformat.writes(notebook)
