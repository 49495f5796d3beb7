"""A fitted model taken to other data without forgetting what it knows."""

from __future__ import annotations

from copy import copy
from typing import Any, TypeVar

from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from pystruct_ext.estimators._batches import Batch
from pystruct_ext.estimators.base import BaseStructuralSVM

Model = TypeVar("Model", bound=BaseStructuralSVM)


def adapt(
    model: Model,
    X: Any,
    y: Any,
    sample_weight: ArrayLike | None = None,
    *,
    C: float | None = None,
) -> Model:
    """Train on other examples, drawn to the weights of a fitted model instead of to 0.

    Minimises ``1/2 ||w - w_model||^2 + C sum_i s_i H_i(w)``: with little C the result is the
    model, with much C what the new examples alone say. For a small sample of another domain
    than the one that the model was trained on.

    Parameters
    ----------
    model : fitted estimator
        It is not changed. Labels and features are those that it knows: other features are
        ignored, other labels are an error.
    X, y : sequences of length n
        As for ``fit``.
    sample_weight : (n,) array-like, optional
        Weight s_i >= 0 of each example.
    C : float, optional
        By default that of the model. Choose it as ever: by held-out examples of the new
        domain.

    Returns
    -------
    fitted estimator
        Of the model's class and parameters; its objectives and its certificate are of the
        problem above.

    Raises
    ------
    TypeError
        If the model is not one of independent examples (rankers take whole queries).

    References
    ----------
    Chelba and Acero, EMNLP 2004 (adaptation of maximum entropy models by a Gaussian prior
    at the old weights). Yang, Yan and Hauptmann, ACM Multimedia 2007 (adaptive SVMs).

    Examples
    --------
    >>> from pystruct_ext import SequenceSVM
    >>> from pystruct_ext.estimators import adapt
    >>> news = SequenceSVM(C=1).fit(
    ...     [[["w=Turkey"], ["w=votes"]], [["w=the"], ["w=man"]]],
    ...     [["NAME", "O"], ["O", "O"]],
    ... )
    >>> recipes = adapt(news, [[["w=Turkey"], ["w=the"]]], [["O", "O"]], C=10)
    >>> recipes.predict([[["w=Turkey"]], [["w=man"], ["w=votes"]]])
    [['O'], ['O', 'O']]
    """
    if not isinstance(model, BaseStructuralSVM) or model._grouped_in_queries:
        raise TypeError(
            "adapt takes a fitted estimator of independent examples, got a "
            f"{type(model).__name__}"
        )
    check_is_fitted(model, "_w")
    new: Model = clone(model)
    if C is not None:
        new.set_params(C=C)
    known = new.get_params()
    fitted = {k: v for k, v in vars(model).items() if k not in known}
    vars(new).update(fitted)
    space: Any = copy(model.space_)
    new.space_ = space
    batch = Batch(space, new._rows(X), y)
    with batch.own_numbers():
        packed = space.pack(batch.X, batch.y)
    new._solve(packed, batch.kept_weights(sample_weight), w_prior=model._w)
    return new


__all__ = ["adapt"]
