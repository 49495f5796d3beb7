"""What the package must know of a structure beside its estimator and its space."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

Say = Callable[[str], None]


@dataclass
class Examples:
    """What a file holds for a structure.

    Attributes
    ----------
    X : examples, as the estimator's `fit` and `predict` take them
    y : outputs, or None where the file has none
    count : int
        How many units there are, for the speed.
    unit : str
        Their name in the plural: "words".
    about : str
        One line that describes the data.
    write : callable
        ``write(path, predictions)`` writes predictions in the format of the input; "-" is
        stdout.
    fit_params : mapping
        More arguments of `fit`, such as ``qid``.
    missing : str
        Where `y` is None: what was seen, and what was expected to learn from.
    source : object
        What was read, for `Structure.report` and `Structure.prepare`.
    records : list of n str
        File, line and name of every example: what errors call it. Empty where a file is no
        list of records.
    take : callable or None
        ``take(index)``: the examples of some records; needed where there are `records`.
    predict_params : mapping
        More arguments of `predict`, such as ``constraints``; lists of n where `take` is to
        choose from them.
    """

    X: Any
    y: Any
    count: int
    unit: str
    about: str
    write: Callable[[str, Any], None]
    fit_params: Mapping[str, Any] = field(default_factory=dict)
    missing: str = "has no truth to learn from"
    source: Any = None
    records: Sequence[str] = ()
    take: Callable[[Sequence[int]], Examples] | None = None
    predict_params: Mapping[str, Any] = field(default_factory=dict)


class Problem(NamedTuple):
    """Arguments of a fit."""

    X: Any
    y: Any
    fit_params: Mapping[str, Any] = {}


class Variant(NamedTuple):
    """A space with parameters, and random problems for it.

    Attributes
    ----------
    name : str
    params : mapping
        Of the space.
    make_problem : callable
        ``make_problem(rng) -> (X, Y)``; see `pystruct_ext.testing.check_output_space`.
    n_problems : int
        How many of them the battery draws, in each type of weights; one only is drawn in the
        type of the parameters.
    """

    name: str
    params: Mapping[str, Any]
    make_problem: Callable[[np.random.Generator], tuple[Any, Any]]
    n_problems: int = 3


class Option:
    """A flag of ``learn`` beside those made from the estimator's parameters.

    Parameters
    ----------
    flag : str
        Such as "--seed".
    parameter : str, optional
        The estimator's parameter that it sets. Without `value` the flag is another name of
        the parameter's own; without `parameter` it is for `Structure.prepare` to read.
    value : object, optional
        What the flag, which then takes no argument, sets the parameter to.
    replaces : bool, default=False
        The parameter has this flag only, not one of its own name.
    **settings
        For ``argparse``'s ``add_argument``.
    """

    def __init__(
        self,
        flag: str,
        parameter: str = "",
        *,
        replaces: bool = False,
        **settings: Any,
    ) -> None:
        self.flag = flag
        self.parameter = parameter
        self.replaces = replaces
        self.has_value = "value" in settings
        self.value = settings.pop("value", None)
        self.settings = settings

    def __repr__(self) -> str:
        return f"Option({self.flag!r}, {self.parameter!r})"


def take(problem: Problem, index: Sequence[int]) -> Problem:
    """Examples of a problem whose X and y are lists or arrays of examples."""

    def chosen(values: Any) -> Any:
        if values is None:
            return None
        if isinstance(values, np.ndarray) or hasattr(values, "indptr"):
            return values[list(index)]
        return [values[i] for i in index]

    return Problem(chosen(problem.X), chosen(problem.y), dict(problem.fit_params))


@dataclass(frozen=True)
class Wrapped:
    """Estimators that hold that of a structure, and read and write other files.

    Attributes
    ----------
    structure : Structure
        What the command line knows of them; it is found through the structure they wrap, not
        by its name.
    wrap : callable
        ``wrap(model, args)``: what ``learn`` trains in place of an unfitted model, or None
        where no flag asks for that.
    holds : callable
        ``holds(estimator)``: whether an estimator is one of them.
    """

    structure: Structure
    wrap: Callable[[Any, argparse.Namespace], Any | None]
    holds: Callable[[Any], bool]


def itself(model: Any) -> Any:
    """The model."""
    return model


@dataclass(frozen=True)
class Structure:
    """A structure: how the command line, the tests and the documents deal with it.

    Attributes
    ----------
    name : str
        The KIND of ``pystruct-ext learn KIND``.
    estimator, space : class
        Both default constructible; the estimator's `space_` is a `space`.
    summary : str
        One line: what is learnt, from which files.
    description : str
        Two or three sentences.
    read : callable
        ``read(path, ...) -> Examples``; of one path, or of several with `many`. With a
        parameter ``on_error``, ``--skip-bad`` passes "skip": bad records are left out, with
        a warning. With a parameter ``constraints``, ``--constraints`` passes True.
    write : callable
        ``write(path, X, y, **fit_params)`` writes a file that `read` reads.
    report : callable
        ``report(examples, predictions, model)``: mapping of name to number, or of name to
        an object with `to_dict` and `__str__`, or such an object.
    sample : callable
        ``sample(rng) -> (X, y)``, or (X, y, fit_params): a small random problem that `write`
        can write, of at least four examples whose outputs can be enumerated. It keeps the
        rules of `pystruct_ext.testing.check_structured_estimator`.
    small : mapping
        Parameters of the estimator that make a fit on `sample` take little time.
    samples : sequence of Variant
        Variants of the space for the test battery over spaces.
    select : callable
        ``select(problem, index) -> Problem``: some of the examples, in this order; an index
        given twice is an example twice.
    file : str
        Help of the file argument of ``learn``.
    many : bool
        Whether training may be in several files.
    defaults : mapping
        Parameters of the estimator that have another default on the command line, because
        the format of the files says what they are; others have that of the estimator.
    options : sequence of Option
        Flags of ``learn`` beside those made from the estimator's parameters.
    prepare : callable or None
        ``prepare(model, examples, args, say) -> Examples``: before a fit; may set
        parameters of the model, and tells what the user should know with ``say(line)``.
    adapt : callable or None
        ``adapt(model, examples) -> Examples``: before a prediction.
    check : callable or None
        ``check(model)`` raises ValueError if a fitted model cannot read files.
    describe : callable or None
        ``describe(model)``: lines for the end of ``learn`` and the head of ``inspect``.
    inspect : callable or None
        ``inspect(model, top)``: lines about the largest weights; `top` says how many.
    display : mapping
        Name of a picture to ``draw(model, examples) -> Display``, drawn.
    wrapped : Wrapped or None
        Estimators around `estimator` that ``learn`` offers, too.
    part : callable
        ``part(model)``: the estimator whose space is a `space`, of one that holds it.
    """

    name: str
    estimator: type[Any]
    space: type[Any]
    summary: str
    description: str
    read: Callable[..., Examples]
    write: Callable[..., None]
    report: Callable[[Examples, Any, Any], Any]
    sample: Callable[[np.random.Generator], tuple[Any, ...]]
    small: Mapping[str, Any] = field(default_factory=dict)
    samples: Sequence[Variant] = ()
    select: Callable[[Problem, Sequence[int]], Problem] = take
    file: str = "gzip or plain"
    many: bool = False
    defaults: Mapping[str, Any] = field(default_factory=dict)
    options: Sequence[Option] = ()
    prepare: Callable[[Any, Examples, argparse.Namespace, Say], Examples] | None = None
    adapt: Callable[[Any, Examples], Examples] | None = None
    check: Callable[[Any], None] | None = None
    describe: Callable[[Any], list[str]] | None = None
    inspect: Callable[[Any, int], list[str]] | None = None
    display: Mapping[str, Callable[[Any, Examples], Any]] = field(default_factory=dict)
    wrapped: Wrapped | None = None
    part: Callable[[Any], Any] = itself

    def problem(self, rng: np.random.Generator) -> Problem:
        """What `sample` draws, with its arguments of `fit`."""
        return Problem(*self.sample(rng))


__all__ = [
    "Examples",
    "Option",
    "Problem",
    "Say",
    "Structure",
    "Variant",
    "Wrapped",
    "itself",
    "take",
]
