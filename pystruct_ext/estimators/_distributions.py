"""What estimators say of outputs beside the best: probabilities, draws, the k best."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from pystruct_ext.estimators._batches import Asked
from pystruct_ext.estimators._calibration import best_temperature
from pystruct_ext.solvers.base import generator
from pystruct_ext.utils.examples import as_examples

if TYPE_CHECKING:
    from typing_extensions import Self


class Distributions:
    """Methods of `BaseStructuralSVM` that ask the oracle for more than the best output."""

    _grouped_in_queries: ClassVar[bool]
    space_: Any
    _w: NDArray[np.floating]

    def predict_k_best(self, X: Any, k: int) -> list[list[tuple[float, Any]]]:
        """The k best outputs of every example.

        Parameters
        ----------
        X : list of n examples
        k : int
            Fewer are returned where there are fewer.

        Returns
        -------
        list of n lists of (score, output)
            Best first; distinct outputs.

        Raises
        ------
        NotImplementedError
            If the space has no such search.
        """
        check_is_fitted(self, "_w")
        if not isinstance(k, (int, np.integer)) or k < 1:
            raise ValueError(f"k must be an integer >= 1, got {k!r}")
        asked = self._asked(X, "k_best", "k best outputs")
        out = []
        for i in asked.blocks:
            codes, scores = asked.oracle.k_best(self._w, i, int(k))
            out.append(
                [
                    (float(s), asked.output_of(code, i))
                    for s, code in zip(scores, codes.tolist(), strict=True)
                ]
            )
        return asked.batch.spread(out, [[(0.0, y)] for y in asked.batch.outputs()])

    def predict_marginals(
        self, X: Any, temperature: float | None = None, *, as_dicts: bool = False
    ) -> list[Any]:
        """Probabilities of parts under ``exp(<w, psi> / temperature)``.

        A structural SVM is not trained as a probabilistic model: call `calibrate` with
        held-out examples first where the numbers have to mean something.

        Parameters
        ----------
        X : list of n examples
        temperature : float, optional
            Larger is flatter; by default `temperature_` of `calibrate`, or 1.
        as_dicts : bool, default=False
            Dicts with labels for keys in place of an array; of sequences, one dict label ->
            probability for every token, as sklearn-crfsuite has it.

        Returns
        -------
        list of n arrays, or of n lists of dicts
            See the notes of the class for what they hold.

        Raises
        ------
        NotImplementedError
            If the space has no marginals, or no such dicts.
        """
        t = self._temperature(temperature)
        asked = self._asked(X, "marginals", "marginals")
        found: list[Any] = [
            asked.oracle.marginals(self._w, i, t)[0] for i in asked.blocks
        ]
        found = asked.batch.spread(found, asked.batch.empty_marginals())
        if not as_dicts:
            return found
        space: Any = self.space_
        if not hasattr(space, "marginals_as_dicts"):
            raise NotImplementedError(
                f"{type(space).__name__} has no marginals as dicts"
            )
        return [space.marginals_as_dicts(p) for p in found]

    def log_partition(
        self, X: Any, temperature: float | None = None
    ) -> NDArray[np.float64]:
        """``log sum_y exp(<w, psi(x, y)> / temperature)`` of every example, (n,).

        Parameters
        ----------
        X : list of n examples
        temperature : float, optional
            As for `predict_marginals`.

        Raises
        ------
        NotImplementedError
            If the space has no log-partition.
        """
        t = self._temperature(temperature)
        asked = self._asked(X, "marginals", "log-partition function")
        found = [asked.oracle.log_partition(self._w, i, t) for i in asked.blocks]
        zeros = [0.0] * len(asked.batch.empty)  # one output, of score 0
        return np.array(asked.batch.spread(found, zeros), dtype=np.float64)

    def calibrate(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        *,
        of: str = "outputs",
    ) -> Self:
        """Find the temperature at which probabilities are right, from held-out examples.

        The weights, and so the predictions, stay as they are; `predict_marginals`,
        `log_partition` and `sample` use the temperature where none is given.

        Parameters
        ----------
        X, y : sequences of length n
            Examples that the model was not trained on: of those of training it is too sure.
            Examples with labels never seen at fit are left out.
        sample_weight : (n,) array-like, optional
        of : {"outputs", "parts"}, default="outputs"
            What is made as probable as possible: the true outputs as wholes, which is the
            likelihood of a conditional random field and convex in ``1 / temperature``; or
            their parts one by one (labels of tokens, arcs, pairs of bases), by the log loss of
            the marginals.

        Returns
        -------
        self

        Raises
        ------
        NotImplementedError
            If the space has no marginals.

        Notes
        -----
        Sets `temperature_`, which is saved with the model and forgotten by the next `fit`.

        References
        ----------
        Guo, Pleiss, Sun and Weinberger, ICML 2017 (temperature scaling).

        Examples
        --------
        >>> import numpy as np
        >>> from pystruct_ext import SequenceSVM
        >>> rng = np.random.default_rng(0)
        >>> X = [rng.normal(size=(5, 2)) for _ in range(40)]
        >>> y = [(x[:, 0] + rng.normal(size=5) > 0).astype(int) for x in X]
        >>> model = SequenceSVM(C=0.01).fit(X[:20], y[:20]).calibrate(X[20:], y[20:])
        >>> 0 < model.temperature_ < 1
        True
        """
        check_is_fitted(self, "_w")
        self.temperature_ = best_temperature(self, X, y, sample_weight, of)
        return self

    def _temperature(self, given: float | None) -> float:
        if given is None:
            return float(getattr(self, "temperature_", 1.0))
        if not isinstance(given, Real) or not given > 0:
            raise ValueError(f"temperature must be > 0, got {given!r}")
        return float(given)

    def sample(
        self,
        X: Any,
        n_samples: int = 1,
        temperature: float | None = None,
        random_state: Any = None,
    ) -> list[list[Any]]:
        """Outputs drawn from ``exp(<w, psi(x, y)> / temperature) / Z``, independently.

        Parameters
        ----------
        X : list of n examples
        n_samples : int, default=1
            Draws for each example.
        temperature : float, optional
            Larger is nearer to uniform; by default as for `predict_marginals`.
        random_state : int, RandomState, Generator or None, default=None
            An int gives the same draws again.

        Returns
        -------
        list of n lists of n_samples outputs

        Raises
        ------
        NotImplementedError
            If the space cannot be sampled from.
        """
        t = self._temperature(temperature)
        if not isinstance(n_samples, (int, np.integer)) or n_samples < 1:
            raise ValueError(f"n_samples must be an integer >= 1, got {n_samples!r}")
        asked = self._asked(X, "sample", "samples")
        seeds = generator(random_state).integers(
            0, 2**63, size=len(asked.blocks), dtype=np.int64
        )
        out = [
            [
                asked.output_of(code, i)
                for code in asked.oracle.sample(
                    self._w, i, int(n_samples), t, int(seeds[i])
                ).tolist()
            ]
            for i in asked.blocks
        ]
        empty = [[y] * int(n_samples) for y in asked.batch.outputs()]
        return asked.batch.spread(out, empty)

    def _rows(self, X: Any) -> Any:
        """X as the space takes it."""
        return as_examples(X)

    def _asked(self, X: Any, verb: str, what: str) -> Asked:
        """Examples as an oracle that answers `verb`."""
        check_is_fitted(self, "_w")
        asked = None
        if not self._grouped_in_queries:
            asked = Asked.of(self.space_, self._rows(X))
        if asked is None or verb not in asked.verbs:
            raise NotImplementedError(f"{type(self.space_).__name__} offers no {what}")
        return asked


__all__ = ["Distributions"]
