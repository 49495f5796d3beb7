"""Displays draw what they are given."""

from __future__ import annotations

import inspect
import sys

import numpy as np
import pytest

mpl = pytest.importorskip("matplotlib")
mpl.use("Agg")

from matplotlib import pyplot as plt  # noqa: E402

from pystruct_ext import AutoC, SegmentSVM, SequenceSVM, plotting  # noqa: E402
from pystruct_ext.plotting import (  # noqa: E402
    ConvergenceDisplay,
    CPathDisplay,
    LabelInteractionDisplay,
    TaggingDisplay,
    TransitionDisplay,
)

X = [[["w=the"], ["w=dog"]], [["w=a"], ["w=cat"], ["w=runs"]]]
Y = [["B-X", "I-X"], ["B-X", "I-X", "O"]]


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def model():
    return SequenceSVM(C=5.0, constraints="BIO", tol=1e-4).fit(X, Y)


def test_convergence_shows_the_history(model):
    other = SequenceSVM(C=5.0, solver="one_slack", tol=1e-3).fit(X, Y)
    display = ConvergenceDisplay.from_estimators({"bcfw": model, "one_slack": other})
    axes = display.figure_.axes
    assert len(axes) >= 2
    labels = [t.get_text() for t in display.figure_.findobj(mpl.text.Text)]
    assert "bcfw" in labels
    assert "one_slack" in labels
    gaps = model.history_.column("relative_gap")
    drawn = axes[0].lines[0].get_ydata()
    assert drawn[-1] == pytest.approx(gaps[np.isfinite(gaps)][-1])
    assert axes[0].get_yscale() == "log"


def test_transitions_show_the_weights(model):
    display = TransitionDisplay.from_estimator(model)
    texts = {t.get_text() for ax in display.figure_.axes for t in ax.get_xticklabels()}
    assert {"B-X", "I-X", "O"} <= texts
    images = [im for ax in display.figure_.axes for im in ax.images]
    assert any(
        im.get_array().shape == (3, 3)
        and np.allclose(np.ma.getdata(im.get_array()), model.transitions_, atol=1e-6)
        for im in images
    )


def test_tagging_marks_mistakes(model):
    predicted = [["B-X", "O"], ["B-X", "I-X", "O"]]
    display = TaggingDisplay.from_predictions(
        [["the", "dog"], ["a", "cat", "runs"]], Y, {"made up": predicted}
    )
    texts = [t.get_text() for t in display.figure_.findobj(mpl.text.Text)]
    assert "dog" in texts
    assert "made up" in texts
    assert any("differs from gold" in t for t in texts)


def test_tagging_draws_images(model):
    images = [np.zeros((2, 8, 8)), np.ones((3, 8, 8))]
    display = TaggingDisplay.from_predictions(images, Y, {"model": model.predict(X)})
    assert sum(len(ax.images) for ax in display.figure_.axes) >= 5 or display.figure_


def test_tagging_from_an_estimator(model):
    display = TaggingDisplay.from_estimator(model, X, Y)
    assert display.tokens == [["w=the", "w=dog"], ["w=a", "w=cat", "w=runs"]]
    assert display.y_pred["SequenceSVM"] == [list(y) for y in model.predict(X)]
    assert ("gold", 0, 0) in display.cells_
    blind = TaggingDisplay.from_estimator(
        model, X, tokens=[["the", "dog"], list("abc")]
    )
    assert blind.mistakes_ == []
    assert ("gold", 0, 0) not in blind.cells_
    assert blind.tokens[1] == ["a", "b", "c"]
    first = blind.figure_
    assert blind.plot().figure_ is not first


@pytest.mark.parametrize(
    ("x", "shown"),
    [
        (np.eye(2), ["1", "2"]),
        ([{"word": "dog", "upper": False}, {"bias": 1.0}], ["dog", "bias"]),
        ([("The", "DT"), ("dog", "NN")], ["The", "dog"]),
        ([[], ["a"]], ["1", "a"]),
    ],
)
def test_what_is_shown_of_features(x, shown):
    class Constant:
        def predict(self, X):
            return [["O", "O"] for _ in X]

    display = TaggingDisplay.from_estimator(Constant(), [x])
    assert display.tokens == [shown]


@pytest.mark.parametrize("cls", [ConvergenceDisplay, TransitionDisplay])
def test_displays_of_a_model_ignore_the_data(model, cls):
    _, ax = plt.subplots()
    display = cls.from_estimator(model, X, Y, ax=ax)
    assert display.ax_ is ax
    assert ax.lines or ax.images


def test_all_displays_have_one_order_of_arguments():
    for name in plotting.__all__:
        cls = getattr(plotting, name)
        parameters = list(inspect.signature(cls.from_estimator).parameters.values())
        assert [p.name for p in parameters[:3]] == ["estimator", "X", "y"], name
        assert parameters[2].default is None
        assert all(p.kind in (p.KEYWORD_ONLY, p.VAR_KEYWORD) for p in parameters[3:])
        # What an estimator has learnt or gone through, not predictions.
        if cls in (
            CPathDisplay,
            ConvergenceDisplay,
            LabelInteractionDisplay,
            TransitionDisplay,
        ):
            continue
        parameters = list(inspect.signature(cls.from_predictions).parameters.values())
        assert [p.name for p in parameters[:3]] == ["X", "y_true", "y_pred"], name
        assert all(p.kind in (p.KEYWORD_ONLY, p.VAR_KEYWORD) for p in parameters[3:])


def test_tagging_draws_segments():
    x, y = [["a"], ["b"], ["c"]], [(0, 2, "NP"), (2, 3, "O")]
    model = SegmentSVM(tol=0.1).fit([x], [y])
    display = TaggingDisplay.from_estimator(model, [x], [y])
    assert display.y_true == [["B-NP", "I-NP", "O"]]
    assert display.y_pred == {"SegmentSVM": [["B-NP", "I-NP", "O"]]}
    assert display.mistakes_ == []
    with pytest.raises(ValueError, match="2 labels for 3"):
        TaggingDisplay.from_predictions(
            [["a", "b", "c"]], None, [[(0, 1, "X"), (2, 3, "X")]]
        )


def test_bad_input(model):
    with pytest.raises(ValueError, match=r"(?i)label|length|token"):
        TaggingDisplay.from_predictions([["the"]], [["B-X", "I-X"]], {"m": [["B-X"]]})
    with pytest.raises((ValueError, TypeError)):
        ConvergenceDisplay.from_histories({})


def test_missing_matplotlib_names_the_extra(monkeypatch, model):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"pip install pystruct-ext\[plot\]"):
        TransitionDisplay.from_estimator(model)


def test_path_of_c():
    model = SequenceSVM(C=AutoC([0.01, 0.1, 1.0], cv=2)).fit(*toy_sequences())
    display = CPathDisplay.from_estimator(model)
    (line,) = display.lines_.values()
    assert line.get_xdata().tolist() == model.C_path_.column("C").tolist()
    assert line.get_ydata().tolist() == model.C_path_.column("score").tolist()
    assert len(display.axes_) == 2
    assert any(f"C = {model.C_:g}" == t.get_text() for t in display.ax_.texts)
    assert "<svg" in display.to_svg()
    with pytest.raises(ValueError, match="was not fitted with C='auto'"):
        CPathDisplay.from_estimator(SequenceSVM().fit(*toy_sequences()))
    with pytest.raises(TypeError, match="path must be the C_path_ of an estimator"):
        CPathDisplay([1, 2])


def toy_sequences():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(4, 2)) for _ in range(12)]
    return X, [(x[:, 0] > 0).astype(int).tolist() for x in X]
