"""One of K classes: the smallest output space."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pystruct_ext._core import Oracle
from pystruct_ext._core.ragged import PackedRows
from pystruct_ext.losses import cost_matrix
from pystruct_ext.persistence.registry import storable
from pystruct_ext.spaces._kernels import multiclass as _multiclass
from pystruct_ext.spaces._labels import UnseenLabelError, padded
from pystruct_ext.spaces._matrix_rows import MatrixRows, as_row
from pystruct_ext.spaces.compiled import CompiledSpace
from pystruct_ext.spaces.wide import occurring
from pystruct_ext.utils.examples import as_examples, is_missing
from pystruct_ext.utils.fitted import INT32_MAX, Fitted
from pystruct_ext.utils.renamed import renamed_parameters


@dataclass
class PackedClasses:
    """Rows of features with the index of their class."""

    rows: PackedRows
    labels: NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return self.rows.n_examples

    def take(self, positions: Sequence[int]) -> PackedClasses:
        """Some of the rows."""
        return PackedClasses(self.rows.take(list(positions)))


@storable(renamed={"label_loss": "task_loss"})
class MulticlassSpace(MatrixRows, CompiledSpace):
    """Classes with one weight vector each (Crammer and Singer 2001).

    ``<w, psi(x, y)> = <w_y, x>`` and ``Delta(y, y_hat) = cost(y, y_hat)``.

    Parameters
    ----------
    task_loss : "zero_one", (K, K) array or mapping, default="zero_one"
        Cost of a wrong class; see `pystruct_ext.losses.cost_matrix`.
    fit_intercept : bool, default=True
        Append a constant feature, regularised like the others (as LinearSVC does).
    intercept_scaling : float, default=1.0
        Value of that feature.
    dtype : {"float32", "float64"}, default="float64"
        Type of the weights.

    Attributes
    ----------
    classes_ : list of K labels, sorted
    n_features_ : int
        Without the constant.
    columns_ : int32 array or None
        The columns that have weights, of sparse rows of more than 2^20 columns of which at most
        a quarter occur at fit; the constant is column ``n_features_``. None is all.
    size_psi_ : int

    Examples
    --------
    >>> import numpy as np
    >>> space = MulticlassSpace().fit_domain(np.eye(3), [0, 1, 2])
    >>> space.decode(space.joint_feature(np.ones(3), 1), np.ones(3))
    1
    """

    _one_part_along: ClassVar[int | None] = 0

    @renamed_parameters(label_loss="task_loss")
    def __init__(
        self,
        task_loss: Any = "zero_one",
        fit_intercept: bool = True,
        intercept_scaling: float = 1.0,
        dtype: str = "float64",
    ) -> None:
        self.task_loss = task_loss
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.dtype = dtype

    def fit_domain(
        self, X: Sequence[Any], Y: Sequence[Any] | None = None
    ) -> MulticlassSpace:
        """Learn classes and sizes."""
        self.fit_pack(X, Y)
        return self

    def fit_pack(self, X: Any, Y: Any) -> PackedClasses:
        """Learn classes and sizes, and pack the examples."""
        if self.dtype not in ("float32", "float64"):
            raise ValueError(
                f"dtype must be 'float32' or 'float64', got {self.dtype!r}"
            )
        value = self.intercept_scaling
        if not isinstance(value, (int, float, np.number)) or not np.isfinite(value):
            raise ValueError(
                f"intercept_scaling must be a finite number, got {value!r}"
            )
        if Y is None:
            raise ValueError("y is needed to learn the classes, got None")
        labels, codes = np.unique(_checked_classes(Y), return_inverse=True)
        if len(labels) == 0:
            raise ValueError("y holds no examples, expected at least 2 classes")
        if len(labels) < 2:
            raise ValueError(
                f"y has the single class {labels.tolist()[0]!r}, expected at least 2"
            )
        self.classes_ = labels.tolist()
        rows = self._rows(X)
        last = rows.n_features - 1 if self.fit_intercept else None
        self.n_features_ = rows.n_features - bool(self.fit_intercept)
        self.columns_ = occurring(rows, always=last)
        if rows.n_examples != len(codes):
            raise ValueError(
                f"X and y must have the same number of examples, got {rows.n_examples} "
                f"and {len(codes)}"
            )
        self.stride_ = padded(len(labels))
        self.cost_ = cost_matrix(self.task_loss, self.classes_)
        rows = self._kept(rows)
        self.size_psi_ = rows.n_features * self.stride_
        return PackedClasses(rows, np.ascontiguousarray(codes, dtype=np.int32))

    def widen(self, k: int, cost: NDArray[np.floating]) -> None:
        """Make the classes of a fitted space 0 .. k - 1, with the given costs (k, k)."""
        columns = self.size_psi_ // self.stride_
        self.classes_, self.cost_ = list(range(k)), np.asarray(cost, dtype=np.float64)
        self.stride_ = padded(k)
        self.size_psi_ = columns * self.stride_

    def check_loaded(self) -> None:
        """Raise unless the fitted attributes are what fitting makes; see `Fitted`."""
        fitted = Fitted(self)
        fitted.one_of("dtype", ("float32", "float64"))
        fitted.number("intercept_scaling")
        if not hasattr(self, "size_psi_"):
            return
        k = fitted.labels("classes_", at_least=2)
        d = fitted.integer("n_features_", 0, INT32_MAX)
        stride = fitted.equal("stride_", padded(k))
        fitted.array("cost_", (k, k), "float64", low=0)
        kept = fitted.columns("columns_", d + bool(self.fit_intercept))
        fitted.equal("size_psi_", kept * stride)

    def pack(self, X: Sequence[Any], Y: Sequence[Any] | None = None) -> PackedClasses:
        """Pack rows, and classes if given."""
        rows = self._rows(X)
        n_features = rows.n_features - bool(self.fit_intercept)
        if n_features != self.n_features_:
            raise ValueError(
                f"X has {n_features} features, but the model was fitted on "
                f"{self.n_features_}"
            )
        rows = self._kept(rows)
        if Y is None:
            return PackedClasses(rows)
        index = {label: k for k, label in enumerate(self.classes_)}
        values = np.asarray(as_examples(Y, "y")).tolist()
        unknown = [(i, v) for i, v in enumerate(values) if v not in index]
        if unknown:
            raise UnseenLabelError(
                f"y: example {unknown[0][0]} has the class {unknown[0][1]!r}, which was "
                f"not seen at fit; known are {self.classes_}"
            )
        codes = np.array([index[v] for v in values], dtype=np.int32)
        return PackedClasses(rows, codes)

    def bind(self, packed: PackedClasses) -> Oracle:
        """The oracle over packed rows."""
        dtype = np.dtype(self.dtype)
        k, rows = len(self.classes_), packed.rows
        cost = np.zeros((k, self.stride_), dtype=dtype)
        cost[:, :k] = self.cost_
        return _multiclass.MULTICLASS.bind(
            {
                "indptr": rows.indptr,
                "indices": rows.indices,
                "values": rows.values,
                "n_features": rows.n_features,
                "n": rows.n_examples,
                "labels": packed.labels,
                "n_labels": k,
                "stride": self.stride_,
                "cost": cost,
            },
            dtype,
        )

    def output_of(self, code: Sequence[int], packed: PackedClasses, i: int) -> Any:
        """The output that a code of packed example i stands for."""
        return self.classes_[code[0]]

    def marginals_as_dicts(self, marginals: NDArray[np.float64]) -> dict[Any, float]:
        """Class -> probability."""
        return dict(zip(self.classes_, marginals.ravel().tolist(), strict=True))

    def _one(self, x: Any) -> Any:
        return as_row(x)

    def loss(self, y: Any, y_hat: Any) -> float:
        """``cost(y, y_hat)``; a class unknown at fit costs 1 unless right."""
        if y not in self.classes_ or y_hat not in self.classes_:
            return float(y != y_hat)
        return float(self.cost_[self.classes_.index(y), self.classes_.index(y_hat)])

    def parts(self, y: Any) -> tuple[NDArray[np.int64], ...]:
        """The class as an index into the (K,) classes; none if it is unknown."""
        at = [self.classes_.index(y)] if y in self.classes_ else []
        return (np.array(at, dtype=np.int64),)

    def enumerate(self, x: Any) -> Iterable[Any]:
        """All classes."""
        return list(self.classes_)

    def input_feature(self, j: int) -> int | None:
        """The column of X behind entry j of psi; None for the intercept."""
        column = j // self.stride_
        columns = getattr(self, "columns_", None)
        if columns is not None:
            column = int(columns[column])
        return column if column < self.n_features_ else None

    def split(self, w: NDArray[np.floating]) -> tuple[NDArray, NDArray]:
        """``coef`` (K, columns that have weights) and ``intercept`` (K,) as in w."""
        k = len(self.classes_)
        table = w.reshape(-1, self.stride_)[:, :k].T
        if not self.fit_intercept:
            return table, np.zeros(k, dtype=w.dtype)
        return table[:, :-1], table[:, -1] * self.intercept_scaling


def _checked_classes(Y: Any) -> NDArray[Any]:
    """Classes as an array that can be sorted.

    Raises
    ------
    ValueError
        If Y is not one class per example, or a class is missing (None, NaN, NaT or NA).
    TypeError
        If strings are mixed with classes of another type.
    """
    Y = as_examples(Y, "y")
    given = np.asarray(Y)
    if given.ndim != 1:
        raise ValueError(
            f"y must hold one class per example, got an array of shape {given.shape}"
        )
    if given.dtype.kind in "fcmM":
        missing = np.isnan(given)
        if missing.any():
            i = int(np.flatnonzero(missing)[0])
            raise ValueError(f"y: the class of example {i} is missing ({given[i]})")
    if given.dtype.kind not in "OU":
        return given
    # NumPy turns a list of strings and numbers into strings without a word.
    is_text = isinstance(Y[0], str) if len(Y) else True
    for i, value in enumerate(Y):
        if is_missing(value):
            raise ValueError(f"y: the class of example {i} is missing ({value!r})")
        if isinstance(value, str) != is_text:
            raise TypeError(
                "y: classes must be all strings or all numbers, but example 0 has "
                f"{Y[0]!r} and example {i} has {value!r}"
            )
    return given
