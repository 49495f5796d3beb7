import numpy as np
from numpy.typing import NDArray

_Ints = NDArray[np.int64]
_Reals = NDArray[np.float64]

def diagonal_expectations(
    rows: _Ints,
    columns: _Ints,
    t: _Reals,
    null: _Reals,
    reverse: bool,
    tension: float,
    p0: float,
) -> tuple[float, _Reals, _Reals, float]: ...
def diagonal_moments(
    rows: _Ints, columns: _Ints, mass: _Reals, reverse: bool, tension: float
) -> tuple[float, float, float]: ...
def hmm_expectations(
    rows: _Ints,
    columns: _Ints,
    t: _Reals,
    null: _Reals,
    reverse: bool,
    jump: _Reals,
    p0: float,
) -> tuple[float, _Reals, _Reals, _Reals, _Reals]: ...
def jump_normalisers(
    lengths: _Ints, departures: _Reals, jump: _Reals
) -> tuple[float, _Reals]: ...
