"""A tagger before a parser."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from pystruct_ext import (
    ConstituencySVM,
    DependencySVM,
    ModelFileError,
    Sentence,
    SequenceSVM,
    TaggedParser,
    load,
)
from pystruct_ext.datasets import make_treebank
from pystruct_ext.estimators._word_columns import WordColumns, shape
from pystruct_ext.metrics import bracket_report, token_accuracy

SMALL = {"C": 0.1, "bits": 12, "label_bits": 8}


@pytest.fixture(scope="module")
def bank():
    return make_treebank(120)


@pytest.fixture(scope="module")
def model(bank):
    parser = TaggedParser(DependencySVM(**SMALL), n_folds=3)
    return parser.fit(bank.sentences[:80], bank.dependencies[:80])


def test_every_form_of_a_sentence(model, bank):
    held_out = bank.sentences[80:]
    y = bank.dependencies[80:]
    bare = [Sentence(s.forms, ()) for s in held_out]
    trees = model.predict(bare)
    assert np.mean([a == b for a, b in zip(trees, y, strict=True)]) > 0.8
    wrong = [Sentence(s.forms, ("X",) * len(s.forms)) for s in held_out]
    for X in (
        [" ".join(s.forms) for s in held_out],
        [list(s.forms) for s in held_out],
        [s.forms for s in held_out],
        [np.array(s.forms) for s in held_out],
        [(s.forms, s.tags) for s in held_out],
        wrong,
    ):
        assert model.predict(X) == trees
        assert model.score(X, y) == model.score(bare, y) > 0.9
    tagged = model.tag(bare)
    assert model.predict(tagged, tagged=True) == trees
    assert [list(s.tags) for s in tagged] == list(model.predict_tags(bare))
    assert token_accuracy(
        [list(s.tags) for s in held_out], model.predict_tags(bare)
    ) > (0.95)
    assert [s.forms for s in tagged] == [s.forms for s in held_out]
    assert model.fine_tagger_ is None
    assert tagged[0].fine_tags == ()


def test_what_is_told(model):
    assert model.relative_gap_ == model.parser_.relative_gap_ <= 0.01
    assert model.tagger_.relative_gap_ <= 0.01
    assert model.tagger_.certificate_ == model.certificate_ == "exact"
    assert 0.95 < model.tag_accuracy_ <= 1
    assert model.fine_tag_accuracy_ is None
    assert "DependencySVM" in repr(model)
    assert sorted(set(model.folds_.tolist())) == [0, 1, 2]
    assert len(model.predict_k_best(["Ada ate the pizza ."], 2)[0]) == 2
    assert model.predict_marginals(["Ada ate ."])[0].shape == (4, 3)
    assert not hasattr(model, "no_such_thing")


def test_it_is_an_estimator(model, bank):
    again = clone(model).set_params(parser__C=0.2, n_folds=2)
    assert again.parser.C == 0.2
    assert model.parser.C == 0.1
    with pytest.raises(NotFittedError):
        again.predict(["a b"])
    with pytest.raises(NotFittedError):
        _ = again.coef_
    parser = DependencySVM(**SMALL)
    TaggedParser(parser, n_folds=2).fit(bank.sentences[:20], bank.dependencies[:20])
    assert not hasattr(parser, "coef_")
    copy = pickle.loads(pickle.dumps(model))
    assert copy.predict(["Ada ate the pizza ."]) == model.predict(
        ["Ada ate the pizza ."]
    )


def nonce_bank():
    """Words that occur once, with tags by chance: they can only be learnt by heart."""
    rng = np.random.default_rng(0)
    X, y = [], []
    for _ in range(60):
        words = ["".join(rng.choice(list("bcdfghklmn"), 6)) for _ in range(4)]
        X.append(Sentence(tuple(words), tuple(rng.choice(["A", "B"], 4))))
        y.append(((2, 0, 2, 2), ("x", "root", "x", "x")))
    return X, y


class Recorder(DependencySVM):
    """Keeps what it was trained on."""

    def fit(self, X, y, sample_weight=None):
        self.seen_ = (X, sample_weight)
        return super().fit(X, y, sample_weight)


def test_the_jackknife_leaves_a_fold_out():
    X, y = nonce_bank()
    settings = {"tagger": SequenceSVM(C=10, random_state=0), "n_folds": 3}
    model = TaggedParser(Recorder(**SMALL), **settings).fit(X, y)
    assert token_accuracy([list(x.tags) for x in X], model.predict_tags(X)) == 1
    assert model.tag_accuracy_ < 0.65
    seen = model.parser_.seen_[0]
    gold = [list(x.tags) for x in X]
    assert token_accuracy(gold, [list(s.tags) for s in seen]) == model.tag_accuracy_
    # The tags of each part are those of a tagger of the others.
    for k in range(3):
        out, kept = (np.flatnonzero(v) for v in (model.folds_ == k, model.folds_ != k))
        alone = clone(model).set_params(n_folds=0)
        alone.fit([X[i] for i in kept], [y[i] for i in kept])
        assert len(out) == 20
        found = alone.predict_tags([X[i] for i in out])
        assert [list(seen[i].tags) for i in out] == list(found)


def test_without_jackknife_the_parser_sees_gold_tags():
    X, y = nonce_bank()
    model = TaggedParser(Recorder(**SMALL), n_folds=0).fit(X, y)
    assert model.parser_.seen_[0] == X
    assert model.tag_accuracy_ is None


def test_weights_reach_both():
    X, y = nonce_bank()
    weight = np.where(np.arange(60) < 30, 1.0, 0.0)
    model = TaggedParser(Recorder(**SMALL), SequenceSVM(C=10), n_folds=2)
    model.fit(X, y, sample_weight=weight)
    assert model.parser_.seen_[1] is not None
    tags = model.predict_tags(X)
    gold = [list(x.tags) for x in X]
    assert token_accuracy(gold[:30], tags[:30]) == 1
    assert token_accuracy(gold[30:], tags[30:]) < 0.7


def test_fine_tags_where_the_parser_uses_them(bank, tmp_path):
    X = [s._replace(fine_tags=tuple("f" + t for t in s.tags)) for s in bank.sentences]
    y = bank.dependencies
    model = TaggedParser(DependencySVM(**SMALL), n_folds=2).fit(X[:60], y[:60])
    assert model.space_.fine_tags_
    seen = model.tag([" ".join(X[70].forms)])[0]
    assert seen.fine_tags == tuple("f" + t for t in seen.tags)
    assert model.fine_tag_accuracy_ == model.tag_accuracy_
    model.save(tmp_path / "m")
    assert load(tmp_path / "m").tag(["Ada ate ."]) == model.tag(["Ada ate ."])
    parser = DependencySVM(**SMALL, fine_tags=False)
    plain = TaggedParser(parser, n_folds=2).fit(X[:60], y[:60])
    assert plain.fine_tagger_ is None
    some = [s._replace(fine_tags=()) if i == 3 else s for i, s in enumerate(X[:60])]
    model = TaggedParser(DependencySVM(**SMALL), n_folds=2).fit(some, y[:60])
    assert model.fine_tagger_ is None


@pytest.mark.parametrize("kind", ["spans", "grammar"])
def test_constituents(bank, kind, tmp_path):
    parser = ConstituencySVM(model=kind, bits=10, split_bits=10)
    X, y = bank.sentences, bank.trees
    model = TaggedParser(parser, n_folds=3).fit(X[:80], y[:80])
    texts = [" ".join(s.forms) for s in X[80:]]
    trees = model.predict(texts)
    assert bracket_report(y[80:], trees).f1 > 0.9
    assert [t.words() for t in trees] == [s.forms for s in X[80:]]
    assert [list(t.tags()) for t in trees] == list(model.predict_tags(texts))
    model.save(tmp_path / "m")
    assert load(tmp_path / "m").predict(texts) == trees


def test_save_and_load(model, bank, tmp_path):
    path = tmp_path / "m.psx"
    model.save(path)
    again = load(path)
    texts = [" ".join(s.forms) for s in bank.sentences[80:]]
    assert again.predict(texts) == model.predict(texts)
    assert again.tag_accuracy_ == model.tag_accuracy_
    assert again.relative_gap_ == model.relative_gap_
    assert again.get_params()["parser__C"] == 0.1
    assert again.set_params(n_jobs=2).predict(texts) == model.predict(texts)
    with pytest.raises((ModelFileError, NotFittedError, ValueError)):
        TaggedParser().save(tmp_path / "unfitted")
        load(tmp_path / "unfitted")


def test_hostile_parts_are_refused(model, tmp_path):
    for change in (
        {"tagger_": SequenceSVM()},
        {"tagger_": DependencySVM()},
        {"split_hyphens_": "yes"},
        {"clusters_": {"a": 1}},
        {"tag_accuracy_": 7.0},
    ):
        bad = pickle.loads(pickle.dumps(model))
        vars(bad).update(change)
        bad.save(tmp_path / "m")
        with pytest.raises(ModelFileError):
            load(tmp_path / "m")


def test_clusters_help_unseen_words(tmp_path):
    """Words of the test part have nothing in common with those of training but clusters."""
    rng = np.random.default_rng(1)
    words = {
        tag: ["".join(rng.choice(list("bcdfghklmn"), 5)) for _ in range(60)]
        for tag in "AB"
    }
    clusters = {
        w: {"A": "000000", "B": "111111"}[t] for t, ws in words.items() for w in ws
    }

    def sentences(rows):
        out = []
        for _ in range(60):
            tags = rng.choice(["A", "B"], 4)
            forms = tuple(str(rng.choice(words[t][rows])) for t in tags)
            out.append(Sentence(forms, tuple(map(str, tags))))
        return out

    X, X_test = sentences(slice(0, 30)), sentences(slice(30, 60))
    y = [((2, 0, 2, 2), ("x", "root", "x", "x"))] * 60
    gold = [list(x.tags) for x in X_test]
    scores = []
    for given in (None, clusters):
        model = TaggedParser(DependencySVM(**SMALL), n_folds=2, clusters=given)
        model.fit(X, y).save(tmp_path / "m")
        tags = load(tmp_path / "m").predict_tags(X_test)
        assert tags == model.predict_tags(X_test)
        scores.append(token_accuracy(gold, tags))
    assert scores[0] < 0.7
    assert scores[1] > 0.95


def test_the_tokenizer_follows_the_treebank(bank):
    X, y = bank.sentences[:20], bank.dependencies[:20]
    parser = DependencySVM(**SMALL)
    joined = TaggedParser(parser, n_folds=2).fit(X, y)
    assert not joined.split_hyphens_
    assert joined.words(["It's a well-known e-mail."]) == [
        ("It", "'s", "a", "well-known", "e-mail", ".")
    ]
    joined.set_params(tokenizer="whitespace")
    assert joined.words(["It's a\twell-known\u00a0e-mail."]) == [
        ("It's", "a", "well-known", "e-mail.")
    ]
    first = X[0]._replace(forms=("-", *X[0].forms[1:]))
    apart = TaggedParser(parser, n_folds=2).fit([first, *X[1:]], y)
    assert apart.split_hyphens_
    assert apart.words(["well-known"]) == [("well", "-", "known")]


def test_odd_text(model):
    odd = [
        "",
        " \t",
        "\u00e9\u0301 \u6771\u4eac \U0001f600 \ufffd",
        "a\u2028b",
        "\ud800 x",
    ]
    words = model.words(odd)
    assert words[0] == words[1] == ()
    tags = model.predict_tags(odd)
    assert [len(t) for t in tags] == [len(w) for w in words]
    trees = model.predict(odd)
    assert [len(t.heads) for t in trees] == [len(w) for w in words]
    with pytest.raises(ValueError, match="X holds no examples"):
        model.predict([])
    assert model.predict([["a\tb", "c\nd"]])[0].heads.count(0) == 1


@pytest.mark.parametrize(
    ("X", "error", "match"),
    [
        ("a b", TypeError, "X must be a list of sentences .* got str"),
        (Sentence(("a",), ()), TypeError, "a single Sentence"),
        (
            [3],
            TypeError,
            "X: example 0 must be a string, a list of words or a Sentence",
        ),
        ([["a"], ["b", ""]], ValueError, "X: example 1: word 2 is empty"),
        ([["a", 3]], TypeError, "X: example 0"),
        ([np.array([1, 2])], TypeError, "X: example 0: word 1 is 1 of type int"),
        (None, TypeError, "X must be a list of sentences"),
    ],
)
def test_wrong_sentences(model, X, error, match):
    with pytest.raises(error, match=match):
        model.predict(X)


def test_wrong_training_data(bank):
    X, y = bank.sentences[:10], bank.dependencies[:10]
    parser = TaggedParser(DependencySVM(**SMALL), n_folds=2)
    for bad, match in (
        (" ".join(X[4].forms), "X: example 4 has no tags, expected a Sentence"),
        (list(X[4].forms), "X: example 4 has no tags"),
        (X[4]._replace(tags=()), "X: example 4 has no tags"),
        (X[4]._replace(tags=("_",) * len(X[4].forms)), "example 4 has no tags but '_'"),
        (X[4]._replace(tags=("N",)), "X: example 4 has"),
    ):
        with pytest.raises(ValueError, match=match):
            parser.fit([*X[:4], bad, *X[5:]], y)
        assert not hasattr(parser, "tagger_")
    with pytest.raises(ValueError, match="same number of examples, got 10 and 9"):
        parser.fit(X, y[:9])
    with pytest.raises(ValueError, match="n_folds=2 needs as many sentences"):
        parser.fit(X[:1], y[:1])
    same = [x._replace(tags=("N",) * len(x.forms)) for x in X]
    with pytest.raises(ValueError, match="all words have the tag 'N'"):
        parser.fit(same, y)
    with pytest.raises(ValueError, match="X holds no examples"):
        parser.fit([], [])


@pytest.mark.parametrize(
    ("params", "error", "match"),
    [
        ({"n_folds": 1}, ValueError, "n_folds must be 0 or an integer >= 2, got 1"),
        ({"n_folds": 2.5}, ValueError, "n_folds must be"),
        ({"tokenizer": "x"}, ValueError, "tokenizer must be one of simple, whitespace"),
        ({"tagger": DependencySVM()}, TypeError, "tagger must be a SequenceSVM"),
        ({"parser": object()}, TypeError, "parser must be a DependencySVM"),
        ({"clusters": ["a"]}, TypeError, "clusters must map words to bits"),
        ({"clusters": {"a": 3}}, TypeError, "clusters must map strings"),
    ],
)
def test_wrong_parameters(bank, params, error, match):
    with pytest.raises(error, match=match):
        TaggedParser(**params).fit(bank.sentences[:4], bank.dependencies[:4])


class Interrupts:
    """Presses Ctrl-C in the first epoch."""

    def __call__(self, progress):
        raise KeyboardInterrupt


def test_interrupts(bank):
    X, y = bank.sentences[:20], bank.dependencies[:20]
    parser = TaggedParser(DependencySVM(**SMALL), SequenceSVM(callback=Interrupts()))
    with (
        pytest.warns(UserWarning, match="interrupted"),
        pytest.raises(KeyboardInterrupt),
    ):
        parser.fit(X, y)
    assert not hasattr(parser, "parser_")
    parser = TaggedParser(DependencySVM(**SMALL, callback=Interrupts()), n_folds=2)
    with pytest.warns(UserWarning, match="interrupted"):
        parser.fit(X, y)
    assert "interrupted" in (parser.status_, parser.solver_info_.get("ended_by"))
    assert len(parser.predict(["Ada ate ."])[0].heads) == 3


def test_columns_of_words():
    table = WordColumns({"ate": "0110101", "ada": "1"}).table(
        [("Ada", "ate"), ("U.S.",)]
    )
    rows = list(zip(*(table.column(j)[0] for j in range(15)), strict=True))
    assert rows[0] == (
        *("Ada", "ada", "A", "Ad", "-", "-", "a", "da", "-", "-", "Xx", "ai"),
        *("1", "1", "1"),
    )
    assert rows[1][-3:] == ("0110101", "011010", "0110")
    assert table.column(10)[1] == ["X.X."]
    assert shape("") == ""
    assert shape("a1-B2") == "xd-Xd"


def test_a_template_of_ones_own(bank, tmp_path):
    tagger = SequenceSVM(C=1, template="U0:%x[0,1]\nU1:%x[0,8]\nB\n")
    model = TaggedParser(DependencySVM(**SMALL), tagger, n_folds=2)
    model.fit(bank.sentences[:40], bank.dependencies[:40])
    names = set(model.tagger_.feature_names_in_)
    assert {n.partition(":")[0] for n in names} == {"U0", "U1"}
    model.save(tmp_path / "m")
    load(tmp_path / "m")
