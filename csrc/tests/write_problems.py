"""Writes what the native battery runs on: `python csrc/tests/write_problems.py DIR`.

``kernel_list.inc`` holds the tables of all kernels, as the registrations in
``pystruct_ext/spaces/_kernels/*.pyx`` name them. A ``.problem`` file holds what one kernel was
bound to for a small problem of some space; ``problem_file.hpp`` has the format.
"""

from __future__ import annotations

import contextlib
import importlib
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

from pystruct_ext._core.binder import Kernel
from pystruct_ext.spaces import SegmentSpace, SequenceSpace, _kernels
from pystruct_ext.structures import STRUCTURES

REGISTRATION = re.compile(
    r'^cdef extern from (?:"([^"]+)"(?: namespace "([^"]+)")?|\*)[^\n]*:\n'
    r'(?: +"""\n(.*?)""" *\n)?'
    r"((?: +const psx_kernel ?\*[^\n]*\n)+)",
    re.MULTILINE | re.DOTALL,
)
CHOICES = re.compile(r"^    (\w+) : \{(.*?)\}", re.MULTILINE | re.DOTALL)


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
    for structure in STRUCTURES.values():
        for variant in structure.samples:
            params = dict(variant.params)
            typed = [params]
            if "dtype" in structure.space().get_params():
                typed = [{**params, "dtype": d} for d in ("float32", "float64")]
            for chosen in typed:
                example = variant.make_problem(np.random.default_rng(3))
                yield variant.name, structure.space(**chosen), example


def partly(space: Any, Y: Any) -> Any:
    """Outputs some parts of which are missing, where the space takes such; else None."""
    if not isinstance(Y, list):
        return None
    if isinstance(space, SegmentSpace):
        return [[label for _, _, label in y] for y in Y[1:]] + [Y[0]]
    if isinstance(space, SequenceSpace):
        some = Y[0][0]
        return [[None, {some, *y}, *y[2:]][: len(y)] for y in Y[1:]] + [Y[0]]
    return None


def fits() -> Iterator[tuple[str, Any, tuple[Any, ...]]]:
    """Name, estimator and arguments of `fit`: for kernels that only estimators bind.

    Every choice that the estimator's docstring offers is made once.
    """
    for name, structure in STRUCTURES.items():
        X, y, *rest = structure.sample(np.random.default_rng(3))
        fit_params = rest[0] if rest else {}
        for parameter, choices in CHOICES.findall(structure.estimator.__doc__ or ""):
            for choice in re.findall(r'"(\w+)"', choices):
                params = {**structure.small, parameter: choice}
                yield name, structure.estimator(**params), (X, y, fit_params)


def in_each_type(binding: Binding) -> Iterator[Binding]:
    """The binding for w of each type that the kernel can be bound for."""
    real = {field.name for field in binding.kernel.fields if field.type == "real"}
    for dtype in (np.dtype(np.float32), np.dtype(np.float64)):
        values = {
            name: value.astype(dtype) if name in real and value is not None else value
            for name, value in binding.values.items()
        }
        try:
            binding.kernel.bind(values, dtype)
        except ValueError:
            continue
        yield Binding(binding.kernel, values, dtype)


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
    where = Path(__file__).resolve().parents[2] / "pystruct_ext/spaces/_kernels"
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
            known = partly(space, Y)
            if known is None:
                continue
            x = [*X[1:], X[0]]
            space.fit_domain(x, known)
            w = np.zeros(space.size_psi_)
            with contextlib.suppress(ValueError):  # lengths or constraints forbid it
                packed = space.pack(x, space.impute_batch(w, x, known), observed=known)
                seen.clear()
                space.bind(packed)
                for binding in seen:
                    key = f"{name}-partly-{binding.kernel.name}-{binding.dtype}"
                    found[key] = binding
        covered = {binding.kernel.name for binding in found.values()}
        for name, model, (X, y, fit_params) in fits():
            if names <= covered:
                break
            seen.clear()
            # Not every choice goes with every other.
            with warnings.catch_warnings(), contextlib.suppress(ValueError):
                warnings.simplefilter("ignore")
                model.fit(X, y, **fit_params)
            for binding in seen:
                if binding.kernel.name not in covered:
                    for typed in in_each_type(binding):
                        key = f"{name}-fit-{typed.kernel.name}-{typed.dtype}"
                        found.setdefault(key, typed)
            covered |= {binding.kernel.name for binding in seen}
    finally:
        for module, attribute, kernel in registered:
            setattr(module, attribute, kernel)
    for key, binding in found.items():
        write_problem(folder / f"{key}.problem", key, binding)
    return names


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
