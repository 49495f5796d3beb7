"""RNA folding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from pystruct_ext.estimators._arguments import check_weights
from pystruct_ext.estimators._batches import Batch
from pystruct_ext.estimators._scores import micro_f1
from pystruct_ext.estimators._training import Training
from pystruct_ext.estimators.auto_c import AutoC, check_groups, is_auto
from pystruct_ext.estimators.base import BaseStructuralSVM
from pystruct_ext.metrics import base_pair_report
from pystruct_ext.persistence.registry import storable
from pystruct_ext.solvers import Solver
from pystruct_ext.spaces import FoldingSpace
from pystruct_ext.spaces.folding import KT_37, PackedFolds
from pystruct_ext.utils.examples import OutputList, as_examples, n_rows_of
from pystruct_ext.utils.numbers import check_number

if TYPE_CHECKING:
    from typing_extensions import Self

# Variance within families over that between them, by which small ones are shrunk.
_WITHIN = 3.0


@storable
class FoldingSVM(BaseStructuralSVM):
    """Structural SVM for nested secondary structures of RNA.

    Minimises ``1/2 ||w - w_energy||^2 + C sum_i s_i H_i(w)`` where the hinge is over all
    nested folds, the loss counts false and missed pairs, and w_energy are the weights that
    fold by free energy (0 with ``prior=None``); decoding is exact. Without evidence the model
    stays at the energies, however small C is.

    Parameters
    ----------
    C : float or AutoC, default=0.001
        Weight of the sum of hinges; "auto" finds it, see `AutoC`. With little C the model
        stays at the energies of the prior: about 1 over the number of molecules serves new
        families, 10 times as much those seen in training.
    false_cost, miss_cost : float, default=0.3, 1.0
        Costs of false and missed pairs. With equal costs and a large C the fold without pairs
        is a cheap answer, and hard data teaches it.
    canonical, prior, scales, unfit, max_length, dtype
        See `FoldingSpace`.
    decode : {"auto", "best", "mea"}, default="auto"
        What `predict` answers: the fold with the best score, or that with the maximum
        expected accuracy under the probabilities of `predict_marginals`. "auto" is "mea"
        where scores are near kcal/mol (with prior and scales), else "best".
    gamma : float, default=0.5
        With ``decode="mea"``: larger finds more pairs, of which fewer are right.
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
    (n, n) probabilities of pairs, above the diagonal, at the temperature of `calibrate`, or
    kT at 37 degrees: scores are near kcal/mol. `score` is F1 of the base pairs of all
    molecules together, each counted with the weight of its molecule.

    The prior makes little C safe; `scales` keep a group of large counts (free bases) from
    moving a hundred times faster than another; ``fit(groups=families)`` keeps the largest
    family from deciding what all families have in common. Models of earlier files have no
    scales, and predict as before.

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
        false_cost: float = 0.3,
        miss_cost: float = 1.0,
        canonical: bool = True,
        prior: str | None = "energy",
        scales: str | None = "counts",
        decode: str = "auto",
        gamma: float = 0.5,
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
        self.scales = scales
        self.decode = decode
        self.gamma = gamma
        self.unfit = unfit
        self.max_length = max_length
        self.dtype = dtype

    def _default_metric(
        self, y_true: Any, y_pred: Any, sample_weight: NDArray | None = None
    ) -> float:
        return micro_f1(base_pair_report, y_true, y_pred, sample_weight)

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        *,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Train on sequences X with folds y.

        Parameters
        ----------
        X, y : lists of n str
        sample_weight : (n,) array-like, optional
            Weight s_i >= 0 of each molecule.
        groups : (n,) array-like, optional
            Families, say: large groups count about alike, however many molecules they have,
            or what is learnt for new families would be that of the largest. The weights of
            n_g molecules are multiplied by 1 / (n_g + 3), and rescaled to the sum they had.
            Where C is found ("auto"), whole groups are left out to find it.

        Returns
        -------
        self
        """
        self._check_decoding(self.decode, self.gamma)
        if groups is not None:
            sample_weight = balanced_weights(groups, len(X), sample_weight)
        left_out = groups if is_auto(self.C) else None
        return super().fit(X, y, sample_weight, groups=left_out)

    def _training(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        **packing: Any,
    ) -> Training:
        # Scales are means over examples: a weight of 2 is an example twice there, too.
        weight = check_weights(sample_weight, n_rows_of(X))
        if weight is not None:
            packing["weight"] = weight
        return super()._training(X, y, sample_weight, groups, **packing)

    def _prior_weights(self, space: Any) -> NDArray[np.floating] | None:
        return None if self.prior is None else space.energy_weights()

    def _temperature(self, given: float | None) -> float:
        if given is None and not hasattr(self, "temperature_") and self._physical():
            return KT_37
        return super()._temperature(given)

    def _physical(self) -> bool:
        """Whether scores are in kcal/mol: the regulariser draws the weights to the energies."""
        return hasattr(self.space_, "energies_") and hasattr(self.space_, "scales_")

    def _decoding(self, decode: str) -> str:
        if decode != "auto":
            return decode
        return "mea" if self._physical() else "best"

    def _check_decoding(self, decode: str, gamma: float) -> None:
        if decode not in ("auto", "best", "mea"):
            raise ValueError(f"decode must be 'auto', 'best' or 'mea', got {decode!r}")
        check_number("gamma", gamma, 0)

    def predict(
        self,
        X: Sequence[str],
        constraints: Sequence[str] | None = None,
        *,
        decode: str | None = None,
        gamma: float | None = None,
    ) -> list[str]:
        """Fold of every sequence: the best one, or the one expected to be most accurate.

        Parameters
        ----------
        X : list of n str
        constraints : list of n str, optional
            Per base, as ViennaRNA writes it: "." nothing, "x" free, "|" paired, "<" with a
            later base, ">" with an earlier one, "(" and ")" this pair.
        decode, gamma : optional
            Instead of those of the estimator.

        Returns
        -------
        list of n dot-bracket str

        Raises
        ------
        ValueError
            For malformed constraints, or constraints that no fold satisfies.
        """
        check_is_fitted(self, "_w")
        decode = self.decode if decode is None else decode
        gamma = self.gamma if gamma is None else gamma
        self._check_decoding(decode, gamma)
        decode = self._decoding(decode)
        if constraints is None and decode == "best":
            return super().predict(X)  # type: ignore[no-any-return]
        batch = Batch(self.space_, X)
        found: list[str] = []
        if batch.X:
            with batch.own_numbers():
                packed = self._constrained(
                    batch.X, batch.kept(constraints, "constraints")
                )
                if decode == "mea":
                    t = self._temperature(None)
                    found = self.space_.decode_mea(self._w, packed, gamma, t)
                else:
                    found = self.space_.decode_packed(self._w, packed, self._threads())
        return OutputList(batch.spread(found, batch.outputs()))

    def _constrained(self, X: Any, constraints: Any) -> PackedFolds:
        packed = self.space_.pack(X, constraints=constraints)
        if constraints is None:
            return packed
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
        return packed


def balanced_weights(
    groups: ArrayLike, n: int, sample_weight: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Weights by which large groups count about alike; the sum stays as it was.

    ``s_i / (n_g + 3)``, rescaled, for example i of group g of n_g examples: as in a
    meta-analysis with random effects, where the mean of a group varies by a third of the
    variance within groups, and a group of few examples is known less well.

    Raises
    ------
    ValueError
        Unless there is one group for each of n examples.
    """
    names = as_examples(groups, "groups")
    if len(names) != n:
        raise ValueError(f"groups has {len(names)} entries, but X has {n} examples")
    number = np.asarray(check_groups(names, n))
    given = check_weights(sample_weight, n)
    given = np.ones(n) if given is None else np.asarray(given, dtype=np.float64)
    size = np.bincount(number, weights=given > 0)
    share = given / (size[number] + _WITHIN)
    total = share.sum()
    return np.asarray(share * (given.sum() / total if total > 0 else 0.0))


__all__ = ["FoldingSVM"]
