"""Mutations of Python objects: arrays, sparse matrices, strings, trees, and lists of them."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse

Wild = Callable[[], Any]

_WILD: tuple[Wild, ...] = (
    lambda: None,
    lambda: float("nan"),
    lambda: float("inf"),
    lambda: -float("inf"),
    lambda: 10**30,
    lambda: 2**31,
    lambda: 2**63,
    lambda: -1,
    lambda: 0,
    lambda: 1,
    lambda: 2.9,
    lambda: 1e308,
    lambda: 1e-320,
    lambda: 1 + 2j,
    lambda: True,
    lambda: "",
    lambda: " ",
    lambda: "x",
    lambda: "1",
    lambda: "nan",
    lambda: "a b\tc\n",
    lambda: "\ud800",
    lambda: "\0",
    lambda: "é" * 3,
    lambda: "a" * 100_000,
    lambda: b"x",
    lambda: [],
    lambda: [[]],
    lambda: [None],
    lambda: [1, "a", None],
    lambda: (),
    lambda: {},
    lambda: {"a": 1},
    lambda: {"a": float("nan")},
    lambda: set(),
    lambda: {1, 2},
    lambda: object(),
    lambda: int,
    lambda: len,
    lambda: ...,
    lambda: NotImplemented,
    lambda: range(3),
    lambda: iter([1, 2]),
    lambda: (k for k in range(3)),
    lambda: np.float32("nan"),
    lambda: np.int8(-1),
    lambda: np.uint64(2**64 - 1),
    lambda: np.bool_(True),
    lambda: np.str_("a"),
    lambda: np.bytes_(b"a"),
    lambda: np.datetime64("NaT"),
    lambda: np.timedelta64(1, "s"),
    lambda: np.array(3),
    lambda: np.array([]),
    lambda: np.zeros((0, 3)),
    lambda: np.zeros((2, 2)),
    lambda: np.zeros((2, 2, 2)),
    lambda: np.array([1, None], dtype=object),
    lambda: np.array(["a", "b"]),
    lambda: np.full(3, np.nan),
    lambda: np.ma.masked,
    lambda: np.ma.array([1.0, 2.0], mask=[0, 1]),
    lambda: np.zeros(3, dtype="i4,f8"),
    lambda: np.random.default_rng(0),
    lambda: sparse.csr_array((2, 3)),
    lambda: sparse.coo_array((2, 3)),
    lambda: Ragged(),
    lambda: _nested(50),
    lambda: _nested(5_000),
    lambda: _ring(),
)


class Ragged:
    """Has a length, but nothing at any index."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, i: Any) -> Any:
        raise KeyError(i)


def _nested(n: int) -> list[Any]:
    out: list[Any] = []
    for _ in range(n):
        out = [out]
    return out


def _ring() -> list[Any]:
    out: list[Any] = [1]
    out.append(out)
    return out


def wild(rng: random.Random) -> Any:
    """Something that is hardly ever expected."""
    return rng.choice(_WILD)()


def show(value: Any) -> str:
    """For notes; never fails and never long."""
    try:
        text = " ".join(repr(value).split())
    except BaseException as error:
        text = f"<no repr: {type(error).__name__}>"
    return f"{type(value).__name__} {text[:300]}"


def mutate(rng: random.Random, value: Any, depth: int = 0) -> Any:
    """A copy of a value with something wrong, at any depth."""
    if rng.random() < (0.08 if depth == 0 else 0.15):
        return wild(rng)
    if isinstance(value, np.ndarray):
        return _array(rng, value, depth)
    if sparse.issparse(value):
        return _sparse(rng, value)
    if isinstance(value, str):
        return _text(rng, value)
    if isinstance(value, tuple) and hasattr(value, "_replace"):
        name = rng.choice(value._fields)
        return value._replace(**{name: mutate(rng, getattr(value, name), depth + 1)})
    if isinstance(value, (list, tuple)):
        return _items(rng, value, depth)
    if isinstance(value, dict):
        return _dict(rng, value, depth)
    if isinstance(value, (bool, int, float, np.number)) or value is None:
        return rng.choice((wild(rng), -value if value else 1, _plus(value)))
    return _attributes(rng, value, depth)


