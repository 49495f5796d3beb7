"""Manifests of format version 1, rewritten as those of version 2."""

from __future__ import annotations

from typing import Any

from pystruct_ext.persistence._finding import find, find_old_tag

_LEAVES = ("float", "array", "sparse")
_BOXES = ("tuple", "dict", "objects")
_NOTHING: dict[str, Any] = {"$": "dict", "v": []}


def upgrade(manifest: dict[str, Any]) -> dict[str, Any]:
    """The same model in format version 2.

    Version 1 had one tag for each class that is neither solver nor estimator, wrote no
    modules, and kept the space beside the estimator.
    """
    params, fitted = _value(manifest["params"]), _value(manifest["fitted"])
    old = manifest["space"]
    space = {
        "$": "object",
        "class": old["class"],
        "kind": "space",
        "params": _value(old.get("params", _NOTHING)),
    }
    learnt = {**space, "fitted": _value(old.get("fitted", _NOTHING))}
    fitted = {"$": "dict", "v": [["space_", learnt], *fitted["v"]]}
    entry = find(str(manifest["class"]), None)
    if entry is not None and entry.takes("space"):
        own = {**space, "fitted": _NOTHING}
        params = {"$": "dict", "v": [["space", own], *params["v"]]}
    return {**manifest, "kind": "model", "params": params, "fitted": fitted}


def _value(value: Any) -> Any:
    if isinstance(value, list):
        return [_value(v) for v in value]
    if not isinstance(value, dict):
        return value
    tag = value["$"]
    if tag in _LEAVES:
        return value
    if tag in _BOXES:
        return {**value, "v": [_value(v) for v in value["v"]]}
    if tag in ("solver", "part"):
        return {
            "$": "object",
            "class": value["class"],
            "kind": tag,
            "params": _value(value["v"]),
            "fitted": _value(value.get("fitted", _NOTHING)),
        }
    entry = find_old_tag(str(tag))
    if entry is None:
        return value  # whoever reads it says that the tag is unknown
    return {
        "$": "object",
        "class": entry.name,
        "kind": entry.kind,
        "state": _state(value["v"]),
    }


def _state(state: Any) -> Any:
    """The state behind a tag; version 1 wrote some dicts as plain JSON objects."""
    if isinstance(state, dict) and "$" not in state:
        return {"$": "dict", "v": [[k, _value(v)] for k, v in state.items()]}
    return _value(state)
