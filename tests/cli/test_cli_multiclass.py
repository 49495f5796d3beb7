"""``learn multiclass`` and what comes after, on LIBSVM files."""

from __future__ import annotations

import io
import json
import sys

import numpy as np
import pytest
from sklearn.datasets import dump_svmlight_file, load_iris, load_svmlight_file

from pystruct_ext import load
from pystruct_ext.cli.main import main


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("multiclass")
    X, y = load_iris(return_X_y=True)
    dump_svmlight_file(X, y, str(folder / "train"), zero_based=False)
    # The last column is zero: the file is narrower than the model.
    dump_svmlight_file(X[::5, :3], y[::5], str(folder / "narrow"), zero_based=False)
    model = str(folder / "m.psx")
    assert main(["learn", "multiclass", str(folder / "train"), "-o", model]) == 0
    return folder, model


def test_scores(files, capsys):
    folder, model = files
    X, y = load_svmlight_file(str(folder / "train"))
    fitted = load(model)
    assert fitted.classes_.tolist() == [0, 1, 2]
    assert main(["evaluate", model, str(folder / "train"), "--json", "--quiet"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["accuracy"] == fitted.score(X, y) > 0.95
    assert set(report) >= {"0", "1", "2"}
    assert main(["evaluate", model, str(folder / "train"), "--quiet"]) == 0
    assert "accuracy" in capsys.readouterr().out


def test_a_narrow_file_from_stdin(files, monkeypatch, capfdbinary, tmp_path):
    folder, model = files

    class Stdin:
        buffer = io.BytesIO((folder / "narrow").read_bytes())

    monkeypatch.setattr(sys, "stdin", Stdin)
    out = tmp_path / "out"
    assert main(["predict", model, "-", "-o", str(out), "--quiet"]) == 0
    X, y = load_svmlight_file(str(out), n_features=4)
    np.testing.assert_array_equal(y, load(model).predict(X))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no rows"),
        ("a 1:2\n", "expected 'class 1:value 2:value ...'"),
        ("1 0:2\n", "Invalid index 0"),
        ("1 1:2\n1 1:3\n", "single class 1"),
    ],
)
def test_bad_files(text, message, tmp_path, capsys):
    path = tmp_path / "bad"
    path.write_text(text)
    args = ["learn", "multiclass", str(path), "-o", str(tmp_path / "m"), "--quiet"]
    assert main(args) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_a_wide_file_is_refused(files, tmp_path, capsys):
    _, model = files
    wide = tmp_path / "wide"
    wide.write_text("1 9:1.5\n")
    assert main(["predict", model, str(wide), "--quiet"]) == 2
    assert f"{wide}: has 9 features, the model has 4" in capsys.readouterr().err
