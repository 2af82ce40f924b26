"""Every Python example of the documentation is run, and what it lists is complete."""

from __future__ import annotations

import re

import pytest

import perfectpay_async
from perfectpay_async import PerfectPay, bulk, errors, otel, sandbox, testing
from perfectpay_async.sandbox import Sandbox
from tests.documentation import (
    RECIPES,
    ROOT,
    RUN_ELSEWHERE,
    examples_of,
    included_in,
    pages,
    run_examples,
    text_of,
)

RUN_HERE = [page for page in pages() if examples_of(page) and page not in RUN_ELSEWHERE]


@pytest.mark.parametrize("page", RUN_HERE)
async def test_the_examples_of_a_page_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    async with Sandbox() as sandbox:
        sandbox.seed_customer("cus_1")
        async with PerfectPay(sandbox.api_key, base_url=sandbox.url) as client:
            names = {"client": client, "api_key": sandbox.api_key, "base_url": sandbox.url}
            await run_examples(page, names)


@pytest.mark.parametrize("page", pages())
def test_no_example_is_left_out(page):
    fences = re.findall(r"^[ \t>]*(?:```+|~~~+) *\{?\.? *(\w+)", text_of(page), re.MULTILINE)
    assert not {"py", "py3", "python3", "pycon"} & set(fences), "write ```python"
    files = included_in(text_of(page))
    assert fences.count("python") == len(examples_of(page)) + sum(
        name.endswith(".py") for name in files
    ), "an example that is indented, or mixed with a file, is not found"
    if test := RUN_ELSEWHERE.get(page):
        assert f'examples_of("{page}")' in (ROOT / test).read_text("utf-8")
    tests_of_recipes = "".join(
        path.read_text("utf-8") for path in (ROOT / "tests/recipes").glob("*.py")
    )
    for name in files:
        if name.endswith(".py"):
            assert name.startswith(RECIPES)
            stem = name.removeprefix(RECIPES).removesuffix(".py")
            assert re.search(rf"\b{stem}\b", tests_of_recipes), f"no test runs {name}"


def test_every_recipe_is_in_the_docs():
    recipes = {f"{RECIPES}{path.name}" for path in (ROOT / RECIPES).glob("*.py")}
    assert recipes - {f"{RECIPES}__init__.py"} == set(included_in(text_of("docs/recipes.md")))


def test_every_error_is_in_the_table_with_its_outcome():
    table = re.compile(r"^\| `([A-Z][a-z]\w+)` \| [^|]+ \| ([^|]+) \|", re.MULTILINE)
    rows = dict(table.findall(text_of("docs/errors.md")))
    public = {name: getattr(errors, name) for name in errors.__all__}
    in_bulk = {
        name for name in bulk.__all__ if _is_error(getattr(bulk, name)) and name not in public
    }
    assert rows.keys() - in_bulk == public.keys()
    assert in_bulk <= rows.keys()
    for name, error in public.items():
        if error is not errors.PerfectPayError:
            assert rows[name].startswith(f"`{error.default_outcome.name}`"), name


def _is_error(value):
    return isinstance(value, type) and issubclass(value, Exception)


@pytest.mark.parametrize(
    "module", [perfectpay_async, bulk, sandbox, testing, otel], ids=lambda module: module.__name__
)
def test_every_public_name_is_in_the_reference(module):
    reference = "".join(text_of(page) for page in pages() if page.startswith("docs/reference/"))
    shown = re.findall(rf"^::: {module.__name__}\.(\w+)$", reference, re.MULTILINE)
    assert sorted(shown) == sorted(name for name in module.__all__ if name != "__version__")
