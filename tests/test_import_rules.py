"""The import rules of the architecture: solvers never see spaces, nor spaces solvers."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "pystruct_ext"
RULES = {
    "_core": set(),
    "utils": set(),
    "persistence": {"_core", "utils"},
    "outputs": {"utils"},
    "losses": {"utils"},
    "io": {"_core", "outputs", "utils", "_moved"},
    "datasets": {"io", "outputs", "utils", "_moved"},
    "metrics": {"losses", "outputs", "utils"},
    "spaces": {"_core", "losses", "outputs", "persistence", "utils"},
    "solvers": {"_core", "persistence", "utils"},
}
LAYERS = RULES
OUTER: dict = {
    "estimators": {
        "_core",
        "spaces",
        "solvers",
        "utils",
        "losses",
        "outputs",
        "persistence",
        "metrics",
    },
    "plotting": {"utils", "outputs", "spaces", "metrics", "_moved"},
    "diversify": {"estimators", "outputs", "persistence", "spaces", "utils"},
    "structures": {
        "datasets",
        "diversify",
        "estimators",
        "io",
        "metrics",
        "outputs",
        "plotting",
        "spaces",
        "utils",
    },
    "cli": {
        "datasets",
        "diversify",
        "estimators",
        "metrics",
        "persistence",
        "plotting",
        "solvers",
        "structures",
        "utils",
    },
}


def imports(path):
    """Subpackages that a module imports, optional imports inside functions included."""
    text = path.read_text(encoding="utf-8")
    found = set()
    if path.suffix in (".pyx", ".pxd"):
        pattern = r"^\s*(?:from|import|cimport)\s+pystruct_ext\.(\w+)"
        return set(re.findall(pattern, text, flags=re.M))
    for node in ast.walk(ast.parse(text)):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module]
            if node.module == "pystruct_ext":
                names = [f"pystruct_ext.{a.name}" for a in node.names]
        elif isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        found |= {n.split(".")[1] for n in names if n.startswith("pystruct_ext.")}
    return found


def modules(layer):
    folder = PACKAGE / layer
    return [p for s in ("*.py", "*.pyx", "*.pxd", "*.pyi") for p in folder.rglob(s)]


@pytest.mark.parametrize("layer", [*LAYERS, *OUTER])
def test_layers(layer):
    allowed = {**LAYERS, **OUTER}[layer] | {layer}
    checked = modules(layer)
    assert checked
    for path in checked:
        extra = imports(path) - allowed
        assert not extra, f"{path.relative_to(ROOT)} imports {sorted(extra)}"


def test_only_the_command_line_imports_structures():
    for path in [p for s in ("*.py", "*.pyx", "*.pxd") for p in PACKAGE.rglob(s)]:
        layer = path.relative_to(PACKAGE).parts[0]
        if layer not in ("cli", "structures"):
            assert "structures" not in imports(path), path.relative_to(ROOT)


def test_importing_the_package_imports_no_structures():
    code = "import sys, pystruct_ext; print('pystruct_ext.structures' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT
    )
    assert done.stdout == "False\n", done.stderr


def test_the_generic_command_line_names_no_structure():
    """Learn, predict, evaluate and inspect know estimators from descriptors only."""
    from pystruct_ext.structures import STRUCTURES

    names = {c.__name__ for s in STRUCTURES.values() for c in (s.estimator, s.space)}
    for path in modules("cli"):
        if path.stem.startswith("demo"):
            continue
        text = path.read_text(encoding="utf-8")
        assert not {n for n in names if n in text}, path.relative_to(ROOT)


def test_the_check_sees_imports():
    assert imports(PACKAGE / "estimators" / "structural.py") >= {"spaces", "solvers"}
    assert imports(PACKAGE / "solvers" / "_block.pyx") == {"_core"}


def test_kernels_do_not_know_python():
    sources = list((ROOT / "csrc").rglob("*.h*"))
    assert sources
    for path in sources:
        text = path.read_text(encoding="utf-8")
        found = re.findall(r"#include\s*[<\"](Python\.h|numpy/[^>\"]*)", text)
        assert not found, f"{path.relative_to(ROOT)} includes {found}"


def test_optional_packages_are_imported_in_functions():
    optional = {"matplotlib", "tqdm", "cvxpy", "networkx", "skops", "pycrfsuite"}
    for path in PACKAGE.rglob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            names = []
            if isinstance(node, ast.Import):
                names = [a.name for a in node.names]
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            top = {n.split(".")[0] for n in names} & optional
            assert not top, f"{path.relative_to(ROOT)} imports {top} at its top"


def test_no_file_is_too_long():
    for pattern in ("*.py", "*.pyx", "*.hpp", "*.h"):
        for path in [*PACKAGE.rglob(pattern), *(ROOT / "csrc").rglob(pattern)]:
            n = len(path.read_text(encoding="utf-8").splitlines())
            assert n <= 650, f"{path.relative_to(ROOT)} has {n} lines"
