"""Every case in a process of its own: forked from one that has imported everything.

What a case does to memory, threads, signals or the current folder cannot reach the next one,
and the same seed and index give the same result. The parent watches the clock; a case that
ends without a word has crashed.
"""

from __future__ import annotations

import faulthandler
import gc
import json
import os
import random
import re
import resource
import selectors
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pystruct_ext

PACKAGE = str(Path(pystruct_ext.__file__).parent)
GIB = 1 << 30

# Seconds of its own processor time, seconds asleep, seconds in all: the machine may be busy.
HANG_CPU, HANG_ASLEEP, HANG_WALL = 20.0, 20.0, 180.0
# Groups whose cases wait for a process of their own, with a limit of their own.
PATIENT = ("process", "signal")
# Memory above what the process had before and the input's size.
MEMORY = GIB

FAILURES = ("crash", "hang", "memory", "traceback", "lost", "output")


class Finding(Exception):
    """A target says itself what is wrong.

    Parameters
    ----------
    category : {"crash", "hang", "memory", "traceback", "lost", "output"}
    message : str
    where : str
        Place in the package, or what was broken.
    """

    def __init__(
        self, category: str, message: str, where: str = "", kind: str = ""
    ) -> None:
        super().__init__(message)
        self.category = category
        self.where = where
        self.kind = kind or category


class Refused(Exception):
    """The package refused the input, as it may."""

    def __init__(self, error: BaseException | str) -> None:
        super().__init__(str(error))


@dataclass
class Case:
    """What a target gets.

    Attributes
    ----------
    rng : random.Random
        The only source of chance.
    folder : Path
        Empty, the current folder, for inputs and outputs.
    size : int
        Bytes of input, which the package may use in memory beside the limit.
    """

    rng: random.Random
    folder: Path
    notes: Path
    size: int = 0
    remarks: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Keep what is known of the input, also of a case that crashes."""
        with open(self.notes, "a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text + "\n")

    def write(self, name: str, data: bytes) -> str:
        """An input file; its name."""
        (self.folder / name).write_bytes(data)
        self.size += len(data)
        return name

    def remark(self, text: str) -> None:
        """Something that is not a failure, but not fine either."""
        self.remarks.append(text)


@dataclass
class Result:
    """What became of a case."""

    target: str
    index: int
    status: str  # accepted, refused, or one of FAILURES
    kind: str = ""
    where: str = ""
    message: str = ""
    trace: str = ""
    seconds: float = 0.0
    memory: int = 0
    remarks: list[str] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether this is a failure."""
        return self.status in FAILURES

    @property
    def group(self) -> tuple[str, str, str]:
        """Failures with the same of this are one in the report."""
        return self.status, self.kind, self.where


def place_of(error: BaseException) -> str:
    """File, line and function of the innermost frame inside the package."""
    found = ""
    for frame in traceback.extract_tb(error.__traceback__):
        name = frame.filename
        if name.startswith(PACKAGE) or name.startswith("pystruct_ext/"):
            short = name.removeprefix(PACKAGE + "/").removeprefix("pystruct_ext/")
            found = f"{short}:{frame.lineno} {frame.name}"
    return found or "outside of the package"


def _status(name: str) -> int:
    text = Path("/proc/self/status").read_text()
    found = re.search(rf"^{name}:\s*(\d+) kB", text, re.MULTILINE)
    return int(found.group(1)) * 1024 if found else 0


def _limit(limits: bool) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Should the parent be gone.
    resource.setrlimit(resource.RLIMIT_CPU, (60, 70))
    if limits:
        most = _status("VmSize") + 2 * GIB
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_FSIZE, (GIB, GIB))


