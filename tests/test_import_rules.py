"""Who may import whom: the table of the architecture page, checked on the source text."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "pystruct_ext"
LAYERS = {
    "_core": set(),
    "losses": set(),
    "utils": set(),
    "spaces": {"_core", "losses", "utils"},
    "solvers": {"_core", "utils"},
    "estimators": {"_core", "spaces", "solvers", "utils"},
}
# Readers of files are compiled code of the core; datasets hand them out.
TOP_MAY_USE_CORE = {"datasets"}
STANDARD = set(__import__("sys").stdlib_module_names)
OUTSIDE = {
    "_core": {"numpy"},
    "losses": {"numpy", "scipy", "sklearn"},
    "utils": {"numpy", "scipy", "sklearn"},
}
OPTIONAL = {"matplotlib", "tqdm", "cvxpy", "networkx", "skops", "pycrfsuite"}
SOURCES = sorted(
    p for s in ("*.py", "*.pyx", "*.pxd", "*.pyi") for p in PACKAGE.rglob(s)
)
IDS = [str(p.relative_to(ROOT)) for p in SOURCES]
_LINE = re.compile(
    r"^(?P<indent>\s*)(?:from\s+(?P<source>[\w.]+)\s+c?import\s+(?P<names>[\w., *()]+)"
    r"|c?import\s+(?P<modules>[\w., ]+))",
    re.MULTILINE,
)


def _lazy_lines(tree):
    """Line numbers inside functions or ``if TYPE_CHECKING``: not run on import."""
    lines = set()
    for node in ast.walk(tree):
        lazy = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            lazy = True
        if lazy:
            lines.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def imports_of(path):
    """(module, names imported from it, whether it is imported at import time)."""
    text = path.read_text(encoding="utf-8")
    if path.suffix in (".py", ".pyi"):
        tree = ast.parse(text)
        lazy = _lazy_lines(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield alias.name, [], node.lineno not in lazy
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    package = path.parent.relative_to(ROOT).parts
                    package = package[: len(package) - node.level + 1]
                    base = ".".join([*package, *base.split(".")]).rstrip(".")
                names = [alias.name for alias in node.names]
                yield base, names, node.lineno not in lazy
        return
    for found in _LINE.finditer(text):
        if found["source"]:
            names = [
                n.split()[0]
                for n in found["names"].strip("() ").split(",")
                if n.strip()
            ]
            yield found["source"], names, not found["indent"]
        else:
            for module in found["modules"].split(","):
                yield module.split()[0], [], not found["indent"]


def expand(module, names):
    """Dotted names of what an import may bind: packages inside packages included."""
    yield module
    for name in names:
        yield f"{module}.{name}"


def layer_of(path):
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else ""


def test_there_is_something_to_check():
    assert {layer_of(p) for p in SOURCES} >= set(LAYERS)
    pyx = PACKAGE / "_core" / "oracle.pyx"
    assert "numpy" in {module for module, _, _ in imports_of(pyx)}
    chain = PACKAGE / "spaces" / "_chain.pyx"
    assert "pystruct_ext._core.oracle" in {module for module, _, _ in imports_of(chain)}


@pytest.mark.parametrize("path", SOURCES, ids=IDS)
def test_layers(path):
    layer = layer_of(path)
    if not layer:
        return  # the top-level modules tie the layers together
    wrong = []
    for module, names, _ in imports_of(path):
        for name in expand(module, names):
            parts = name.split(".")
            if parts[0] != "pystruct_ext" or len(parts) < 2:
                continue
            target = parts[1]
            if target == layer or not (PACKAGE / target).is_dir():
                continue
            if layer in LAYERS:
                allowed = target in LAYERS[layer]
            else:
                private = any(p.startswith("_") for p in parts[1:])
                allowed = not private or (
                    layer in TOP_MAY_USE_CORE and target == "_core"
                )
            if not allowed:
                wrong.append(name)
    assert not wrong, f"{layer} must not import {wrong}"


@pytest.mark.parametrize("path", SOURCES, ids=IDS)
def test_third_party(path):
    layer = layer_of(path)
    for module, _, at_import in imports_of(path):
        top = module.split(".")[0]
        if at_import:
            assert top not in OPTIONAL, f"{top} must be imported where it is used"
        if layer in OUTSIDE and top not in STANDARD | OUTSIDE[layer]:
            assert top in {"pystruct_ext", "libc", "libcpp", "cpython", "cython"}, (
                module
            )
        if top == "sklearn" and layer in ("losses", "utils"):
            assert module.startswith("sklearn.utils"), module


HEADERS = sorted((ROOT / "csrc").rglob("*.h*")) + sorted((ROOT / "csrc").rglob("*.c*"))


@pytest.mark.parametrize("path", HEADERS, ids=[p.name for p in HEADERS])
def test_native_code_knows_no_python(path):
    included = re.findall(
        r'^\s*#\s*include\s+[<"]([^>"]+)', path.read_text(), re.MULTILINE
    )
    bad = [h for h in included if h == "Python.h" or h.startswith("numpy/")]
    assert not bad
    own = [h for h in included if "/" in h]
    assert all(h.startswith("pystruct_ext/") for h in own), own


def test_the_checker_sees_what_it_forbids(tmp_path):
    source = tmp_path / "probe.pyx"
    source.write_text(
        "from pystruct_ext.solvers cimport _block\n"
        "import numpy as np, tqdm\n"
        "def f():\n    import matplotlib\n",
    )
    found = {module: at_import for module, _, at_import in imports_of(source)}
    assert found == {
        "pystruct_ext.solvers": True,
        "numpy": True,
        "tqdm": True,
        "matplotlib": False,
    }
