#!/usr/bin/env bash
# Builds the sdist, a wheel from the sdist, installs it in a fresh environment, and uses it from
# another folder. Usage: wheel_from_sdist.sh PYTHON
set -euo pipefail
python=$(realpath -s "${1:?usage: wheel_from_sdist.sh PYTHON}")
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$python" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check build
# From a copy: what another Python's Cython writes must not stay in the tree.
mkdir "$work/tree"
(cd "$root" && tar cf - --exclude='*.so' --exclude=./build --exclude=./.venv --exclude=./.git .) |
  tar xf - -C "$work/tree"
(cd "$work/tree" && "$work/venv/bin/python" -m build --sdist --outdir "$work/dist" . >"$work/log" 2>&1) ||
  { tail -20 "$work/log"; exit 1; }
"$work/venv/bin/python" -m pip wheel --quiet --disable-pip-version-check --no-deps \
  --wheel-dir "$work/wheel" "$work"/dist/*.tar.gz
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check "$work"/wheel/*.whl
cd "$work"
"$work/venv/bin/python" - <<'PYTHON'
import pathlib
import zipfile

import pystruct_ext

names = zipfile.ZipFile(next(pathlib.Path("wheel").glob("*.whl"))).namelist()
stray = [n for n in names if n.endswith((".cpp", ".c", ".pyx"))]
assert not stray, f"sources in the wheel: {stray}"
for wanted in (
    "pystruct_ext/py.typed",
    "pystruct_ext/_core/oracle.pxd",
    "pystruct_ext/datasets/ambiguous_queries.jsonl",
):
    assert wanted in names, f"{wanted} is missing from the wheel"
header = pathlib.Path(pystruct_ext.get_include()) / "pystruct_ext" / "oracle.h"
assert header.exists() and "site-packages" in str(header), header
X = [[["w=the"], ["w=dog"]], [["w=a"], ["w=cat"]]]
y = [["DET", "NOUN"], ["DET", "NOUN"]]
model = pystruct_ext.SequenceSVM(C=10).fit(X, y)
assert model.predict(X) == y
from pystruct_ext.datasets import load_ambiguous_queries

assert load_ambiguous_queries()[0].query == "michael jordan"
print("wheel from sdist: OK,", pystruct_ext.__file__.split("/site-packages/")[1])
PYTHON
