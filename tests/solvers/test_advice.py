"""A ConvergenceWarning says what would help, from the data."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pytest
from sklearn.datasets import dump_svmlight_file
from sklearn.exceptions import ConvergenceWarning

from pystruct_ext import MulticlassSVM, SequenceSVM
from pystruct_ext.cli.main import main
from pystruct_ext.solvers import BCFW, OneSlack
from pystruct_ext.solvers.advice import _epochs_to_go
from pystruct_ext.solvers.result import History
from pystruct_ext.spaces import MulticlassSpace, OutputSpace


def advice_of(train):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        train()
    messages = [str(w.message) for w in seen if w.category is ConvergenceWarning]
    assert len(messages) == 1
    return messages[0]


def rows(n=80, wide=False):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, n)
    X = rng.normal(size=(n, 5))
    if wide:
        X[:, 3] *= 1e4
    return X, y


def test_the_feature_to_scale_is_named():
    X, y = rows(wide=True)
    space = MulticlassSpace()
    oracle = space.bind(space.fit_pack(X, y))
    message = advice_of(lambda: BCFW(tol=1e-9, max_iter=3).solve(oracle, 1e-3))
    entry = int(message.split("entry ")[1].split(" ")[0])
    assert entry // space.stride_ == 3
    assert "scale the features: entry" in message
    message = advice_of(lambda: MulticlassSVM(tol=1e-9, max_iter=3).fit(X, y))
    assert "scale the features: feature 3 (entry" in message
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=["a", "b", "c", "income", "e"])
    message = advice_of(lambda: MulticlassSVM(tol=1e-9, max_iter=3).fit(frame, y))
    assert "scale the features: 'income' (entry" in message
    # ... also where the estimator judges by a tolerance of its own.
    message = advice_of(lambda: MulticlassSVM(max_iter=2).fit(frame, y))
    assert "above 0.001; to close it, scale the features: 'income'" in message


def test_names_of_sequence_features():
    rng = np.random.default_rng(0)
    X = [
        [{"bias": 1.0, "size": 1e5 * rng.normal()} for _ in range(4)] for _ in range(9)
    ]
    y = [rng.choice(["a", "b"], 4).tolist() for _ in X]
    message = advice_of(lambda: SequenceSVM(C=10.0, tol=1e-9, max_iter=2).fit(X, y))
    assert "scale the features: 'size' (entry" in message


def test_scaled_features_are_not_blamed():
    X, y = rows()
    message = advice_of(lambda: MulticlassSVM(C=1e4, tol=1e-9, max_iter=30).fit(X, y))
    assert "scale" not in message
    assert "raise max_iter to about" in message or "lower C (now 1e+04" in message


def test_epochs_to_go():
    def history(power, n=40):
        return History(
            {"epoch": e, "relative_gap": 2.0 * e**-power} for e in range(1, n)
        )

    # A gap of 2 / epoch is at 1e-2 after 200 epochs.
    assert _epochs_to_go(history(1.0), 1e-2) == pytest.approx(200)
    assert _epochs_to_go(history(0.5), 1e-2) == pytest.approx(40_000)
    assert _epochs_to_go(history(0.01), 1e-2) == np.inf
    assert _epochs_to_go(history(1.0, 2), 1e-2) == np.inf


class Dear(OutputSpace):
    """Two classes; the decoder takes its time."""

    def fit_domain(self, X, Y=None):
        self.size_psi_ = 2
        return self

    def joint_feature(self, x, y):
        return x * np.eye(2)[y]

    def loss(self, y, y_hat):
        return float(y != y_hat)

    def decode(self, w, x):
        return int(np.argmax(x * w))

    def loss_augmented_decode(self, w, x, y):
        time.sleep(2e-3)
        return int(np.argmax(x * w + 1.0 - np.eye(2)[y]))


def test_cached_passes_where_the_oracle_is_dear():
    rng = np.random.default_rng(0)
    X, Y = list(rng.normal(size=10)), rng.integers(0, 2, 10).tolist()
    space = Dear()
    oracle = space.bind(space.fit_pack(X, Y))
    message = advice_of(lambda: BCFW(tol=1e-12, max_iter=2).solve(oracle, 1e-3))
    assert "set cached_passes=5 (the oracle takes" in message
    asked = BCFW(tol=1e-12, max_iter=2, cached_passes=5)
    assert "cached_passes" not in advice_of(lambda: asked.solve(oracle, 1e-3))
    other = OneSlack(tol=1e-12, max_iter=2)
    assert "cached_passes" not in advice_of(lambda: other.solve(oracle, 1e-3))


def test_the_command_line_shows_it(tmp_path, capsys):
    X, y = rows(wide=True)
    table = tmp_path / "rows"
    dump_svmlight_file(X, y, str(table), zero_based=False)
    model = str(tmp_path / "m.model")
    command = ["learn", "multiclass", str(table), "-o", model, "--max-iter", "2"]
    assert main([*command, "--tol", "1e-9"]) == 0
    shown = "".join(capsys.readouterr())
    assert "warning: " in shown
    assert "to close it, scale the features" in shown
