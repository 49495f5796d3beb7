"""Sets of labels as a table of examples and labels, and the scores of pairs of labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pystruct_ext.plotting._base import Display
from pystruct_ext.plotting._page import MARGIN, Key, Legend, Page, clip, measure
from pystruct_ext.plotting._style import (
    FAINT,
    GRID,
    INK,
    MISSED,
    WRONG,
    calm,
    import_pyplot,
    tint,
)
from pystruct_ext.utils.label_sets import label_sets

_RIGHT = "#4D4D4D"
_SMALL = 8.0
_MAX_ANNOTATED = 12


class LabelSetDisplay(Display):
    """Sets of labels: a row for each example, a column for each label.

    Create it with :meth:`from_estimator` or :meth:`from_predictions`.

    Parameters
    ----------
    predicted : (n, K) array of 0 and 1
    true : (n, K) array of 0 and 1, or None
    labels : sequence of K names
    names : sequence of n names, optional
        Of the examples; by default their numbers.

    Attributes
    ----------
    predicted, true : (n, K) bool arrays, true maybe None
    labels, names : lists of str
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    """

    def __init__(
        self,
        predicted: ArrayLike,
        true: ArrayLike | None,
        labels: Sequence[Any],
        names: Sequence[Any] | None = None,
    ) -> None:
        self.predicted: NDArray[np.bool_] = np.asarray(predicted).astype(bool)
        self.true = None if true is None else np.asarray(true).astype(bool)
        self.labels = [str(label) for label in labels]
        n = len(self.predicted)
        self.names = [str(v) for v in (range(n) if names is None else names)]
        shape = (len(self.names), len(self.labels))
        for what, table in (("predicted", self.predicted), ("true", self.true)):
            if table is not None and table.shape != shape:
                raise ValueError(
                    f"{what} has the shape {table.shape}, expected {shape}"
                )

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        rows: Sequence[int] | None = None,
        max_rows: int = 20,
        ax: Any = None,
        **kwargs: Any,
    ) -> LabelSetDisplay:
        """Predict with a fitted estimator and draw.

        Parameters
        ----------
        estimator : MultilabelSVM, or any with `predict` and `classes_`
        X : (n, d) array or sparse matrix
        y : n label sets in any form, optional
            Truth; mistakes are marked where it is given.
        rows : sequence of int, optional
            Which examples; by default the first `max_rows`.
        max_rows : int, default=20
        ax : matplotlib Axes, optional
        **kwargs
            Passed to `plot`.

        Returns
        -------
        LabelSetDisplay
        """
        import_pyplot()
        return cls.from_predictions(
            X, y, estimator.predict(X), labels=list(estimator.classes_), rows=rows,
            max_rows=max_rows, ax=ax, **kwargs,
        )  # fmt: skip

    @classmethod
    def from_predictions(
        cls,
        X: Any,
        y_true: Any,
        y_pred: Any,
        *,
        labels: Sequence[Any] | None = None,
        rows: Sequence[int] | None = None,
        max_rows: int = 20,
        ax: Any = None,
        **kwargs: Any,
    ) -> LabelSetDisplay:
        """Draw predicted label sets.

        Parameters
        ----------
        X : ignored
            All displays are called alike.
        y_true : n label sets in any form, or None
        y_pred : n label sets
        labels : sequence of K labels, optional
            In order; by default those that occur.
        rows : sequence of int, optional
            Which examples; by default the first `max_rows`.
        max_rows : int, default=20
        ax : matplotlib Axes, optional
        **kwargs
            Passed to `plot`.

        Returns
        -------
        LabelSetDisplay
        """
        import_pyplot()
        found = label_sets(y_pred, name="y_pred")
        true = None if y_true is None else label_sets(y_true, name="y_true")
        both = [s for s in (true, found) if s is not None]
        if found.form == "labels":
            seen = sorted({c for s in both for c in s.classes}, key=str)
            known = [getattr(c, "item", lambda c=c: c)() for c in labels or ()]
            classes = known + [c for c in seen if c not in known]
            found = label_sets(y_pred, classes, "labels", "y_pred")
            if true is not None:
                true = label_sets(y_true, classes, "labels", "y_true")
        else:
            classes = list(found.classes if labels is None else labels)
        n = len(found.codes)
        if true is not None and true.codes.shape != found.codes.shape:
            raise ValueError(
                f"y_true has the shape {true.codes.shape} and y_pred {found.codes.shape}"
            )
        chosen = (
            list(range(min(n, max_rows))) if rows is None else [int(r) for r in rows]
        )
        for r in chosen:
            if not 0 <= r < n:
                raise ValueError(f"rows has {r}, expected 0 to {n - 1}")
        display = cls(
            found.codes[chosen],
            None if true is None else true.codes[chosen],
            classes,
            chosen,
        )
        return display.plot(ax=ax, **kwargs)

    def plot(
        self, ax: Any = None, *, title: str | None = None, all_labels: bool = False
    ) -> LabelSetDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            By default a figure is made.
        title : str, optional
            By default how many sets are right, where the truth is known.
        all_labels : bool, default=False
            Also the columns of labels that no example here has.

        Returns
        -------
        LabelSetDisplay
            ``self``.
        """
        import_pyplot()
        true = self.predicted if self.true is None else self.true
        used = np.flatnonzero((self.predicted | true).any(axis=0))
        columns = list(range(len(self.labels))) if all_labels else used.tolist()
        right = (self.predicted == true).all(axis=1)
        if title is None and self.true is not None:
            title = f"{int(right.sum())} of {len(right)} label sets right"
        names = [clip(self.names[i], 160.0, _SMALL) for i in range(len(self.names))]
        texts = [clip(self.labels[k], 160.0, _SMALL) for k in columns]
        left = max([measure(t, _SMALL) for t in names] + [20.0]) + 2 * MARGIN
        cell, row = 22.0, 16.0
        head = max([measure(t, _SMALL) for t in texts] + [10.0])
        flat = head + 6.0 <= 46.0
        if flat:
            cell, head = max(cell, head + 6.0), 12.0
        keys = [Key("label found" if self.true is not None else "label", _RIGHT)]
        if self.true is not None:
            keys += [
                Key("wrong label", WRONG),
                Key("missed label", MISSED, shape="outline"),
            ]
        width = max(left + cell * len(columns) + 2 * MARGIN, 240.0)
        legend = Legend(keys, width - 2 * MARGIN)
        height = head + 2 * MARGIN + row * len(names) + legend.height + 2 * MARGIN
        page = Page(ax, max(width, legend.width + 2 * MARGIN), height, title)
        self.ax_, self.figure_ = page.ax, page.ax.figure
        top = head + 2 * MARGIN
        for c, text in enumerate(texts):
            style = {} if flat else {"rotation": 90.0, "va": "bottom"}
            page.text(
                left + (c + 0.5) * cell, MARGIN + head - (head / 2 if flat else 0), text,
                _SMALL, **style,
            )  # fmt: skip
        for i, text in enumerate(names):
            y = top + i * row
            ok = self.true is None or right[i]
            page.text(left - MARGIN, y + row / 2, text, _SMALL, ha="right",
                      color=FAINT if ok else INK)  # fmt: skip
            page.line(
                [left, left + cell * len(columns)], [y + row] * 2, 0.6, color=GRID
            )
            for c, k in enumerate(columns):
                box = left + c * cell + 2.5, y + 2.5, cell - 5.0, row - 5.0
                if self.predicted[i, k]:
                    page.box(*box, facecolor=_RIGHT if true[i, k] else WRONG)
                elif true[i, k]:
                    page.box(*box, fill=False, edgecolor=MISSED, linewidth=1.5)
        legend.draw(page, MARGIN, height - legend.height - MARGIN)
        return self


