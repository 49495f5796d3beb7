"""What the benchmarks share: data, tables, JSON, memory and repeated timings."""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def data_folder(name: str) -> Path:
    """A folder of benchmark data, or an exit that says how to get it."""
    base = Path(os.environ.get("PYSTRUCT_EXT_DATA", ROOT / ".." / "shared" / "data"))
    folder = base / name
    if not folder.is_dir():
        sys.exit(
            f"benchmark data {name!r} not found in {base}: set PYSTRUCT_EXT_DATA to the "
            "folder that holds it"
        )
    return folder


def peak_mb() -> float:
    """Largest resident memory of this process so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 if sys.platform != "darwin" else 1024 * 1024)


def timed(function: Callable[[], Any], repeat: int = 1) -> tuple[float, Any]:
    """Median seconds of some calls, and the last result."""
    seconds, result = [], None
    for _ in range(repeat):
        began = time.perf_counter()
        result = function()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds), result


def show_table(title: str, rows: Sequence[dict[str, Any]]) -> None:
    """Print rows of equal keys as a Markdown table."""
    if not rows:
        return
    keys = list(rows[0])
    cells = [[_text(row.get(k)) for k in keys] for row in rows]
    widths = [max(len(k), *(len(c[j]) for c in cells)) for j, k in enumerate(keys)]
    print(f"\n### {title}\n")
    print(
        "| " + " | ".join(k.ljust(w) for k, w in zip(keys, widths, strict=True)) + " |"
    )
    print("|" + "|".join("-" * (w + 2) for w in widths) + "|")
    for c in cells:
        print(
            "| " + " | ".join(v.ljust(w) for v, w in zip(c, widths, strict=True)) + " |"
        )
    sys.stdout.flush()


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def write_json(name: str, result: dict[str, Any]) -> Path:
    """Write a result with the machine's description to benchmark-output/."""
    folder = ROOT / "benchmark-output"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.json"
    result = {
        "machine": platform.machine(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        **result,
    }
    path.write_text(json.dumps(result, indent=1, default=float) + "\n")
    print(f"\nwritten: {path.relative_to(ROOT)}")
    return path
