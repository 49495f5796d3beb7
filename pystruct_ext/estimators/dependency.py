"""Dependency parsing."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from pystruct_ext.estimators._scores import micro_accuracy
from pystruct_ext.estimators.auto_c import AutoC
from pystruct_ext.estimators.base import BaseStructuralSVM
from pystruct_ext.metrics import attachment_report
from pystruct_ext.persistence.registry import storable
from pystruct_ext.solvers import Solver
from pystruct_ext.spaces import DependencySpace


@storable
class DependencySVM(BaseStructuralSVM):
    """Structural SVM for dependency trees: projective or not, labelled or not.

    Minimises ``1/2 ||w||^2 + C sum_i s_i H_i(w)`` where the hinge is over all trees with a
    single root and the loss is the number of wrong words; decoding is exact.

    Parameters
    ----------
    C : float or AutoC, default=0.03
        Weight of the sum of hinges; "auto" finds it, see `AutoC`.
    labelled, projective, siblings, grandparents, features, loss, ignore_labels, \
nonprojective, lemmas, fine_tags, bits, label_bits, max_length, dtype
        See `DependencySpace`; `loss` is its `task_loss`.
    solver, tol, max_iter, max_time, n_jobs, random_state, verbose, callback
        See `StructuralSVM`.

    Attributes
    ----------
    coef_ : (size_psi,) ndarray
    space_ : DependencySpace
    primal_objective_, dual_objective_, duality_gap_, relative_gap_, certificate_, status_, \
n_iter_, n_oracle_calls_, history_
        See `StructuralSVM`.

    Notes
    -----
    X is a list of `Sentence` (or of arc features), y of `DependencyTree`. `predict_marginals`
    gives (n + 1, n) probabilities of arcs, [head][word], 0 for the root; labels are summed
    out. `score` is the share of words with the right head and label (LAS; the right head,
    UAS, if not `labelled`), each counted with the weight of its sentence.

    Memory of a fit: 16 bytes per word, two times the weights (``2^bits + 2^label_bits K``
    numbers of 4 bytes for K labels, 88 MiB for 56 of them and rich features), and the working
    set, about 100 bytes per word. Features are never stored.

    Examples
    --------
    >>> from pystruct_ext import DependencySVM
    >>> X = [(["the", "dog", "barks"], ["DET", "NOUN", "VERB"])]
    >>> y = [([2, 3, 0], ["det", "nsubj", "root"])]
    >>> model = DependencySVM(C=1, bits=12, label_bits=8).fit(X, y)
    >>> model.predict([(["a", "cat", "sleeps"], ["DET", "NOUN", "VERB"])])[0].heads
    (2, 3, 0)
    """

    _space_class = DependencySpace
    space_: DependencySpace

    def __init__(
        self,
        C: float | str | AutoC = 0.03,
        *,
        loss: str = "las",
        labelled: bool = True,
        projective: bool = True,
        siblings: bool = False,
        grandparents: bool = False,
        features: str = "rich",
        ignore_labels: tuple[str, ...] = (),
        nonprojective: str = "lift",
        lemmas: bool = True,
        fine_tags: bool = True,
        bits: int | None = None,
        label_bits: int | None = None,
        max_length: int = 400,
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
        self.loss = loss
        self.labelled = labelled
        self.projective = projective
        self.siblings = siblings
        self.grandparents = grandparents
        self.features = features
        self.ignore_labels = ignore_labels
        self.nonprojective = nonprojective
        self.lemmas = lemmas
        self.fine_tags = fine_tags
        self.bits = bits
        self.label_bits = label_bits
        self.max_length = max_length
        self.dtype = dtype

    def check_loaded(self) -> None:
        """Raise unless the fitted attributes fit together; called after loading."""
        super().check_loaded()
        # Files of before there were two sets are of the basic one.
        self.features = self.space_.features

    def _default_metric(
        self, y_true: Any, y_pred: Any, sample_weight: NDArray | None = None
    ) -> float:
        share = "las" if self.labelled else "uas"
        return micro_accuracy(attachment_report, y_true, y_pred, sample_weight, share)

    def to_networkx(self, x: Any, tree: Any) -> Any:
        """A tree as a ``networkx.DiGraph`` from heads to modifiers.

        Parameters
        ----------
        x : Sentence
        tree : DependencyTree

        Returns
        -------
        networkx.DiGraph
            See `DependencyTree.to_networkx`.
        """
        return tree.to_networkx(x)


__all__ = ["DependencySVM"]
