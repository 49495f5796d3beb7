"""Documents stay in step with the code they show."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import pystruct_ext

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    ROOT / "README.md",
    ROOT / "csrc" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]

BEGIN = "<!-- structures: python -m pystruct_ext.structures -->"


def test_the_listing_is_the_example():
    example = (ROOT / "examples" / "matching_space.py").read_text()
    listing = example[
        example.index("class MatchingSpace") : example.index("def make_matchings")
    ]
    for page in ("docs/add_an_output_space.md", "README.md"):
        assert listing.rstrip() in (ROOT / page).read_text(), page


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_python_in_the_readme_runs():
    blocks = re.findall(
        r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.S
    )
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})


def test_the_table_of_structures_is_the_generated_one():
    from pystruct_ext.structures import table

    page = (ROOT / "docs" / "structures.md").read_text()
    head, _, rest = page.partition(BEGIN)
    assert head
    assert rest, f"docs/structures.md lacks the line {BEGIN}"
    found, _, tail = rest.partition("<!-- end of structures -->")
    assert tail
    assert found == "\n" + table(), "run python -m pystruct_ext.structures"


def modules():
    for info in pkgutil.walk_packages(pystruct_ext.__path__, "pystruct_ext."):
        if not info.name.endswith("__main__"):
            yield info.name


@pytest.mark.parametrize("name", list(modules()))
def test_docstring_examples(name):
    module = importlib.import_module(name)
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0
