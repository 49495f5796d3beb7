"""Members of a model file, read with every size checked against the file's own.

Nothing is allocated because a file says so: members are stored, not compressed, so that none is
larger than the file; the shape in the header of an array has to fit its bytes; and what a file
can be short of, the zeros of sparse weight vectors, has a budget.
"""

from __future__ import annotations

import io
import json
import math
import warnings
import zipfile
from typing import IO, Any

import numpy as np

from pystruct_ext.persistence.registry import ModelFileError

# Zeros that a file may ask for whatever its size, and per byte of it.
MIN_BUDGET, PER_BYTE = 1 << 29, 64
_MANIFEST_SHARE = 32
_ENCRYPTED = 0x1
_KINDS = "biufcSU"


class Members:
    """The members of an open model file.

    Parameters
    ----------
    file : binary file
        Can be read from any place.
    max_bytes : int, optional
        Budget of zeros in sparse arrays; 512 MiB, or 64 bytes for each byte of the file, by
        default.

    Raises
    ------
    ModelFileError
        If a member is compressed, encrypted, named twice, or larger than the file.
    """

    def __init__(self, file: IO[bytes], max_bytes: int | None = None) -> None:
        size = file.seek(0, io.SEEK_END)
        self.max_bytes = max(MIN_BUDGET, PER_BYTE * size)
        if max_bytes is not None:
            self.max_bytes = max_bytes
        self._left = self.max_bytes
        self._archive = zipfile.ZipFile(file)
        self._infos: dict[str, zipfile.ZipInfo] = {}
        self._taken: set[str] = set()
        total = 0
        for info in self._archive.infolist():
            total += info.file_size
            if info.filename in self._infos:
                raise ModelFileError(f"two members are called {info.filename[:60]!r}")
            if info.flag_bits & _ENCRYPTED:
                raise ModelFileError(f"the member {info.filename[:60]!r} is encrypted")
            if info.compress_type != zipfile.ZIP_STORED:
                raise ModelFileError(
                    f"the member {info.filename[:60]!r} is compressed, expected stored ones"
                )
            if info.file_size != info.compress_size or total > size:
                raise ModelFileError(
                    f"the member {info.filename[:60]!r} says that it has {info.file_size} "
                    f"bytes, but the file has {size} for all of them"
                )
            self._infos[info.filename] = info

    def _read(self, name: str) -> bytes:
        with self._archive.open(self._infos[name]) as member:
            return member.read()

    def manifest(self) -> Any:
        """The JSON of ``manifest.json``."""
        info = self._infos.get("manifest.json")
        if info is None:
            raise ModelFileError(
                "a ZIP archive without manifest.json, expected a file written by save"
            )
        if info.file_size > self.max_bytes // _MANIFEST_SHARE:
            raise ModelFileError(
                f"manifest.json has {info.file_size} bytes, at most "
                f"{self.max_bytes // _MANIFEST_SHARE} are read (a thirty-second of max_bytes)"
            )
        return json.loads(
            self._read("manifest.json").decode(), parse_constant=_no_constant
        )

    def array(self, name: Any) -> np.ndarray:
        """The array of a member, in native byte order.

        Raises
        ------
        ModelFileError
            If there is none, it was asked for before, or it is not what its header says.
        """
        if not isinstance(name, str) or name not in self._infos:
            raise ModelFileError(f"there is no array {str(name)[:60]!r}")
        if name in self._taken:
            raise ModelFileError(f"the array {name!r} stands for two values")
        self._taken.add(name)
        try:
            return _parsed(self._read(name))
        except zipfile.BadZipFile:
            raise
        except Exception as error:
            raise ModelFileError(f"{name} is no array: {error}") from error

    def sparse(self, size: Any, index: np.ndarray, data: np.ndarray) -> np.ndarray:
        """A vector that is mostly zero."""
        if isinstance(size, bool) or not isinstance(size, int) or size < 0:
            raise ModelFileError(f"a sparse array has the size {str(size)[:60]}")
        if index.ndim != 1 or index.dtype.kind not in "iu" or data.shape != index.shape:
            raise ModelFileError(
                f"a sparse array has indices of {index.dtype} and shape {index.shape}, and "
                f"values of shape {data.shape}"
            )
        if index.size and not (index.min() >= 0 and index.max() < size):
            raise ModelFileError(f"a sparse array of size {size} has other indices")
        self._left -= size * data.itemsize
        if self._left < 0:
            raise ModelFileError(
                f"weights of {size} entries need more than the {self.max_bytes} bytes that a "
                "file of this size may ask for; load(path, max_bytes=...) allows more"
            )
        dense = np.zeros(size, dtype=data.dtype)
        dense[index] = data
        return dense


def _no_constant(text: str) -> Any:
    raise ModelFileError(f"manifest.json holds the number {text}, which is no JSON")


def _parsed(raw: bytes) -> np.ndarray:
    """The array of an .npy file whose header and size agree."""
    file = io.BytesIO(raw)
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"version {version} of the .npy format")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # headers of Python 2
        read = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, fortran, dtype = read(file)
    if dtype.kind not in _KINDS or dtype.itemsize == 0 or dtype.hasobject:
        raise ValueError(f"type {dtype}")
    if len(shape) > 8 or any(n < 0 for n in shape):
        raise ValueError(f"shape {shape}")
    start, count = file.tell(), math.prod(shape)
    if count * dtype.itemsize != len(raw) - start:
        raise ValueError(
            f"shape {shape} of {dtype} needs {count * dtype.itemsize} bytes, there are "
            f"{len(raw) - start}"
        )
    flat = np.frombuffer(raw, dtype=dtype, count=count, offset=start)
    array = flat.reshape(shape, order="F" if fortran else "C")
    native = array.astype(dtype.newbyteorder("="), order="C", copy=True)
    # Bytes that are no values of the type lead NumPy itself astray.
    if dtype.kind == "b" and native.size and native.view(np.uint8).max() > 1:
        raise ValueError("booleans that are neither 0 nor 1")
    if dtype.kind == "U" and native.size:
        codes = native.reshape(-1).view(np.uint32)
        if codes.max() > 0x10FFFF or ((codes >= 0xD800) & (codes < 0xE000)).any():
            raise ValueError("text that is no Unicode")
    return native
