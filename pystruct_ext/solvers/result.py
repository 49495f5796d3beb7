"""What a solver returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.persistence.registry import storable


@storable(old_tag="history")
class History(list):  # type: ignore[type-arg]
    """One dict per recorded epoch.

    Keys: ``epoch``, ``seconds`` (since the start of the solve), ``oracle_calls``,
    ``primal``, ``dual``, ``gap`` (absolute; nan where no exact pass was made),
    ``relative_gap``, ``score`` (held-out score, or nan) and ``n_cuts``.
    """

    def column(self, key: str) -> NDArray[np.float64]:
        """One key over all rows."""
        return np.array([row[key] for row in self], dtype=np.float64)

    def to_stored(self) -> dict[str, NDArray[np.float64]]:
        """One array per key: what a model file holds."""
        return {key: self.column(key) for key in (self[0] if self else ())}

    @classmethod
    def from_stored(cls, columns: dict[str, NDArray[np.float64]]) -> History:
        """The inverse of `to_stored`."""
        rows = zip(*(c.tolist() for c in columns.values()), strict=True)
        history = cls(dict(zip(columns, row, strict=True)) for row in rows)
        for row in history:
            for key in ("epoch", "oracle_calls", "n_cuts"):
                row[key] = int(row[key])
        return history

    def __repr__(self) -> str:
        if not self:
            return "History(empty)"
        last = self[-1]
        return (
            f"History({len(self)} rows, {last['seconds']:.2f} s, "
            f"{last['oracle_calls']} oracle calls, relative gap "
            f"{last['relative_gap']:.2e})"
        )


@dataclass(frozen=True)
class WorkingSet:
    """Cuts and dual variables of a solve, to warm-start the next.

    Attributes
    ----------
    ids : (n,) int64
        Blocks of the oracle.
    counts : (n,) int64
        Cuts of each block.
    alpha, loss : (n_cuts,) float64
        Dual variable and loss of each cut, blocks in order.
    codes : int32
        The codes of all cuts, end to end.
    code_lens : (n,) int64
        Length of a code of each block.
    """

    ids: NDArray[np.int64]
    counts: NDArray[np.int64]
    alpha: NDArray[np.float64]
    loss: NDArray[np.float64]
    codes: NDArray[np.int32]
    code_lens: NDArray[np.int64]

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(
            a.nbytes for a in (self.ids, self.counts, self.alpha, self.loss, self.codes)
        )

    def __len__(self) -> int:
        return int(self.counts.sum())


@dataclass
class SolverResult:
    """A solution with its certificate.

    Attributes
    ----------
    coef : (D,) ndarray
        Weights, in the oracle's dtype.
    primal, dual, gap : float
        ``P(coef)``, the best dual value, and ``primal - dual``. In the scale of
        ``P = lam/2 ||w||^2 + 1/n sum_i c_i H_i``.
    certificate : {"exact", "bounded", "relaxed", "none"}
        What the gap proves; see ``SpaceTags.exactness``. "bounded": the primal counts an
        upper bound of every hinge, so that the gap is one of the real problem, though it
        may not close. "none" also for solvers without a dual, and after an oracle was caught.
    status : {"converged", "stalled", "max_iter", "max_time", "interrupted", "callback", \
"oracle_error"}
        Why the solver stopped. "stalled": a search that may miss the maximum finds nothing
        more that it could add, but nothing proves that there is nothing. "oracle_error": the
        oracle was caught in a contradiction (a cut weaker than one known, a primal below
        the dual), whatever ended the solve, which is then ``extra["ended_by"]``.
    n_iter : int
        Epochs.
    n_oracle_calls : int
        Loss-augmented decodes, exact passes included.
    history : History
        One row per recorded epoch.
    working_set : WorkingSet or None
        For a warm start, if the solver keeps one.
    extra : dict
        Solver-specific figures, such as ``n_weak_cuts`` and ``working_set_bytes``.
    """

    coef: NDArray[np.floating]
    primal: float
    dual: float
    gap: float
    certificate: str
    status: str
    n_iter: int
    n_oracle_calls: int
    history: History
    working_set: WorkingSet | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def ended_by(self) -> str:
        """What ended the solve; `status`, unless that says that the oracle was caught."""
        return str(self.extra.get("ended_by", self.status))

    @property
    def relative_gap(self) -> float:
        """``gap / max(|primal|, tiny)``."""
        return relative(self.gap, self.primal)


def relative(gap: float, primal: float) -> float:
    """``gap / max(|primal|, tiny)``: the quantity every solver stops on."""
    return gap / max(abs(primal), 1e-12)