class LabelInteractionDisplay(Display):
    """Scores of pairs of labels as a heat map: what it adds to have both.

    Create it with :meth:`from_estimator` or :meth:`from_scores`.

    Parameters
    ----------
    scores : (K, K) array-like, symmetric
    labels : sequence of K names, optional
    pairs : (K, K) array-like of bool, optional
        Which pairs have a score; by default those that are not 0.

    Attributes
    ----------
    scores : (K, K) ndarray
    labels : list of str
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    im_ : matplotlib AxesImage
    """

    def __init__(
        self,
        scores: ArrayLike,
        labels: Sequence[Any] | None = None,
        pairs: ArrayLike | None = None,
    ) -> None:
        self.scores = np.array(scores, dtype=np.float64)
        k = len(self.scores)
        if self.scores.shape != (k, k) or not np.isfinite(self.scores).all():
            raise ValueError(
                f"scores must be a finite square table, got shape {self.scores.shape}"
            )
        if not np.allclose(self.scores, self.scores.T):
            raise ValueError("scores must be symmetric")
        self.labels = [str(v) for v in (range(k) if labels is None else labels)]
        if len(self.labels) != k:
            raise ValueError(f"labels has {len(self.labels)} names, expected {k}")
        self.pairs = (
            self.scores != 0 if pairs is None else np.asarray(pairs, dtype=bool)
        )

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any = None,
        y: Any = None,
        *,
        ax: Any = None,
        **kwargs: Any,
    ) -> LabelInteractionDisplay:
        """Draw the pairs of a fitted `MultilabelSVM`.

        Parameters
        ----------
        estimator : MultilabelSVM
        X, y : ignored
            All displays are called alike.
        ax : matplotlib Axes, optional
        **kwargs
            Passed to `plot`.

        Raises
        ------
        ValueError
            If the model has no interactions.
        """
        import_pyplot()
        edges = estimator.space_.edges_
        if not len(edges):
            raise ValueError(
                "the model has no interactions between labels; fit it with "
                "interactions='tree' or 'full'"
            )
        pairs = np.zeros((len(estimator.classes_),) * 2, dtype=bool)
        pairs[edges[:, 0], edges[:, 1]] = pairs[edges[:, 1], edges[:, 0]] = True
        display = cls(estimator.pair_scores_, list(estimator.classes_), pairs)
        return display.plot(ax=ax, **kwargs)

    @classmethod
    def from_scores(
        cls,
        scores: ArrayLike,
        labels: Sequence[Any] | None = None,
        *,
        ax: Any = None,
        **kwargs: Any,
    ) -> LabelInteractionDisplay:
        """Draw a table of scores.

        Parameters
        ----------
        scores : (K, K) array-like, symmetric
        labels : sequence of K names, optional
        ax : matplotlib Axes, optional
        **kwargs
            Passed to `plot`.
        """
        import_pyplot()
        return cls(scores, labels).plot(ax=ax, **kwargs)

    def plot(
        self, ax: Any = None, *, title: str | None = None, max_labels: int = 40
    ) -> LabelInteractionDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            By default a figure is made.
        title : str, optional
        max_labels : int, default=40
            Of more labels those with the largest scores are drawn.

        Returns
        -------
        LabelInteractionDisplay
            ``self``.
        """
        plt = import_pyplot()
        size = np.where(self.pairs, np.abs(self.scores), 0)
        kept = np.sort(
            np.argsort(-size.max(axis=1, initial=0), kind="stable")[:max_labels]
        )
        k = len(kept)
        if ax is None:
            side = float(np.clip(0.42 * k, 2.2, 8.5))
            _, ax = plt.subplots(figsize=(side + 1.9, side + 1.3), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        shown = np.ma.masked_array(
            self.scores[np.ix_(kept, kept)], ~self.pairs[np.ix_(kept, kept)]
        )
        most = float(np.abs(shown).max()) if shown.count() else 1.0
        ax.set_facecolor(tint(GRID, 0.6))
        self.im_ = ax.imshow(shown, cmap="PuOr", vmin=-most or -1.0, vmax=most or 1.0)
        calm(ax)
        ax.grid(False)
        ax.spines[:].set_visible(False)
        names = [clip(self.labels[j], 110.0, 9.0) for j in kept]
        font = 9.0 if k <= 20 else 6.5
        upright = max(map(len, names), default=0) * 5.0 > 26.0
        ax.set_xticks(range(k), names, rotation=90 if upright else 0, fontsize=font)
        ax.set_yticks(range(k), names, fontsize=font)
        ax.tick_params(length=0)
        if k <= _MAX_ANNOTATED:
            for a in range(k):
                for b in range(k):
                    if np.ma.getmaskarray(shown)[a, b]:
                        continue
                    dark = abs(shown[a, b]) > 0.62 * most
                    ax.text(
                        b, a, f"{shown[a, b]:.2f}".replace("-", "\N{MINUS SIGN}"),
                        ha="center", va="center", fontsize=7.5,
                        color="white" if dark else INK,
                    )  # fmt: skip
        bar = self.figure_.colorbar(self.im_, ax=ax, shrink=0.75, pad=0.03)
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=8, color=FAINT, labelcolor=INK)
        bar.set_label("score of having both", color=INK, fontsize=9)
        if title is None and k < len(self.labels):
            title = f"{k} of {len(self.labels)} labels"
        if title:
            ax.set_title(title, fontsize=10, color=INK, loc="left", parse_math=False)
        return self


__all__ = ["LabelInteractionDisplay", "LabelSetDisplay"]
