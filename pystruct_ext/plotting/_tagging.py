"""Label sequences as rows of coloured cells under their tokens.

Design
------
Every text is measured before anything is drawn, and a column is as wide as the widest
text in it, so that texts cannot overlap whatever their length. See
`pystruct_ext.plotting._page`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from pystruct_ext.outputs.segments import segments_to_bio
from pystruct_ext.plotting._base import Display
from pystruct_ext.plotting._page import MARGIN, Page, measure, shorten
from pystruct_ext.plotting._style import FAINT, Look, import_pyplot, looks, tint

_LABEL_HEIGHT = 17.0
_TOKEN_HEIGHT = 19.0
_IMAGE_HEIGHT = 34.0
_LINE_GAP = 16.0
_PAD = 5.0
_NOTE_HEIGHT = 20.0
_WRONG = "#000000"
# Longer texts are cut.
_TOKEN, _LABEL = 24, 16
# How strong the colour of a chunk's type is at its parts: no two are alike.
_CHUNK_TAGS = {"B": 0.55, "I": 0.25, "E": 0.40, "L": 0.33, "S": 0.72, "U": 0.64}


class _Line(NamedTuple):
    """Tokens first..last of one sequence, with the left edge of each in points."""

    sequence: int
    first: int
    last: int
    edges: list[float]


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
    X = _plain(X)
    if isinstance(X, str) or not hasattr(X, "__len__") or len(X) == 0:
        return X
    if _is_one_sequence(X):
        return X
    return [_names(x) for x in X]


def _plain(values: Any) -> Any:
    """A list of the values of a pandas Series, which has labels of its own."""
    return values.tolist() if hasattr(values, "iloc") else values


def _names(x: Any) -> Any:
    if hasattr(x, "columns"):
        # A data frame with a row a token: its first column that holds no numbers.
        columns = [x[c] for c in x.columns if x[c].dtype.kind not in "biuf"]
        return [str(v) for v in columns[0]] if columns else _numbers(len(x))
    if isinstance(x, np.ndarray) and x.dtype != object and x.ndim == 3:
        return x
    # Rows of features, dense or sparse, have no name.
    if isinstance(x, np.ndarray) and x.dtype.kind not in "OSU":
        return _numbers(len(x))
    if hasattr(x, "toarray"):
        return _numbers(x.shape[0])
    return [_name(token, t) for t, token in enumerate(x)]


def _numbers(n: int) -> list[str]:
    return [str(t + 1) for t in range(n)]


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


class TaggingDisplay(Display):
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
        tokens, y_true = _plain(tokens), _plain(y_true)
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
        import_pyplot()
        if not wrap > 0:
            raise ValueError(f"wrap must be positive, got {wrap!r}")
        rows = dict(self.y_pred)
        if self.y_true is not None:
            rows = {"gold": self.y_true, **rows}
        names = {name: shorten(name, _TOKEN) for name in rows}
        gutter = max(map(measure, names.values())) + 2 * _PAD
        lines = self._layout(rows, 72 * wrap - gutter - 2 * MARGIN)
        images = any(_is_image(token) for row in self.tokens for token in row)
        head = _IMAGE_HEIGHT if images else _TOKEN_HEIGHT
        block = head + _LABEL_HEIGHT * len(rows) + _LINE_GAP
        width = gutter + max(line.edges[-1] for line in lines) + 2 * MARGIN
        height = block * len(lines) - _LINE_GAP + 2 * MARGIN
        self.mistakes_ = [
            (name, i, t)
            for name, predicted in self.y_pred.items()
            for i, row in enumerate(predicted)
            for t, label in enumerate(row)
            if self._wrong(i, t, label)
        ]
        note = self._note()
        if self.mistakes_:
            height += _NOTE_HEIGHT
            width = max(width, gutter + measure(note) + 20 + 2 * MARGIN)
        page = Page(ax, width, height)
        self.ax_, self.figure_ = page.ax, page.ax.figure

        if colors is None:
            palette = self._palette(rows)
        else:
            palette = {label: Look(tint(c, 1.0), "") for label, c in colors.items()}
        self.cells_: dict[tuple[str, int, int], Any] = {}
        self.images_: dict[tuple[int, int], Any] = {}
        left = MARGIN + gutter
        for n, line in enumerate(lines):
            top = MARGIN + n * block
            self._draw_tokens(page, line, left, top, head, cmap)
            for r, (name, labels) in enumerate(rows.items()):
                y = top + head + r * _LABEL_HEIGHT
                page.text(left - _PAD, y + _LABEL_HEIGHT / 2, names[name], color=FAINT,
                          ha="right")  # fmt: skip
                self._draw_labels(page, line, left, y, name, labels, palette)
        if self.mistakes_:
            y = height - MARGIN - _LABEL_HEIGHT
            page.box(left + 1, y + 4, 14, _LABEL_HEIGHT - 8, fill=False,
                     edgecolor=_WRONG, linewidth=1.8)  # fmt: skip
            page.text(left + 20, y + _LABEL_HEIGHT / 2, note, color=FAINT, ha="left")
        return self

    def _wrong(self, i: int, t: int, label: str) -> bool:
        return self.y_true is not None and label != self.y_true[i][t]

    def _layout(self, rows: dict[str, list[list[str]]], room: float) -> list[_Line]:
        """Give every token a width, and break sequences into lines that fit."""
        lines = []
        for i, tokens in enumerate(self.tokens):
            first, edges = 0, [0.0]
            for t, token in enumerate(tokens):
                texts = [shorten(labels[i][t], _LABEL) for labels in rows.values()]
                if _is_image(token):
                    h, w = token.shape
                    cell = max(map(measure, texts))
                    cell = max(cell, _IMAGE_HEIGHT * w / h - _PAD)
                else:
                    cell = max(map(measure, [*texts, shorten(token, _TOKEN)]))
                cell += 2 * _PAD
                if t > first and edges[-1] + cell > room:
                    lines.append(_Line(i, first, t, edges))
                    first, edges = t, [0.0]
                edges.append(edges[-1] + cell)
            lines.append(_Line(i, first, len(tokens), edges))
        return lines

    def _palette(self, rows: dict[str, list[list[str]]]) -> dict[str, Look]:
        """One look per label, in the order in which the gold rows meet them."""
        seen = dict.fromkeys(
            label for labels in rows.values() for row in labels for label in row
        )
        parts = {label: label.partition("-") for label in seen}
        chunks = all(
            label == "O" or (tag in _CHUNK_TAGS and kind)
            for label, (tag, _, kind) in parts.items()
        )
        group = {
            label: parts[label][2] if chunks else label
            for label in seen
            if label != "O"
        }
        kinds = dict.fromkeys(group.values())
        styles = dict(zip(kinds, looks(len(kinds)), strict=True))
        out = {"O": Look(tint("#555555", 0.12), "")} if "O" in seen else {}
        for label, kind in group.items():
            color, hatch = styles[kind]
            strength = _CHUNK_TAGS[parts[label][0]] if chunks else 0.5
            out[label] = Look(tint(color, strength), hatch)
        return out

    def _draw_tokens(
        self, page: Page, line: _Line, left: float, top: float, head: float, cmap: Any
    ) -> None:
        for t, (a, b) in enumerate(pairwise(line.edges), start=line.first):
            token = self.tokens[line.sequence][t]
            middle = left + (a + b) / 2
            if not _is_image(token):
                page.text(middle, top + head / 2, shorten(token, _TOKEN))
                continue
            h, w = token.shape
            tall = head - 4.0
            wide = tall * w / h
            self.images_[line.sequence, t] = page.ax.imshow(
                token,
                cmap=cmap,
                extent=(middle - wide / 2, middle + wide / 2, top + tall, top),
                interpolation="nearest",
            )

    def _draw_labels(
        self,
        page: Page,
        line: _Line,
        left: float,
        y: float,
        name: str,
        labels: list[list[str]],
        palette: Mapping[str, Look],
    ) -> None:
        plain = Look(tint("#EEEEEE", 1.0), "")
        for t, (a, b) in enumerate(pairwise(line.edges), start=line.first):
            label = labels[line.sequence][t]
            area = left + a + 1, y + 1, b - a - 2, _LABEL_HEIGHT - 2
            look = palette.get(label, plain)
            self.cells_[name, line.sequence, t] = page.fill(*area, look)
            if self._wrong(line.sequence, t, label):
                page.box(*area, fill=False, edgecolor=_WRONG, linewidth=1.8, zorder=3)
            # The pattern ends where the label stands.
            behind = {"facecolor": look.color, "edgecolor": "none", "pad": 0.0}
            page.text(
                left + (a + b) / 2, y + _LABEL_HEIGHT / 2, shorten(label, _LABEL),
                zorder=4, bbox=behind if look.hatch else None,
            )  # fmt: skip

    def _note(self) -> str:
        counts = ", ".join(
            f"{shorten(name, _TOKEN)} {sum(key[0] == name for key in self.mistakes_)}"
            for name in self.y_pred
        )
        return f"differs from gold ({counts})"