def _plus(value: Any) -> Any:
    return 1 if value is None or isinstance(value, bool) else value + 1


def _text(rng: random.Random, value: str) -> Any:
    at = rng.randrange(len(value) + 1)
    odd = (
        "",
        " ",
        "\t",
        "\n",
        "\0",
        "\ud800",
        "é",
        "x",
        "0",
        "-",
        "(",
        "a" * 10_000,
        "\u2028",
    )
    return rng.choice(
        (
            value[:at] + rng.choice(odd) + value[at:],
            value[:at] + value[at + 1 :],
            value[:at],
            value * 2,
            value.encode(),
            np.str_(value),
            list(value),
            wild(rng),
        )
    )


def _items(rng: random.Random, value: Any, depth: int) -> Any:
    out = list(value)
    how = rng.random()
    if how < 0.6 and out:
        k = rng.randrange(len(out))
        out[k] = mutate(rng, out[k], depth + 1)
    elif how < 0.68 and out:
        del out[rng.randrange(len(out))]
    elif how < 0.74 and out:
        out.insert(rng.randrange(len(out) + 1), rng.choice(out))
    elif how < 0.80:
        out.insert(rng.randrange(len(out) + 1), wild(rng))
    elif how < 0.84 and out:
        rng.shuffle(out)
    elif how < 0.87:
        out = out[: rng.randrange(len(out) + 1)]
    else:
        return _container(rng, out)
    return tuple(out) if isinstance(value, tuple) and rng.random() < 0.8 else out


def _container(rng: random.Random, items: list[Any]) -> Any:
    how = rng.randrange(12)
    if how == 0:
        return tuple(items)
    if how == 1:
        return iter(items)
    if how == 2:
        return (x for x in items)
    if how == 3:
        return dict(enumerate(items))
    if how == 4:
        return str(items)
    if how == 5:
        return dict(enumerate(items)).values()
    if how in (6, 7):
        return _objects(items, (len(items),))
    if how == 8:
        return _objects([*items, *items], (len(items), 2))
    if how == 9:
        return items * 50
    try:
        import pandas
    except ImportError:
        return items
    index = list(range(len(items)))
    if how == 10:
        rng.shuffle(index)
        return pandas.Series(
            _objects(items, (len(items),)), index=[k + 7 for k in index]
        )
    try:
        return pandas.DataFrame({"a": _objects(items, (len(items),))})
    except (ValueError, TypeError):
        return items


def _objects(items: list[Any], shape: tuple[int, ...]) -> np.ndarray:
    out = np.empty(len(items), dtype=object)
    for k, x in enumerate(items):
        out[k] = x
    return out.reshape(shape)


def _dict(rng: random.Random, value: dict[Any, Any], depth: int) -> Any:
    out = dict(value)
    if not out or rng.random() < 0.2:
        out[rng.choice(("x", None, 3, ("a",), ""))] = wild(rng)
        return out
    key = rng.choice(list(out))
    if rng.random() < 0.25:
        del out[key]
    else:
        out[key] = mutate(rng, out[key], depth + 1)
    return out


def _attributes(rng: random.Random, value: Any, depth: int) -> Any:
    names = sorted(getattr(value, "__dict__", {}) or getattr(value, "__slots__", ()))
    # A frame with a spoilt inside breaks pandas, not this package.
    if not names or type(value).__module__.startswith("pandas"):
        return wild(rng)
    try:
        out = copy.copy(value)
        name = rng.choice(names)
        object.__setattr__(out, name, mutate(rng, getattr(value, name), depth + 1))
    except (AttributeError, TypeError):
        return wild(rng)
    return out


