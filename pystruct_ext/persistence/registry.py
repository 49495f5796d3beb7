"""The table of classes that a model file may name.

A class says itself that it can be stored, with `storable`; the archive knows only the table.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, overload

_Class = TypeVar("_Class", bound=type)

KINDS = ("model", "space", "solver", "part")


class ModelFileError(ValueError):
    """A file is not a model that this version can read."""


@dataclasses.dataclass(frozen=True)
class Storable:
    """How the objects of one class are stored.

    Attributes
    ----------
    cls : type
    name : str
        What files call the class.
    kind : {"model", "space", "solver", "part"}
        What error messages call it; only a "model" can be a file of its own.
    renamed : mapping
        Names found in older files, and today's.
    derived : mapping
        Fitted attributes that are made from others after loading.
    leave_out : frozenset of str
        Parameters and attributes that are not stored.
    private : tuple of str
        Fitted attributes whose names do not end in an underscore.
    open : bool
        Whether subclasses that are not in the table can be stored.
    old_tag : str or None
        What format version 1 called the class where it did not write its name.
    """

    cls: type[Any]
    name: str
    kind: str = "part"
    renamed: Mapping[str, str] = dataclasses.field(default_factory=dict)
    derived: Mapping[str, Callable[[Any], Any]] = dataclasses.field(
        default_factory=dict
    )
    leave_out: frozenset[str] = frozenset()
    private: tuple[str, ...] = ()
    open: bool = False
    old_tag: str | None = None

    @property
    def module(self) -> str:
        """Where the class is defined."""
        return self.cls.__module__

    @property
    def full_name(self) -> str:
        """Module and qualified name."""
        return f"{self.module}.{self.cls.__qualname__}"

    def takes(self, parameter: str) -> bool:
        """Whether the constructor has a parameter of this name."""
        return parameter in inspect.signature(self.cls).parameters

    def split(self, obj: Any) -> dict[str, Any]:
        """The parts of an object that are stored: plain values, arrays, storable objects.

        ``{"params", "fitted"}`` of what has ``get_params``, ``{"state"}`` of the others.
        """
        if hasattr(obj, "to_stored"):
            return {"state": obj.to_stored()}
        if hasattr(obj, "get_params"):
            params = obj.get_params(deep=False)
            fitted = {
                k: v
                for k, v in vars(obj).items()
                if k not in params and k not in self.leave_out and self._stores(k)
            }
            params = {k: v for k, v in params.items() if k not in self.leave_out}
            return {"params": params, "fitted": fitted}
        if dataclasses.is_dataclass(obj):
            kept = [n for n in _fields(type(obj)) if n not in self.leave_out]
            return {"state": {n: getattr(obj, n) for n in kept}}
        return {"state": obj.__getstate__()}

    def build(self, parts: Mapping[str, Any]) -> Any:
        """The inverse of `split`, for files of this or an older version of the class.

        Raises
        ------
        ModelFileError
            If the parts are not those of such an object.
        ValueError, TypeError
            If its own ``check_loaded`` refuses it.
        """
        obj = self._built(parts)
        check = getattr(obj, "check_loaded", None)
        # A model without anything fitted is the parameter of another; `load` refuses it alone.
        unfitted = self.kind == "model" and parts.get("fitted") == {}
        if check is not None and not unfitted:
            check()
        return obj

    def _built(self, parts: Mapping[str, Any]) -> Any:
        if hasattr(self.cls, "from_stored"):
            return self.cls.from_stored(parts["state"])
        if hasattr(self.cls, "get_params"):
            return self._fitted(parts["params"], parts["fitted"])
        if dataclasses.is_dataclass(self.cls):
            state = parts["state"]
            if isinstance(state, list):  # version 1 may list the fields in order
                state = dict(zip(_fields(self.cls), state, strict=False))
            return self.cls(**self._arguments(state))
        obj: Any = object.__new__(self.cls)
        obj.__setstate__(self._today(parts["state"]))
        return obj

    def _fitted(self, params: Mapping[str, Any], fitted: Mapping[str, Any]) -> Any:
        obj = self.cls(**self._arguments(params))
        for key, value in self._today(fitted).items():
            if not self._stores(key) and key not in self.derived:
                raise ModelFileError(
                    f"{key!r} is not the name of a fitted attribute of {self.name}"
                )
            if not self._is_property(key):
                setattr(obj, key, value)
        for key, make in self.derived.items():
            if fitted and not self._is_property(key):
                setattr(obj, key, make(obj))
        return obj

    def _stores(self, key: str) -> bool:
        """Whether an instance attribute is set by fit and is not made from others."""
        fitted = key.endswith("_") and not key.startswith("_")
        return key not in self.derived and (fitted or key in self.private)

    def _is_property(self, key: str) -> bool:
        return isinstance(inspect.getattr_static(self.cls, key, None), property)

    def _arguments(self, stored: Mapping[str, Any]) -> dict[str, Any]:
        """Constructor arguments under today's names, where the class has taken them on."""
        known = inspect.signature(self.cls).parameters
        return {
            self.renamed[k] if self.renamed.get(k) in known else k: v
            for k, v in stored.items()
            # Beside its new name an old one is a deprecated alias at its default.
            if k not in self.leave_out and self.renamed.get(k) not in stored
        }

    def _today(self, stored: Mapping[str, Any]) -> dict[str, Any]:
        return {self.renamed.get(k, k): v for k, v in stored.items()}


def _fields(cls: type[Any]) -> list[str]:
    """Fields of a dataclass that its constructor takes."""
    return [f.name for f in dataclasses.fields(cls) if f.init]


_TABLE: dict[str, Storable] = {}
_BY_CLASS: dict[type[Any], Storable] = {}


@overload
def storable(cls: _Class, /) -> _Class: ...


