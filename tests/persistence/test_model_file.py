"""Model files: round trips, and clear errors for every way a file can be wrong."""

from __future__ import annotations

import importlib
import json
import os
import pickle
import sys
import zipfile

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError

import pystruct_ext
from pystruct_ext import (
    ModelFileError,
    MulticlassSVM,
    OutputSpace,
    SequenceSVM,
    StructuralSVM,
)
from pystruct_ext.solvers import BCFW
from pystruct_ext.spaces import SequenceSpace

X = [[["w=a", "é"], {"w=b": 2.0}], [["w=b"]], [["w=a"], ["w=b"], ["w=b"]]]
Y = [["X", "Y"], ["Y"], ["X", "Y", "Y"]]


def fitted():
    iris = load_iris(return_X_y=True)
    return {
        "sequence": (SequenceSVM(C=2.0).fit(X, Y), X),
        "seen": (SequenceSVM(features="seen", solver=BCFW(tol=0.05)).fit(X, Y), X),
        "hashed": (SequenceSVM(hash_bits=6).fit(X, Y), X),
        "constraints": (SequenceSVM(constraints={"X": ["Y"]}).fit(X, Y), X),
        "dense": (SequenceSVM().fit([np.eye(2)], [[1, 2]]), [np.eye(2)]),
        "multiclass": (MulticlassSVM(C=0.1, loss=1 - np.eye(3)).fit(*iris), iris[0]),
        "structural": (StructuralSVM(SequenceSpace(), C=2.0).fit(X, Y), X),
    }


@pytest.mark.parametrize("name", list(fitted()))
def test_round_trip(name, tmp_path):
    model, data = fitted()[name]
    path = tmp_path / "model.psx"
    model.save(path)
    loaded = pystruct_ext.load(path)
    assert type(loaded) is type(model)
    assert repr(loaded) == repr(model)
    assert np.array_equal(loaded.predict(data), model.predict(data)) or loaded.predict(
        data
    ) == model.predict(data)
    for key in (
        "primal_objective_",
        "duality_gap_",
        "status_",
        "n_iter_",
        "certificate_",
    ):
        assert getattr(loaded, key) == getattr(model, key)
    assert list(loaded.history_[-1]) == list(model.history_[-1])
    assert loaded.history_[-1]["epoch"] == model.history_[-1]["epoch"]
    # The same model gives the same bytes.
    again = tmp_path / "again.psx"
    loaded.save(again)
    model.save(tmp_path / "first.psx")
    assert (tmp_path / "first.psx").read_bytes() == path.read_bytes()
    assert os.listdir(tmp_path).count("model.psx") == 1
    assert not [f for f in os.listdir(tmp_path) if f.endswith(".tmp")]


def test_pickle_and_skops(tmp_path):
    model = SequenceSVM().fit(X, Y)
    assert pickle.loads(pickle.dumps(model)).predict(X) == model.predict(X)
    skops_io = pytest.importorskip("skops.io")
    iris = load_iris(return_X_y=True)
    for estimator, data in ((model, X), (MulticlassSVM(C=0.1).fit(*iris), iris[0])):
        path = tmp_path / "model.skops"
        skops_io.dump(estimator, path)
        trusted = skops_io.get_untrusted_types(file=path)
        assert all(t.startswith(("pystruct_ext.", "numpy.", "scipy.")) for t in trusted)
        loaded = skops_io.load(path, trusted=trusted)
        assert np.array_equal(
            np.concatenate([np.ravel(p) for p in loaded.predict(data)]),
            np.concatenate([np.ravel(p) for p in estimator.predict(data)]),
        )


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.psx"
    SequenceSVM().fit(X, Y).save(path)
    before = path.read_bytes()

    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        SequenceSVM(C=3.0).fit(X, Y).save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["model.psx"]


def test_not_fitted_and_not_ours(tmp_path):
    with pytest.raises(NotFittedError):
        SequenceSVM().save(tmp_path / "m")
    with pytest.raises(TypeError, match="estimator must be one of"):
        pystruct_ext.persistence.save(BCFW(), tmp_path / "m")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "model.psx"
    SequenceSVM().fit(X, Y).save(path)
    return path


def test_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such model file"):
        pystruct_ext.load(tmp_path / "none.psx")


def test_truncated_anywhere(file):
    whole = file.read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:size])
        with pytest.raises(ModelFileError, match=r"model\.psx: "):
            pystruct_ext.load(file)


def test_damaged(file):
    whole = bytearray(file.read_bytes())
    at = whole.find(b"\x93NUMPY") + 200
    whole[at] ^= 0xFF
    file.write_bytes(bytes(whole))
    with pytest.raises(ModelFileError):
        pystruct_ext.load(file)


