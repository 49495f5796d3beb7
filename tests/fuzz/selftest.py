"""Targets that break every rule, to see that the harness notices."""

from __future__ import annotations

import ctypes
import os
import random
import shutil
import time
from pathlib import Path
from typing import Any

import archives
import engine
import mutate
import objects
import seeds as seeding
from engine import Case, Finding, Refused, Result
from targets import Target


def _accepted(case: Case) -> None:
    case.note("nothing")


def _refused(case: Case) -> None:
    raise Refused("no")


def _crash(case: Case) -> None:
    ctypes.string_at(1)


def _exit(case: Case) -> None:
    os._exit(0)


def _busy(case: Case) -> None:
    while True:
        pass


def _asleep(case: Case) -> None:
    time.sleep(60)


def _resident(case: Case) -> None:
    b"x" * (96 << 20)


def _asked(case: Case) -> None:
    bytearray(1 << 40)


def _leak(case: Case) -> None:
    {}["x"]


def _lost(case: Case) -> None:
    case.write("x", b"input")
    raise Finding("lost", "gone")


EXPECTED = {
    _accepted: "accepted",
    _refused: "refused",
    _crash: "crash",
    _exit: "crash",
    _busy: "hang",
    _asleep: "hang",
    _resident: "memory",
    _asked: "memory",
    _leak: "traceback",
    _lost: "lost",
}


def run(seeds: seeding.Seeds, work: Path, failures: Path) -> list[str]:
    """What the harness did not notice, or did not do twice in the same way."""
    limits = engine.HANG_CPU, engine.HANG_ASLEEP, engine.MEMORY
    engine.HANG_CPU, engine.HANG_ASLEEP = 0.5, 3.0
    engine.MEMORY = 64 << 20
    try:
        return _run(seeds, work, failures)
    finally:
        engine.HANG_CPU, engine.HANG_ASLEEP, engine.MEMORY = limits


def _run(seeds: seeding.Seeds, work: Path, failures: Path) -> list[str]:
    targets = {Target("self", f.__name__, f): status for f, status in EXPECTED.items()}
    wrong = []
    seen: dict[str, Result] = {}
    for result, home in engine.run_cases([(t, 0) for t in targets], 0, work, 4):
        seen[result.target] = result
        if result.failed:
            folder = engine.keep(result, home, failures, "again")
            if not (folder / "case.txt").read_text().startswith("again\n"):
                wrong.append(f"{result.target}: case.txt")
    for target, status in targets.items():
        found = seen[target.name].status
        if found != status:
            wrong.append(f"{target.name}: {found}, expected {status}")
    if (failures / "self-_lost-0" / "work" / "x").read_bytes() != b"input":
        wrong.append("the input is not kept")
    shutil.rmtree(failures)
    first, second = (_inputs(seeds) for _ in range(2))
    wrong += [f"input {k} differs" for k in range(len(first)) if first[k] != second[k]]
    return wrong


def _inputs(seeds: seeding.Seeds) -> list[Any]:
    models = [s.models[0].data for s in seeds.structures.values()]
    out: list[Any] = []
    for index in range(60):
        rng = random.Random(f"0:self:{index}")
        out.append(mutate.mutate(rng, rng.choice(seeds.any_format).data))
        out.append(archives.mutate_model(rng, rng.choice(models), models))
        out.append(
            objects.show(objects.mutate(rng, [[1.0, "a"], {"b": 2}])).split(" at 0x")[0]
        )
    return out
