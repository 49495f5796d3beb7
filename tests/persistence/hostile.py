"""Model files made hostile: random mutations of good ones, and what may come of them."""

from __future__ import annotations

import copy
import io
import json
import warnings
import zipfile

import numpy as np

import pystruct_ext
from pystruct_ext import ConstituencySVM, SequenceSVM, StructuralSVM
from pystruct_ext.spaces import Constrained, MulticlassSpace, Product
from pystruct_ext.structures import STRUCTURES

NAMES = [[["w=a", "é"], {"w=b": 2.0}], [["w=b"]], [["w=a"], ["w=b"], ["w=b"]]]
TAGS = [["X", "Y"], ["Y"], ["X", "Y", "Y"]]
WILD = [
    *(None, True, -1, 0, 1, 7, 10**6, 2**31, 2**62, 10**30, -0.5, 1e308, "", "x"),
    *([], {}, [[]], {"$": "tuple", "v": []}, {"$": "float", "v": "nan"}, {"$": "evil"}),
    *({"$": "array", "v": "arrays/0.npy"}, {"$": "dtype", "v": ">f4"}, "arrays/1.npy"),
    *({"$": "dtype", "v": "O"}, {"$": "objects", "shape": [9], "v": ["a"]}),
    {"$": "sparse", "size": 10**11, "index": "arrays/0.npy", "data": "arrays/1.npy"},
    {"$": "dict", "v": [[[], 1]]},
]
DTYPES = ["<i4", ">i4", "<i8", "<f4", ">f4", "<f8", "|b1", "|u1", "<U3", "<c8", "<i2"]


def models():
    """Name to (fitted model, examples): every structure, and what else is stored."""
    found = {}
    for name, structure in STRUCTURES.items():
        X, y, fit_params = structure.problem(np.random.default_rng(0))
        model = structure.estimator(**structure.small)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(*((X,) if y is None else (X, y)), **fit_params)
        found[name] = model, X
    seen = SequenceSVM(features="seen", constraints={"X": ["Y"]}).fit(NAMES, TAGS)
    found["seen"] = seen, NAMES
    found["hashed"] = SequenceSVM(hash_bits=6).fit(NAMES, TAGS), NAMES
    X, y, _ = STRUCTURES["constituency"].problem(np.random.default_rng(0))
    found["grammar"] = ConstituencySVM(model="grammar", bits=6).fit(X, y), X
    pairs = StructuralSVM(Product(MulticlassSpace(), MulticlassSpace()))
    found["product"] = (
        pairs.fit(np.eye(3), [("a", 0), ("b", 1), ("a", 1)]),
        np.eye(3),
    )
    forbid = StructuralSVM(Constrained(MulticlassSpace(), np.array([True, True, True])))
    found["constrained"] = forbid.fit(np.eye(3), [0, 1, 2]), np.eye(3)
    return found


def members_of(raw):
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        return {n: archive.read(n) for n in archive.namelist()}


def packed(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def npy(array):
    out = io.BytesIO()
    np.lib.format.write_array(out, array, allow_pickle=False)
    return out.getvalue()


def places(value, path=()):
    """Paths to all values in a manifest."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items if isinstance(value, (dict, list)) else ():
        if isinstance(inner, (dict, list)):
            yield from places(inner, (*path, key))
        else:
            yield (*path, key)


def with_value(manifest, path, value):
    manifest = copy.deepcopy(manifest)
    at = manifest
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return manifest


def other_array(rng, array):
    """An array in place of another: of another type, shape, order or content."""
    kind = rng.integers(4)
    if kind == 0 and array.size and array.dtype.kind in "iufb":
        changed = array.copy()
        wild = [-1, 1, 1 << 20, -(1 << 30), 255, np.nan, np.inf, 1e300]
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = np.array(wild[rng.integers(len(wild))])
            for _ in range(int(rng.integers(1, 4))):
                changed.flat[rng.integers(array.size)] = value.astype(array.dtype)
        return changed
    if kind == 1:
        return array[: array.shape[0] // 2] if array.ndim else array.reshape(1, 1)
    if kind == 2:
        return np.concatenate([array.ravel(), array.ravel()])
    dtype = np.dtype(DTYPES[rng.integers(len(DTYPES))])
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return array.astype(dtype)


def mutated(rng, raw):
    """A file that differs from a good one in one way."""
    kind = rng.integers(6)
    if kind == 0:
        changed = bytearray(raw)
        for _ in range(int(rng.integers(1, 5))):
            changed[rng.integers(len(raw))] = rng.integers(256)
        return bytes(changed)
    if kind == 1:
        return raw[: rng.integers(len(raw))]
    members = members_of(raw)
    arrays = [n for n in members if n.startswith("arrays/")]
    if kind == 2 and arrays:
        name = arrays[rng.integers(len(arrays))]
        array = np.lib.format.read_array(io.BytesIO(members[name]))
        members[name] = npy(other_array(rng, array))
        return packed(members)
    manifest = json.loads(members["manifest.json"])
    paths = [p for p in places(manifest) if p]
    path = paths[rng.integers(len(paths))]
    if kind == 3 and len(paths) > 1:  # a value from elsewhere in the file
        value = manifest
        for key in paths[rng.integers(len(paths))]:
            value = value[key]
    else:
        value = WILD[rng.integers(len(WILD))]
    members["manifest.json"] = json.dumps(with_value(manifest, path, value)).encode()
    return packed(members)


def outcome(path, X, space=None):
    """Loads and predicts: "refused" or "predicted"; anything but ValueError passes through."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            pystruct_ext.load(path, space=space).predict(X)
        except ValueError:
            return "refused"
    return "predicted"
