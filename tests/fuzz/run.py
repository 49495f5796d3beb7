"""Run mutated inputs over all readers, verbs and models, and say what broke.

    python tests/fuzz/run.py --cases 10000              # make fuzz; about 15 minutes on 2 cores
    python tests/fuzz/run.py --only reader:             # all readers
    python tests/fuzz/run.py --only load:sequence --cases 500 --start 500
    python tests/fuzz/run.py --only reader:read_conllu --index 123   # one case again, in full

A case is a target, a seed and an index: the same three give the same input for the same code.
Failing inputs are kept, with the line that runs them again, under ``--failures``. The exit code
is 1 if anything crashed, hung, leaked an exception, took too much memory, or lost something.

Targets
-------
reader:NAME     every public ``read_*`` and ``iter_*`` of ``pystruct_ext.io``; what was read
                is written and read again where there is a writer
learn:KIND, predict:KIND, evaluate:KIND, inspect:KIND
                the verbs of the command line for every structure, in this process; mutated
                data, models and flags
load:KIND       mutated model files: load, predict, save; "v1" are those of format version 1
fit:KIND        mutated Python objects and parameters for the estimator
oracle:KIND     wrong codes, blocks, weights and scores for the compiled oracle
process:KIND    true processes: files, standard input, FIFOs, closed outputs
signal:KIND     signals at any moment; depends on the clock, so only with ``--only``

What a failure is
-----------------
crash           the process died of a signal
hang            20 s of processor time, or 20 s without any
memory          MemoryError (at 2 GiB of address space more), or 1 GiB more resident than
                before beside the size of the input
traceback       an exception other than ValueError, TypeError and OSError, which for ``load``
                must be ModelFileError; exit code 1 of a verb
lost            what was written is not what was read, or cannot be read at all
output          more than one line of error, files left behind, NaN learnt or in JSON

Remarks (``--remarks``) are no failures: messages that do not name the file, that are very long
or hold control characters, or that Python wrote rather than the package.

How it works
------------
The package is imported once; every case is a fork of that process. Where glibc has
``libc_malloc_debug``, it checks the heap of every case. To look deeper, build as
``csrc/tests/run_sanitized.sh`` does and run with ``--no-limits`` under its ``LD_PRELOAD``.
``mutate.py`` changes bytes and text, ``archives.py`` model files, ``objects.py`` Python
objects; ``seeds.py`` makes what they begin with, ``targets.py`` says what is called and what
may come back, ``engine.py`` forks and watches.
"""

from __future__ import annotations

import argparse
import glob
import os
import re
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine import Result

HERE = Path(__file__).resolve().parent
LIBRARIES = (
    "/lib/*-linux-gnu*",
    "/usr/lib/*-linux-gnu*",
    "/lib64",
    "/usr/lib64",
    "/usr/lib",
)


def _environment() -> None:
    """Start again with one thread a process, a checking heap and the package's own folder."""
    if os.environ.get("PYSTRUCT_EXT_FUZZ") == "started":
        return
    env = dict(os.environ, PYSTRUCT_EXT_FUZZ="started")
    for name in ("OMP", "OPENBLAS", "MKL"):
        env[f"{name}_NUM_THREADS"] = "1"
    env.setdefault("PYTHONHASHSEED", "0")
    # The tree that this file belongs to, unless the caller says which.
    env.setdefault("PYTHONPATH", str(HERE.parent.parent))
    checkers = [p for f in LIBRARIES for p in glob.glob(f"{f}/libc_malloc_debug.so.0")]
    if checkers and "LD_PRELOAD" not in env:
        env.update(LD_PRELOAD=checkers[0], MALLOC_CHECK_="3", MALLOC_PERTURB_="165")
    os.execve(
        sys.executable, [sys.executable, str(HERE / "run.py"), *sys.argv[1:]], env
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--cases", type=int, default=1000, help="over all targets (1000)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--start", type=int, default=0, help="first index of every target"
    )
    parser.add_argument(
        "--only", action="append", metavar="TARGET", help="or its beginning"
    )
    parser.add_argument("--index", type=int, help="this case of the targets, in full")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--failures", type=Path, default=HERE / "failures", metavar="FOLDER"
    )
    parser.add_argument(
        "--remarks", action="store_true", help="list what is not fine either"
    )
    parser.add_argument(
        "--no-limits", action="store_true", help="no limit of address space"
    )
    parser.add_argument(
        "--self-test", action="store_true", help="what the harness notices"
    )
    parser.add_argument("--list", action="store_true", help="the targets")
    return parser.parse_args()


def _plan(
    targets: list[Any],
    args: argparse.Namespace,
    shares: dict[str, float],
    dear: tuple[str, ...],
) -> list[Any]:
    """Pairs of target and index: shares of the groups, evenly within each, interleaved."""
    if args.index is not None:
        return [(t, args.index) for t in targets]
    of_group = defaultdict(list)
    for target in targets:
        of_group[target.group].append(target)
    total = sum(shares[g] for g in of_group) or 1.0
    plan = []
    for group, members in of_group.items():
        share = shares[group] / total if total != 1.0 or shares[group] else 1.0
        for k, target in enumerate(members):
            # Whole numbers that add up.
            count = round(args.cases * share)
            here = count * (k + 1) // len(members) - count * k // len(members)
            # True processes take seconds each: few of them in a small budget.
            if group not in dear and args.cases >= len(targets):
                here = max(here, 1)
            plan += [((j + 0.5) / here, target, args.start + j) for j in range(here)]
    plan.sort(key=lambda item: (item[0], item[1].name))
    return [(target, index) for _, target, index in plan]


