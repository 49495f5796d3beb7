"""Saving and loading fitted estimators.

A model is a ZIP archive of stored members: ``manifest.json`` and one ``.npy`` per array.
Loading reads JSON and arrays (``allow_pickle=False``) and builds objects of known classes
only, so that a file cannot run code.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from pystruct_ext.diversify import QueryTextFeatures
from pystruct_ext.estimators import (
    AlignmentSVM,
    ConstituencySVM,
    DependencySVM,
    DiverseRankingSVM,
    FoldingSVM,
    MulticlassSVM,
    RankingSVM,
    SegmentSVM,
    SequenceSVM,
    StructuralSVM,
)
from pystruct_ext.estimators._mixture import MixtureTopics
from pystruct_ext.solvers import SOLVERS, History, Solver
from pystruct_ext.spaces import (
    AlignmentSpace,
    Allowed,
    ConstituencySpace,
    DependencySpace,
    FoldingSpace,
    MulticlassSpace,
    OutputSpace,
    RankingSpace,
    SegmentSpace,
    SequenceSpace,
    SlateSpace,
)
from pystruct_ext.spaces._encoding import FeatureEncoder
from pystruct_ext.spaces._treebank_grammar import TreebankGrammar
from pystruct_ext.utils.files import atomic_file

FORMAT = "pystruct_ext.model"
VERSION = 1

_ESTIMATORS: dict[str, type[Any]] = {
    c.__name__: c
    for c in (
        SequenceSVM,
        MulticlassSVM,
        StructuralSVM,
        RankingSVM,
        DiverseRankingSVM,
        DependencySVM,
        ConstituencySVM,
        FoldingSVM,
        SegmentSVM,
        AlignmentSVM,
    )
}
_SPACES: dict[str, type[Any]] = {
    c.__name__: c
    for c in (
        SequenceSpace,
        MulticlassSpace,
        RankingSpace,
        SlateSpace,
        DependencySpace,
        ConstituencySpace,
        FoldingSpace,
        SegmentSpace,
        AlignmentSpace,
    )
}
# Fitted parts of an estimator that are objects of their own.
_PARTS: dict[str, type[Any]] = {
    c.__name__: c for c in (MixtureTopics, QueryTextFeatures)
}
_SOLVERS: dict[str, type[Solver]] = {c.__name__: c for c in SOLVERS.values()}
# Parameters that hold code, or belong to a run and not to a model.
_LEFT_OUT = ("callback",)


class ModelFileError(ValueError):
    """A file is not a model that this version can read."""


class _Writer:
    """Turns values into JSON; arrays become members of the archive."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}

    def encode(self, value: Any, where: str) -> Any:
        if value is None or isinstance(value, (bool, str)):
            return value
        if isinstance(value, (np.bool_, np.integer, np.floating)):
            value = value.item()
        if isinstance(value, int):
            return value
        if isinstance(value, float):
            return value if np.isfinite(value) else {"$": "float", "v": repr(value)}
        if isinstance(value, np.ndarray):
            return self._array(value, where)
        if isinstance(value, History):
            keys = list(value[0]) if value else []
            columns = {k: self.encode(value.column(k), where) for k in keys}
            return {"$": "history", "v": columns}
        if isinstance(value, tuple):
            return {"$": "tuple", "v": [self.encode(v, where) for v in value]}
        if isinstance(value, list):
            return [self.encode(v, where) for v in value]
        if isinstance(value, dict):
            pairs = [
                [self.encode(k, where), self.encode(v, where)] for k, v in value.items()
            ]
            return {"$": "dict", "v": pairs}
        if isinstance(value, Allowed):
            parts = [value.transition, value.start, value.end]
            return {"$": "allowed", "v": [self._array(a, where) for a in parts]}
        if isinstance(value, TreebankGrammar):
            state = {f.name: getattr(value, f.name) for f in fields(value)}
            return {"$": "grammar", "v": self.encode(state, where)}
        if isinstance(value, FeatureEncoder):
            state = value.__getstate__()
            state["dtype"] = np.dtype(state["dtype"]).name
            return {"$": "encoder", "v": self.encode(state, where)}
        if isinstance(value, Solver):
            params = self.encode(value.get_params(deep=False), where)
            return {"$": "solver", "class": type(value).__name__, "v": params}
        if _PARTS.get(type(value).__name__) is type(value):
            params = self.encode(value.get_params(deep=False), where)
            fitted = self.encode(_fitted(value), where)
            return {
                "$": "part",
                "class": type(value).__name__,
                "v": params,
                "fitted": fitted,
            }
        if isinstance(value, np.random.RandomState | np.random.Generator):
            return None  # the state of a run, not of a model
        raise TypeError(
            f"{where} holds a {type(value).__name__}, which a model file cannot store"
        )

    def _array(self, value: np.ndarray, where: str) -> Any:
        if value.dtype.kind == "O":
            flat = [self.encode(v, where) for v in value.ravel().tolist()]
            return {"$": "objects", "shape": list(value.shape), "v": flat}
        if value.dtype.kind in "fc" and value.ndim == 1 and value.size > 1024:
            at = np.flatnonzero(value)
            if at.size * (8 + value.itemsize) < value.nbytes:
                index, data = self._member(at), self._member(value[at])
                return {"$": "sparse", "size": value.size, "index": index, "data": data}
        return {"$": "array", "v": self._member(value)}

    def _member(self, value: np.ndarray) -> str:
        name = f"arrays/{len(self.arrays)}.npy"
        self.arrays[name] = np.ascontiguousarray(value)
        return name


