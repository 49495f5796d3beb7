"""Assignment and b-matching: against SciPy's solvers and enumeration."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, linear_sum_assignment, milp

from pystruct_ext.spaces import InfeasibleMatchingError, assign, best_matching

SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9))
# Few different numbers: ties everywhere.
COARSE = st.integers(-3, 3).map(float)
FINE = st.floats(-1e6, 1e6, allow_subnormal=False)


def check_assignment(cost, maximize):
    columns = assign(cost, maximize)
    rows = np.flatnonzero(columns >= 0)
    assert len(rows) == min(cost.shape)
    assert len(set(columns[rows].tolist())) == len(rows)
    best = cost[linear_sum_assignment(cost, maximize)].sum()
    np.testing.assert_allclose(
        cost[rows, columns[rows]].sum(), best, rtol=1e-9, atol=1e-6
    )


@settings(max_examples=150)
@given(
    SHAPES.flatmap(lambda s: hnp.arrays(float, s, elements=COARSE | FINE)),
    st.booleans(),
)
def test_assign_equals_scipy(cost, maximize):
    check_assignment(cost, maximize)


def instances(n):
    """Kinds of costs that are hard for one algorithm or another."""
    rng = np.random.default_rng(n)
    uniform = rng.random((n, n))
    return {
        "uniform": uniform,
        "constant": np.full((n, n), 5.0),
        "mostly constant": np.where(rng.random((n, n)) < 0.1, uniform, 5.0),
        "few values": rng.integers(0, 3, (n, n)).astype(float),
        "products": np.outer(np.arange(n), np.arange(n)).astype(
            float
        ),  # Machol and Wien
        "wide": rng.random((n // 2, n)),
        "tall": rng.random((n, n // 2)),
        "one row": rng.random((1, n)),
    }


@pytest.mark.parametrize("n", [7, 40, 150])
def test_assign_on_hard_instances(n):
    for cost in instances(n).values():
        check_assignment(cost, False)
        check_assignment(cost, True)


@pytest.mark.parametrize("isa", ["baseline", "avx2"])
def test_assign_with_other_instruction_sets(isa):
    """In a process of its own: PSX_ISA is read once."""
    code = (
        "import numpy as np\n"
        "from scipy.optimize import linear_sum_assignment\n"
        "from pystruct_ext.spaces import assign\n"
        "for n in (5, 11, 64, 130):\n"
        "    c = np.random.default_rng(n).random((n, n + n % 3))\n"
        "    best = c[linear_sum_assignment(c)].sum()\n"
        "    assert abs(c[np.arange(n), assign(c)].sum() - best) < 1e-9, n\n"
    )
    subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PSX_ISA": isa}, check=True
    )


def test_assign_takes_what_numpy_takes():
    cost = [[4, 1, 3], [2, 0, 5]]
    assert assign(cost).tolist() == [1, 0]
    assert assign(np.array(cost, dtype=np.float32).T).tolist() == [1, 0, -1]
    assert assign(np.asfortranarray(np.array(cost, dtype=float))).tolist() == [1, 0]
    frozen = np.array(cost, dtype=float)
    frozen.setflags(write=False)
    assert assign(frozen).tolist() == [1, 0]
    swapped = np.array(cost, dtype=">f8")
    assert assign(swapped).tolist() == [1, 0]
    assert assign(np.zeros((0, 3))).tolist() == []
    assert assign(np.zeros((2, 0))).tolist() == [-1, -1]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("n", [2, 9])
def test_assign_refuses_what_is_not_finite(bad, n):
    cost = np.ones((n, n))
    cost[n - 1, n - 1] = bad
    with pytest.raises(ValueError, match="finite"):
        assign(cost)
    with pytest.raises(ValueError, match="finite"):
        assign(cost[:, n - 1 :])


def test_assign_refuses_numbers_whose_sums_may_overflow():
    rng = np.random.default_rng(0)
    cost = np.where(rng.random((12, 12)) < 0.5, 1.7e308, -1.7e308)
    with pytest.raises(ValueError, match="below 1e292"):
        assign(cost)
    moderate = np.where(cost > 0, 1e291, -1e291)
    assert sorted(assign(moderate).tolist()) == list(range(12))
    with pytest.raises(ValueError, match="2-D"):
        assign(np.zeros(3))


# Matchings with capacities.


def every_matching(shape, candidates, row_cap, column_cap, must):
    """All sets of candidates that keep to the capacities."""
    pairs = np.argwhere(candidates)
    for chosen in itertools.product((False, True), repeat=len(pairs)):
        links = pairs[np.array(chosen, dtype=bool)]
        rows = np.bincount(links[:, 0], minlength=shape[0])
        columns = np.bincount(links[:, 1], minlength=shape[1])
        if (rows > row_cap).any() or (columns > column_cap).any():
            continue
        if must == "rows" and (rows == 0).any():
            continue
        if must == "columns" and (columns == 0).any():
            continue
        yield links


@st.composite
def problems(draw):
    shape = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    scores = draw(hnp.arrays(float, shape, elements=COARSE | FINE))
    candidates = draw(hnp.arrays(bool, shape))
    caps = [draw(hnp.arrays(np.int64, k, elements=st.integers(0, 3))) for k in shape]
    return scores, candidates, *caps, draw(st.sampled_from([None, "rows", "columns"]))


@settings(max_examples=200)
@given(problems(), st.integers(1, 600))
def test_k_best_equal_enumeration(problem, k):
    scores, candidates, row_cap, column_cap, must = problem
    every = [
        scores[links[:, 0], links[:, 1]].sum()
        for links in every_matching(scores.shape, candidates, row_cap, column_cap, must)
    ]
    settings_ = {
        "row_capacity": row_cap,
        "column_capacity": column_cap,
        "must_match": must,
    }
    given_ = np.where(candidates, scores, -np.inf)
    if not every:
        with pytest.raises(InfeasibleMatchingError):
            best_matching(given_, **settings_)
        return
    best = np.sort(every)[::-1][:k]
    found = best_matching(given_, k=k, **settings_)
    np.testing.assert_allclose([t for _, _, t in found], best, rtol=1e-9, atol=1e-6)
    seen = set()
    for rows, columns, total in found:
        np.testing.assert_allclose(
            scores[rows, columns].sum(), total, rtol=1e-9, atol=1e-6
        )
        assert candidates[rows, columns].all()
        assert (np.bincount(rows, minlength=scores.shape[0]) <= row_cap).all()
        assert (np.bincount(columns, minlength=scores.shape[1]) <= column_cap).all()
        pairs = list(zip(rows.tolist(), columns.tolist(), strict=True))
        assert pairs == sorted(pairs)
        seen.add(tuple(pairs))
    assert len(seen) == len(found)
    np.testing.assert_allclose(
        best_matching(given_, **settings_)[2], best[0], atol=1e-6
    )


@pytest.mark.parametrize("must", [None, "rows", "columns"])
@pytest.mark.parametrize("capacity", [1, 3])
def test_sparse_equals_milp(capacity, must):
    rng = np.random.default_rng(capacity)
    for _ in range(4):
        m, n = 18, 14
        matrix = sparse.random_array((m, n), density=0.35, rng=rng, format="coo")
        matrix.data[:] = rng.normal(size=matrix.nnz)
        rows, columns = matrix.coords
        of_row, of_column = np.zeros((m, matrix.nnz)), np.zeros((n, matrix.nnz))
        of_row[rows, np.arange(matrix.nnz)] = 1
        of_column[columns, np.arange(matrix.nnz)] = 1
        result = milp(
            -matrix.data,
            integrality=np.ones(matrix.nnz),
            bounds=Bounds(0, 1),
            constraints=[
                LinearConstraint(of_row, int(must == "rows"), capacity),
                LinearConstraint(of_column, int(must == "columns"), capacity),
            ],
        )
        arguments = {
            "row_capacity": capacity,
            "column_capacity": capacity,
            "must_match": must,
        }
        if not result.success:
            with pytest.raises(InfeasibleMatchingError):
                best_matching(matrix, **arguments)
            continue
        for given_ in (matrix, matrix.tocsr(), matrix.tocsc()):
            total = best_matching(given_, **arguments)[2]
            np.testing.assert_allclose(total, -result.fun, atol=1e-7)


def test_many_best_of_a_large_problem_are_those_of_a_larger_list():
    """Pruning by what is still wanted leaves out nothing."""
    scores = np.random.default_rng(3).normal(size=(15, 17))
    longest = [t for _, _, t in best_matching(scores, k=120)]
    for k in (1, 7, 60):
        np.testing.assert_allclose(
            [t for _, _, t in best_matching(scores, k=k)], longest[:k], atol=1e-9
        )
    assert (np.diff(longest) <= 0).all()


def test_bad_arguments_are_named():
    scores = np.ones((2, 3))
    for arguments, message in (
        ({"must_match": "both"}, "must_match must be None, 'rows' or 'columns'"),
        ({"k": 0}, "k must be None or an int >= 1"),
        ({"row_capacity": [1, 2, 3]}, "row_capacity must be None, a whole number or 2"),
        ({"column_capacity": -1}, "column_capacity must hold whole numbers >= 0"),
        ({"column_capacity": 1.5}, "column_capacity must hold whole numbers >= 0"),
    ):
        with pytest.raises(ValueError, match=message):
            best_matching(scores, **arguments)
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="finite"):
            best_matching([[bad, 1.0]])
    with pytest.raises(ValueError, match="2-D"):
        best_matching(np.ones(3))
    with pytest.raises(InfeasibleMatchingError, match="number 1 has no candidates"):
        best_matching([[1.0], [-np.inf]], must_match="rows", column_capacity=2)
    with pytest.raises(InfeasibleMatchingError, match="number 0 has the capacity 0"):
        best_matching([[1.0]], must_match="columns", column_capacity=0)
    with pytest.raises(InfeasibleMatchingError, match="do not suffice"):
        best_matching([[1.0], [2.0]], must_match="rows")
