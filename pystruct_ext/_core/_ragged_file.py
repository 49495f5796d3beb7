r"""The file behind `PackedRows.save` and `PackedRows.load`.

All integers are little-endian.

=========  ========================================================================
bytes      content
=========  ========================================================================
0-7        ``PSXROWS\n``
8-15       uint64 format version, 1
16-23      uint64 storage: 0 dense, 1 sparse
24-31      uint64 bytes of a value: 0 (all ones, sparse only), 4 or 8 (IEEE float)
32-63      int64 n_examples, n_rows, nnz, n_features
64-        the arrays offsets, indptr, indices, values in this order, those that are
           None left out, each starting at the next multiple of 64; the file ends with
           the last array
=========  ========================================================================
"""

from __future__ import annotations

import os
import secrets
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAGIC = b"PSXROWS\n"
_HEADER = struct.Struct("<8sQQQqqqq")
_ALIGN = 64

Arrays = tuple[
    NDArray[np.int64], NDArray[np.int64] | None, NDArray[np.int32] | None, Any
]


def write_rows(target: Path, shape: tuple[int, int, int, int], arrays: Arrays) -> None:
    """Write the shape (n_examples, n_rows, nnz, n_features) and the arrays."""
    values = arrays[3]
    item = 0 if values is None else values.itemsize
    header = _HEADER.pack(_MAGIC, 1, int(arrays[1] is not None), item, *shape)
    # Not tempfile: its files are readable by their owner only, for ever.
    name = target.with_name(f"{target.name}.{secrets.token_hex(8)}.tmp")
    try:
        with open(name, "xb") as file:
            file.write(header)
            for array in arrays:
                if array is None:
                    continue
                file.write(b"\0" * (-file.tell() % _ALIGN))
                little = array.astype(array.dtype.newbyteorder("<"), copy=False)
                file.write(little.data)
        os.replace(name, target)
    except BaseException:
        name.unlink(missing_ok=True)
        raise


def read_rows(
    path: str | os.PathLike[str], mmap: bool
) -> tuple[tuple[int, int, int], Arrays]:
    """Read (n_rows, nnz, n_features) and the arrays, whose contents are not checked."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(_HEADER.size)
        if len(head) < _HEADER.size or head[:8] != _MAGIC:
            raise ValueError(f"{path}: not a file of packed rows")
        _, version, sparse, item, *counts = _HEADER.unpack(head)
        n_examples, n_rows, nnz, n_features = counts
        if version != 1:
            raise ValueError(f"{path}: format version {version}, expected 1")
        if sparse not in (0, 1) or item not in ((0, 4, 8) if sparse else (4, 8)):
            raise ValueError(f"{path}: the header is damaged")
        # No count exceeds the bytes of its array; without this a slice could be huge.
        if min(counts) < 0 or max(n_examples, nnz) > size:
            raise ValueError(f"{path}: the header is damaged or the file truncated")
        layout = [("offsets", "<i8", n_examples + 1)]
        if sparse:
            layout += [("indptr", "<i8", n_rows + 1), ("indices", "<i4", nnz)]
        if item:
            layout += [("values", f"<f{item}", nnz)]
        places, end = {}, _HEADER.size
        for name, dtype, n in layout:
            start = end + -end % _ALIGN
            end = start + n * int(dtype[2:])
            places[name] = (start, end, dtype)
        if end != size:
            raise ValueError(f"{path}: {size} bytes, expected {end}")
        raw: NDArray[np.uint8]
        if mmap:
            raw = np.asarray(np.memmap(file, dtype=np.uint8, mode="r"))
        else:
            file.seek(0)
            raw = np.fromfile(file, dtype=np.uint8)
    arrays: dict[str, Any] = {}
    for name, (start, stop, dtype) in places.items():
        array = raw[start:stop].view(dtype)
        native = array.dtype.newbyteorder("=")
        arrays[name] = array if sys.byteorder == "little" else array.astype(native)
    return (n_rows, nnz, n_features), (
        arrays["offsets"],
        arrays.get("indptr"),
        arrays.get("indices"),
        arrays.get("values"),
    )
