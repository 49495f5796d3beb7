#!/usr/bin/env bash
# The kernels under AddressSanitizer and UBSan: the native tests of the headers, then the compiled
# modules (built with PSX_DEBUG=1 in a copy of the tree), which write the problems of the battery
# over kernels, then that battery, and the core, spaces, solvers and native suites.
# Usage: run_sanitized.sh PYTHON
set -euo pipefail
python=$(realpath -s "${1:?usage: run_sanitized.sh PYTHON}")
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sanitized() {
  g++ -std=c++17 -O1 -g -Wall -Wextra -Wno-psabi -fno-omit-frame-pointer -pthread \
    -fsanitize=address,undefined -fno-sanitize-recover=undefined \
    -I"$root/csrc/include" "$@"
}
sanitized "$root/csrc/tests/test_core.cpp" -o "$work/test_core"
"$work/test_core"

"$python" -m pip install --quiet --disable-pip-version-check 'setuptools>=77' 'cython>=3.1'
mkdir "$work/tree"
(cd "$root" && tar cf - --exclude='*.so' setup.py pyproject.toml README.md LICENSE csrc pystruct_ext tests examples) |
  tar xf - -C "$work/tree"
cd "$work/tree"
PSX_DEBUG=1 "$python" setup.py -q build_ext --inplace

# Leaks are not looked for in Python: the interpreter keeps much until the process ends.
preload="$(g++ -print-file-name=libasan.so) $(g++ -print-file-name=libstdc++.so)"
in_python() {
  LD_PRELOAD="$preload" ASAN_OPTIONS=detect_leaks=0 PYTHONPATH="$work/tree" "$python" "$@"
}
in_python csrc/tests/write_problems.py "$work/problems"
sanitized -I"$work/problems" csrc/tests/test_kernels.cpp -o "$work/test_kernels"
"$work/test_kernels" "$work"/problems/*.problem

# test_native.py compiles what has run above.
in_python -m pytest -q -p no:cacheprovider tests/core tests/spaces tests/solvers tests/native \
  tests/persistence/test_hostile_files.py \
  --ignore tests/native/test_native.py -m "not slow"
