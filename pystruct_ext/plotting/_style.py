"""What the displays share: the optional import, colours, and a quiet look for axes."""

from __future__ import annotations

from typing import Any, NamedTuple

# Okabe and Ito (2008), told apart under the common forms of colour blindness; ordered so
# that the first few also differ in lightness. Their yellow is too pale for lines.
PALETTE = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#555555",
)
# Mistakes have one colour each in all displays.
WRONG, MISSED = PALETTE[1], PALETTE[0]
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", (0, (5, 1.5)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)))
BROKEN = (0, (4, 2))
# Patterns tell apart what has one colour, also without colours.
HATCHES = ("", "///", "...", "\\\\\\", "xxx", "---", "|||", "ooo")
_STRENGTHS = (1.0, 0.62, 0.34)
INK = "#222222"
FAINT = "#767676"
GRID = "#E3E3E3"


class Look(NamedTuple):
    """How the areas of one label are filled: a colour and a pattern."""

    color: tuple[float, float, float]
    hatch: str


def import_pyplot() -> Any:
    """Import matplotlib.pyplot, or say how to get it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "plotting needs matplotlib: pip install pystruct-ext[plot]"
        ) from error
    return plt


def calm(ax: Any, *, grid: str = "both") -> None:
    """Drop the box around the axes and lighten ticks and grid."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(FAINT)
    ax.tick_params(which="both", color=FAINT, labelcolor=INK, labelsize=9)
    ax.grid(True, which="major", axis=grid, color=GRID, linewidth=0.8)
    ax.set_axisbelow(True)


def tint(color: Any, strength: float) -> tuple[float, float, float]:
    """Blend a colour with white; strength 1 keeps it, 0 gives white."""
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(color)
    return (
        1 - strength * (1 - red),
        1 - strength * (1 - green),
        1 - strength * (1 - blue),
    )


def looks(n: int) -> list[Look]:
    """Different looks, n of them: colours first, then patterns, then paler colours.

    Beyond 168, more than anybody can tell apart, a sequential map keeps them different.
    """
    kinds = len(PALETTE) * len(HATCHES)
    if n > kinds * len(_STRENGTHS):
        from matplotlib import colormaps

        steps = colormaps["cividis"].resampled(n)
        return [Look(steps(k)[:3], "") for k in range(n)]
    return [
        Look(
            tint(PALETTE[k % len(PALETTE)], _STRENGTHS[k // kinds]),
            HATCHES[k // len(PALETTE) % len(HATCHES)],
        )
        for k in range(n)
    ]


def line_look(k: int) -> dict[str, Any]:
    """Colour, marker and dashes of the k-th curve; they differ up to the 196th."""
    turn = k // len(PALETTE)
    return {
        "color": PALETTE[k % len(PALETTE)],
        "marker": MARKERS[(k + turn) % len(MARKERS)],
        "linestyle": DASHES[k % len(DASHES)],
    }
