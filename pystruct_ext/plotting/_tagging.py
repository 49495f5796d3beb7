"""Label sequences as rows of coloured cells under their tokens.

Design
------
Every text is measured before anything is drawn, and a column is as wide as the widest
text in it, so that texts cannot overlap whatever their length. One data unit of the axes
is one point at font size 10; on axes of another size everything scales together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from pystruct_ext.outputs.segments import segments_to_bio
from pystruct_ext.plotting._style import FAINT, INK, PALETTE, import_pyplot, tint

_FONT = 10.0
_LABEL_HEIGHT = 17.0
_TOKEN_HEIGHT = 19.0
_IMAGE_HEIGHT = 34.0
_LINE_GAP = 16.0
_PAD = 5.0
_MARGIN = 8.0
_NOTE_HEIGHT = 20.0
_WRONG = "#000000"
_CHUNK_TAGS = frozenset("BIESLU")


class _Line(NamedTuple):
    """Tokens first..last of one sequence, with the left edge of each in points."""

    sequence: int
    first: int
    last: int
    edges: list[float]


def _text_width(text: str) -> float:
    """Width of a text in points at the reference font size."""
    from matplotlib.textpath import TextPath

    # A blank has no outline; underscores measure it well enough.
    path = TextPath((0, 0), text.replace(" ", "_") or "_", size=_FONT)
    return float(path.get_extents().width)


def _is_image(token: Any) -> bool:
    return isinstance(token, np.ndarray) and token.ndim == 2


def _is_one_sequence(tokens: Any) -> bool:
    """Whether `tokens` is a single sequence rather than a list of them."""
    if isinstance(tokens, np.ndarray) and tokens.dtype != object:
        return tokens.ndim in (1, 3)
    first = tokens[0]
    return isinstance(first, str) or _is_image(first)


def _readable(X: Any) -> Any:
    """What to show of inputs: words and images as they are, else a name or a number."""
    if isinstance(X, str) or not hasattr(X, "__len__") or len(X) == 0:
        return X
    if _is_one_sequence(X):
        return X
    return [_names(x) for x in X]


def _names(x: Any) -> Any:
    if isinstance(x, np.ndarray) and x.dtype != object and x.ndim == 3:
        return x
    # Rows of features, dense or sparse, have no name.
    if isinstance(x, np.ndarray) and x.dtype.kind not in "OSU":
        return [str(t + 1) for t in range(len(x))]
    if hasattr(x, "toarray"):
        return [str(t + 1) for t in range(x.shape[0])]
    return [_name(token, t) for t, token in enumerate(x)]


def _name(token: Any, t: int) -> Any:
    if isinstance(token, str) or _is_image(token):
        return token
    first = next(iter(token), None) if hasattr(token, "__iter__") else None
    if isinstance(token, Mapping) and isinstance(token.get(first), str):
        return token[first]
    return first if isinstance(first, str) else str(t + 1)


def _per_token(row: Any, n: int) -> Any:
    """Segments (start, end, label) as BIO tags; labels of n tokens as they are."""
    covered = 0
    for part in row:
        if not (isinstance(part, tuple) and len(part) == 3 and part[0] == covered):
            return row
        covered = part[1]
    if covered != n or not len(row):
        return row
    return segments_to_bio([(a, b, str(label)) for a, b, label in row])


class TaggingDisplay:
    """Tokens, gold labels and predicted labels of sequences, mistakes outlined.

    Create the display with :meth:`from_estimator`, :meth:`from_estimators` or
    :meth:`from_predictions`.

    Parameters
    ----------
    tokens : list of sequences, or one sequence
        A sequence holds one str per token, or one (h, w) array per token (also as an
        array of shape (T, h, w)), which is drawn as an image, large values dark.
    y_true : list of sequences of labels, one sequence, or None
        Gold labels; anything with a readable ``str``, or the segments (start, end, label)
        of a `SegmentSVM`, which are shown as BIO tags. Without them there is no gold row, and
        nothing is outlined.
    y_pred : dict of str to predictions, or predictions
        One row per entry, under its name; predictions are shaped as `y_true`.

    Attributes
    ----------
    tokens : list of list
    y_true : list of list of str, or None
    y_pred : dict of str to list of list
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    cells_ : dict of (str, int, int) to Rectangle
        The cell of (row name, sequence, token); the gold row is called ``"gold"``.
    images_ : dict of (int, int) to AxesImage
        The image of (sequence, token).
    mistakes_ : list of (str, int, int)
        Keys of the outlined cells.

    Raises
    ------
    TypeError, ValueError
        If the arguments are not sequences, or lengths disagree (the message names the
        argument and the sequence).

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from pystruct_ext.plotting import TaggingDisplay
    >>> display = TaggingDisplay.from_predictions(
    ...     ["the", "cat", "sat"],
    ...     ["B-NP", "I-NP", "B-VP"],
    ...     {"chain": ["B-NP", "I-NP", "I-NP"]},
    ... )
    >>> display.mistakes_
    [('chain', 0, 2)]
    """

    def __init__(self, tokens: Any, y_true: Any, y_pred: Any) -> None:
        for name, value in (("tokens", tokens), ("y_true", y_true)):
            if name == "y_true" and value is None:
                continue
            if isinstance(value, str) or not isinstance(value, Sequence | np.ndarray):
                raise TypeError(
                    f"{name} must be a list of sequences, got {type(value).__name__}"
                )
        if len(tokens) == 0:
            raise ValueError("tokens is empty: nothing to plot")
        predictions = (
            dict(y_pred) if isinstance(y_pred, Mapping) else {"predicted": y_pred}
        )
        if not predictions:
            raise ValueError("y_pred is empty: nothing to compare with")
        if "gold" in predictions:
            raise ValueError("y_pred must not use the name 'gold'")
        if _is_one_sequence(tokens):
            tokens, y_true = [tokens], None if y_true is None else [y_true]
            predictions = {name: [rows] for name, rows in predictions.items()}
        self.tokens = [list(row) for row in tokens]
        self.y_true = None if y_true is None else self._rows(y_true, "y_true")
        self.y_pred = {
            str(name): self._rows(rows, f"y_pred[{name!r}]")
            for name, rows in predictions.items()
        }

    def _rows(self, y: Any, name: str) -> list[list[str]]:
        if len(y) != len(self.tokens):
            raise ValueError(
                f"{name} holds {len(y)} sequences but tokens holds {len(self.tokens)}"
            )
        out = []
        for i, (row, tokens) in enumerate(zip(y, self.tokens, strict=True)):
            if isinstance(row, str) or not hasattr(row, "__len__"):
                raise TypeError(
                    f"{name}[{i}] must be a sequence of labels, got {row!r:.60}"
                )
            row = _per_token(row, len(tokens))
            if len(row) != len(tokens):
                raise ValueError(
                    f"sequence {i}: {name} has {len(row)} labels for {len(tokens)} "
                    "tokens"
                )
            out.append([str(label) for label in row])
        return out

    @classmethod
    def from_predictions(
        cls,
        X: Any,
        y_true: Any,
        y_pred: Any,
        *,
        tokens: Any = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> TaggingDisplay:
        """Plot tokens, gold labels and predictions.

        Parameters
        ----------
        X : list of sequences, or one sequence
            What to show above the labels: words, images, or what an estimator predicts
            from, of which the first feature of each token is shown.
        y_true, y_pred
            As for the constructor.
        tokens : list of sequences, optional
            What to show instead of `X`.
        ax : matplotlib Axes, optional
            Where to plot; by default a figure is made that fits the texts.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        TaggingDisplay
        """
        shown = _readable(X) if tokens is None else tokens
        return cls(shown, y_true, y_pred).plot(ax=ax, **kwargs)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        tokens: Any = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> TaggingDisplay:
        """Predict with a fitted estimator and plot.

        Parameters
        ----------
        estimator : estimator
            With ``predict(X)`` that returns one label sequence per item of `X`.
        X : list
            What the estimator predicts from.
        y : list of sequences of labels, optional
            Gold labels.
        tokens : list of sequences, optional
            What to show above the labels, words or images; by default the first feature
            of each token, or its number.
        ax : matplotlib Axes, optional
            Where to plot; by default a figure is made that fits the texts.
        **kwargs
            Passed to :meth:`plot`.

        Returns
        -------
        TaggingDisplay
        """
        named = {type(estimator).__name__: estimator}
        return cls.from_estimators(named, X, y, tokens=tokens, ax=ax, **kwargs)

    @classmethod
    def from_estimators(
        cls,
        estimators: Mapping[str, Any],
        X: Any,
        y: Any = None,
        *,
        tokens: Any = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> TaggingDisplay:
        """As `from_estimator`, with a row for each of several estimators."""
        import_pyplot()
        y_pred = {name: est.predict(X) for name, est in estimators.items()}
        # A list of matrices is a list of sequences here, not one sequence of images.
        shown = [_names(x) for x in X] if tokens is None else tokens
        return cls(shown, y, y_pred).plot(ax=ax, **kwargs)

    def plot(
        self,
        ax: Any = None,
        *,
        wrap: float = 10.0,
        colors: Mapping[str, Any] | None = None,
        cmap: Any = "gray_r",
    ) -> TaggingDisplay:
        """Draw the cells.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; texts shrink to fit. By default a figure is made in which
            they have 10 points.
        wrap : float
            Width in inches, at full size, after which a sequence continues below.
        colors : dict of str to colour, optional
            Colour of each label. By default chunk labels (``B-NP``) take the colour of
            their type, paler inside than at the border, and ``O`` is grey; any other
            labels take a colour each.
        cmap : str or Colormap
            For tokens that are images.

        Returns
        -------
        TaggingDisplay
            ``self``.
        """
        plt = import_pyplot()
        if not wrap > 0:
            raise ValueError(f"wrap must be positive, got {wrap!r}")
        rows = dict(self.y_pred)
        if self.y_true is not None:
            rows = {"gold": self.y_true, **rows}
        gutter = max(_text_width(name) for name in rows) + 2 * _PAD
        lines = self._layout(rows, 72 * wrap - gutter)
        images = any(_is_image(token) for row in self.tokens for token in row)
        head = _IMAGE_HEIGHT if images else _TOKEN_HEIGHT
        block = head + _LABEL_HEIGHT * len(rows) + _LINE_GAP
        width = gutter + max(line.edges[-1] for line in lines) + 2 * _MARGIN
        height = block * len(lines) - _LINE_GAP + 2 * _MARGIN
        self.mistakes_ = [
            (name, i, t)
            for name, predicted in self.y_pred.items()
            for i, row in enumerate(predicted)
            for t, label in enumerate(row)
            if self._wrong(i, t, label)
        ]
        if self.mistakes_:
            height += _NOTE_HEIGHT
        if ax is None:
            # No layout engine: the axes are the figure, so that points are points.
            figure = plt.figure(figsize=(width / 72, height / 72))
            ax = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        self.ax_, self.figure_ = ax, ax.figure
        box = ax.get_window_extent().transformed(
            self.figure_.dpi_scale_trans.inverted()
        )
        scale = min(72 * box.width / width, 72 * box.height / height, 1.0)
        self._size = _FONT * scale
        self._scale = scale

        palette = self._palette(rows) if colors is None else colors
        self.cells_: dict[tuple[str, int, int], Any] = {}
        self.images_: dict[tuple[int, int], Any] = {}
        left = _MARGIN + gutter
        for n, line in enumerate(lines):
            top = _MARGIN + n * block
            self._draw_tokens(line, left, top, head, cmap)
            for r, (name, labels) in enumerate(rows.items()):
                y = top + head + r * _LABEL_HEIGHT
                self._write(left - _PAD, y + _LABEL_HEIGHT / 2, name, FAINT, ha="right")
                self._draw_labels(line, left, y, name, labels, palette)
        if self.mistakes_:
            self._draw_note(left, height - _MARGIN - _LABEL_HEIGHT)
        # Equal aspect keeps images square on axes of any shape.
        ax.set(xlim=(0, width), ylim=(height, 0), aspect="equal")
        ax.set_axis_off()
        return self

    def _wrong(self, i: int, t: int, label: str) -> bool:
        return self.y_true is not None and label != self.y_true[i][t]

    def _layout(self, rows: dict[str, list[list[str]]], room: float) -> list[_Line]:
        """Give every token a width, and break sequences into lines that fit."""
        measured: dict[str, float] = {}

        def width(text: str) -> float:
            if text not in measured:
                measured[text] = _text_width(text)
            return measured[text]

        lines = []
        for i, tokens in enumerate(self.tokens):
            first, edges = 0, [0.0]
            for t, token in enumerate(tokens):
                texts = [labels[i][t] for labels in rows.values()]
                if _is_image(token):
                    h, w = token.shape
                    cell = max(map(width, texts))
                    cell = max(cell, _IMAGE_HEIGHT * w / h - _PAD)
                else:
                    cell = max(map(width, [*texts, str(token)]))
                cell += 2 * _PAD
                if t > first and edges[-1] + cell > room:
                    lines.append(_Line(i, first, t, edges))
                    first, edges = t, [0.0]
                edges.append(edges[-1] + cell)
            lines.append(_Line(i, first, len(tokens), edges))
        return lines

    def _palette(self, rows: dict[str, list[list[str]]]) -> dict[str, Any]:
        """One colour per label, in the order in which the gold rows meet them."""
        seen = dict.fromkeys(
            label for labels in rows.values() for row in labels for label in row
        )
        parts = {label: label.partition("-") for label in seen}
        chunks = all(
            label == "O" or (tag in _CHUNK_TAGS and kind)
            for label, (tag, _, kind) in parts.items()
        )
        out: dict[str, Any] = {}
        groups: dict[str, str] = {}
        for label in seen:
            if label == "O":
                out[label] = tint("#555555", 0.12)
                continue
            tag, _, kind = parts[label]
            group = kind if chunks else label
            color = groups.setdefault(group, PALETTE[len(groups) % len(PALETTE)])
            out[label] = tint(color, 0.28 if chunks and tag == "I" else 0.5)
        return out

    def _write(self, x: float, y: float, text: str, color: str, **style: Any) -> Any:
        return self.ax_.text(
            x, y, text, color=color, va="center", fontsize=self._size, **style
        )

    def _draw_tokens(
        self, line: _Line, left: float, top: float, head: float, cmap: Any
    ) -> None:
        for t, (a, b) in enumerate(pairwise(line.edges), start=line.first):
            token = self.tokens[line.sequence][t]
            middle = left + (a + b) / 2
            if not _is_image(token):
                self._write(middle, top + head / 2, str(token), INK, ha="center")
                continue
            h, w = token.shape
            tall = head - 4.0
            wide = tall * w / h
            self.images_[line.sequence, t] = self.ax_.imshow(
                token,
                cmap=cmap,
                extent=(middle - wide / 2, middle + wide / 2, top + tall, top),
                interpolation="nearest",
            )

    def _draw_labels(
        self,
        line: _Line,
        left: float,
        y: float,
        name: str,
        labels: list[list[str]],
        palette: Mapping[str, Any],
    ) -> None:
        from matplotlib.patches import Rectangle

        for t, (a, b) in enumerate(pairwise(line.edges), start=line.first):
            key = (name, line.sequence, t)
            label = labels[line.sequence][t]
            wrong = self._wrong(line.sequence, t, label)
            cell = Rectangle(
                (left + a + 1, y + 1),
                b - a - 2,
                _LABEL_HEIGHT - 2,
                facecolor=palette.get(label, "#EEEEEE"),
                edgecolor=_WRONG if wrong else "none",
                linewidth=1.8 * self._scale if wrong else 0.0,
                zorder=3 if wrong else 2,
            )
            self.cells_[key] = self.ax_.add_patch(cell)
            self._write(
                left + (a + b) / 2,
                y + _LABEL_HEIGHT / 2,
                label,
                INK,
                ha="center",
                zorder=4,
            )

    def _draw_note(self, left: float, y: float) -> None:
        from matplotlib.patches import Rectangle

        self.ax_.add_patch(
            Rectangle(
                (left + 1, y + 4),
                14,
                _LABEL_HEIGHT - 8,
                facecolor="none",
                edgecolor=_WRONG,
                linewidth=1.8 * self._scale,
            )
        )
        counts = ", ".join(
            f"{name} {sum(key[0] == name for key in self.mistakes_)}"
            for name in self.y_pred
        )
        note = f"differs from gold ({counts})"
        self._write(left + 20, y + _LABEL_HEIGHT / 2, note, FAINT, ha="left")