def _array(rng: random.Random, value: np.ndarray, depth: int) -> Any:
    out = np.array(value)
    how = rng.randrange(16)
    if out.dtype == object and out.ndim == 1 and how < 8:
        return _objects(_items(rng, list(out), depth + 1), (-1,)) if len(out) else out
    if how < 6 and out.size:
        flat = out.reshape(-1)
        if out.dtype.kind in "iu":
            pool = (-1, 0, 1, 7, 2**31 - 1, 2**31, 2**62, -(2**31))
        else:
            pool = (np.nan, np.inf, -np.inf, 1e308, 1e30, 1e-310, -1.0, 2.9, 0.0)
        count = rng.choice((1, 1, 2, flat.size))
        for _ in range(count):
            try:
                flat[rng.randrange(flat.size)] = rng.choice(pool)
            except (OverflowError, ValueError, TypeError):
                break
        return out
    if how == 6:
        return out.astype(object)
    if how == 7:
        mixed = out.astype(object)
        if mixed.size:
            mixed.reshape(-1)[rng.randrange(mixed.size)] = (
                wild(rng) if rng.random() < 0.7 else None
            )
        return mixed
    if how == 8:
        types = (
            "f2",
            "f4",
            ">f8",
            "g",
            "c16",
            "i1",
            "u1",
            "u8",
            "?",
            "U8",
            "S8",
            "M8[s]",
            "m8[s]",
        )
        try:
            with np.errstate(all="ignore"):
                return out.astype(rng.choice(types))
        except (ValueError, TypeError):
            return out
    if how == 9:
        pool2 = [out[None], out[..., None], out.T, out.reshape(-1), out[:0], out[::-1]]
        return rng.choice(pool2)
    if how == 10:
        return np.ma.array(out, mask=np.arange(out.size).reshape(out.shape) % 3 == 0)
    if how == 11:
        return np.repeat(out, 2, axis=0) if out.ndim else out
    if how == 12 and out.ndim:
        return out[: rng.randrange(len(out) + 1)]
    if how == 13:
        return out.tolist()
    if how == 14 and out.ndim == 2:
        try:
            import pandas

            return pandas.DataFrame(
                out, columns=[f"c{rng.randrange(9)}" for _ in range(out.shape[1])]
            )
        except ImportError:
            return out
    if out.ndim == 2 and out.dtype.kind in "biuf":
        kind = rng.choice(
            (sparse.csr_array, sparse.csr_matrix, sparse.csc_array, sparse.coo_array)
        )
        return _sparse(rng, kind(out)) if rng.random() < 0.7 else kind(out)
    out.flags.writeable = False
    return np.asfortranarray(out)


def _sparse(rng: random.Random, value: Any) -> Any:
    if value.format not in ("csr", "csc"):
        value = value.tocsr()
    out = value.copy()
    name = rng.choice(
        ("indptr", "indptr", "indices", "indices", "data", "shape", "how")
    )
    if name == "how":
        return rng.choice(
            (out.tocsc, out.tocoo, out.tolil, out.todok, out.toarray, out.todense)
        )()
    if name == "shape":
        n, d = out.shape
        shape = rng.choice(
            ((n, 10**8), (n + 1, d), (n, max(1, d - 1)), (0, d), (n, 0), (d, n))
        )
        try:
            if shape[1] > d and shape[0] == n:
                out.resize(shape)
            else:
                out._shape = shape
        except ValueError:
            pass
        return out
    part = np.array(getattr(out, name))
    how = rng.randrange(7)
    if how == 0 and len(part):
        part = part[: rng.randrange(len(part))]
    elif how == 1:
        part = part.astype(
            rng.choice((np.float64, np.int64, np.int16, np.uint32, object))
        )
    elif how == 2:
        part = np.concatenate([part, part[-1:] + 1])
    elif how == 3 and len(part) > 1:
        part = part[::-1].copy()
    elif len(part):
        wide = part.astype(np.int64) if part.dtype.kind == "i" else part
        if part.dtype.kind == "i":
            pool: tuple[Any, ...] = (
                -1,
                -(2**31),
                2**31 - 1,
                2**32,
                2**32 + 1,
                len(part),
                10**8,
                3,
            )
        else:
            pool = (np.nan, np.inf, 1e308, -1.0)
        wide[rng.randrange(len(wide))] = rng.choice(pool)
        part = wide if rng.random() < 0.5 else wide.astype(part.dtype)
    setattr(out, name, part)
    return out
