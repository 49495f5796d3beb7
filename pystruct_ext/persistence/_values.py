"""Values of a model to JSON and arrays, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from pystruct_ext.persistence._finding import find, is_trusted
from pystruct_ext.persistence._members import Members
from pystruct_ext.persistence.registry import (
    KINDS,
    ModelFileError,
    Storable,
    entry_of,
    names,
)

# Objects inside objects; models have about ten levels.
MAX_DEPTH = 64


class Writer:
    """Turns values into JSON; arrays become members of the archive."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}

    def encode(self, value: Any, where: str) -> Any:
        """JSON of any value that a file can hold.

        Raises
        ------
        TypeError
            For another value, naming `where` it was found.
        """
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
        entry = entry_of(type(value))
        if entry is not None:
            return {"$": "object", **self.object(entry, value)}
        if isinstance(value, tuple):
            return {"$": "tuple", "v": [self.encode(v, where) for v in value]}
        if isinstance(value, list):
            return [self.encode(v, where) for v in value]
        if isinstance(value, dict):
            pairs = [
                [self.encode(k, where), self.encode(v, where)] for k, v in value.items()
            ]
            return {"$": "dict", "v": pairs}
        if isinstance(value, np.dtype) and value.kind in "biufcSU":
            return {"$": "dtype", "v": value.str}
        if isinstance(value, np.random.RandomState | np.random.Generator):
            return None  # the state of a run, not of a model
        raise TypeError(
            f"{where} holds a {type(value).__name__}, which a model file cannot store"
        )

    def object(self, entry: Storable, value: Any) -> dict[str, Any]:
        """Class, module, kind and parts of a storable object."""
        node: dict[str, Any] = {
            "class": entry.name,
            "module": entry.module,
            "kind": entry.kind,
        }
        for part, content in entry.split(value).items():
            node[part] = self.encode(content, f"{entry.name} ({part})")
        return node

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


class Reader:
    """The inverse of `Writer`.

    Parameters
    ----------
    members : Members
    space : object or None
        Stands for the class of a space that cannot be found.
    """

    def __init__(self, members: Members, space: Any = None) -> None:
        self.members = members
        self.space = space
        self._depth = 0

    def decode(self, value: Any) -> Any:
        """The value that was encoded.

        Raises
        ------
        ModelFileError
            For a tag or class that is not known, or values nested without end.
        """
        if not isinstance(value, (list, dict)):
            return value
        if self._depth >= MAX_DEPTH:
            raise ModelFileError(f"the manifest is nested more than {MAX_DEPTH} deep")
        self._depth += 1
        try:
            return self._box(value)
        finally:
            self._depth -= 1

    def _box(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.decode(v) for v in value]
        tag = value["$"]
        if tag == "object":
            return self.build(value, self.entry(value))
        if tag == "float":
            return float(value["v"])
        if tag == "dtype":
            return _dtype(value["v"])
        if tag == "tuple":
            return tuple(self.decode(v) for v in value["v"])
        if tag == "dict":
            return {self.decode(k): self.decode(v) for k, v in value["v"]}
        if tag == "array":
            return self.members.array(value["v"])
        if tag == "objects":
            out = np.empty(len(value["v"]), dtype=object)
            out[:] = [self.decode(v) for v in value["v"]]
            return out.reshape(value["shape"])
        if tag == "sparse":
            index = self.members.array(value["index"])
            return self.members.sparse(
                value["size"], index, self.members.array(value["data"])
            )
        raise ModelFileError(f"the manifest holds the unknown tag {str(tag)[:60]!r}")

    def build(self, node: dict[str, Any], entry: Storable) -> Any:
        """The object of a node."""
        parts = ("params", "fitted", "state")
        return entry.build({k: self.decode(node[k]) for k in parts if k in node})

    def entry(self, node: dict[str, Any]) -> Storable:
        """The class of a node: from the table, a trusted module, or the space given."""
        name, module = str(node["class"]), node.get("module")
        entry = find(name, module)
        if entry is not None:
            return entry
        if node.get("kind") == "space":
            return self._given(name)
        kind = node.get("kind") if node.get("kind") in KINDS else "part"
        hint = ""
        if module is not None and not is_trusted(module):
            hint = f"; loading does not import {module!r}: import it first"
        raise ModelFileError(
            f"the file holds a {kind} of class {name!r}, expected one of {names(kind)}{hint}"
        )

    def _given(self, name: str) -> Storable:
        if self.space is None:
            raise ModelFileError(
                f"trained with the output space {name!r}, which is not part of this "
                f"package: load(path, space={name}())"
            )
        entry = entry_of(type(self.space))
        if entry is None or entry.name != name:
            raise ModelFileError(
                f"trained with the output space {name!r}, got space="
                f"{type(self.space).__name__}"
            )
        return entry


def _dtype(text: Any) -> np.dtype[Any]:
    dtype = np.dtype(str(text))
    if dtype.kind not in "biufcSU" or dtype.subdtype is not None:
        raise ModelFileError(f"the manifest holds the type {str(text)[:60]!r}")
    return dtype.newbyteorder("=")