def _in_child(
    target: Any, index: int, seed: int, home: Path, pipe: int, limits: bool
) -> None:
    """Run one case and tell the parent; never returns."""
    folder = home / "work"
    folder.mkdir()
    os.chdir(folder)
    console = os.open(home / "console.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(console, 1)
    os.dup2(console, 2)
    stack = open(home / "stack.txt", "w")  # noqa: SIM115  open until the process ends
    faulthandler.enable(stack)
    case = Case(
        random.Random(f"{seed}:{target.name}:{index}"), folder, home / "notes.txt"
    )
    result = Result(target.name, index, "accepted")
    _limit(limits)
    before = _status("VmRSS")
    began = time.process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            target.run(case)
        # A heap that was written beyond its blocks is noticed here.
        gc.collect()
        blocks = [bytearray(k) for k in range(1_000, 200_000, 9_999)]
        del blocks
    except Refused as refused:
        result.status, result.message = "refused", str(refused)[:2000]
    except Finding as finding:
        result.status, result.kind = finding.category, finding.kind
        result.where, result.message = finding.where, str(finding)[:2000]
        cause = finding.__cause__ or finding
        result.trace = "".join(traceback.format_exception(cause)[-40:])
    except MemoryError as error:
        result.status, result.kind = "memory", "MemoryError"
        result.where, result.message = place_of(error), str(error)[:2000]
        result.trace = "".join(traceback.format_exception(error)[-40:])
    except BaseException as error:
        result.status, result.kind = "traceback", type(error).__name__
        result.where, result.message = place_of(error), str(error)[:2000]
        result.trace = "".join(traceback.format_exception(error)[-40:])
    result.seconds = time.process_time() - began
    result.memory = max(0, _status("VmHWM") - before)
    if result.memory > MEMORY + case.size and not result.failed:
        result.status, result.kind, result.where = "memory", "resident", "?"
        result.message = f"{result.memory >> 20} MiB for {case.size} bytes of input"
    result.remarks = case.remarks
    text = json.dumps(vars(result)).encode()
    os.write(pipe, len(text).to_bytes(8, "little"))
    view = memoryview(text)
    while view:
        view = view[os.write(pipe, view) :]
    os._exit(0)


@dataclass
class _Running:
    target: Any
    index: int
    pid: int
    pipe: int
    home: Path
    began: float
    data: bytearray = field(default_factory=bytearray)
    killed: str = ""


def _cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_cases(
    cases: Iterable[tuple[Any, int]],
    seed: int,
    work: Path,
    jobs: int,
    limits: bool = True,
) -> Iterator[tuple[Result, Path]]:
    """Results as they come, each with the folder of the case, which is removed afterwards."""
    todo = iter(cases)
    # What was imported is not looked at again by every child's collector.
    gc.collect()
    gc.freeze()
    running: dict[int, _Running] = {}
    selector = selectors.DefaultSelector()
    number = 0
    ended = False
    try:
        while True:
            while not ended and len(running) < jobs:
                try:
                    target, index = next(todo)
                except StopIteration:
                    ended = True
                    break
                number += 1
                one = _start(target, index, seed, work / f"case{number}", limits)
                running[one.pipe] = one
                selector.register(one.pipe, selectors.EVENT_READ)
            if not running:
                return
            done = []
            for key, _ in selector.select(timeout=0.5):
                one = running[key.fd]
                chunk = os.read(one.pipe, 1 << 20)
                one.data += chunk
                if not chunk:
                    done.append(one)
            for one in running.values():
                _watch(one)
            for one in done:
                selector.unregister(one.pipe)
                del running[one.pipe]
                result = _end(one)
                yield result, one.home
                shutil.rmtree(one.home, ignore_errors=True)
    finally:
        for one in running.values():
            os.kill(one.pid, signal.SIGKILL)
            os.waitpid(one.pid, 0)
            os.close(one.pipe)


def _start(target: Any, index: int, seed: int, home: Path, limits: bool) -> _Running:
    home.mkdir()
    ours, theirs = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(ours)
            _in_child(target, index, seed, home, theirs, limits)
        finally:
            os._exit(70)
    os.close(theirs)
    return _Running(target, index, pid, ours, home, time.monotonic())


def _watch(one: _Running) -> None:
    wall = time.monotonic() - one.began
    if wall < HANG_CPU or one.killed == "twice":
        return
    cpu = _cpu(one.pid)
    if one.killed:
        if wall > float(one.killed) + 5:
            os.kill(one.pid, signal.SIGKILL)
            one.killed = "twice"
        return
    asleep = wall > HANG_ASLEEP and cpu < 0.5 and one.target.group not in PATIENT
    if cpu > HANG_CPU or asleep or wall > HANG_WALL:
        # The fault handler writes where it stands.
        os.kill(one.pid, signal.SIGABRT)
        one.killed = str(wall)


def _end(one: _Running) -> Result:
    os.close(one.pipe)
    _, status, usage = os.wait4(one.pid, 0)
    seconds = usage.ru_utime + usage.ru_stime
    if not one.killed and len(one.data) >= 8:
        size = int.from_bytes(one.data[:8], "little")
        if len(one.data) == 8 + size:
            return Result(**json.loads(one.data[8:]))
    stack = (
        (one.home / "stack.txt").read_text()
        if (one.home / "stack.txt").exists()
        else ""
    )
    console = _tail(one.home / "console.txt")
    result = Result(one.target.name, one.index, "crash", seconds=seconds)
    stack = re.sub(r"\nExtension modules: .*", "", stack)
    result.trace, result.where = stack + console, _place_in(stack)
    if result.where == "?":
        # Compiled code leaves no frame: what was called last.
        noted = _tail(one.home / "notes.txt").rstrip().split("\n")[-1]
        result.where = f"? after {re.split('[(=]', noted)[0][:60]}"
    if one.killed:
        result.status, result.kind = "hang", "hang"
        wall = time.monotonic() - one.began
        result.message = f"{seconds:.0f} s of processor time in {wall:.0f} s"
    elif os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        result.kind = signal.Signals(number).name
        result.message = console.strip()[-300:] or f"died of {result.kind}"
        if number == signal.SIGXCPU:
            result.status = "hang"
    else:
        result.kind = f"exit {os.WEXITSTATUS(status)}"
        result.message = f"the process ended by itself: {console.strip()[-300:]}"
    return result


def _tail(path: Path) -> str:
    return (
        path.read_text(encoding="utf-8", errors="replace")[-3000:]
        if path.exists()
        else ""
    )


def _place_in(stack: str) -> str:
    for name, line, function in re.findall(r'File "(.*?)", line (\d+) in (\S+)', stack):
        if name.startswith(PACKAGE):
            return f"{name.removeprefix(PACKAGE + '/')}:{line} {function}"
    return "?"


def keep(result: Result, home: Path, to: Path, replay: str) -> Path:
    """Copy what a failing case read and wrote, with a line how to run it again."""
    folder = to / f"{result.target.replace(':', '-')}-{result.index}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    # Sockets and pipes are left behind, outputs of gigabytes, too.
    for file in (home / "work").rglob("*") if (home / "work").exists() else ():
        if file.is_file() and not file.is_symlink() and file.stat().st_size < 64 << 20:
            copy = folder / "work" / file.relative_to(home / "work")
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
    notes = home / "notes.txt"
    text = notes.read_text(encoding="utf-8") if notes.exists() else ""
    (folder / "case.txt").write_text(
        f"{replay}\n\n{result.status} {result.kind} at {result.where}\n{result.message}\n\n"
        f"{text}\n{result.trace}\n",
        encoding="utf-8",
        errors="backslashreplace",
    )
    return folder
