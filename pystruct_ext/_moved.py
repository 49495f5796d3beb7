"""Old names of modules, for one version: importing one warns and gives the new module."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import sys
import warnings
from collections.abc import Sequence
from types import ModuleType

MODULES = {
    "pystruct_ext.ranking": "pystruct_ext.diversify",
    "pystruct_ext.ranking.baselines": "pystruct_ext.diversify.baselines",
    "pystruct_ext.ranking.text_features": "pystruct_ext.diversify.text_features",
    "pystruct_ext.persistence.model_file": "pystruct_ext.persistence.archive",
    "pystruct_ext.utils.dot_bracket": "pystruct_ext.outputs.dot_bracket",
    "pystruct_ext.utils.phrase_trees": "pystruct_ext.outputs.phrase_trees",
    "pystruct_ext.utils.segments": "pystruct_ext.outputs.segments",
    "pystruct_ext.utils.sentences": "pystruct_ext.outputs.sentences",
    "pystruct_ext.estimators.path": "pystruct_ext.model_selection.path",
}

# Old names in `pystruct_ext.io`, which `pystruct_ext.datasets` had before.
IO_NAMES = {
    "RnaStructures": "RnaFolds",
    "read_structures": "read_folds",
    "write_structures": "write_folds",
}


def warn_moved(old: str, new: str) -> None:
    """One FutureWarning for a name that has moved."""
    warnings.warn(
        f"{old} is now {new}; the old name will be removed in version 0.3",
        FutureWarning,
        stacklevel=3,
    )


class _Loader(importlib.abc.Loader):
    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        warn_moved(spec.name, MODULES[spec.name])
        return importlib.import_module(MODULES[spec.name])

    def exec_module(self, module: ModuleType) -> None:
        """The module was executed under its new name."""


class MovedModules(importlib.abc.MetaPathFinder):
    """Finds the old names of `MODULES`."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        """A spec whose module is the one of the new name."""
        if fullname not in MODULES:
            return None
        return importlib.machinery.ModuleSpec(fullname, _Loader())


def install() -> None:
    """Make the old names importable; called once by the package."""
    if not any(isinstance(finder, MovedModules) for finder in sys.meta_path):
        sys.meta_path.append(MovedModules())
