"""Classes that a file names, imported on demand from places that are trusted."""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
import warnings
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from types import ModuleType

from pystruct_ext.persistence.registry import (
    ModelFileError,
    Storable,
    lookup,
    lookup_old_tag,
)

GROUP = "pystruct_ext.structures"
PACKAGE = __name__.partition(".")[0]

# No leading underscores doubled: importing a `__main__` runs a program.
_MODULE = re.compile(r"(?!__)[A-Za-z_]\w*(\.(?!__)[A-Za-z_]\w*)*", re.ASCII)


def root() -> ModuleType:
    """The package itself, which is imported before any of its parts."""
    return sys.modules[PACKAGE]


def find(name: str, module: str | None) -> Storable | None:
    """The class that a file names.

    Parameters
    ----------
    name : str
        Its name in the table.
    module : str or None
        Where it was defined when the file was written; None in files of format version 1.
        Imported only if it lies in this package, or in a top-level package that an entry
        point of the group ``pystruct_ext.structures`` names.

    Returns
    -------
    Storable or None
        None if no trusted module defines the class.

    Raises
    ------
    ModelFileError
        If the import of a trusted module fails.
    """
    return _search(lambda: lookup(name), module)


def find_old_tag(tag: str) -> Storable | None:
    """The class that format version 1 wrote under a tag, or None."""
    return _search(lambda: lookup_old_tag(tag), None)


def _search(look: Callable[[], Storable | None], module: str | None) -> Storable | None:
    found = look()
    for candidate in () if found else _candidates(module):
        _import(candidate, needed=candidate == module)
        found = look()
        if found:
            break
    return found


def _candidates(module: str | None) -> Iterator[str]:
    """Modules to import, the likeliest first; the class may have moved since."""
    if module is not None:
        if not is_trusted(module):
            return
        yield module
    top = PACKAGE if module is None else module.partition(".")[0]
    if top == PACKAGE:
        for part in pkgutil.iter_modules(root().__path__):
            if part.ispkg:
                yield f"{PACKAGE}.{part.name}"
    else:
        yield from _points(top)


def is_trusted(module: str) -> bool:
    """Whether a module that a file names may be imported."""
    if not isinstance(module, str) or _MODULE.fullmatch(module) is None:
        return False
    top = module.partition(".")[0]
    return top == PACKAGE or bool(_points(top))


def _points(top: str) -> list[str]:
    """Modules of one top-level package that entry points name."""
    modules = [point.module for point in entry_points(group=GROUP)]
    return [m for m in modules if m.partition(".")[0] == top]


def _import(module: str, needed: bool) -> None:
    """Import a module; one that a file does not name may lack its optional packages."""
    with warnings.catch_warnings():
        # A file is not to blame for the old name of a module that it was written with.
        warnings.simplefilter("ignore", FutureWarning)
        try:
            importlib.import_module(module)
        except Exception as error:
            missing = error.name if isinstance(error, ModuleNotFoundError) else None
            moved = missing is not None and f"{module}.".startswith(f"{missing}.")
            if moved or (not needed and isinstance(error, ImportError)):
                return
            raise ModelFileError(
                f"the module {module!r} cannot be imported: {error}"
            ) from error
