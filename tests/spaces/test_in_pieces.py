"""Decoding in pieces: the same codes, with Ctrl-C and progress in between."""

from __future__ import annotations

import numpy as np
import pytest

from pystruct_ext import FoldingSVM, SequenceSVM
from pystruct_ext.spaces import _in_pieces
from pystruct_ext.spaces._in_pieces import decode_in_pieces
from pystruct_ext.utils.progress import shown_progress


@pytest.fixture
def fitted():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(int(n), 3)) for n in rng.integers(1, 9, size=200)]
    y = [[str(k) for k in x.argmax(axis=1)] for x in X]
    return SequenceSVM(tol=0.1).fit(X, y), X


@pytest.mark.parametrize(("short", "long"), [(0.05, 0.5), (1e9, 1e9), (0.0, 0.0)])
@pytest.mark.parametrize("threads", [1, 3])
def test_the_same_codes(fitted, monkeypatch, short, long, threads):
    """Whether pieces grow, stay or shrink."""
    model, X = fitted
    oracle = model.space_.bind(model.space_.pack(X))
    codes, offsets = oracle.decode_flat(model._w, None, 1)
    monkeypatch.setattr(_in_pieces, "_SHORT", short)
    monkeypatch.setattr(_in_pieces, "_LONG", long)
    found, ends = decode_in_pieces(oracle, model._w, threads)
    np.testing.assert_array_equal(found, codes)
    np.testing.assert_array_equal(ends, offsets)
    assert (found.dtype, ends.dtype) == (codes.dtype, offsets.dtype)


def test_no_examples(fitted):
    model, _ = fitted

    class Empty:
        n_blocks = 0

    codes, offsets = decode_in_pieces(Empty(), model._w)
    assert codes.tolist() == []
    assert offsets.tolist() == [0]


def test_a_signal_between_two_pieces_ends_predict(fitted, monkeypatch):
    model, X = fitted

    def interrupt(done, total):
        seen.append((done, total))
        if len(seen) == 2:
            raise KeyboardInterrupt

    seen = []
    monkeypatch.setattr(_in_pieces, "report_progress", interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.predict(X)
    assert [total for _, total in seen] == [200, 200]
    assert 0 < seen[0][0] < seen[1][0] < 200


def test_progress_is_shown_on_request(capsys):
    pytest.importorskip("tqdm")
    X = ["GGGAAACCC"] * 20
    model = FoldingSVM(C=0.1).fit(X[:4], ["(((...)))"] * 4)
    model.predict(X)
    assert capsys.readouterr().err == ""
    with shown_progress("decode", "example", delay=0):
        model.predict(X)
    assert "decode" in capsys.readouterr().err
    model.predict(X)
    assert capsys.readouterr().err == ""
