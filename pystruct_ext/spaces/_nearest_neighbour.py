"""Free energies of RNA loops as weights: a physical prior for learned folding.

The numbers are measured nearest-neighbour parameters in kcal/mol at 37 C: stacks of Turner
2004 (Mathews et al. 2004; Turner and Mathews 2010), loop initiation, dangling ends, special
tetraloops and multibranch loops of Turner 1999 (Mathews et al. 1999), simplified to the
features of the folding kernel: mismatches are an average with bonuses for GA and UU.
"""

from __future__ import annotations

from math import log

import numpy as np
from numpy.typing import NDArray

from pystruct_ext.spaces._kernels import fold as _fold

_PAIRS = ("CG", "GC", "GU", "UG", "AU", "UA")
# [pair 5' -> 3'][next pair, turned round]
_STACK = (
    (-2.4, -3.3, -2.1, -1.4, -2.1, -2.1),
    (-3.3, -3.4, -2.5, -1.5, -2.2, -2.4),
    (-2.1, -2.5, 1.3, -0.5, -1.4, -1.3),
    (-1.4, -1.5, -0.5, 0.3, -0.6, -1.0),
    (-2.1, -2.2, -1.4, -0.6, -1.1, -0.9),
    (-2.1, -2.4, -1.3, -1.0, -0.9, -1.3),
)
_HAIRPIN = {3: 6.2, 4: 5.6, 5: 5.6, 6: 5.4, 7: 5.9, 8: 5.6, 9: 6.4}
_BULGE = {1: 3.8, 2: 2.8, 3: 3.2, 4: 3.6, 5: 4.0, 6: 4.4}
_INTERIOR = {2: 0.5, 3: 1.6, 4: 1.1, 5: 2.0, 6: 2.0}
# Base after X of a pair X-Y, in the order A C G U.
_DANGLE_3 = {
    "AU": (-0.8, -0.5, -0.8, -0.6),
    "CG": (-1.7, -0.8, -1.7, -1.2),
    "GC": (-1.1, -0.4, -1.3, -0.6),
    "UA": (-0.7, -0.1, -0.7, -0.1),
    "GU": (-0.8, -0.5, -0.8, -0.6),
    "UG": (-0.7, -0.1, -0.7, -0.1),
}
_TETRALOOPS = {
    -3.0: "GGGGAC GGUGAC CGAAAG GGAGAC CGCAAG GGAAAC CGGAAG CUUCGG CGUGAG",
    -2.5: "CGAAGG CUACGG GGCAAC CGCGAG UGAGAG",
    -2.0: "CGAGAG AGAAAU CGUAAG CUAACG UGAAAG",
    -1.5: "GGAAGC GGGAAC UGAAAA AGCAAU AGUAAU CGGGAG AGUGAU GGCGAC GGGAGC GUGAAC UGGAAA",
}
_MAX_LOOP = 30


def _table(known: dict[int, float]) -> list[float]:
    """Energies up to 30 bases, beyond the last known one by its logarithm."""
    last = max(known)
    out = [0.0] * (_MAX_LOOP + 1)
    for n in range(min(known), _MAX_LOOP + 1):
        out[n] = known[n] if n in known else known[last] + 1.08 * log(n / last)
    return out


def _pair(text: str) -> int:
    return 4 * "ACGU".index(text[0]) + "ACGU".index(text[1])


def nearest_neighbour_weights() -> NDArray[np.float64]:
    """Minus the free energies in kcal/mol, by feature of the folding kernel.

    Returns
    -------
    (n_features,) float64
    """
    at = _fold.GROUPS
    energy = np.zeros(_fold.N_FEATURES)
    for a, p in enumerate(_PAIRS):
        for b, q in enumerate(_PAIRS):
            i, j = _pair(p), _pair(q[::-1])
            turned = 16 * _pair(q) + _pair(p[::-1])
            energy[at["stack"] + min(16 * i + j, turned)] = _STACK[a][b]
    for name, known in (
        ("hairpin_length", _HAIRPIN),
        ("bulge_length", _BULGE),
        ("interior_length", _INTERIOR),
    ):
        # Lengths are cumulative.
        table = _table(known)
        first = at[name]
        energy[first + 1 : first + _MAX_LOOP + 1] = np.diff(table)
    first = at["interior_length"]
    energy[first + 2] += energy[first + 1]  # interior loops begin at two
    energy[first + 1] = 0
    energy[at["asymmetry"] + 1 : at["asymmetry"] + _MAX_LOOP + 1] = 0.6
    bonus = {"GA": -0.8, "AG": -0.8, "UU": -0.8, "GG": -0.8}
    for p in _PAIRS:
        if p not in ("CG", "GC"):
            energy[at["closing"] + _pair(p)] = 0.5
        for mismatch in (first + second for first in "ACGU" for second in "ACGU"):
            k = 16 * _pair(p) + _pair(mismatch)
            energy[at["hairpin_mismatch"] + k] = -0.8 + bonus.get(mismatch, 0.0)
            if mismatch != "GG":
                energy[at["interior_mismatch"] + k] = bonus.get(mismatch, 0.0)
        for b, value in enumerate(_DANGLE_3[p]):
            energy[at["dangle3"] + 4 * _pair(p) + b] = value
            energy[at["dangle5"] + 4 * _pair(p) + b] = -0.3
    energy[at["multi_base"]] = 3.4
    energy[at["multi_paired"]] = 0.4
    for value, loops in _TETRALOOPS.items():
        for loop in loops.split():
            k = 0
            for base in loop:
                k = 4 * k + "ACGU".index(base)
            energy[at["hairpin4"] + k] = value
    return -energy


__all__ = ["nearest_neighbour_weights"]
