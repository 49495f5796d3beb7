"""Old names of parameters."""

from __future__ import annotations

import inspect
import pickle
import warnings

import pytest
from sklearn.base import BaseEstimator, clone

from pystruct_ext import spaces
from pystruct_ext.utils.renamed import renamed_parameters

OLD = {
    "SequenceSpace": "label_loss",
    "MulticlassSpace": "label_loss",
    "DependencySpace": "label_loss",
    "RankingSpace": "label_loss",
    "SlateSpace": "label_loss",
    "SegmentSpace": "segment_loss",
}


@pytest.mark.parametrize("name", OLD)
def test_old_names_of_the_loss(name):
    cls, old = getattr(spaces, name), OLD[name]
    with pytest.warns(FutureWarning, match=f"{old} is now task_loss") as seen:
        space = cls(**{old: "mine"})
    assert seen[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        new = cls(task_loss="mine")
        for copied in (clone(space), pickle.loads(pickle.dumps(space))):
            assert copied.get_params() == space.get_params() == new.get_params()
    assert "task_loss" in inspect.signature(cls).parameters
    assert old not in inspect.signature(cls).parameters
    with pytest.raises(ValueError, match=old):
        space.set_params(**{old: "other"})
    with pytest.raises(TypeError, match="pass task_loss alone"):
        cls(**{old: "a", "task_loss": "b"})
    before = list(inspect.signature(cls).parameters).index("task_loss")
    with pytest.raises(TypeError, match="pass task_loss alone"):
        cls(*["a"] * (before + 1), **{old: "b"})


def test_other_keywords_are_as_before():
    class Thing(BaseEstimator):
        @renamed_parameters(old="new")
        def __init__(self, first=1, *, new=2):
            self.first = first
            self.new = new

    with pytest.warns(FutureWarning, match="the parameter old is now new"):
        assert Thing(5, old=7).get_params() == {"first": 5, "new": 7}
    with pytest.raises(TypeError, match="unexpected keyword argument 'other'"):
        Thing(other=1)
    with pytest.raises(TypeError, match="has no parameter 'missing'"):
        renamed_parameters(old="missing")(lambda self: None)
