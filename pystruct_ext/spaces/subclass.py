"""Classes that fall into hidden subclasses, each with a weight vector of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext._core import Oracle
from pystruct_ext.losses import cost_matrix
from pystruct_ext.persistence.registry import storable
from pystruct_ext.spaces._labels import UnseenLabelError
from pystruct_ext.spaces._parts import FORBIDDEN
from pystruct_ext.spaces.base import refuse_missing
from pystruct_ext.spaces.compiled import CompiledSpace
from pystruct_ext.spaces.multiclass import MulticlassSpace, PackedClasses
from pystruct_ext.spaces.wide import as_csr
from pystruct_ext.utils.examples import as_examples
from pystruct_ext.utils.fitted import INT32_MAX, Fitted


@storable
class SubclassSpace(CompiledSpace):
    """Classes, each the union of a few hidden subclasses.

    ``<w, psi(x, (y, h))> = <w_{y, h}, x>`` and ``Delta = cost(y, y_hat)``: an output is a pair
    of a class and one of its subclasses 0 .. H - 1, of which the loss counts the class. A
    class alone is an output whose subclass is missing: `LatentStructuralSVM` finds it.

    Parameters
    ----------
    n_subclasses : int, default=2
        H, of every class.
    task_loss : "zero_one", (K, K) array or mapping, default="zero_one"
        Cost of a wrong class; see `pystruct_ext.losses.cost_matrix`.
    fit_intercept : bool, default=True
        Append a constant feature, regularised like the others.
    intercept_scaling : float, default=1.0
        Value of that feature.
    dtype : {"float32", "float64"}, default="float64"
        Type of the weights.

    Attributes
    ----------
    classes_ : list of K classes, sorted
    n_features_ : int
    size_psi_ : int

    Examples
    --------
    >>> import numpy as np
    >>> space = SubclassSpace(2).fit_domain(np.eye(3), ["a", "b", "a"])
    >>> list(space.enumerate(np.ones(3)))
    [('a', 0), ('a', 1), ('b', 0), ('b', 1)]
    >>> space.impute(space.joint_feature(np.ones(3), ("b", 1)), np.ones(3), "b")
    ('b', 1)
    """

    def __init__(
        self,
        n_subclasses: int = 2,
        task_loss: Any = "zero_one",
        fit_intercept: bool = True,
        intercept_scaling: float = 1.0,
        dtype: str = "float64",
    ) -> None:
        self.n_subclasses = n_subclasses
        self.task_loss = task_loss
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.dtype = dtype

    def fit_domain(
        self, X: Sequence[Any], Y: Sequence[Any] | None = None
    ) -> SubclassSpace:
        """Learn classes and sizes."""
        h = self.n_subclasses
        if not isinstance(h, (int, np.integer)) or isinstance(h, bool) or h < 1:
            raise ValueError(f"n_subclasses must be an integer >= 1, got {h!r}")
        if Y is None:
            raise ValueError("y is needed to learn the classes, got None")
        rows = MulticlassSpace(
            "zero_one", self.fit_intercept, self.intercept_scaling, self.dtype
        )
        outputs = as_examples(Y, "y")
        rows.fit_pack(X, [self._class(y) for y in outputs])
        for i, y in enumerate(outputs):
            self._check_subclass(i, y)
        self.classes_ = rows.classes_
        cost = cost_matrix(self.task_loss, self.classes_)
        rows.widen(len(self.classes_) * int(h), np.kron(cost, np.ones((h, h))))
        self.rows_ = rows
        self.n_features_, self.size_psi_ = rows.n_features_, rows.size_psi_
        return self

    def fit_pack(self, X: Any, Y: Any) -> PackedClasses:
        """Learn classes and sizes, and pack the examples."""
        refuse_missing(self, as_examples(Y, "y"), "the subclass")
        return self.fit_domain(X, Y).pack(X, Y)

    def check_loaded(self) -> None:
        """Raise unless the fitted attributes are what fitting makes; see `Fitted`."""
        fitted = Fitted(self)
        h = fitted.integer("n_subclasses", 1, INT32_MAX)
        if not hasattr(self, "size_psi_"):
            return
        k = fitted.labels("classes_", at_least=2)
        rows = fitted.instance("rows_", MulticlassSpace)
        if Fitted(rows).value("classes_") != list(range(k * h)):
            raise ValueError(f"SubclassSpace.rows_ must have {k * h} classes in order")
        for name in ("dtype", "fit_intercept", "intercept_scaling"):
            if getattr(rows, name) != getattr(self, name):
                raise ValueError(f"SubclassSpace.rows_ has another {name}")
        fitted.equal("n_features_", rows.n_features_)
        fitted.equal("size_psi_", rows.size_psi_)

    def pack(
        self,
        X: Any,
        Y: Sequence[Any] | None = None,
        observed: Sequence[Any] | None = None,
    ) -> PackedClasses:
        """Pack rows, and pairs of class and subclass if given.

        The loss counts classes only, which `observed` has, too.
        """
        packed = X if isinstance(X, PackedClasses) else self.rows_.pack(X)
        if Y is None:
            return PackedClasses(packed.rows)
        refuse_missing(self, Y, "the subclass")
        codes = self._codes(Y, observed)
        if len(codes) != len(packed):
            raise ValueError(
                f"X and y must have the same number of examples, got {len(packed)} and "
                f"{len(codes)}"
            )
        return PackedClasses(packed.rows, codes)

    def encode(self, X: Any) -> PackedClasses:
        """Packed rows, which ``pack`` and ``impute_batch`` take as they are."""
        return self.pack(X)

    def bind(self, packed: PackedClasses) -> Oracle:
        """The oracle over packed rows."""
        return self.rows_.bind(packed)

    def output_of(
        self, code: Sequence[int], packed: PackedClasses, i: int
    ) -> tuple[Any, int]:
        """The output that a code of packed example i stands for."""
        k, h = divmod(int(code[0]), int(self.n_subclasses))
        return self.classes_[k], h

    # Outputs without their subclass.

    def is_complete(self, y: Any) -> bool:
        """Whether y is a pair of class and subclass."""
        return isinstance(y, tuple) and len(y) == 2

    def impute(self, w: NDArray[np.float64], x: Any, y: Any) -> tuple[Any, int]:
        """The best subclass of a class."""
        found: tuple[Any, int] = self.impute_batch(w, self._one(x), [y])[0]
        return found

    def impute_batch(
        self, w: NDArray[np.floating], X: Any, Y: Sequence[Any], n_threads: int = 1
    ) -> list[Any]:
        """The best subclass of every class."""
        some = [y if self.is_complete(y) else (y, 0) for y in Y]
        packed = self.pack(X, some)
        # Another class costs 1, and a cost counts as PSX_FORBIDDEN.
        only = copy(self.rows_)
        k, h = len(self.classes_), int(self.n_subclasses)
        only.widen(k * h, np.kron(1.0 - np.eye(k), np.ones((h, h))))
        codes = only.bind(packed).argmax_batch(
            self._own(w), None, FORBIDDEN, n_threads
        )[0]
        return [
            y if self.is_complete(y) else self.output_of(code.tolist(), packed, i)
            for i, (y, code) in enumerate(zip(Y, codes, strict=True))
        ]

    def guess(
        self, X: Any, Y: Sequence[Any], rng: np.random.Generator | None
    ) -> list[Any]:
        """Subclasses by k-means within each class."""
        from sklearn.cluster import KMeans

        rows = as_csr(self.encode(X).rows)
        if hasattr(rows, "indptr") and 3 * rows.nnz > rows.shape[0] * rows.shape[1]:
            rows = rows.toarray()
        found = list(Y)
        classes = np.array([self._index(self._class(y)) for y in Y])
        for k in range(len(self.classes_)):
            here = np.flatnonzero(classes == k)
            seed = 0 if rng is None else int(rng.integers(1 << 31))
            h = min(int(self.n_subclasses), len(here))
            if h < 1:
                continue
            means = KMeans(h, n_init=1, random_state=seed, max_iter=50)
            for i, part in zip(
                here.tolist(), means.fit_predict(rows[here]), strict=True
            ):
                if not self.is_complete(Y[i]):
                    found[i] = (self.classes_[k], int(part))
        return found

    def validate(self, X: Any, Y: Sequence[Any] | None = None) -> None:
        """Examples are checked while they are packed."""

    # One example in domain language.

    def loss(self, y: Any, y_hat: Any) -> float:
        """``cost(y, y_hat)`` of the classes; one unknown at fit costs 1 unless right."""
        a, b = self._class(y), self._class(y_hat)
        if a not in self.classes_ or b not in self.classes_:
            return float(a != b)
        h = int(self.n_subclasses)
        return float(self.rows_.cost_[self._index(a) * h, self._index(b) * h])

    def loss_augmented_decode(self, w: NDArray[np.floating], x: Any, y: Any) -> Any:
        """Most violating pair of (x, y); y may be a class."""
        pair = y if self.is_complete(y) else (y, 0)
        return super().loss_augmented_decode(w, x, pair)

    def enumerate(self, x: Any) -> Iterable[tuple[Any, int]]:
        """All classes and their subclasses."""
        return [(y, h) for y in self.classes_ for h in range(int(self.n_subclasses))]

    @property
    def columns_(self) -> NDArray[np.int64] | None:
        """Columns that have weights, of wide sparse matrices."""
        columns: NDArray[np.int64] | None = self.rows_.columns_
        return columns

    def input_feature(self, j: int) -> int | None:
        """The column of X behind entry j of psi; None for the intercept."""
        return self.rows_.input_feature(j)

    def split(self, w: NDArray[np.floating]) -> tuple[NDArray, NDArray]:
        """``coef`` (K, H, columns that have weights) and ``intercept`` (K, H) as in w."""
        coef, intercept = self.rows_.split(w)
        shape = len(self.classes_), int(self.n_subclasses)
        return coef.reshape(*shape, -1), intercept.reshape(shape)

    def _one(self, x: Any) -> Any:
        return x if hasattr(x, "indptr") else np.asarray(x).reshape(1, -1)

    def _class(self, y: Any) -> Any:
        return y[0] if self.is_complete(y) else y

    def _index(self, label: Any) -> int:
        return int(self.classes_.index(label))

    def _check_subclass(self, i: int, y: Any) -> None:
        h = int(self.n_subclasses)
        whole = not self.is_complete(y) or isinstance(y[1], (int, np.integer))
        if not whole or (self.is_complete(y) and not 0 <= y[1] < h):
            raise ValueError(
                f"y: example {i} has the subclass {y[1]!r}, expected one of 0 .. {h - 1}"
            )

    def _codes(
        self, Y: Sequence[Any], observed: Sequence[Any] | None
    ) -> NDArray[np.int32]:
        index, h = {c: k for k, c in enumerate(self.classes_)}, int(self.n_subclasses)
        codes = np.empty(len(Y), dtype=np.int32)
        for i, (label, part) in enumerate(Y):
            if label not in index:
                raise UnseenLabelError(
                    f"y: example {i} has the class {label!r}, which was not seen at fit; "
                    f"known are {self.classes_}"
                )
            self._check_subclass(i, (label, part))
            if observed is not None and self._class(observed[i]) != label:
                raise ValueError(
                    f"y: example {i} has the class {self._class(observed[i])!r}, but "
                    f"{label!r} stands for it"
                )
            codes[i] = index[label] * h + part
        return codes


__all__ = ["SubclassSpace"]
