"""The Python examples of the documentation, for the tests that run them.

Every ```python block of README.md and docs/ is run. Most pages are read from top to bottom with a
client at hand, by `tests/test_docs.py`; the pages in `RUN_ELSEWHERE` have examples of another kind,
and a test of their own.
"""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RECIPES = "examples/recipes/"

# Each of these tests takes its examples from `examples_of`, all of them.
RUN_ELSEWHERE = {
    "README.md": "tests/test_readme.py",
    "docs/account-page.md": "tests/examples/account_page/test_docs_page.py",
    "docs/fleet-recipes.md": "tests/fleet/test_recipes.py",
    "docs/index.md": "tests/test_readme.py",
    "docs/observability.md": "tests/otel/test_docs.py",
    "docs/testing.md": "tests/testing/test_docs.py",
    "docs/web-sdk.md": "tests/test_web_sdk_page.py",
}


def pages() -> list[str]:
    """All pages, as paths from the root of the repository."""
    found = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [page.relative_to(ROOT).as_posix() for page in found]


def text_of(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


def examples_of(page: str) -> list[str]:
    """The Python examples of a page in order, without those that are files of their own."""
    blocks = re.findall(r"^```python\n(.*?)^```$", text_of(page), re.DOTALL | re.MULTILINE)
    return [block for block in blocks if not included_in(block)]


def included_in(text: str) -> list[str]:
    """The files that a text includes."""
    return re.findall(r'^--8<-- "(.*)"$', text, re.MULTILINE)


async def run_examples(page: str, names: dict[str, Any]) -> None:
    """Run the examples of a page one after the other, as if they were one program."""
    for number, source in enumerate(examples_of(page), 1):
        code = compile(
            source, f"{page}, example {number}", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        )
        result = eval(code, names)
        if inspect.isawaitable(result):
            await result
