"""The structures that the command line, the tests and the documents iterate over.

Every module of this folder with a ``STRUCTURE`` is one; other packages add theirs through
the entry point group ``pystruct_ext.structures``.
"""

from __future__ import annotations

import importlib
import pkgutil
import warnings
from collections.abc import Iterator, Mapping
from importlib import metadata
from typing import Any

from pystruct_ext.structures.base import (
    Examples,
    Option,
    Problem,
    Structure,
    Variant,
    Wrapped,
    take,
)

GROUP = "pystruct_ext.structures"


class _Structures(Mapping[str, Structure]):
    """Name to `Structure`, found when first looked at."""

    def __init__(self) -> None:
        self._found: dict[str, Structure] | None = None

    def _all(self) -> dict[str, Structure]:
        if self._found is None:
            self._found = {name: s for name, (s, _) in _find().items()}
        return self._found

    def __getitem__(self, name: str) -> Structure:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __repr__(self) -> str:
        return f"<structures {', '.join(self)}>"


def _find() -> dict[str, tuple[Structure, str]]:
    """Name to structure and where it comes from."""
    found: dict[str, tuple[Structure, str]] = {}
    for info in pkgutil.iter_modules(__path__, __name__ + "."):
        if info.name.rpartition(".")[2].startswith("_"):
            continue
        structure = getattr(importlib.import_module(info.name), "STRUCTURE", None)
        if structure is not None:
            _add(found, structure, info.name)
    for point in metadata.entry_points(group=GROUP):
        owner = "an unnamed distribution" if point.dist is None else point.dist.name
        try:
            structure = point.load()
            if not isinstance(structure, Structure):
                raise TypeError(
                    f"{point.value} is a {type(structure).__name__}, expected a Structure"
                )
        # Whatever goes wrong in a foreign package must not take ours with it.
        except Exception as error:
            warnings.warn(
                f"the structure {point.name!r} of {owner} cannot be loaded and is left "
                f"out: {type(error).__name__}: {error}",
                RuntimeWarning,
                stacklevel=2,
            )
            continue
        _add(found, structure, f"{owner} ({point.value})")
    return found


def _add(
    found: dict[str, tuple[Structure, str]], structure: Structure, origin: str
) -> None:
    if structure.name in found:
        raise ValueError(
            f"two structures are called {structure.name!r}: that of "
            f"{found[structure.name][1]} and that of {origin}; uninstall or rename one"
        )
    found[structure.name] = structure, origin


STRUCTURES: Mapping[str, Structure] = _Structures()


def structure_of(estimator: Any) -> Structure:
    """The structure whose estimator class is exactly that of an estimator, or wraps it.

    Parameters
    ----------
    estimator : object

    Returns
    -------
    Structure

    Raises
    ------
    ValueError
        If there is none.

    Examples
    --------
    >>> from pystruct_ext import FoldingSVM
    >>> structure_of(FoldingSVM()).name
    'folding'
    """
    for structure in STRUCTURES.values():
        if structure.estimator is type(estimator):
            return structure
        wrapped = structure.wrapped
        if wrapped is not None and wrapped.holds(estimator):
            return wrapped.structure
    known = ", ".join(s.estimator.__name__ for s in STRUCTURES.values())
    raise ValueError(
        f"no structure has the estimator {type(estimator).__name__}; expected one of {known}"
    )


def table() -> str:
    """The structures as a table in Markdown, one row each."""
    rows = [
        "| `learn` KIND | Estimator | Space | What, and from which files |",
        "|---|---|---|---|",
    ]
    for s in STRUCTURES.values():
        rows.append(
            f"| `{s.name}` | `{s.estimator.__name__}` | `{s.space.__name__}` | "
            f"{s.summary} |"
        )
    return "\n".join(rows) + "\n"


__all__ = [
    "GROUP",
    "STRUCTURES",
    "Examples",
    "Option",
    "Problem",
    "Structure",
    "Variant",
    "Wrapped",
    "structure_of",
    "table",
    "take",
]
