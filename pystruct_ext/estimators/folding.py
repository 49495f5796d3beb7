"""RNA folding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from pystruct_ext.estimators._batches import Batch
from pystruct_ext.estimators._scores import micro_f1
from pystruct_ext.estimators.auto_c import AutoC
from pystruct_ext.estimators.base import BaseStructuralSVM
from pystruct_ext.metrics import base_pair_report
from pystruct_ext.persistence.registry import storable
from pystruct_ext.solvers import Solver
from pystruct_ext.spaces import FoldingSpace
from pystruct_ext.utils.examples import OutputList


@storable
class FoldingSVM(BaseStructuralSVM):
    """Structural SVM for nested secondary structures of RNA.

    Minimises ``1/2 ||w||^2 + C sum_i s_i H_i(w)`` where the hinge is over all nested folds
    and the loss counts false and missed pairs; decoding is exact.

    Parameters
    ----------
    C : float or AutoC, default=0.001
        Weight of the sum of hinges; "auto" finds it, see `AutoC`. Little C stays
        near the energies of the prior, for molecules unlike those of training; 0.01 to 0.1
        fits families that are in it.
    false_cost, miss_cost : float, default=0.1, 1.0
        Costs of false and missed pairs. With equal costs the fold without pairs is a cheap
        answer, and hard data teaches it.
    canonical, prior, unfit, max_length, dtype
        See `FoldingSpace`.
    solver, tol, max_iter, max_time, n_jobs, random_state, verbose, callback
        See `StructuralSVM`.

    Attributes
    ----------
    coef_ : (size_psi,) ndarray
    space_ : FoldingSpace
    primal_objective_, dual_objective_, duality_gap_, relative_gap_, certificate_, status_, \
n_iter_, n_oracle_calls_, history_
        See `StructuralSVM`.

    Notes
    -----
    X is a list of strings of A, C, G, U, and N or other letters of IUPAC for bases that are
    unknown and stay free; y of dot-bracket strings. `predict_marginals` gives
    (n, n) probabilities of pairs, above the diagonal. `score` is F1 of the base pairs of all
    molecules together, each counted with the weight of its molecule.

    Memory of a fit: 5 bytes per base, ``6 n^2 w`` bytes of tables for the longest sequence
    of n bases and weights of w bytes, and the working set, 4 bytes per base and cut.

    Examples
    --------
    >>> from pystruct_ext import FoldingSVM
    >>> model = FoldingSVM(C=1).fit(["GGGAAAACCC"], ["(((....)))"])
    >>> model.predict(["GGGGAAAACCCC"], constraints=["x..........x"])
    ['.(((....))).']
    """

    _space_class = FoldingSpace
    space_: FoldingSpace

    def __init__(
        self,
        C: float | str | AutoC = 0.001,
        *,
        false_cost: float = 0.1,
        miss_cost: float = 1.0,
        canonical: bool = True,
        prior: str | None = "energy",
        unfit: str = "project",
        max_length: int = 2000,
        dtype: str = "float32",
        solver: str | Solver = "bcfw",
        tol: float | None = 1e-2,
        max_iter: int | None = None,
        max_time: float | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
        callback: Any = None,
    ) -> None:
        super().__init__(
            C, solver, tol, max_iter, max_time, n_jobs, random_state, verbose, callback
        )
        self.false_cost = false_cost
        self.miss_cost = miss_cost
        self.canonical = canonical
        self.prior = prior
        self.unfit = unfit
        self.max_length = max_length
        self.dtype = dtype

    def _default_metric(
        self, y_true: Any, y_pred: Any, sample_weight: NDArray | None = None
    ) -> float:
        return micro_f1(base_pair_report, y_true, y_pred, sample_weight)

    def predict(
        self, X: Sequence[str], constraints: Sequence[str] | None = None
    ) -> list[str]:
        """Best fold of every sequence.

        Parameters
        ----------
        X : list of n str
        constraints : list of n str, optional
            Per base, as ViennaRNA writes it: "." nothing, "x" free, "|" paired, "<" with a
            later base, ">" with an earlier one, "(" and ")" this pair.

        Returns
        -------
        list of n dot-bracket str

        Raises
        ------
        ValueError
            For malformed constraints, or constraints that no fold satisfies.
        """
        check_is_fitted(self, "_w")
        if constraints is None:
            return super().predict(X)  # type: ignore[no-any-return]
        batch = Batch(self.space_, X)
        found: list[str] = []
        if batch.X:
            with batch.own_numbers():
                found = self._constrained(
                    batch.X, batch.kept(constraints, "constraints")
                )
        return OutputList(batch.spread(found, batch.outputs()))

    def _constrained(self, X: Any, constraints: Any) -> list[str]:
        packed = self.space_.pack(X, constraints=constraints)
        oracle = self.space_.bind(packed)
        for i in range(oracle.n_blocks):
            try:
                oracle.argmax(self._w, i, 0.0)
            except ValueError:
                if not np.all(np.isfinite(self._w)):
                    raise
                raise ValueError(
                    f"constraints: example {i} cannot be satisfied by any fold of the space"
                ) from None
        return self.space_.decode_packed(self._w, packed, self._threads())


__all__ = ["FoldingSVM"]
