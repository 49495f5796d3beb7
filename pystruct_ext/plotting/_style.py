"""What the displays share: the optional import, colours, and a quiet look for axes."""

from __future__ import annotations

from typing import Any

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
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", (0, (5, 1.5)), (0, (1, 1.2)), (0, (6, 1.5, 1, 1.5)))
INK = "#222222"
FAINT = "#8A8A8A"
GRID = "#E3E3E3"


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


def tint(color: str, strength: float) -> tuple[float, float, float]:
    """Blend a colour with white; strength 1 keeps it, 0 gives white."""
    from matplotlib.colors import to_rgb

    red, green, blue = to_rgb(color)
    return (
        1 - strength * (1 - red),
        1 - strength * (1 - green),
        1 - strength * (1 - blue),
    )
