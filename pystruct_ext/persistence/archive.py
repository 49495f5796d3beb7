"""Saving and loading fitted estimators.

A model is a ZIP archive of stored members: ``manifest.json`` and one ``.npy`` per array.
Loading reads JSON and arrays (no pickles) and builds objects of classes in the table only, so
that a file cannot run code. Sizes are checked before memory is taken, and fitted attributes
before they are used (``check_loaded`` of each class), so that it cannot do other harm either.
"""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from pystruct_ext.persistence._finding import root
from pystruct_ext.persistence._members import Members
from pystruct_ext.persistence._values import Reader, Writer
from pystruct_ext.persistence._version1 import upgrade
from pystruct_ext.persistence.registry import ModelFileError, entry_of, names
from pystruct_ext.utils.files import atomic_file
from pystruct_ext.utils.inputs import seekable

FORMAT = "pystruct_ext.model"
VERSION = 2


def save(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted estimator to one file.

    Parameters
    ----------
    estimator : estimator
        Fitted, of a class that is `storable` as a model. The parameter ``callback`` is not
        stored.
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
    entry = entry_of(type(estimator))
    if entry is None or entry.kind != "model":
        raise TypeError(
            f"estimator must be one of {names('model')}, got {type(estimator).__name__}"
        )
    check_is_fitted(estimator, entry.private or None)
    writer = Writer()
    manifest = {
        "format": FORMAT,
        "format_version": VERSION,
        "package_version": root().__version__,
        **writer.object(entry, estimator),
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


def load(
    path: str | os.PathLike[str], space: Any = None, *, max_bytes: int | None = None
) -> Any:
    """Read a model written by `save`, of this or an older format version.

    Parameters
    ----------
    path : path-like
    space : OutputSpace, optional
        An unfitted space of the class that the model was trained with, where that is
        neither of this package nor `storable`: a file names classes, it never holds
        their code.
    max_bytes : int, optional
        Memory that weights which are mostly zero may take beyond what the file holds of
        them. By default 512 MiB, or 64 bytes for each byte of the file if that is more.

    Returns
    -------
    estimator
        Fitted.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    OSError
        If it cannot be opened.
    ModelFileError
        If the file is truncated, damaged, foreign, of a newer format, or if a fitted
        attribute is not what its class allows; the only error about contents.
    """
    try:
        # A ZIP archive is not read in order: of a pipe all has to be there.
        source = seekable(path)
    except FileNotFoundError:
        raise FileNotFoundError(f"no such model file: {path}") from None
    with source as file:
        try:
            members = Members(file, max_bytes)
            return _build(_checked(members.manifest()), Reader(members, space))
        except ModelFileError as error:
            raise ModelFileError(f"{path}: {error}") from error.__cause__
        except (zipfile.BadZipFile, EOFError) as error:
            raise ModelFileError(
                f"{path}: not a model file, or truncated or damaged ({error}); expected a "
                "file written by save"
            ) from None
        # Whatever hostile contents bring about, in here and in the classes that they name.
        except Exception as error:
            said = str(error)[:300] or type(error).__name__
            raise ModelFileError(f"{path}: damaged model file ({said})") from error


def _checked(manifest: Any) -> dict[str, Any]:
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ModelFileError(f"manifest.json does not say format {FORMAT!r}")
    version = manifest.get("format_version")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise ModelFileError(
            f"format version {str(version)[:60]}, expected 1 .. {VERSION}"
        )
    if version > VERSION:
        raise ModelFileError(
            f"format version {str(version)[:60]}, written by pystruct_ext "
            f"{str(manifest.get('package_version'))[:60]}; this version reads up to "
            f"{VERSION}: upgrade"
        )
    return manifest


def _build(manifest: dict[str, Any], reader: Reader) -> Any:
    if manifest["format_version"] == 1:
        manifest = upgrade(manifest)
    entry = reader.entry({**manifest, "kind": "model"})
    if entry.kind != "model":
        raise ModelFileError(
            f"the file holds a {entry.kind} of class {entry.name!r}, expected one of "
            f"{names('model')}"
        )
    if manifest.get("fitted") == {}:
        raise ModelFileError(f"the {entry.name} in the file is not fitted")
    return reader.build(manifest, entry)
