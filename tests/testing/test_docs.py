"""Every Python example of the page on testing is a test file; they are run as they stand."""

import os
import re
import subprocess
import sys

import pytest

from perfectpay_async.testing import plugin
from tests.documentation import examples_of, text_of

PAGE = text_of("docs/testing.md")
EXAMPLES = examples_of("docs/testing.md")
SCOPE = "asyncio_default_fixture_loop_scope=function"
AUTO = ["-p", "no:anyio", "-o", "asyncio_mode=auto", "-o", SCOPE]
ANYIO = ["-p", "no:asyncio"]


@pytest.mark.parametrize(
    ("examples", "options"),
    [
        ([source for source in EXAMPLES if "anyio" not in source], AUTO),
        ([source for source in EXAMPLES if "anyio" in source], ANYIO),
    ],
    ids=["pytest-asyncio", "anyio"],
)
def test_the_examples_pass(tmp_path, examples, options):
    for number, source in enumerate(examples):
        (tmp_path / f"test_example_{number}.py").write_text(source)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", *options],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
        env={name: value for name, value in os.environ.items() if "PYTEST" not in name},
    )  # fmt: skip
    tests = sum(source.count("def test_") for source in examples)
    assert tests > 0
    assert re.search(rf"^{tests} passed in", done.stdout, re.MULTILINE), done.stdout + done.stderr


def test_every_fixture_is_on_the_page():
    fixtures = {name for name in vars(plugin) if name.startswith("perfectpay_")}
    assert fixtures == set(re.findall(r"^\| `(perfectpay_\w+)` \| .*", PAGE, re.MULTILINE))
