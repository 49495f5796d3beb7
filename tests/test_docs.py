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


def resolve(dotted):
    """The object of a dotted name; an old name warns, which is an error in tests."""
    parts = dotted.split(".")
    for k in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:k]))
        except ModuleNotFoundError:
            continue
        for name in parts[k:]:
            found = getattr(found, name)
        return found
    raise ModuleNotFoundError(dotted)


def dotted_names(text):
    names = re.findall(r"`~?(pystruct_ext(?:\.\w+)+)", text)
    # Capsules have names with a version at the end.
    return {name for name in names if not re.search(r"\.v\d+$", name)}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_dotted_names_exist(page):
    for name in dotted_names(page.read_text()):
        resolve(name)


def test_dotted_names_in_docstrings_exist():
    names = set()
    for pattern in ("*.py", "*.pyx"):
        for path in (ROOT / "pystruct_ext").rglob(pattern):
            names |= dotted_names(path.read_text())
    assert "pystruct_ext.io.read_conll" in names
    for name in names:
        resolve(name)


def test_a_wrong_name_is_found():
    assert dotted_names("see `pystruct_ext.io.nothing(x)`") == {
        "pystruct_ext.io.nothing"
    }
    with pytest.raises(AttributeError, match="nothing"):
        resolve("pystruct_ext.io.nothing")


def sources():
    """The text of all that a page may speak of."""
    patterns = {
        "pystruct_ext": ("*.py", "*.pyx"),
        "csrc": ("*.h", "*.hpp"),
        "benchmarks": ("*.py",),
        "examples": ("*.py",),
    }
    return "\n".join(
        path.read_text()
        for folder, endings in patterns.items()
        for ending in endings
        for path in (ROOT / folder).rglob(ending)
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_names_and_files_of_the_pages_exist(page):
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    words = set(re.findall(r"\w+", sources()))
    for code in re.findall(r"`([^`\n]+)`", text):
        # Names with a capital or an underscore; other words may be commands or values.
        for name in re.findall(r"^[A-Za-z_][\w.]*(?=$|\(|<)", code):
            for part in name.split("."):
                # A letter with an index is mathematics.
                if re.fullmatch(r"[A-Za-z]+_\w{1,2}", part):
                    continue
                if "_" in part.strip("_") or re.search(r"[a-z][A-Z]", part):
                    assert part in words, f"{page.name}: `{code}`"
        if re.fullmatch(r"[\w./]+/[\w.]+\.(py|pyx|cpp|md|sh)", code):
            found = (ROOT / code).exists() or (page.parent / code).exists()
            assert found, f"{page.name}: `{code}`"


def test_make_bench_runs_every_benchmark():
    recipe = (ROOT / "Makefile").read_text().split("\nbench:")[1].split("\n\n")[0]
    programs = {p.name for p in (ROOT / "benchmarks").glob("[a-z]*.py")}
    programs.remove("alternate.py")  # takes a second checkout
    # structures.py runs these.
    programs -= {name for name in programs if name.startswith("structures_")}
    assert set(re.findall(r"benchmarks/(\w+\.py)", recipe)) == programs


def test_python_in_the_readme_runs():
    blocks = re.findall(
        r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.S
    )
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})


@pytest.mark.parametrize(
    "page",
    [
        *("clustering.md", "entities.md", "latent.md", "own_queries.md"),
        "word_alignment.md",
    ],
)
def test_python_of_the_page_runs(page):
    space = {}
    for block in re.findall(
        r"```python\n(.*?)```", (ROOT / "docs" / page).read_text(), flags=re.S
    ):
        exec(compile(block, page, "exec"), space)


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
