"""Nested folds of RNA."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pystruct_ext._core import Oracle
from pystruct_ext.outputs.dot_bracket import crossing_pairs, dot_bracket, pairs_of
from pystruct_ext.persistence.registry import storable
from pystruct_ext.spaces._energy_tables import energy_tables
from pystruct_ext.spaces._fold_training import most_accurate_code, scales_from_counts
from pystruct_ext.spaces._fold_values import LoopEnergy, PackedFolds
from pystruct_ext.spaces._kernels import fold as _fold
from pystruct_ext.spaces._nearest_neighbour import nearest_neighbour_weights
from pystruct_ext.spaces.compiled import CompiledSpace
from pystruct_ext.utils.callers import user_stacklevel
from pystruct_ext.utils.fitted import Fitted
from pystruct_ext.utils.numbers import check_number

# Letters of IUPAC for more than one base are bases of an unknown kind, which pair with none.
_UNKNOWN = 4
_BASES = {"A": 0, "C": 1, "G": 2, "U": 3, "T": 3} | dict.fromkeys(
    "RYSWKMBDHVN", _UNKNOWN
)
# ViennaRNA's marks, as numbers that the kernel knows.
_DEMANDS = {".": 0, "x": 1, "|": 2, "<": 3, ">": 4, "(": 0, ")": 0}
_CANONICAL = {(0, 3), (3, 0), (1, 2), (2, 1), (2, 3), (3, 2)}
_MAX_LOOP = 30
_MIN_PAIR = 4
# Energies are scaled up, so that the regulariser hardly touches their one weight: little data
# means folding by energy, not folds of nothing.
_PRIOR_SCALE = 4.0
# kT in kcal/mol at 37 degrees: of the probabilities that energies have.
KT_37 = 0.0019872 * 310.15


@storable
class FoldingSpace(CompiledSpace):
    """Secondary structures of RNA: nested pairs of bases.

    ``<w, psi(x, y)>`` is a sum over the loops of the fold: stacked pairs, hairpins,
    bulges, interior and multibranch loops and the exterior, with the features of
    CONTRAfold: pairs, stacks, ends of helices, mismatches, lengths, asymmetry, small
    loops, dangling bases, and short hairpins as a whole. ``Delta(y, y_hat) = false_cost
    #false pairs + miss_cost #missed pairs``.

    Parameters
    ----------
    canonical : bool, default=True
        Only AU, CG and GU pair; else any two bases.
    false_cost, miss_cost : float, default=1.0, 1.0
        Costs of a wrong and of a missing pair.
    prior : {"energy", None} or str, default="energy"
        "energy" adds one feature, minus the fold's free energy in the nearest-neighbour
        model of Turner 2004 (Mathews et al. 2004; Turner and Mathews 2010), so that little
        data, or molecules unlike those seen, fall back on physics; as MXfold does. The
        energy is that of ViennaRNA's ``RNAeval`` (dangles on both sides, ``-d2``). Else the
        path of a file of other parameters, in ViennaRNA's format (version 2.0), which
        fitting reads.
    unfit : {"project", "error"}, default="project"
        What to do with true folds outside of the space (pairs that cross, that are not
        canonical, with hairpins below three bases or interior loops of more than 30 free
        bases): keep the largest set of pairs that fits, with a warning that counts, or
        refuse.
    max_length : int, default=2000
        Longest sequence; tables need ``6 n^2 w + n^2`` bytes for n bases and weights of w
        bytes.
    dtype : {"float32", "float64"}, default="float32"
        Type of the weights.
    scales : {"counts", None}, default="counts"
        "counts" divides the features of a group (see `feature_groups`) by how much the
        group's counts differ between true folds and folds of least energy, so that no group
        moves the score a hundred times faster than another; None leaves counts as they are.

    Attributes
    ----------
    size_psi_ : int
    scales_ : (size_psi_,) float64 ndarray
        Factors of the features, from training examples (`fit_pack`); absent, and ones, with
        ``scales=None``, without examples, and in spaces of older model files.
    energies_ : (n,) int32 ndarray
        Tables of free energies, in the order of ``folding/energies.hpp``; not with
        ``prior=None``. Spaces of older model files have none: their prior
        is a simplified model, as it was when they were fitted.

    Notes
    -----
    x is a string of A, C, G, U (T is read as U), y a dot-bracket string. N and the other
    letters of IUPAC are bases of an unknown kind, as for ViennaRNA: they stay free, count in
    the lengths of loops, and no feature that names a base reads them. Code: the partner of
    every base. Ties: the same weights give the same fold, not necessarily the
    one with the smallest code.

    The scale of group g is ``1 / sqrt(1 + m_g)``, where m_g is the mean over training
    examples (500 at most) of ``||psi_g(x, y) - psi_g(x, y_energy)||^2``, of unscaled counts.

    References
    ----------
    Do, Woods and Batzoglou 2006; Akiyama, Sato and Sakakibara 2018; Zuker and Stiegler
    1981.

    Examples
    --------
    >>> space = FoldingSpace().fit_domain(["GGGAAACCC"], ["(((...)))"])
    >>> space.loss("(((...)))", "((.....))")
    1.0
    """

    def __init__(
        self,
        canonical: bool = True,
        false_cost: float = 1.0,
        miss_cost: float = 1.0,
        prior: str | None = "energy",
        unfit: str = "project",
        max_length: int = 2000,
        dtype: str = "float32",
        scales: str | None = "counts",
    ) -> None:
        self.canonical = canonical
        self.false_cost = false_cost
        self.miss_cost = miss_cost
        self.prior = prior
        self.scales = scales
        self.unfit = unfit
        self.max_length = max_length
        self.dtype = dtype

    def fit_domain(
        self, X: Sequence[Any], Y: Sequence[Any] | None = None
    ) -> FoldingSpace:
        """Set the sizes and read the energies; `fit_pack` sets the scales, too."""
        self._check_parameters()
        self.size_psi_ = int(_fold.SIZE)
        self.__dict__.pop("energies_", None)
        self.__dict__.pop("scales_", None)
        if self.prior is not None:
            self.energies_ = self._tables()
        return self

    def fit_pack(
        self, X: Sequence[Any], Y: Sequence[Any], weight: ArrayLike | None = None
    ) -> PackedFolds:
        """``fit_domain`` and ``pack`` at once, and the scales of the features.

        Parameters
        ----------
        X, Y : lists of n str
        weight : (n,) array-like, optional
            Weight of each example in the means behind the scales.
        """
        packed: PackedFolds = super().fit_pack(X, Y)
        if self.scales is not None:
            known = "energy" if self.prior is None else self.prior
            plain = FoldingSpace(self.canonical, prior=known).fit_domain([])
            self.scales_ = scales_from_counts(
                plain.bind(packed),
                plain.energy_weights(),
                self.feature_groups(),
                None if weight is None else np.asarray(weight, dtype=np.float64),
            )
        return packed

    def decode_mea(
        self,
        w: NDArray[np.floating],
        packed: PackedFolds,
        gamma: float = 0.5,
        temperature: float = KT_37,
    ) -> list[str]:
        """The fold of every packed example with the largest expected accuracy.

        Maximises ``2 gamma sum_(i, j) p_ij + sum_(i free) q_i`` over the folds of the space,
        where p_ij are the probabilities of pairs under ``exp(<w, psi> / temperature)``, and
        ``q_i = 1 - sum_j p_ij`` (Do, Woods and Batzoglou 2006).

        Parameters
        ----------
        w : (size_psi_,) ndarray
        packed : PackedFolds
            Constraints hold, too.
        gamma : float, default=0.5
            Larger finds more pairs, of which fewer are right.
        temperature : float, default=0.61632
            By default kT at 37 degrees, in kcal/mol: right where w is in their unit.

        Returns
        -------
        list of dot-bracket str
        """
        check_number("gamma", gamma, 0)
        oracle, w = self.bind(packed), self._own(w)
        codes = (
            most_accurate_code(oracle, w, i, gamma, temperature)
            for i in range(len(packed))
        )
        return [dot_bracket(code.tolist()) for code in codes]

    def feature_groups(self) -> list[tuple[str, int, int]]:
        """Groups of features: name, first weight, number of weights."""
        starts = [*_fold.GROUPS.values(), int(_fold.SIZE)]
        return [
            (name, a, b - a)
            for name, (a, b) in zip(_fold.GROUPS, pairwise(starts), strict=True)
        ]

    def energy_weights(self) -> NDArray[np.floating]:
        """Weights that fold by free energy alone, untrained: (size_psi_,).

        Raises
        ------
        ValueError
            If ``prior`` is None.
        """
        if self.prior is None:
            raise ValueError("energy_weights needs prior='energy', got None")
        w = np.zeros(int(_fold.SIZE), dtype=np.dtype(self.dtype))
        at = _fold.GROUPS["energy"]
        scales = getattr(self, "scales_", None)
        w[at] = 1.0 / (_PRIOR_SCALE * (1.0 if scales is None else scales[at]))
        return w

    def _tables(self) -> NDArray[np.int32]:
        if self.prior == "energy":
            return energy_tables()
        try:
            return energy_tables(self.prior)
        except OSError as error:
            raise ValueError(
                "prior must be 'energy', None or the path of a parameter file, got "
                f"{self.prior!r}: {error.strerror or error}"
            ) from None

    def _check_parameters(self) -> None:
        if self.prior is not None and not isinstance(self.prior, str):
            raise ValueError(
                "prior must be 'energy', None or the path of a parameter file, got "
                f"{self.prior!r}"
            )
        for name, allowed in (
            ("unfit", ("project", "error")),
            ("dtype", ("float32", "float64")),
            ("scales", ("counts", None)),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{name} must be one of {', '.join(map(str, allowed))}, got "
                    f"{getattr(self, name)!r}"
                )
        for name in ("false_cost", "miss_cost"):
            check_number(name, getattr(self, name), 0)
        if not (isinstance(self.max_length, (int, np.integer)) and self.max_length > 0):
            raise ValueError(
                f"max_length must be an integer > 0, got {self.max_length!r}"
            )

    def check_loaded(self) -> None:
        """Raise unless the fitted attributes are what fitting makes; see `Fitted`."""
        self._check_parameters()
        if hasattr(self, "size_psi_"):
            fitted = Fitted(self)
            fitted.equal("size_psi_", int(_fold.SIZE))
            # Older files have no tables, and then only the prior of that time.
            if hasattr(self, "energies_") or self.prior not in ("energy", None):
                fitted.array("energies_", (int(_fold.ENERGY_SIZE),), "int32")
            if hasattr(self, "scales_"):
                fitted.array("scales_", (int(_fold.SIZE),), "float64")

    def validate(self, X: Sequence[Any], Y: Sequence[Any] | None = None) -> None:
        """Raise unless X is a list of strings, and Y as long."""
        if isinstance(X, (str, bytes)) or not hasattr(X, "__getitem__"):
            raise TypeError(f"X must be a list of sequences, got {type(X).__name__}")
        super().validate(X, Y)

    def pack(
        self,
        X: Sequence[Any],
        Y: Sequence[Any] | None = None,
        constraints: Sequence[str] | None = None,
    ) -> PackedFolds:
        """Pack sequences, folds and hard constraints.

        Parameters
        ----------
        X : list of n str
        Y : list of n dot-bracket str, optional
        constraints : list of n str, optional
            Per base, as ViennaRNA writes it: "." nothing, "x" free, "|" paired, "<" with a
            later base, ">" with an earlier one, "(" and ")" this pair.

        Returns
        -------
        PackedFolds
        """
        self.validate(X, Y)
        offsets = np.zeros(len(X) + 1, dtype=np.int64)
        np.cumsum([len(x) for x in X], out=offsets[1:])
        bases = np.zeros(int(offsets[-1]), dtype=np.uint8)
        for i, x in enumerate(X):
            bases[offsets[i] : offsets[i + 1]] = _bases_of(x, f"X: example {i}")
        self._check_lengths(np.diff(offsets))
        packed = PackedFolds(offsets, bases)
        if constraints is not None:
            self._pack_constraints(packed, constraints)
        if Y is not None:
            self._pack_truth(packed, Y)
        return packed

    def _check_lengths(self, lengths: NDArray[np.int64]) -> None:
        i = int(np.argmax(lengths))
        n = int(lengths[i])
        if n > self.max_length:
            need = n * n * (6 * np.dtype(self.dtype).itemsize + 1)
            raise ValueError(
                f"X: example {i} has {n} bases, more than max_length={self.max_length}; "
                f"it would need {need / 2**20:.0f} MiB of tables per thread"
            )

    def _pack_constraints(
        self, packed: PackedFolds, constraints: Sequence[str]
    ) -> None:
        n = len(packed)
        if len(constraints) != n:
            raise ValueError(
                f"constraints has {len(constraints)} strings, but X has {n} sequences"
            )
        packed.demand = np.zeros(len(packed.bases), dtype=np.uint8)
        packed.forced = np.full(len(packed.bases), -1, dtype=np.int32)
        for i, text in enumerate(constraints):
            a, b = int(packed.offsets[i]), int(packed.offsets[i + 1])
            where = f"constraints: example {i}"
            if len(text) != b - a:
                raise ValueError(
                    f"{where} has {len(text)} characters, but the sequence has {b - a}"
                )
            for t, c in enumerate(text):
                if c not in _DEMANDS:
                    raise ValueError(
                        f"{where} has {c!r} at position {t + 1}, expected one of . x | < > "
                        "( )"
                    )
                packed.demand[a + t] = _DEMANDS[c]
            only = "".join(c if c in "()" else "." for c in text)
            for p, q in pairs_of(only, where):
                if q - p < _MIN_PAIR:
                    raise ValueError(
                        f"{where} pairs positions {p + 1} and {q + 1}, which are less "
                        "than three bases apart"
                    )
                if _UNKNOWN in (packed.bases[a + p], packed.bases[a + q]):
                    raise ValueError(
                        f"{where} pairs positions {p + 1} and {q + 1}, one of which is a "
                        "base of unknown kind"
                    )
                packed.forced[a + p], packed.forced[a + q] = q, p

    def _pack_truth(self, packed: PackedFolds, Y: Sequence[Any]) -> None:
        partner = np.full(len(packed.bases), -1, dtype=np.int32)
        unfit: list[int] = []
        for i, y in enumerate(Y):
            where = f"y: example {i}"
            a, b = int(packed.offsets[i]), int(packed.offsets[i + 1])
            if not isinstance(y, str):
                raise TypeError(
                    f"{where} must be a dot-bracket string, got {type(y).__name__}"
                )
            if len(y) != b - a:
                raise ValueError(
                    f"{where} has {len(y)} characters, but the sequence has {b - a}"
                )
            pairs = pairs_of(y, where)
            for p, q in pairs:
                partner[a + p], partner[a + q] = q, p
            reason = self._misfit(packed.bases[a:b], pairs)
            if reason is None:
                continue
            if self.unfit == "error":
                raise ValueError(
                    f"{where} {reason}; use unfit='project' to keep the pairs that fit"
                )
            unfit.append(i)
        packed.partner = partner
        if not unfit:
            return
        # The best fold, of 1 for true pairs and -1 for others, is the largest set of true pairs
        # that fits. The truth itself is no fold, and not shown to the kernel.
        oracle = self._oracle(replace(packed, partner=None), 1.0, 1.0)
        w = np.zeros(self.size_psi_, dtype=np.dtype(self.dtype))
        for i in unfit:
            a, b = int(packed.offsets[i]), int(packed.offsets[i + 1])
            true = partner[a:b, None] == np.arange(b - a)
            code = oracle.argmax(w, i, 0.0, scores=np.where(true, 1.0, -1.0))
            kept = np.where(code == partner[a:b], code, -1)
            packed.n_dropped += int(((partner[a:b] >= 0) & (kept < 0)).sum()) // 2
            partner[a:b] = kept
        packed.n_changed = len(unfit)
        warnings.warn(
            f"y: {packed.n_changed} of {len(Y)} folds do not fit the space (crossing or "
            f"non-canonical pairs, short hairpins, large interior loops); "
            f"{packed.n_dropped} of their pairs were dropped",
            UserWarning,
            stacklevel=user_stacklevel(),
        )

    def _misfit(
        self, bases: NDArray[np.uint8], pairs: Sequence[tuple[int, int]]
    ) -> str | None:
        """Why a fold is not in the space, or None."""
        crossing = crossing_pairs(pairs)
        if crossing:
            i, j = crossing[0]
            return f"has a pseudoknot: the pair {i + 1}-{j + 1} crosses another"
        for i, j in pairs:
            letters = "ACGUN"[bases[i]] + "ACGUN"[bases[j]]
            if "N" in letters:
                return f"pairs a base of unknown kind at {i + 1}-{j + 1}"
            if self.canonical and (int(bases[i]), int(bases[j])) not in _CANONICAL:
                return f"pairs {letters} at {i + 1}-{j + 1}, which is not canonical"
            if j - i < _MIN_PAIR:
                return f"has a hairpin of less than three bases at {i + 1}-{j + 1}"
        partner = {}
        for i, j in pairs:
            partner[i], partner[j] = j, i
        for i, j in pairs:
            branches, t = [], i + 1
            while t < j:
                if t in partner:
                    branches.append(t)
                    t = partner[t]
                t += 1
            if len(branches) == 1:
                k = branches[0]
                free = (k - i - 1) + (j - partner[k] - 1)
                if free > _MAX_LOOP:
                    return (
                        f"has an interior loop of {free} free bases at {i + 1}-{j + 1}"
                    )
        return None

    def bind(self, packed: PackedFolds) -> Oracle:
        """The oracle over packed sequences."""
        return self._oracle(packed, float(self.false_cost), float(self.miss_cost))

    def _oracle(
        self, packed: PackedFolds, false_cost: float, miss_cost: float
    ) -> Oracle:
        energies = prior = None
        if self.prior is not None:
            energies = getattr(self, "energies_", None)
            if energies is None:
                prior = (_PRIOR_SCALE * nearest_neighbour_weights()).astype(
                    np.dtype(self.dtype)
                )
        scale = getattr(self, "scales_", None)
        if scale is not None:
            scale = np.ascontiguousarray(scale, dtype=np.dtype(self.dtype))
        return _fold.FOLD.bind(
            {
                "offsets": packed.offsets,
                "bases": packed.bases,
                "partner": packed.partner,
                "canonical": bool(self.canonical),
                "false_cost": false_cost,
                "miss_cost": miss_cost,
                "demand": packed.demand,
                "forced": packed.forced,
                "energy_tables": energies,
                "energy_scale": _PRIOR_SCALE,
                "prior": prior,
                "scale": scale,
            },
            np.dtype(self.dtype),
        )

    def empty_output(self, x: Any) -> str | None:
        """No brackets for a sequence of no bases."""
        return "" if isinstance(x, str) and not x else None

    def empty_shape(self, x: Any) -> tuple[int, ...]:
        """(0, 0)."""
        return 0, 0

    def output_of(self, code: Sequence[int], packed: PackedFolds, i: int) -> str:
        """The output that a code of packed example i stands for."""
        return dot_bracket(code)

    # One example in domain language.

    def energy(self, x: Any, y: Any) -> float:
        """Free energy of a fold in kcal/mol, under the tables of ``prior``.

        Parameters
        ----------
        x : str
        y : dot-bracket str
            Nested; its pairs and loops may be any, also such as the space does not hold.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            If the space has no tables: ``prior=None``.

        Examples
        --------
        >>> space = FoldingSpace().fit_domain([])
        >>> space.energy("GGGGAAAACCCC", "((((....))))")
        -5.4
        """
        return sum(e for *_, e in self._loop_energies(x, y)) / 100

    def energy_report(self, x: Any, y: Any) -> list[LoopEnergy]:
        """Free energies of the loops of a fold, which sum to `energy`.

        Parameters
        ----------
        x : str
        y : dot-bracket str

        Returns
        -------
        list of LoopEnergy
            The exterior first, then by the first base of the closing pair.

        Examples
        --------
        >>> space = FoldingSpace().fit_domain([])
        >>> for loop in space.energy_report("GGGAAAACCC", "(((....)))"):
        ...     print(loop.kind, loop.closing, loop.inner, loop.energy)
        exterior None None 0.0
        stack (0, 9) (1, 8) -3.3
        stack (1, 8) (2, 7) -3.3
        hairpin (2, 7) None 4.5
        """
        out = []
        for i, j, k, m, e in self._loop_energies(x, y):
            if i < 0:
                kind = "exterior"
            elif k < 0:
                kind = "hairpin" if k == -1 else "multibranch"
            else:
                free = (k - i - 1, j - m - 1)
                kind = "interior" if min(free) else "bulge" if max(free) else "stack"
            out.append(
                LoopEnergy(
                    kind,
                    (i, j) if i >= 0 else None,
                    (k, m) if k >= 0 else None,
                    e / 100,
                )
            )
        return out

    def _loop_energies(self, x: Any, y: Any) -> list[tuple[int, int, int, int, int]]:
        tables = getattr(self, "energies_", None)
        if self.prior is None or tables is None:
            raise ValueError("energies need a fitted space with prior='energy'")
        bases = _bases_of(x, "x")
        if len(y) != len(bases):
            raise ValueError(f"y has {len(y)} characters, but x has {len(bases)} bases")
        pairs = pairs_of(y, "y")
        crossing = crossing_pairs(pairs)
        if crossing:
            i, j = crossing[0]
            raise ValueError(f"y: the pair {i + 1}-{j + 1} crosses another")
        partner = np.full(len(bases), -1, dtype=np.int32)
        for i, j in pairs:
            partner[i], partner[j] = j, i
        return _fold.loop_energies(tables, bases, partner)

    def loss(self, y: Any, y_hat: Any) -> float:
        """Costs of false and missed pairs."""
        if len(y) != len(y_hat):
            raise ValueError(
                f"y has {len(y)} bases and y_hat {len(y_hat)}, expected the same length"
            )
        a, b = set(pairs_of(y, "y")), set(pairs_of(y_hat, "y_hat"))
        return float(self.false_cost * len(b - a) + self.miss_cost * len(a - b))

    def parts(self, y: Any) -> tuple[NDArray[np.int64], ...]:
        """First and second bases of the pairs, as an index into (n, n)."""
        i, j = np.array(pairs_of(y, "y"), dtype=np.int64).reshape(-1, 2).T
        return i, j

    def enumerate(self, x: Any) -> Iterable[str]:
        """All folds of x."""
        bases = _bases_of(x, "x")

        def folds(a: int, b: int) -> Iterator[tuple[tuple[int, int], ...]]:
            if b - a <= _MIN_PAIR:
                yield ()
                return
            yield from folds(a + 1, b)
            for q in range(a + _MIN_PAIR, b):
                pair = (int(bases[a]), int(bases[q]))
                if _UNKNOWN in pair:
                    continue
                if self.canonical and pair not in _CANONICAL:
                    continue
                for inner in folds(a + 1, q):
                    for rest in folds(q + 1, b):
                        yield ((a, q), *inner, *rest)

        for pairs in folds(0, len(bases)):
            if self._misfit(bases, pairs) is None:
                partner = [-1] * len(bases)
                for i, j in pairs:
                    partner[i], partner[j] = j, i
                yield dot_bracket(partner)


def _bases_of(x: Any, where: str) -> NDArray[np.uint8]:
    if not isinstance(x, str):
        raise TypeError(f"{where} must be a string of bases, got {type(x).__name__}")
    if not x:
        raise ValueError(f"{where} is empty, expected at least one base")
    try:
        return np.array([_BASES[c] for c in x.upper()], dtype=np.uint8)
    except KeyError:
        at = next(t for t, c in enumerate(x.upper()) if c not in _BASES)
        raise ValueError(
            f"{where} has {x[at]!r} at position {at + 1}, expected A, C, G, U or a letter "
            "of IUPAC for an unknown base"
        ) from None


__all__ = ["FoldingSpace", "LoopEnergy", "PackedFolds"]
