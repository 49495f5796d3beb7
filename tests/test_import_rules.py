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
# What each package, or module at the top, may import of this package; lazy imports count.
RULES: dict[str, set[str]] = {
    "_core": set(),
    "_include": set(),
    "_moved": set(),
    "utils": set(),
    "losses": {"utils"},
    "outputs": {"_core", "utils"},
    "persistence": {"_core", "utils"},
    "io": {"_core", "_moved", "outputs", "utils"},
    "datasets": {"_moved", "io", "outputs", "utils"},
    "metrics": {"losses", "outputs", "utils"},
    "solvers": {"_core", "persistence", "utils"},
    "spaces": {"_core", "losses", "outputs", "persistence", "utils"},
    "testing": {"solvers", "spaces"},
    "plotting": {"_moved", "metrics", "outputs", "spaces", "utils"},
    "estimators": {
        *("_core", "losses", "metrics", "outputs", "persistence", "solvers", "spaces"),
        "utils",
    },
    "model_selection": {"estimators", "metrics", "solvers", "utils"},
    "diversify": {"estimators", "outputs", "persistence", "spaces", "utils"},
    "entities": {"estimators", "metrics", "outputs", "persistence", "utils"},
    "word_alignment": {"outputs", "persistence", "utils"},
    "structures": {
        *("datasets", "diversify", "estimators", "io", "losses", "metrics", "outputs"),
        *("plotting", "spaces", "utils", "word_alignment"),
    },
    "cli": {
        *("datasets", "diversify", "estimators", "metrics", "persistence", "plotting"),
        *("solvers", "structures", "utils"),
    },
    "__main__": {"cli"},
    # The public face.
    "__init__": {
        *("_core", "_include", "_moved", "estimators", "model_selection", "outputs"),
        *("persistence", "spaces", "utils"),
    },
}
SOURCES = [
    p for s in ("*.py", "*.pyx", "*.pxd", "*.pyi") for p in sorted(PACKAGE.rglob(s))
]


def names_of(path):
    """``(module, name)`` of every import of this package, those inside functions included."""
    text = path.read_text(encoding="utf-8")
    if path.suffix in (".pyx", ".pxd"):
        pattern = r"^\s*from\s+(pystruct_ext[\w.]*)\s+c?import\s+(\([^)]*\)|[^\n]+)"
        for module, names in re.findall(pattern, text, flags=re.M):
            for name in names.strip("()").replace("\n", " ").split(","):
                yield module, name.split(" as ")[0].strip()
        return
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            if node.module and node.module.split(".")[0] == "pystruct_ext":
                for alias in node.names:
                    yield node.module, alias.name
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "pystruct_ext":
                    yield alias.name, ""


def layer_of(path):
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else path.stem


def imports(path):
    """Packages, or modules at the top, that a module imports."""
    found = set()
    for module, name in names_of(path):
        parts = [*module.split(".")[1:], name]
        # A plain name of the package itself, such as its version, is no module.
        if parts[0] in RULES:
            found.add(parts[0])
    return found - {layer_of(path)}


def modules(layer):
    return [p for p in SOURCES if layer_of(p) == layer]


def test_every_package_has_a_rule():
    assert {layer_of(p) for p in SOURCES} == set(RULES)


@pytest.mark.parametrize("layer", RULES)
def test_layers(layer):
    for path in modules(layer):
        extra = imports(path) - RULES[layer]
        assert not extra, f"{path.relative_to(ROOT)} imports {sorted(extra)}"


def ring(graph):
    """Some ring of a graph, as a list; empty if there is none."""
    state: dict = {}

    def visit(node, path):
        state[node] = "open"
        for to in sorted(graph.get(node, ())):
            if state.get(to) == "open":
                return [*path[path.index(to) :], to] if to in path else [node, to]
            if to not in state:
                found = visit(to, [*path, to])
                if found:
                    return found
        state[node] = "done"
        return []

    for node in sorted(graph):
        if node not in state:
            found = visit(node, [node])
            if found:
                return found
    return []


def test_there_is_no_ring_of_packages():
    graph = {layer: set() for layer in RULES}
    for path in SOURCES:
        graph[layer_of(path)] |= imports(path)
    assert ring(graph) == []


def test_there_is_no_ring_of_modules():
    """Modules by full name; an import of a package is one of its ``__init__``."""

    def name_of(path):
        parts = list(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    known = {name_of(p) for p in SOURCES}
    graph: dict = {name: set() for name in known}
    for path in SOURCES:
        own = name_of(path)
        for module, name in names_of(path):
            target = f"{module}.{name}" if f"{module}.{name}" in known else module
            # A package imports its modules, and they may import its version.
            if target not in (own, "pystruct_ext"):
                graph[own].add(target)
    assert ring(graph) == []


def test_private_names_stay_in_their_package():
    for path in SOURCES:
        for module, name in names_of(path):
            parts = [p for p in [*module.split(".")[1:], name] if p]
            if not parts or parts[0] == layer_of(path):
                continue
            # _core is private to the world, not to the layers that may import it.
            hidden = [p for p in parts[1:] if p.startswith("_") and p != "__version__"]
            assert not hidden, f"{path.relative_to(ROOT)} imports {module}.{name}"


def test_rings_are_found():
    assert ring({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert ring({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_headers_include_downwards():
    """No ring of headers; those of trees and folds do not know the kernels."""
    include = ROOT / "csrc" / "include"
    graph = {}
    for path in include.rglob("*.h*"):
        text = path.read_text(encoding="utf-8")
        own = path.relative_to(include).as_posix()
        graph[own] = set(re.findall(r'#include "([^"]+)"', text))
        if not own.startswith("pystruct_ext/spaces/"):
            assert not [h for h in graph[own] if "/spaces/" in h], own
    assert ring(graph) == []


def test_there_is_one_namespace():
    for path in (ROOT / "csrc" / "include").rglob("*.h*"):
        for name in re.findall(r"^namespace (\S*)", path.read_text(), flags=re.M):
            outer = name.split("::")[0] in ("pystruct_ext", "detail")
            inner = name in (
                "chain",
                "clusters",
                "eisner",
                "folding",
                "grandparents",
                "spans",
                "row_scores",
                "{",
            )
            assert outer or inner, f"{path.name}: namespace {name}"


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
    assert imports(PACKAGE / "estimators" / "base.py") >= {"spaces", "solvers"}
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
    optional |= {"pandas", "rapidfuzz"}
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