@overload
def storable(
    *,
    name: str | None = None,
    kind: str | None = None,
    renamed: Mapping[str, str] | None = None,
    derived: Mapping[str, Callable[[Any], Any]] | None = None,
    leave_out: Iterable[str] = (),
    private: Iterable[str] = (),
    abstract: bool = False,
    open: bool = False,
    old_tag: str | None = None,
) -> Callable[[_Class], _Class]: ...


def storable(
    cls: type[Any] | None = None,
    /,
    *,
    name: str | None = None,
    kind: str | None = None,
    renamed: Mapping[str, str] | None = None,
    derived: Mapping[str, Callable[[Any], Any]] | None = None,
    leave_out: Iterable[str] = (),
    private: Iterable[str] = (),
    abstract: bool = False,
    open: bool = False,
    old_tag: str | None = None,
) -> Any:
    """Class decorator: model files can hold objects of this class.

    How an object is taken apart follows from the class, the first that fits:

    - methods ``to_stored(self)`` and ``from_stored(cls, state)`` (a classmethod);
    - ``get_params`` (scikit-learn's `BaseEstimator`): parameters, and the attributes set by
      ``fit`` whose names end in an underscore;
    - a dataclass: its fields;
    - ``__getstate__`` and ``__setstate__``.

    All values must be None, booleans, numbers, strings, arrays, dtypes, lists, tuples, dicts,
    or storable objects.

    A file may hold anything under these names. A class whose attributes must satisfy
    something has a method ``check_loaded(self)``, called on every object after loading; it
    raises ValueError or TypeError, naming the attribute (see `pystruct_ext.utils.fitted`).

    Parameters
    ----------
    name : str, optional
        What files call the class, for ever; the name of the class by default. Unique among
        all classes of a process: a third party may put its own name before it.
    kind : {"model", "space", "solver", "part"}, optional
        "model" can be saved by itself. "space" can be handed to ``load``. That of the base
        classes by default, else "part".
    renamed : dict, optional
        Old names of parameters, fields or fitted attributes, to today's. A parameter is
        renamed only where the constructor has the new name.
    derived : dict, optional
        Fitted attributes that are not stored, to functions that make them from the loaded
        object, if it is fitted; skipped where the class has a property of that name.
    leave_out : iterable of str
        Parameters that are not stored: the loaded object has their defaults.
    private : iterable of str
        Fitted attributes to store although their names do not end in an underscore. An
        estimator without them is not fitted.
    abstract : bool, default=False
        Not in the table: only what is said here holds for subclasses.
    open : bool, default=False
        Subclasses that are not registered can be stored, too; whoever loads the file must
        supply the class.
    old_tag : str, optional
        Tag of the class in files of format version 1.

    Returns
    -------
    the class itself

    Raises
    ------
    ValueError
        If another class has the name, or the kind is unknown.

    Notes
    -----
    Subclasses inherit every option but `name`, `abstract` and `old_tag`; they must be
    decorated themselves to be in the table.

    Examples
    --------
    >>> from sklearn.base import BaseEstimator
    >>> @storable(name="example.Scale")
    ... class Scale(BaseEstimator):
    ...     def __init__(self, power=1.0):
    ...         self.power = power
    """
    if kind is not None and kind not in KINDS:
        raise ValueError(f"kind must be one of {KINDS}, got {kind!r}")

    def register(cls: type[Any]) -> type[Any]:
        above = _inherited(cls)
        entry = Storable(
            cls,
            name or cls.__name__,
            kind or above.kind,
            {**above.renamed, **(renamed or {})},
            {**above.derived, **(derived or {})},
            above.leave_out | frozenset(leave_out),
            tuple(dict.fromkeys([*above.private, *private])),
            open or above.open,
            old_tag,
        )
        if not abstract:
            _enter(entry)
        _BY_CLASS[cls] = entry
        return cls

    return register if cls is None else register(cls)


def _inherited(cls: type[Any]) -> Storable:
    """The options of all decorated bases together."""
    bases = [_BY_CLASS[b] for b in reversed(cls.__mro__[1:]) if b in _BY_CLASS]
    joined = Storable(cls, cls.__name__)
    for base in bases:
        joined = dataclasses.replace(
            joined,
            kind=base.kind,
            renamed={**joined.renamed, **base.renamed},
            derived={**joined.derived, **base.derived},
            leave_out=joined.leave_out | base.leave_out,
            private=tuple(dict.fromkeys([*joined.private, *base.private])),
            open=joined.open or base.open,
        )
    return joined


def _enter(entry: Storable) -> None:
    other = _TABLE.get(entry.name)
    # The same place of definition is a module that was imported again.
    if other is not None and other.full_name != entry.full_name:
        raise ValueError(
            f"two classes are storable under the name {entry.name!r}: {other.full_name} and "
            f"{entry.full_name}; give one of them another: @storable(name=...)"
        )
    _TABLE[entry.name] = entry


def entry_of(cls: type[Any]) -> Storable | None:
    """How objects of a class are stored, or None if they cannot be."""
    own = _BY_CLASS.get(cls)
    if own is not None:
        return own
    above = [_BY_CLASS[b] for b in cls.__mro__ if b in _BY_CLASS]
    return _inherited(cls) if any(e.open for e in above) else None


def lookup(name: str) -> Storable | None:
    """The class in the table under a name, or None."""
    return _TABLE.get(name)


def lookup_old_tag(tag: str) -> Storable | None:
    """The class that format version 1 wrote under a tag, or None."""
    return next((e for e in _TABLE.values() if e.old_tag == tag), None)


def names(kind: str | None = None) -> list[str]:
    """Names in the table, of one kind or all, sorted."""
    return sorted(n for n, e in _TABLE.items() if kind in (None, e.kind))
