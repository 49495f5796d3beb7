"""Model files of format version 1, written by version 0.1.0 (see v1/make.py)."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import pystruct_ext
from pystruct_ext import DiverseQuery, ModelFileError, OutputSpace
from pystruct_ext.diversify import QueryTextFeatures
from pystruct_ext.solvers import BCFW, History

FOLDER = Path(__file__).parent / "v1"
EXPECTED = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))


class Sign(OutputSpace):
    """The user's space that own_space.psx was trained with."""

    def __init__(self, cost=1.0):
        self.cost = cost

    def fit_domain(self, X, Y=None):
        self.size_psi_ = 2
        return self

    def joint_feature(self, x, y):
        return np.array([x, 0.0]) if y else np.array([0.0, x])

    def loss(self, y, y_hat):
        return self.cost * (y != y_hat)

    def decode(self, w, x):
        return bool(w[0] * x > w[1] * x)

    def loss_augmented_decode(self, w, x, y):
        c = self.cost
        return bool(w[0] * x + c * (not y) > w[1] * x + c * y)


READ = {
    "grammar": lambda X: [tuple(x) for x in X],
    "mixture": lambda X: [DiverseQuery(**x) for x in X],
    "multiclass": np.array,
    "ranking": np.array,
    "segments": lambda X: [np.array(x) for x in X],
}
PLAIN = {
    "grammar": lambda y: [str(t) for t in y],
    "mixture": lambda y: [s.tolist() for s in y],
    "multiclass": lambda y: y.tolist(),
    "segments": lambda y: [[list(s) for s in row] for row in y],
}


def load(name):
    return pystruct_ext.load(
        FOLDER / f"{name}.psx", space=Sign() if name == "own_space" else None
    )


def test_all_files_are_compared():
    assert {p.stem for p in FOLDER.glob("*.psx")} == set(EXPECTED)
    for path in FOLDER.glob("*.psx"):
        with zipfile.ZipFile(path) as archive:
            manifest = json.loads(archive.read("manifest.json"))
        assert manifest["format_version"] == 1
        assert path.stat().st_size < 50_000


@pytest.mark.parametrize("name", list(EXPECTED))
def test_equal_predictions(name, tmp_path):
    expected = EXPECTED[name]
    X = READ.get(name, list)(expected["X"])
    model = load(name)
    for _ in range(2):
        y = model.predict(X)
        if name == "ranking":
            np.testing.assert_allclose(y, expected["y"], rtol=1e-12)
        else:
            assert PLAIN.get(name, list)(y) == expected["y"]
        params = model.get_params()
        assert {k: params[k] for k in expected["params"]} == expected["params"]
        assert params["callback"] is None
        assert model.duality_gap_ == expected["gap"]
        assert isinstance(model.history_, History)
        assert len(model.history_) == expected["epochs"]
        assert isinstance(model.history_[-1]["epoch"], int)
        # Once more, through a file of today's version.
        model.save(tmp_path / "again.psx")
        model = pystruct_ext.load(
            tmp_path / "again.psx", space=Sign() if name == "own_space" else None
        )


def test_nested_objects():
    sequence = load("sequence")
    assert isinstance(sequence.solver, BCFW)
    assert sequence.solver.tol == 1e-3
    assert not sequence.space_.allowed_.unrestricted
    assert sequence.space_.encoder_.dtype == np.dtype("float32")
    assert "U0:dog" in sequence.space_.encoder_.names()
    own = load("own_space")
    assert own.space.cost == own.space_.cost == 2.0
    assert own.space is not own.space_
    assert not hasattr(own.space, "size_psi_")


def test_text_features():
    text = load("mixture").text_features_
    mean, scale = EXPECTED["mixture"]["text"]
    assert text.get_params() == QueryTextFeatures(n_topics=3).get_params()
    np.testing.assert_array_equal(text.mean_, mean)
    np.testing.assert_array_equal(text.scale_, scale)
    query = SimpleNamespace(
        query="red planet",
        titles=["Mars, the red planet", "Red Planet (film)", "A planet of red dwarfs"],
        snippets=["rust and dust", "a film of 2000 about Mars", "stars and planets"],
    )
    (made,) = text.transform([query])
    assert made.features.shape == (3, len(mean))
    assert np.isfinite(made.features).all()


def test_a_users_space_must_be_given():
    with pytest.raises(ModelFileError, match=r"load\(path, space=Sign\(\)\)"):
        pystruct_ext.load(FOLDER / "own_space.psx")


def test_an_unknown_tag_or_class(tmp_path):
    with zipfile.ZipFile(FOLDER / "sequence.psx") as archive:
        members = {n: archive.read(n) for n in archive.namelist()}
    text = members["manifest.json"].decode()
    for old, new, message in (
        ('"$": "encoder"', '"$": "evil"', "unknown tag 'evil'"),
        ('"class": "BCFW"', '"class": "Evil"', "solver of class 'Evil'.*'BCFW'"),
        ('"class": "SequenceSVM"', '"class": "Evil"', "model of class 'Evil'"),
    ):
        assert old in text
        members["manifest.json"] = text.replace(old, new).encode()
        path = tmp_path / "changed.psx"
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        with pytest.raises(ModelFileError, match=message):
            pystruct_ext.load(path)
