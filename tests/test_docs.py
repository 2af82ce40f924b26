"""Every Python example of a page of the docs is run, one after the other, against the sandbox."""

import ast
import inspect
import re
from pathlib import Path

import pytest

from perfectpay_async import PerfectPay
from perfectpay_async.sandbox import Sandbox

DOCS = Path(__file__).parent.parent / "docs"


@pytest.mark.parametrize("page", ["bulk.md"])
async def test_the_examples_of_a_page_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    examples = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)
    assert examples
    async with Sandbox() as sandbox:
        sandbox.seed_customer("cus_1")
        async with PerfectPay(sandbox.api_key, base_url=sandbox.url) as client:
            names = {"client": client, "api_key": sandbox.api_key, "base_url": sandbox.url}
            for source in examples:
                code = compile(source, page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
                result = eval(code, names)
                if inspect.isawaitable(result):
                    await result