def _table(results: list[Result], failures: tuple[str, ...]) -> str:
    head = ["target", "cases", "accepted", "refused", *failures, "slowest", "memory"]
    rows: dict[str, list[Result]] = defaultdict(list)
    for r in results:
        rows[r.target].append(r)
    lines = [head]
    groups: dict[str, list[Result]] = defaultdict(list)
    for name in sorted(rows):
        groups[name.partition(":")[0]] += rows[name]
        lines.append(_row(name, rows[name], failures))
    lines += [_row(f"all {g}", groups[g], failures) for g in groups]
    lines.append(_row("all", results, failures))
    widths = [max(len(line[k]) for line in lines) for k in range(len(head))]
    return "\n".join(
        "  ".join(
            c.ljust(w) if k == 0 else c.rjust(w)
            for k, (c, w) in enumerate(zip(x, widths, strict=True))
        )
        for x in lines
    )


def _row(name: str, results: list[Result], failures: tuple[str, ...]) -> list[str]:
    counts = Counter(r.status for r in results)
    numbers = [counts[s] for s in ("accepted", "refused", *failures)]
    slowest = max((r.seconds for r in results), default=0.0)
    memory = max((r.memory for r in results), default=0)
    cells = [str(n) if n else "." for n in numbers]
    return [name, str(len(results)), *cells, f"{slowest:.1f} s", f"{memory >> 20} MiB"]


def _groups(failed: list[Result], replay: Any) -> str:
    """Failures of one kind at one place are one paragraph."""
    found: dict[Any, list[Result]] = defaultdict(list)
    for r in failed:
        found[r.group].append(r)
    out = []
    for group, members in sorted(
        found.items(), key=lambda item: (item[0][0], -len(item[1]))
    ):
        first = min(members, key=lambda r: (r.target, r.index))
        status, kind, where = group
        names = Counter(r.target for r in members)
        text = " ".join(first.message.split())[:240]
        out.append(
            f"{len(members):5d}  {status}: {kind} at {where}\n"
            f"       {text}\n"
            f"       {', '.join(f'{n} {c}' for n, c in names.most_common(6))}"
            f"{' ...' if len(names) > 6 else ''}\n"
            f"       {replay(first)}"
        )
    return "\n".join(out)


def main() -> int:
    """Plan, run, report."""
    args = _arguments()
    if not (hasattr(os, "fork") and Path("/proc/self/status").exists()):
        sys.stdout.write(
            "the fuzz harness needs fork and /proc: not run on this system\n"
        )
        return 0
    _environment()
    sys.path.insert(0, str(HERE))
    import engine
    import seeds as seeding
    import targets as targeting

    say = sys.stdout.write
    began = time.monotonic()
    seeds = seeding.make()
    if args.self_test:
        import selftest

        with tempfile.TemporaryDirectory(prefix="fuzz") as work:
            wrong = selftest.run(seeds, Path(work), Path(work) / "failures")
        say("".join(f"self-test: {line}\n" for line in wrong))
        if wrong:
            return 1
        say("self-test: the harness notices all of it\n")
    if args.cases >= 2000 and args.index is None:
        seeds.learn_all()
    targets = targeting.all_targets(seeds)
    if args.only:
        targets = [t for t in targets if any(t.name.startswith(o) for o in args.only)]
    else:
        targets = [t for t in targets if targeting.SHARES[t.group]]
    if not targets:
        say(f"no target begins with {args.only}\n")
        return 2
    if args.list:
        say("".join(f"{t.name}\n" for t in targets))
        return 0
    say(
        f"{engine.PACKAGE}: {len(targets)} targets, {time.monotonic() - began:.1f} s to begin\n"
    )

    def replay(r: Result) -> str:
        case = f"--seed {args.seed} --only {r.target} --index {r.index}"
        return f"python tests/fuzz/run.py {case}"

    results: list[Result] = []
    kept: Counter[Any] = Counter()
    plan = _plan(targets, args, targeting.SHARES, engine.PATIENT)
    with tempfile.TemporaryDirectory(prefix="fuzz") as work:
        done = engine.run_cases(
            plan, args.seed, Path(work), args.jobs, not args.no_limits
        )
        for result, home in done:
            results.append(result)
            if result.failed:
                kept[result.group, result.target] += 1
                if kept[result.group, result.target] <= 2 or args.index is not None:
                    engine.keep(result, home, args.failures, replay(result))
            if args.index is not None:
                notes = home / "notes.txt"
                say(notes.read_text(encoding="utf-8") if notes.exists() else "")
                say(f"{result.status} {result.kind} {result.where}\n{result.message}\n")
                say("".join(f"remark: {x}\n" for x in result.remarks))
                say(
                    f"{result.trace}\n{result.seconds:.2f} s, {result.memory >> 20} MiB\n"
                )
            elif sys.stdout.isatty() and len(results) % 50 == 0:
                say(f"\r{len(results)} of {len(plan)}")
                sys.stdout.flush()
    failed = [r for r in results if r.failed]
    say(f"\n{_table(results, engine.FAILURES)}\n")
    if args.remarks:
        remarks: dict[str, list[Result]] = defaultdict(list)
        for r in results:
            for x in r.remarks:
                text = re.sub(r"\d+", "#", f"{r.target.partition(':')[0]}: {x[:130]}")
                remarks[text].append(r)
        say("\nremarks\n")
        for text, members in sorted(remarks.items(), key=lambda item: -len(item[1])):
            say(
                f"{len(members):5d}  {text!r}  ({members[0].target} {members[0].index})\n"
            )
    if failed:
        say(f"\n{len(failed)} failures; the inputs are in {args.failures}\n")
        say(_groups(failed, replay) + "\n")
    n_remarks = sum(len(r.remarks) for r in results)
    wall = time.monotonic() - began
    say(
        f"\n{len(results)} cases, {len(failed)} failures, {n_remarks} remarks, {wall:.0f} s\n"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
