"""Label sets, graphs, matchings, clusters, hidden variables: every `structures_*.py` in turn.

    python benchmarks/structures.py                  # all of them
    python benchmarks/structures.py decoders graph   # some
    python benchmarks/structures.py --list

Each is a program of its own with its own options; this one runs them with their defaults, one
process each, and says at the end which of them failed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
PROGRAMS = {p.stem.removeprefix("structures_"): p for p in HERE.glob("structures_*.py")}


def main() -> int:
    """Exit code: how many programs failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    parser.add_argument("--list", action="store_true", help="what there is")
    args = parser.parse_args()
    unknown = sorted(set(args.names) - set(PROGRAMS))
    if unknown:
        parser.error(f"{', '.join(unknown)}: expected {', '.join(sorted(PROGRAMS))}")
    names = args.names or sorted(PROGRAMS)
    if args.list:
        print("\n".join(names))
        return 0
    failed = []
    for name in names:
        print(f"\n## {name}\n", flush=True)
        start = time.perf_counter()
        code = subprocess.run([sys.executable, PROGRAMS[name]], check=False).returncode
        print(f"\n{name}: {time.perf_counter() - start:.0f} s in all", flush=True)
        if code:
            failed.append(f"{name} (exit code {code})")
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