def rewrite(file, change):
    with zipfile.ZipFile(file) as archive:
        members = {n: archive.read(n) for n in archive.namelist()}
    manifest = json.loads(members["manifest.json"])
    change(manifest)
    members["manifest.json"] = json.dumps(manifest).encode()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "does not say format"),
        (
            {"format_version": 99},
            "format version 99, written by .*; this version reads up to 2",
        ),
        ({"class": "os.system"}, "model of class 'os.system', expected one of"),
        ({"class": "SequenceSpace"}, "space of class 'SequenceSpace', expected one of"),
        (
            {"class": "BaseStructuralSVM"},
            "model of class 'BaseStructuralSVM', expected",
        ),
        ({"params": {"$": "evil"}}, "unknown tag 'evil'"),
        ({"params": {"$": "dict", "v": [["D", 1]]}}, "damaged model file .*'D'"),
        ({"fitted": {"$": "dict", "v": [["predict", 1]]}}, "'predict' is not the name"),
        ({"fitted": {"$": "dict", "v": [["__class__", 1]]}}, "'__class__' is not the"),
    ],
)
def test_foreign(file, change, message):
    rewrite(file, lambda m: m.update(change))
    with pytest.raises(ModelFileError, match=message):
        pystruct_ext.load(file)


def objects(value):
    """All storable objects in a manifest, the model first."""
    if isinstance(value, list):
        for item in value:
            yield from objects(item)
    elif isinstance(value, dict):
        if "class" in value:
            yield value
        for item in value.values():
            yield from objects(item)


def manifest_of(file):
    with zipfile.ZipFile(file) as archive:
        return json.loads(archive.read("manifest.json"))


def test_an_unknown_space(file):
    def change(manifest):
        (space,) = (o for o in objects(manifest) if o["class"] == "SequenceSpace")
        space["class"] = "Mine"

    rewrite(file, change)
    message = r"output space 'Mine'.*load\(path, space=Mine"
    with pytest.raises(ModelFileError, match=message):
        pystruct_ext.load(file)


def test_a_manifest_without_end(file):
    def change(manifest):
        deep = 1
        for _ in range(400):
            deep = {"$": "tuple", "v": [deep]}
        manifest["params"] = {"$": "dict", "v": [["C", deep]]}

    rewrite(file, change)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(600)
    try:
        with pytest.raises(ModelFileError, match="damaged"):
            pystruct_ext.load(file)
    finally:
        sys.setrecursionlimit(limit)


def test_modules_and_versions(file):
    manifest = manifest_of(file)
    assert manifest["format_version"] == 2
    assert manifest["package_version"] == pystruct_ext.__version__
    found = {o["class"]: o for o in objects(manifest)}
    assert set(found) == {
        "SequenceSVM",
        "SequenceSpace",
        "FeatureEncoder",
        "Allowed",
        "History",
    }
    for name, node in found.items():
        assert node["module"].startswith("pystruct_ext.")
        module = importlib.import_module(node["module"])
        assert getattr(module, name).__module__ == node["module"]


def test_the_callback_is_not_stored(tmp_path):
    def stop(progress):
        return False

    for name, (model, _) in fitted().items():
        model.set_params(callback=stop).save(tmp_path / name)
        assert pystruct_ext.load(tmp_path / name).callback is None


def test_derived_attributes(tmp_path):
    X, y = load_iris(return_X_y=True)
    model = MulticlassSVM(C=0.1).fit(X, y)
    model.save(tmp_path / "m")
    keys = [k for k, _ in manifest_of(tmp_path / "m")["fitted"]["v"]]
    assert "coef_" not in keys
    assert "intercept_" not in keys
    loaded = pystruct_ext.load(tmp_path / "m")
    np.testing.assert_array_equal(loaded.coef_, model.coef_)
    np.testing.assert_array_equal(loaded.intercept_, model.intercept_)


def test_a_zip_of_something_else(tmp_path):
    path = tmp_path / "other.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hello.txt", "hello")
    with pytest.raises(ModelFileError, match=r"without manifest\.json"):
        pystruct_ext.load(path)


def test_arrays_with_pickles_are_refused(file):
    import io

    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(file) as archive:
        members = {n: archive.read(n) for n in archive.namelist()}
    members["arrays/0.npy"] = buffer.getvalue()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(ModelFileError):
        pystruct_ext.load(file)


class Mine(OutputSpace):
    """A user's space."""

    def fit_domain(self, X, Y=None):
        self.size_psi_ = 2
        return self

    def joint_feature(self, x, y):
        return np.array([x, 0.0]) if y else np.array([0.0, x])

    def loss(self, y, y_hat):
        return float(y != y_hat)

    def decode(self, w, x):
        return bool(w[0] * x > w[1] * x)

    def loss_augmented_decode(self, w, x, y):
        return bool(w[0] * x + (not y) > w[1] * x + y)


def test_a_users_space(tmp_path):
    path = tmp_path / "mine.psx"
    model = StructuralSVM(Mine(), C=10.0).fit([1.0, -1.0, 2.0], [True, False, True])
    model.save(path)
    with pytest.raises(ModelFileError, match=r"load\(path, space=Mine\(\)\)"):
        pystruct_ext.load(path)
    with pytest.raises(ModelFileError, match="got space=SequenceSpace"):
        pystruct_ext.load(path, space=SequenceSpace())
    loaded = pystruct_ext.load(path, space=Mine())
    assert loaded.predict([3.0, -3.0]) == model.predict([3.0, -3.0]) == [True, False]
