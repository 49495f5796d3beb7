"""Values of a model to JSON and arrays, and back."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np

from pystruct_ext.persistence._finding import find, is_trusted
from pystruct_ext.persistence.registry import (
    KINDS,
    ModelFileError,
    Storable,
    entry_of,
    names,
)


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
    archive : zipfile.ZipFile
    space : object or None
        Stands for the class of a space that cannot be found.
    """

    def __init__(self, archive: zipfile.ZipFile, space: Any = None) -> None:
        self.archive = archive
        self.space = space

    def decode(self, value: Any) -> Any:
        """The value that was encoded.

        Raises
        ------
        ModelFileError
            For a tag or class that is not known.
        """
        if isinstance(value, list):
            return [self.decode(v) for v in value]
        if not isinstance(value, dict):
            return value
        tag = value["$"]
        if tag == "object":
            return self.build(value, self.entry(value))
        if tag == "float":
            return float(value["v"])
        if tag == "dtype":
            return np.dtype(str(value["v"]))
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
        raise ModelFileError(f"the manifest holds the unknown tag {tag!r}")

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

    def _member(self, name: str) -> np.ndarray:
        with self.archive.open(name) as file:
            return np.lib.format.read_array(io.BytesIO(file.read()), allow_pickle=False)
