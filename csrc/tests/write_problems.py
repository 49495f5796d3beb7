"""Writes what the native battery runs on: `python csrc/tests/write_problems.py DIR`.

``kernel_list.inc`` holds the tables of all kernels, as the registrations in
``pystruct_ext/spaces/_kernels/*.pyx`` name them. A ``.problem`` file holds what one kernel was
bound to for a small problem of some space; ``problem_file.hpp`` has the format.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import re
import struct
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from pystruct_ext import spaces
from pystruct_ext._core.binder import Kernel
from pystruct_ext.spaces import _kernels

REGISTRATION = re.compile(
    r'^cdef extern from (?:"([^"]+)"(?: namespace "([^"]+)")?|\*)[^\n]*:\n'
    r'(?: +"""\n(.*?)""" *\n)?'
    r"((?: +const psx_kernel ?\*[^\n]*\n)+)",
    re.MULTILINE | re.DOTALL,
)


class Binding(NamedTuple):
    """What `Kernel.bind` was given."""

    kernel: Kernel
    values: dict[str, Any]
    dtype: np.dtype[Any]


class Recorder:
    """Stands in for a kernel and remembers what it is bound to."""

    def __init__(self, kernel: Kernel, seen: list[Binding]) -> None:
        self.kernel = kernel
        self.seen = seen

    def __getattr__(self, name: str) -> Any:
        return getattr(self.kernel, name)

    def bind(self, values: Mapping[str, Any], dtype: Any = "float64") -> Any:
        """Bind, and remember: what the binder refuses is no problem."""
        oracle = self.kernel.bind(values, dtype)
        self.seen.append(Binding(self.kernel, dict(values), np.dtype(dtype)))
        return oracle


def kernels() -> list[tuple[ModuleType, str, Kernel]]:
    """Every kernel of the package: module, attribute and kernel."""
    found = []
    for info in pkgutil.iter_modules(_kernels.__path__, _kernels.__name__ + "."):
        module = importlib.import_module(info.name)
        for name, value in sorted(vars(module).items()):
            if isinstance(value, Kernel):
                found.append((module, name, value))
    return found


def kernel_list(folder: Path) -> str:
    """C++ that includes the headers of all registrations and lists their tables."""
    lines, calls = ["#include <vector>"], []
    for path in sorted(folder.glob("*.pyx")):
        for header, namespace, code, names in REGISTRATION.findall(path.read_text()):
            lines.append(f'#include "{header}"' if header else code)
            scope = f"{namespace}::" if namespace else ""
            calls += [f"{scope}{n}()" for n in re.findall(r"\* ?(\w+)\(\)", names)]
    lines.append("inline std::vector<const psx_kernel*> all_kernels() {")
    lines.append(f"  return {{{', '.join(calls)}}};")
    return "\n".join([*lines, "}", ""])


def problems() -> Iterator[tuple[str, Any, tuple[Any, ...]]]:
    """Name, space and (X, Y) of small problems, in both types of w."""
    for name, cls, params, make in _variants():
        typed: list[dict[str, Any]] = [dict(params)]
        if "dtype" in cls().get_params():
            typed = [{**params, "dtype": d} for d in ("float32", "float64")]
        for chosen in typed:
            yield name, cls(**chosen), make(np.random.default_rng(3))


def _variants() -> Iterator[tuple[str, type[Any], Mapping[str, Any], Any]]:
    structures = _structures()
    if not structures:
        yield from _own_variants()
    for structure in structures.values():
        for variant in structure.samples:
            yield variant.name, structure.space, variant.params, variant.make_problem


def _structures() -> Mapping[str, Any]:
    """The descriptors of the package, if it has them."""
    try:
        module = importlib.import_module("pystruct_ext.structures")
    except ImportError:
        return {}
    return getattr(module, "STRUCTURES", {})


def _own_variants() -> Iterator[tuple[str, type[Any], Mapping[str, Any], Any]]:
    path = Path(__file__).parents[2] / "tests" / "spaces" / "structure_problems.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    arcs, small = {"bits": 8, "label_bits": 4}, {"bits": 6, "split_bits": 6}
    lengths = (1, 2, 4, 3)

    def classes(rng: np.random.Generator) -> tuple[Any, Any]:
        return rng.normal(size=(9, 4)), np.arange(9) % 3

    def sequences(rng: np.random.Generator) -> tuple[Any, Any]:
        return [rng.normal(size=(n, 3)) for n in lengths], _labels(rng)

    def strings(rng: np.random.Generator) -> tuple[Any, Any]:
        def token() -> list[str]:
            return [f"f{j}" for j in rng.integers(0, 6, size=2)]

        return [[token() for _ in range(n)] for n in lengths], _labels(rng)

    def _labels(rng: np.random.Generator) -> list[list[str]]:
        return [["abc"[(n + t) % 3] for t in range(n)] for n in lengths]

    dependency, folding = spaces.DependencySpace, spaces.FoldingSpace
    constituency, alignment = spaces.ConstituencySpace, spaces.AlignmentSpace
    arc_problems = (
        ("first-order", {}, made.dependency((1, 3, 4), labels=("x", "y"))),
        ("unlabelled", {"labelled": False}, made.dependency((1, 3, 6))),
        ("siblings", {"labelled": False, "siblings": True}, made.dependency((2, 4, 6))),
        (
            "any",
            {"projective": False},
            made.dependency((1, 2, 3), projective=False),
        ),
        (
            "own",
            {"projective": False},
            made.dependency((1, 2, 3), own=True, projective=False),
        ),
    )
    yield "classes", spaces.MulticlassSpace, {}, classes
    yield "sequences", spaces.SequenceSpace, {}, sequences
    yield "strings", spaces.SequenceSpace, {}, strings
    for name, params, make in arc_problems:
        yield f"dependency-{name}", dependency, {**arcs, **params}, make
    yield "spans", constituency, small, made.constituency((1, 2, 3), ["A", "B"])
    params = {"splits": False, **small}
    yield "spans-no-splits", constituency, params, made.constituency((4, 3), ["A"])
    trees = made.constituency((1, 3, 5, 4), ["A", "B"])
    yield "grammar", constituency, {"model": "grammar", **small}, trees
    yield "folds", folding, {}, made.folds((1, 7, 12))
    params = {"canonical": False, "prior": None, "false_cost": 2.0}
    yield "folds-any", folding, params, made.folds((5, 10), canonical=False)
    yield "segments", spaces.SegmentSpace, {}, made.segments
    params = {"task_loss": "segments", "outside": "O", "boundary": False}
    yield "segments-outside", spaces.SegmentSpace, params, made.segments
    yield "alignment", alignment, {}, made.alignments()
    params = {"mode": "local", "window": 1, "false_cost": 2.0, "miss_cost": 0.5}
    yield "alignment-local", alignment, params, made.alignments(2)


def fits() -> Iterator[tuple[str, Any, tuple[Any, ...]]]:
    """Name, estimator and arguments of `fit`: for kernels that only estimators bind."""
    for name, structure in _structures().items():
        X, y, *rest = structure.sample(np.random.default_rng(3))
        fit_params = rest[0] if rest else {}
        yield name, structure.estimator(**structure.small), (X, y, fit_params)


def write_problem(path: Path, name: str, binding: Binding) -> None:
    """One binding in the format of ``problem_file.hpp``."""
    out = bytearray(b"PSXPROB1")
    for text in (binding.kernel.name, name):
        out += struct.pack("<i", len(text.encode())) + text.encode()
    fields = binding.kernel.fields
    out += struct.pack("<ii", binding.dtype.itemsize, len(fields))
    for field in fields:
        value = binding.values.get(field.name)
        if value is None:
            out += struct.pack("<i", 0)
        elif isinstance(value, np.ndarray):
            out += struct.pack(f"<ii{value.ndim}q", 3, value.ndim, *value.shape)
            out += struct.pack("<q", value.nbytes) + value.tobytes()
        elif field.type == "float64":
            out += struct.pack("<id", 2, value)
        else:
            out += struct.pack("<iq", 1, int(value))
    path.write_bytes(out)


def write_all(folder: Path) -> set[str]:
    """Write everything into a folder; the names of all kernels of the package."""
    folder.mkdir(parents=True, exist_ok=True)
    registered = kernels()
    where = Path(next(iter(_kernels.__path__)))
    (folder / "kernel_list.inc").write_text(kernel_list(where))
    seen: list[Binding] = []
    names = {kernel.name for _, _, kernel in registered}
    for module, attribute, kernel in registered:
        setattr(module, attribute, Recorder(kernel, seen))
    try:
        found: dict[str, Binding] = {}
        for name, space, (X, Y) in problems():
            packed = space.fit_pack(X, Y)
            seen.clear()
            space.bind(packed)
            for binding in seen:
                found[f"{name}-{binding.kernel.name}-{binding.dtype}"] = binding
        covered = {binding.kernel.name for binding in found.values()}
        for name, model, (X, y, fit_params) in fits():
            if names <= covered:
                break
            seen.clear()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.fit(X, y, **fit_params)
            for binding in seen:
                if binding.kernel.name not in covered:
                    key = f"{name}-fit-{binding.kernel.name}-{binding.dtype}"
                    found.setdefault(key, binding)
            covered |= {binding.kernel.name for binding in seen}
    finally:
        for module, attribute, kernel in registered:
            setattr(module, attribute, kernel)
    for key, binding in found.items():
        write_problem(folder / f"{key}.problem", key, binding)
    return names


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