class _Reader:
    """The inverse of `_Writer`."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive

    def decode(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.decode(v) for v in value]
        if not isinstance(value, dict):
            return value
        tag = value["$"]
        if tag == "float":
            return float(value["v"])
        if tag == "tuple":
            return tuple(self.decode(v) for v in value["v"])
        if tag == "dict":
            return {self.decode(k): self.decode(v) for k, v in value["v"]}
        if tag == "array":
            return self._member(value["v"])
        if tag == "objects":
            out = np.empty(len(value["v"]), dtype=object)
            out[:] = [self.decode(v) for v in value["v"]]
            return out.reshape(value["shape"])
        if tag == "sparse":
            data = self._member(value["data"])
            dense = np.zeros(int(value["size"]), dtype=data.dtype)
            dense[self._member(value["index"])] = data
            return dense
        if tag == "history":
            columns = {k: self.decode(v) for k, v in value["v"].items()}
            rows = zip(*(c.tolist() for c in columns.values()), strict=True)
            history = History(dict(zip(columns, row, strict=True)) for row in rows)
            for row in history:
                for key in ("epoch", "oracle_calls", "n_cuts"):
                    row[key] = int(row[key])
            return history
        if tag == "allowed":
            return Allowed(*(self.decode(v) for v in value["v"]))
        if tag == "grammar":
            return TreebankGrammar(**self.decode(value["v"]))
        if tag == "encoder":
            state = self.decode(value["v"])
            state["dtype"] = np.dtype(state["dtype"])
            encoder = FeatureEncoder(None, 1, None, state["dtype"])
            encoder.__setstate__(state)
            return encoder
        if tag == "part":
            part = _known(_PARTS, value["class"], "part")(**self.decode(value["v"]))
            for key, item in self.decode(value["fitted"]).items():
                setattr(part, key, item)
            return part
        if tag == "solver":
            return _known(_SOLVERS, value["class"], "solver")(**self.decode(value["v"]))
        raise ModelFileError(f"the manifest holds the unknown tag {tag!r}")

    def _member(self, name: str) -> np.ndarray:
        with self.archive.open(name) as file:
            return np.lib.format.read_array(io.BytesIO(file.read()), allow_pickle=False)


def _known(table: dict[str, type[Any]], name: str, what: str) -> type[Any]:
    if name not in table:
        raise ModelFileError(
            f"the file holds a {what} of class {name!r}, expected one of {sorted(table)}"
        )
    return table[name]


def _fitted(obj: Any, leave_out: tuple[str, ...] = ()) -> dict[str, Any]:
    """Instance attributes that fit has set."""
    params = set(obj.get_params(deep=False))
    return {
        k: v
        for k, v in vars(obj).items()
        if k not in params and k not in leave_out and (k.endswith("_") or k == "_w")
    }


def save(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator to one file.

    Parameters
    ----------
    estimator : estimator of this package
        Fitted. The parameter ``callback`` is not stored.
    path : path-like
        Written under a temporary name in the same folder, then renamed, so that a
        reader never sees half a file.

    Raises
    ------
    TypeError
        For another class, or an attribute that a file cannot hold.
    sklearn.exceptions.NotFittedError
        If it is not fitted.

    Examples
    --------
    >>> import tempfile, os, pystruct_ext
    >>> model = pystruct_ext.SequenceSVM().fit([[["a"], ["b"]]], [["X", "Y"]])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(os.path.join(folder, "model.psx"))
    ...     pystruct_ext.load(os.path.join(folder, "model.psx")).predict([[["a"]]])
    [['X']]
    """
    name = type(estimator).__name__
    if _ESTIMATORS.get(name) is not type(estimator):
        raise TypeError(
            f"estimator must be one of {sorted(_ESTIMATORS)}, got {type(estimator).__name__}"
        )
    check_is_fitted(estimator, "_w")
    from pystruct_ext import __version__

    writer = _Writer()
    params = {
        k: v
        for k, v in estimator.get_params(deep=False).items()
        if k not in _LEFT_OUT and not isinstance(v, OutputSpace)
    }
    space = estimator.space_
    leave_out = ("space_",)
    manifest = {
        "format": FORMAT,
        "format_version": VERSION,
        "package_version": __version__,
        "class": name,
        "params": writer.encode(params, "a parameter"),
        "fitted": writer.encode(_fitted(estimator, leave_out), "the estimator"),
        "space": {
            "class": type(space).__name__,
            "params": writer.encode(space.get_params(deep=False), "the space"),
            "fitted": writer.encode(_fitted(space), "the space"),
        },
    }
    _write(Path(path), manifest, writer.arrays)


