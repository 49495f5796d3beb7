"""This checkout against another one, in turn: is anything slower, is any result different?

    python benchmarks/alternate.py OTHER [--runs 5] [NAME ...]

OTHER is a folder with a built checkout and its ``.venv``. The workloads of `workloads.py` run
in processes of their own, other, this, other, this, ...; the table has the medians, their ratio
(this / other; below 1 is faster), and objective and score of both.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

from _common import show_table, write_json

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


def run(root, names):
    """Rows of one pass in a checkout."""
    python = root / ".venv" / "bin" / "python"
    done = subprocess.run(
        [str(python), str(HERE / "workloads.py"), *names],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{root}: {done.stderr}")
    return [
        json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")
    ]


def main():
    """Alternate, and show."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_intermixed_args()
    seen: dict = {}
    for _ in range(args.runs):
        for which, root in (("other", args.other.resolve()), ("this", ROOT)):
            for row in run(root, args.names):
                entry = seen.setdefault(row["name"], {"other": [], "this": []})
                entry[which].append(row)
    rows = []
    for name, entry in seen.items():
        median = {
            k: statistics.median(r["seconds"] for r in v) for k, v in entry.items()
        }
        pairs = [
            b["seconds"] / a["seconds"]
            for a, b in zip(entry["other"], entry["this"], strict=True)
        ]
        last = {k: v[-1] for k, v in entry.items()}
        rows.append(
            {
                "workload": name,
                "other s": median["other"],
                "this s": median["this"],
                "ratio": statistics.median(pairs),
                "least": min(pairs),
                "most": max(pairs),
                "objective, other": last["other"]["objective"],
                "objective, this": last["this"]["objective"],
                "score, other": last["other"]["score"],
                "score, this": last["this"]["score"],
            }
        )
    show_table(f"this / other, median of {args.runs} pairs", rows)
    write_json("alternate", {"rows": rows})


if __name__ == "__main__":
    main()
