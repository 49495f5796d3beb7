"""Mutations of model files: of their bytes, their manifest, their arrays, their ZIP."""

from __future__ import annotations

import io
import json
import random
import struct
import warnings
import zipfile
from typing import Any

import mutate
import numpy as np

Members = dict[str, bytes]

_TAGS = ("object", "float", "dtype", "tuple", "dict", "array", "objects", "sparse")


def mutate_model(
    rng: random.Random, data: bytes, others: list[bytes]
) -> tuple[bytes, list[str]]:
    """A model file with one or two things wrong; what they are."""
    how = rng.choices(
        ("bytes", "manifest", "arrays", "zip", "both"), (15, 30, 35, 15, 5)
    )[0]
    if how == "bytes":
        out, names = mutate.mutate(rng, data, mutate.BYTEWISE)
        return out, [f"bytes: {name}" for name in names]
    members = _members(data)
    notes: list[str] = []
    if how in ("manifest", "both"):
        notes.append(_change_manifest(rng, members, others))
    if how in ("arrays", "both"):
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            notes.append(_change_array(rng, members))
    if how == "zip":
        return _zip_trick(rng, members)
    return _archive(members), notes


def _members(data: bytes) -> Members:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def _archive(members: Members, compression: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(_entry(name, compression), content)
    return out.getvalue()


def _entry(name: str, compression: int = zipfile.ZIP_STORED) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    info.compress_type = compression
    return info


# ---------------------------------------------------------------------------- manifest


def _places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if isinstance(node, dict):
        for key, value in node.items():
            found += _places(value, (*path, key))
    elif isinstance(node, list):
        for k, value in enumerate(node[:200]):
            found += _places(value, (*path, k))
    return found


def _get(node: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        node = node[step]
    return node


def _wild_json(rng: random.Random, names: list[str], classes: list[str]) -> Any:
    member = rng.choice(names)
    dtype = rng.choice(("O", "V8", "<f8", "S5", "M8[s]", "f8,f8", "x", ""))
    shape = rng.choice(([3], [-1], [10**6, 10**6], [], "x"))
    return rng.choice(
        (
            None, True, False, 0, 1, -1, 2, 2.9, 255, 2**31, -(2**31) - 1, 2**63, 2**64,
            1e308, -1e308, float("nan"), float("inf"), 10**400, "", "x", "nan", "a" * 10_000,
            [], {}, [[]], [None], {"a": 1}, {"$": None}, {"$": "unknown"}, {"$": []},
            {"$": "float", "v": "nan"},
            {"$": "float", "v": "1e999999"},
            {"$": "dtype", "v": dtype},
            {"$": "array", "v": member},
            {"$": "array", "v": rng.choice(("manifest.json", "no.npy", "", "../x", 3, None))},
            {"$": "tuple", "v": rng.choice(([], None, "abc", 3, [1, 2]))},
            {"$": "dict", "v": rng.choice(([], [[1, 2]], [[[], 1]], [[1]], 3, "ab", {"a": 1}))},
            {"$": "objects", "shape": shape, "v": [1]},
            {"$": "objects", "shape": [2], "v": rng.choice(([1, 2], [[1], [2]], None))},
            {
                "$": "sparse",
                "size": rng.choice((0, -1, 10, 10**10, 10**13, 2**63, "5", None, 2.9)),
                "index": member,
                "data": rng.choice(names),
            },
            {"$": "object", "class": rng.choice(classes)},
            {"$": "object", "class": rng.choice(classes), "params": {}, "fitted": {}},
            {"$": "object", "class": rng.choice(classes), "state": {}},
            {"$": "object", "class": "os.system", "module": "os", "state": ["true"]},
        )
    )  # fmt: skip


def _change_manifest(rng: random.Random, members: Members, others: list[bytes]) -> str:
    manifest = json.loads(members["manifest.json"])
    if rng.random() < 0.08:
        return _change_manifest_text(rng, members)
    names = [n for n in members if n.endswith(".npy")] or ["manifest.json"]
    classes = sorted({w for o in [*others[:50]] for w in _classes(o)}) or [
        "SequenceSVM"
    ]
    places = _places(manifest)[1:]
    path = rng.choice(places)
    # Sizes, names and flags near the top are few among many labels: they get their share.
    numbers = [p for p in places if isinstance(_get(manifest, p), (int, float))]
    draw = rng.random()
    if draw < 0.25:
        path = rng.choice([p for p in places if len(p) <= 4])
    elif draw < 0.55 and numbers:
        path = rng.choice(numbers)
    parent, key = _get(manifest, path[:-1]), path[-1]
    old = parent[key]
    how = rng.choice(
        ("wild", "wild", "near", "near", "delete", "other", "rename", "repeat", "class")
    )
    if how == "near" and not isinstance(old, (bool, int, float, str)):
        how = "other"
    if how == "wild":
        parent[key] = _wild_json(rng, names, classes)
    elif how == "near":
        parent[key] = _near(rng, old)
    elif how == "delete":
        del parent[key]
    elif how == "other":
        parent[key] = json.loads(json.dumps(_get(manifest, rng.choice(places))))
    elif how == "rename" and isinstance(parent, dict):
        parent[
            rng.choice((f"{key}x", "", "$", "callback", "__class__", "fit", "coef_"))
        ] = old
        if rng.random() < 0.5:
            del parent[key]
    elif how == "repeat" and isinstance(parent, list):
        parent[key:key] = [old] * rng.choice((1, 2, 1000))
    else:
        nodes = [p for p in places if p[-1] == "class"]
        path = rng.choice(nodes) if nodes else path
        _get(manifest, path[:-1])[path[-1]] = rng.choice(classes)
        how = "class"
    members["manifest.json"] = json.dumps(manifest, indent=1).encode()
    return f"manifest: {how} at {'/'.join(map(str, path))}"


def _classes(data: bytes) -> list[str]:
    found = []

    def walk(node: Any) -> None:
        if isinstance(node, dict):
            if isinstance(node.get("class"), str):
                found.append(node["class"])
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(json.loads(_members(data)["manifest.json"]))
    return found


def _near(rng: random.Random, old: Any) -> Any:
    if isinstance(old, bool):
        return rng.choice((not old, int(old), str(old), None))
    if isinstance(old, int):
        return rng.choice(
            (old + 1, old - 1, -old, old * 2, old * 10**6, float(old), str(old), 0)
        )
    if isinstance(old, float):
        return rng.choice(
            (-old, old * 1e30, 0.0, float("nan"), int(old) if abs(old) < 1e18 else 0)
        )
    if len(old) > 0 and rng.random() < 0.5:
        k = rng.randrange(len(old))
        return old[:k] + rng.choice(("", "x", "0", "\0", "\ud800", "é")) + old[k + 1 :]
    return rng.choice(
        (old + "x", old.upper(), old * 2, [old], [], "", old.encode().hex())
    )


def _change_manifest_text(rng: random.Random, members: Members) -> str:
    text = members["manifest.json"]
    how = rng.choice(
        ("deep", "deep", "cut", "encoding", "twice", "not an object", "bytes")
    )
    if how == "deep":
        n = rng.choice((500, 5_000, 200_000))
        left, right = rng.choice(
            ((b"[", b"]"), (b'{"$":"tuple","v":[', b"]}"), (b'{"a":', b"}"))
        )
        inner = left * n + b"1" + right * n
        at = text.rfind(b":") + 1
        text = (
            inner
            if rng.random() < 0.2
            else text[:at] + inner + b"}" * text[at:].count(b"}")
        )
    elif how == "cut":
        text = text[: rng.randrange(len(text))]
    elif how == "encoding":
        text = text.decode().encode(rng.choice(("utf-16", "utf-32", "utf-8-sig")))
    elif how == "twice":
        text = text + text
    elif how == "not an object":
        text = rng.choice((b"[]", b"null", b"3", b'"x"', b"", b"NaN", b"\xff", b"{}"))
    else:
        text, _ = mutate.mutate(rng, text, mutate.BYTEWISE)
    members["manifest.json"] = text
    return f"manifest text: {how}"


# ---------------------------------------------------------------------------- arrays


def _change_array(rng: random.Random, members: Members) -> str:
    names = [n for n in members if n.endswith(".npy")]
    if not names:
        return "no arrays"
    name = _member(rng, members, names)
    if rng.random() < 0.12:
        members[name] = _header_trick(rng, members[name])
        return f"{name}: header"
    try:
        array = np.load(io.BytesIO(members[name]), allow_pickle=False)
    except (ValueError, EOFError):
        return f"{name}: not an array any more"
    how = rng.choice(
        (
            "value",
            "value",
            "value",
            "value",
            "all",
            "dtype",
            "shape",
            "length",
            "order",
            "foreign",
        )
    )
    if how == "foreign":
        members[name] = members[rng.choice(names)]
        return f"{name}: that of another member"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        array = _ARRAYS[how](rng, array)
    members[name] = _npy(array)
    return f"{name}: {how} -> {array.dtype.str} {array.shape}"


def _member(rng: random.Random, members: Members, names: list[str]) -> str:
    """A member to change: tables of whole numbers, which are indices, more often."""
    if rng.random() < 0.3:
        return rng.choice(names)
    manifest = members["manifest.json"]
    history = manifest[manifest.find(b'"history_"') :][:1500]
    whole = []
    for name in names:
        head = members[name][:128]
        if any(k in head for k in (b"<i", b"<u", b"|i", b"|u", b"|b")):
            whole.append(name)
    weights = [
        (4 if n in whole else 1) * (0.1 if n.encode() in history else 1) for n in names
    ]
    return rng.choices(names, weights)[0]


def _npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.lib.format.write_array(out, array, allow_pickle=True)
    return out.getvalue()


def _wild_of(rng: random.Random, dtype: np.dtype, near: int) -> Any:
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        pool = (
            -1,
            -2,
            0,
            1,
            near,
            near + 1,
            near - 1,
            2 * near,
            1000,
            2**20,
            2**31 - 1,
        )
        value = rng.choice(
            (*pool, info.min, info.max, rng.randrange(info.min, info.max))
        )
        return max(info.min, min(info.max, value))
    if dtype.kind in "fc":
        return rng.choice((np.nan, np.inf, -np.inf, 1e30, -1e30, 0.0, 1e-40, 0.5, -1.0))
    if dtype.kind == "b":
        return rng.random() < 0.5
    if dtype.kind == "U":
        return rng.choice(("", "x", "\0", "é", "O", "B-x"))
    return np.zeros(1, dtype=dtype)[0]


def _change_values(rng: random.Random, array: np.ndarray) -> np.ndarray:
    out = np.array(array)
    if out.size == 0:
        return np.zeros(3, dtype=out.dtype)
    flat = out.reshape(-1)
    near = int(rng.choice((out.size, len(flat), out.shape[0] if out.ndim else 1)))
    if out.dtype.kind in "iu":
        near = int(rng.choice((near, flat.max(), int(flat.max()) + 1)))
    for _ in range(rng.choice((1, 1, 2, 5))):
        flat[rng.randrange(flat.size)] = _wild_of(rng, out.dtype, near)
    return out


def _change_all(rng: random.Random, array: np.ndarray) -> np.ndarray:
    out = np.array(array)
    if out.dtype.kind in "iu" and out.size and rng.random() < 0.5:
        numbers = np.random.default_rng(rng.getrandbits(32))
        return numbers.integers(
            -5, int(np.clip(out.max(), -4, 2**20)) + 6, out.shape
        ).astype(out.dtype)
    return np.full_like(out, _wild_of(rng, out.dtype, out.size))


def _change_dtype(rng: random.Random, array: np.ndarray) -> np.ndarray:
    pool = (
        "<f4",
        "<f8",
        ">f8",
        ">f4",
        "<f2",
        "<i4",
        ">i4",
        "<i8",
        "i1",
        "u1",
        "<u4",
        "<u8",
        "?",
    )
    more = ("<c16", "U5", "S3", "O", "M8[s]", "m8[s]", "V4", "i4,f8", "<f16")
    dtype = np.dtype(rng.choice((*pool, *more)))
    if dtype.kind in "OVSUMm" or array.dtype.kind in "USVO":
        return np.zeros(array.shape, dtype=dtype)
    return array.astype(dtype)


def _change_shape(rng: random.Random, array: np.ndarray) -> np.ndarray:
    pool = (
        (
            array.reshape(-1),
            array[None],
            array[..., None],
            array.T,
            array.reshape(1, 1, -1),
            array[:0],
            array.reshape(-1)[:1].reshape(()) if array.size else array,
            np.zeros((*array.shape, 0), dtype=array.dtype),
        )
        if array.ndim
        else (array[None], array[None, None], np.zeros(0, dtype=array.dtype))
    )
    return rng.choice(pool)


def _change_length(rng: random.Random, array: np.ndarray) -> np.ndarray:
    if array.ndim == 0:
        return np.repeat(array, 3)
    axis = rng.randrange(array.ndim)
    n = array.shape[axis]
    if rng.random() < 0.5:
        return np.take(array, range(rng.randrange(n + 1)), axis=axis)
    more = rng.choice((1, 1, 3, 1000))
    return np.take(array, [*range(n), *([n - 1] * (more if n else 0))], axis=axis)


def _change_order(rng: random.Random, array: np.ndarray) -> np.ndarray:
    if array.ndim == 0:
        return array
    if rng.random() < 0.4 and array.ndim > 1:
        return np.asfortranarray(array)
    order = list(range(len(array)))
    rng.shuffle(order)
    return array[order]


_ARRAYS = {
    "value": _change_values,
    "all": _change_all,
    "dtype": _change_dtype,
    "shape": _change_shape,
    "length": _change_length,
    "order": _change_order,
}


def _header_trick(rng: random.Random, data: bytes) -> bytes:
    body = data[128:]
    shape = rng.choice(
        ("(1000000000000,)", "(-1,)", "(2, -3)", "(4611686018427387904, 4)", "(0,)", "()",
         "(1,)*9", "None", "(3.5,)", "(True,)", "'x'", "(" * 300 + ")" * 300, "(1,)" * 200)
    )  # fmt: skip
    descr = rng.choice(
        ("'<f8'", "'<i4'", "'|O'", "'<U1000000000'", "[('a','<f8')]", "None", "'<f99'")
    )
    text = rng.choice(
        (
            f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}",
            "{}",
            "x" * 50,
            "{'descr': '<f8'}",
            "[" * 5000 + "]" * 5000,
            "__import__('os')",
        )
    ).encode()
    version = rng.choice(
        (b"\x01\x00", b"\x01\x00", b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\x09\x00")
    )
    size = struct.pack("<H" if version[0] == 1 else "<I", min(len(text) + 1, 65535))
    if rng.random() < 0.1:
        size = b"\xff" * len(size)
    return b"\x93NUMPY" + version + size + text + b"\n" + body


# ---------------------------------------------------------------------------- ZIP


def _zip_trick(rng: random.Random, members: Members) -> tuple[bytes, list[str]]:
    names = list(members)
    name = rng.choice(names)
    how = rng.choice(_TRICKS)
    note = [f"zip: {how} ({name})"]
    if how == "compressed":
        method = rng.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
        return _archive(members, method), note
    if how == "bomb":
        # Arrays whose bytes are zeros are a thousandth of their size when deflated.
        big = _npy(np.zeros(rng.choice((10**7, 4 * 10**7)), dtype=np.float64))
        out = io.BytesIO()
        with zipfile.ZipFile(
            out, "w", zipfile.ZIP_DEFLATED, compresslevel=1
        ) as archive:
            for n, content in members.items():
                swap = n == name and n.endswith(".npy")
                archive.writestr(
                    _entry(n, zipfile.ZIP_DEFLATED), big if swap else content
                )
            if not name.endswith(".npy"):
                archive.writestr(_entry("arrays/99.npy", zipfile.ZIP_DEFLATED), big)
        return out.getvalue(), note
    if how == "twice":
        out = io.BytesIO()
        other = rng.choice((members[rng.choice(names)], b"", members[name]))
        with warnings.catch_warnings(), zipfile.ZipFile(out, "w") as archive:
            warnings.simplefilter("ignore")
            for n, content in members.items():
                archive.writestr(_entry(n), content)
            archive.writestr(_entry(name), other)
        return out.getvalue(), note
    if how == "missing":
        del members[name]
        return _archive(members), note
    if how == "extra":
        bad = (
            "../evil",
            "/tmp/evil",
            "a" * 300,
            "x/",
            "é",
            "manifest.json/",
            "arrays/",
            "C:\\x",
        )
        members[rng.choice(bad)] = b"x"
        return _archive(members), note
    if how == "renamed":
        swapped = {(name + "x" if n == name else n): c for n, c in members.items()}
        return _archive(swapped), note
    if how == "empty":
        return rng.choice((_archive({}), _archive(dict.fromkeys(names, b"")))), note
    data = bytearray(_archive(members))
    if how == "around":
        extra = bytes(rng.randrange(256) for _ in range(rng.choice((1, 50, 5000))))
        pool = (
            extra + bytes(data),
            bytes(data) + extra,
            bytes(data) * 2,
            bytes(data) + b"PK\5\6",
        )
        return rng.choice(pool), note
    # Fields of one record: (signature, offset, size of the field).
    fields = {
        "flag": ((b"PK\1\2", 8, 2), (b"PK\3\4", 6, 2)),
        "method": ((b"PK\1\2", 10, 2), (b"PK\3\4", 8, 2)),
        "crc": ((b"PK\1\2", 16, 4), (b"PK\3\4", 14, 4)),
        "sizes": (
            (b"PK\1\2", 20, 4),
            (b"PK\1\2", 24, 4),
            (b"PK\3\4", 18, 4),
            (b"PK\3\4", 22, 4),
        ),
        "lengths": (
            (b"PK\1\2", 28, 2),
            (b"PK\1\2", 30, 2),
            (b"PK\3\4", 26, 2),
            (b"PK\3\4", 28, 2),
        ),
        "offset": ((b"PK\1\2", 42, 4), (b"PK\5\6", 16, 4)),
        "counts": (
            (b"PK\5\6", 8, 2),
            (b"PK\5\6", 10, 2),
            (b"PK\5\6", 12, 4),
            (b"PK\5\6", 20, 2),
        ),
    }[how]
    signature, offset, size = rng.choice(fields)
    starts = [k for k in range(len(data)) if data.startswith(signature, k)]
    at = rng.choice(starts) + offset
    old = int.from_bytes(data[at : at + size], "little")
    top = (1 << 8 * size) - 1
    pool = (
        0,
        1,
        old + 1,
        old - 1,
        old ^ 1,
        old * 2,
        top,
        top - 1,
        1 << (8 * size - 1),
        8,
        12,
        14,
    )
    new = rng.choice(pool) if how != "flag" else old ^ (1 << rng.randrange(16))
    data[at : at + size] = (new & top).to_bytes(size, "little")
    return bytes(data), [f"{note[0]} {offset}: {old} -> {new & top}"]


_TRICKS = (
    "compressed", "bomb", "twice", "missing", "extra", "renamed", "empty", "around", "flag",
    "flag", "method", "method", "crc", "sizes", "sizes", "lengths", "offset", "counts",
)  # fmt: skip