def _write(path: Path, manifest: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    with (
        atomic_file(path) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive,
    ):
        text = json.dumps(manifest, indent=1, allow_nan=False)
        archive.writestr(_entry("manifest.json"), text)
        for name, array in arrays.items():
            with archive.open(_entry(name), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def _entry(name: str) -> zipfile.ZipInfo:
    """A member with a fixed date: the same model gives the same bytes."""
    return zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))


def load(path: str | os.PathLike[str], space: OutputSpace | None = None) -> Any:
    """Read a model written by `save`.

    Parameters
    ----------
    path : path-like
    space : OutputSpace, optional
        An unfitted space of the class that the model was trained with, where that is
        not one of this package: a file names classes, it never holds their code.

    Returns
    -------
    estimator
        Fitted.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelFileError
        If the file is truncated, damaged, foreign, or of a newer format.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no such model file: {path}")
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = _manifest(archive)
            return _build(manifest, _Reader(archive), space)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from None
    except (zipfile.BadZipFile, EOFError) as error:
        raise ModelFileError(
            f"{path}: not a model file, or truncated or damaged ({error}); expected a file "
            "written by save"
        ) from None
    except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise ModelFileError(f"{path}: damaged model file ({error})") from error


def _manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    if "manifest.json" not in archive.namelist():
        raise ModelFileError(
            "a ZIP archive without manifest.json, expected a file written by save"
        )
    manifest = json.loads(archive.read("manifest.json"))
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ModelFileError(f"manifest.json does not say format {FORMAT!r}")
    version = manifest.get("format_version")
    if not isinstance(version, int) or version > VERSION:
        raise ModelFileError(
            f"format version {version}, written by pystruct_ext "
            f"{manifest.get('package_version')}; this version reads up to {VERSION}: upgrade"
        )
    return manifest


def _build(manifest: dict[str, Any], reader: _Reader, space: OutputSpace | None) -> Any:
    cls = _known(_ESTIMATORS, manifest["class"], "model")
    params = reader.decode(manifest["params"])
    spec = manifest["space"]
    if spec["class"] in _SPACES:
        fitted_space = _SPACES[spec["class"]](**reader.decode(spec["params"]))
    elif space is None:
        raise ModelFileError(
            f"trained with the output space {spec['class']!r}, which is not part of this "
            f"package: load(path, space={spec['class']}())"
        )
    elif type(space).__name__ != spec["class"]:
        raise ModelFileError(
            f"trained with the output space {spec['class']!r}, got space="
            f"{type(space).__name__}"
        )
    else:
        fitted_space = type(space)(**reader.decode(spec["params"]))
    for key, value in reader.decode(spec["fitted"]).items():
        setattr(fitted_space, key, value)
    if cls is StructuralSVM:
        params["space"] = type(fitted_space)(**fitted_space.get_params(deep=False))
    estimator = cls(**params)
    estimator.space_ = fitted_space
    for key, value in reader.decode(manifest["fitted"]).items():
        setattr(estimator, key, value)
    return estimator
