"""Parameters from docstrings."""

from __future__ import annotations

import inspect

import pytest

from pystruct_ext.utils.numpydoc import converter, entries, parameters


class Room:
    """A room.

    Parameters
    ----------
    walls, doors : int, default=4, 1
        How many. The rest is
        on other lines.
    colour : {"red", "blue", None}, default=None
        Of the walls; or none.
    window, \
floor
        See `House`.
    plain : bool, default=False
    tags : tuple of str, default=()
        Words.
    table : "flat", (K, K) array or mapping, default="flat"
        Shape.
    anything : object
        Whatever.

    Attributes
    ----------
    hidden : int
        No parameter.
    """

    def __init__(
        self,
        walls=4,
        doors=1,
        colour=None,
        window=1.0,
        floor="wood",
        plain=False,
        tags=(),
        table="flat",
        anything=2,
        undocumented: float | None = None,
        **more,
    ): ...


class House:
    """A house.

    Parameters
    ----------
    window : float or None, default=1.0
        Width of it. See below.
    floor : str, default="wood"
        A name of `inspect.no_such_table`
    """


@pytest.fixture
def found():
    House.__doc__ = House.__doc__.replace("A name of `inspect.no_such_table`", "Wood.")
    return {p.name: p for p in parameters(Room)}


def test_kinds_and_help(found):
    kinds = {name: (p.kind, p.choices, p.nullable) for name, p in found.items()}
    assert kinds == {
        "walls": ("int", (), False),
        "doors": ("int", (), False),
        "colour": ("str", ("red", "blue"), True),
        "window": ("float", (), True),
        "floor": ("str", (), False),
        "plain": ("bool", (), False),
        "tags": ("strs", (), False),
        "table": ("str", ("flat",), False),
        "anything": (None, (), False),
        "undocumented": ("float", (), True),
    }
    helps = {name: p.help for name, p in found.items()}
    assert helps["walls"] == helps["doors"] == "How many"
    assert helps["colour"] == "Of the walls"
    assert helps["window"] == "Width of it"
    assert helps["plain"] == helps["undocumented"] == ""
    assert (found["doors"].default, found["floor"].default) == (1, "wood")


def test_converters(found):
    assert converter(found["walls"])("3") == 3
    assert converter(found["window"])("2.5") == 2.5
    assert converter(found["window"])("None") is None
    assert converter(found["colour"])("none") is None
    assert converter(found["floor"])("none") == "none"
    for name in ("walls", "window"):
        with pytest.raises(ValueError, match="nothing"):
            converter(found[name])("nothing")


def test_choices_from_a_table_of_names():
    class Tool:
        """A tool.

        Parameters
        ----------
        solver : str or object, default="own"
            A name of `pystruct_ext.solvers.SOLVERS`, or an object.
        """

        def __init__(self, solver="own"): ...

    (p,) = parameters(Tool)
    assert {"bcfw", "one_slack", "own"} <= set(p.choices)


def test_docstrings_without_parameters():
    assert (
        entries(None) == entries("") == entries("Title.\n\nNotes\n-----\na : b") == {}
    )

    class Bare:
        def __init__(self, a, b: int = 1): ...

    a, b = parameters(Bare)
    assert (a.default, a.kind, a.help) == (inspect.Parameter.empty, None, "")
    assert (b.default, b.kind) == (1, "int")


def test_raw_docstrings_keep_their_backslash():
    doc = "T.\n\nParameters\n----------\na, \\\nb : int\n    Sizes.\n"
    assert {name: e.type for name, e in entries(doc).items()} == {
        "a": "int",
        "b": "int",
    }
