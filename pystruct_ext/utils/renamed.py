"""Old names of constructor parameters, for one version."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

Init = TypeVar("Init", bound=Callable[..., None])


def renamed_parameters(**renamed: str) -> Callable[[Init], Init]:
    """Let an ``__init__`` take keywords by their old names, with a FutureWarning.

    The signature stays that of the new names, and with it ``get_params`` and ``clone``.

    Parameters
    ----------
    **renamed : str
        ``old="new"``.

    Examples
    --------
    >>> class Space:
    ...     @renamed_parameters(label_loss="task_loss")
    ...     def __init__(self, task_loss="hamming"):
    ...         self.task_loss = task_loss
    >>> Space(task_loss="zero_one").task_loss
    'zero_one'
    """

    def decorate(init: Init) -> Init:
        names = list(inspect.signature(init).parameters)
        for new in renamed.values():
            if new not in names:
                raise TypeError(f"{init.__qualname__} has no parameter {new!r}")

        @wraps(init)
        def wrapper(self: Any, *args: Any, **kwargs: Any) -> None:
            for old, new in renamed.items():
                if old not in kwargs:
                    continue
                if new in kwargs or names.index(new) <= len(args):
                    raise TypeError(
                        f"{new} and {old} are one parameter by its new and its old name; "
                        f"pass {new} alone"
                    )
                warnings.warn(
                    f"the parameter {old} is now {new}; the old name will be removed in "
                    "version 0.3",
                    FutureWarning,
                    stacklevel=2,
                )
                kwargs[new] = kwargs.pop(old)
            init(self, *args, **kwargs)

        return wrapper  # type: ignore[return-value]

    return decorate


__all__ = ["renamed_parameters"]
