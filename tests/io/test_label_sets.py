"""Files of rows with sets of labels."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.datasets import load_svmlight_file

from pystruct_ext.io import (
    SkippedRecordsWarning,
    read_label_sets,
    write_label_sets,
)


def test_round_trip_also_with_scikit_learn(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(6, 5)).round(3)
    X[rng.random(X.shape) < 0.4] = 0
    X[3] = 0
    y = [(1, 4), (2,), (), (), (4,), (1, 2, 4)]
    write_label_sets(tmp_path / "a.txt", X, y)
    data = read_label_sets(tmp_path / "a.txt")
    assert data.y == y
    assert data.X.toarray() == pytest.approx(X[:, : data.X.shape[1]])
    assert data.records[2].endswith("a.txt:3")
    # What scikit-learn reads from the lines with labels is the same.
    (tmp_path / "b.txt").write_text(
        "".join(
            s + "\n"
            for s in (tmp_path / "a.txt").read_text().splitlines()
            if s[0] != " "
        )
    )
    other, labels = load_svmlight_file(str(tmp_path / "b.txt"), multilabel=True)
    assert labels == [s for s in y if s]
    assert other.toarray() == pytest.approx(X[[0, 1, 4, 5], : other.shape[1]])
    names = [("sea", "sky"), ("sky",)]
    write_label_sets(tmp_path / "c.txt.gz", csr_array(np.eye(2)), names)
    assert read_label_sets(tmp_path / "c.txt.gz").y == names


def test_header_of_the_extreme_classification_repository(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("3 7 5\n1,4 0:0.5 6:1\n 2:1\n0 # nothing\n")
    data = read_label_sets(path)
    assert data.X.shape == (3, 7)
    assert data.y == [(1, 4), (), (0,)]
    assert data.X[0].toarray().ravel().tolist() == [0.5, 0, 0, 0, 0, 0, 1]
    path.write_text("1 7 5\n1 7:1\n")
    with pytest.raises(ValueError, match=r"x.txt:2: column 7, expected 0 to 6"):
        read_label_sets(path)


def test_archives(tmp_path):
    path = tmp_path / "d.npz"
    X = csr_array(np.diag([1.0, 2.0, 3.0]))
    np.savez(
        path, X_train_data=X.data, X_train_indices=X.indices, X_train_indptr=X.indptr,
        X_train_shape=X.shape, Y_train=[[1, 0], [1, 1], [0, 1]], X_test=np.ones((1, 3)),
        Y_test=[[0, 1]], label_names=["sea", "sky"],
    )  # fmt: skip
    data = read_label_sets(path)
    assert data.y == [("sea",), ("sea", "sky"), ("sky",)]
    assert data.X.toarray().tolist() == X.toarray().tolist()
    assert read_label_sets(f"{path}#test").y == [("sky",)]
    with pytest.raises(ValueError, match="expected the arrays X_dev"):
        read_label_sets(f"{path}#dev")
    (tmp_path / "e.npz").write_text("no archive")
    with pytest.raises(ValueError, match="no NumPy archive"):
        read_label_sets(tmp_path / "e.npz")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1, 1:2", "nothing between two commas"),
        ("1,1 1:2", "repeat one"),
        ("1 2", "'2', expected 'label,label column:value"),
        ("1 a:2", "expected 'label,label column:value"),
        ("1 0:2", "column 0, expected 1"),
        ("1 2:nan", "column 2 has the value nan"),
        ("1 2:1 2:1", "column 2 is there twice"),
    ],
)
def test_bad_lines(tmp_path, line, message):
    path = tmp_path / "bad.txt"
    path.write_text(f"1 1:1\n{line}\n2 2:1\n")
    with pytest.raises(ValueError, match=f"bad.txt:2: .*{message}"):
        read_label_sets(path)
    with pytest.warns(SkippedRecordsWarning, match="1 of 3 rows left out"):
        assert read_label_sets(path, on_error="skip").y == [(1,), (2,)]


def test_labels_that_cannot_be_written(tmp_path):
    with pytest.raises(ValueError, match="the label 'a b' cannot be written"):
        write_label_sets(tmp_path / "a.txt", np.eye(1), [("a b",)])
    with pytest.raises(ValueError, match="X has 2 rows and y 1"):
        write_label_sets(tmp_path / "a.txt", np.eye(2), [("a",)])
