"""What is fuzzed: readers, verbs of the command line, model files, objects, oracles.

Everything is found in the package itself: a new reader, structure, flag or method is fuzzed
without a line here.
"""

from __future__ import annotations

import contextlib
import gzip
import inspect
import io
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import archives
import mutate
import numpy as np
import objects
import seeds as seeding
from engine import Case, Finding, Refused, place_of
from scipy import sparse

import pystruct_ext
from pystruct_ext import ModelFileError
from pystruct_ext import io as readers
from pystruct_ext.cli.main import build_parser, main
from pystruct_ext.structures import STRUCTURES, structure_of

# Share of the cases.
SHARES = {
    "reader": 0.28,
    "learn": 0.10,
    "predict": 0.13,
    "evaluate": 0.07,
    "inspect": 0.05,
    "load": 0.19,
    "fit": 0.12,
    "oracle": 0.045,
    "process": 0.015,
    "signal": 0.0,  # depends on the clock: only when asked for by name
}

# What Python and NumPy say by accident rather than the package on purpose.
_ACCIDENT = re.compile(
    r"not supported between|object is not|has no attribute|unsupported operand|"
    r"positional argument|must be real number|out of bounds for|index out of range|"
    r"could not be broadcast|could not broadcast|unhashable|cannot unpack|values to unpack|"
    r"zip\(\) argument|^object of type|inhomogeneous|division by zero|^math |setting an array|"
    r"ufunc|Python int too large|NoneType|expected str instance|embedded null|"
    r"not JSON serializable|too many values|can't convert|int\(\) argument|float\(\) argument"
)


@dataclass(frozen=True)
class Target:
    """A name, and what a case of it does."""

    group: str
    what: str
    run: Callable[[Case], None]

    @property
    def name(self) -> str:
        """Group and what."""
        return f"{self.group}:{self.what}"


def all_targets(seeds: seeding.Seeds) -> list[Target]:
    """Every reader, verb of every structure, model, estimator and oracle."""
    out = [
        Target("reader", n, partial(_read, seeds, n, f)) for n, f in _readers().items()
    ]
    for name, structure in STRUCTURES.items():
        own = _Structure(structure, seeds)
        for group in SHARES:
            if group != "reader":
                out.append(Target(group, name, getattr(own, group)))
    out.append(Target("load", "v1", partial(_load_old, seeds)))
    return out


def _readers() -> dict[str, Callable[..., Any]]:
    found = {}
    for name in readers.__all__:
        function = getattr(readers, name)
        if name.startswith(("read_", "iter_")) and callable(function):
            found[name] = function
    return found


def _refusal(
    case: Case, error: BaseException | str, file: str | None = None
) -> Refused:
    """Remarks on what a refusal says."""
    text = str(error)
    if _ACCIDENT.search(text):
        case.remark(f"accidental message: {text[:160]}")
    if file is not None and file not in text and "stdin" not in text:
        case.remark(f"does not name the file: {text[:160]}")
    if len(text) > 1000:
        case.remark(f"a message of more than 1000 characters: {text[:60]}...")
    if re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text):
        case.remark(f"control characters in the message: {text[:160]!r}")
    if not text.strip():
        case.remark(f"an empty {type(error).__name__}")
    return Refused(error)


# ---------------------------------------------------------------------------- readers

_KWARGS: dict[str, tuple[Any, ...]] = {
    "comment": ("#", "", "##", "\n", "é"),
    "sep": (" ", "\t", "", ",", "ab", "\n", "é"),
    "n_features": (0, -1, 1, 3, 100),
    "on_error": ("skip", "skip", "raise", "x"),
}


def _kwargs(rng: random.Random, function: Callable[..., Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for p in list(inspect.signature(function).parameters.values())[1:]:
        if rng.random() < 0.8 or p.kind is p.VAR_KEYWORD:
            continue
        if isinstance(p.default, bool):
            out[p.name] = not p.default
        elif p.name in _KWARGS:
            out[p.name] = rng.choice(_KWARGS[p.name])
    return out


def _mutated(
    case: Case, seeds: list[seeding.Seed], others: list[seeding.Seed]
) -> seeding.Seed:
    """A seed with something wrong, or at times one of another format."""
    rng = case.rng
    seed = rng.choice(others) if rng.random() < 0.04 else rng.choice(seeds)
    suffix = rng.choice(others).suffix if rng.random() < 0.03 else seed.suffix
    if rng.random() < 0.04:
        case.note("data: as they are")
        return seeding.Seed(suffix, seed.data)
    data, names = mutate.mutate(rng, seed.data)
    case.note(f"data: {', '.join(names)}")
    return seeding.Seed(suffix, data)


@contextlib.contextmanager
def _stdin(data: bytes) -> Iterator[None]:
    before = sys.stdin
    raw: Any = io.BytesIO(data)
    sys.stdin = io.TextIOWrapper(io.BufferedReader(raw), encoding="utf-8")
    try:
        yield
    finally:
        sys.stdin = before


def _write_ambient(case: Case, folder: str) -> str:
    rng = case.rng
    os.mkdir(case.folder / folder)
    files = seeding.TEXTS["ambient"]
    wrong = rng.choice(files)[0] if rng.random() < 0.95 else ""
    gone = wrong if rng.random() < 0.03 else ""
    for name, text in files:
        data = text.encode()
        if name == wrong:
            data, names = mutate.mutate(rng, data)
            case.note(f"{name}: {', '.join(names)}")
        if name != gone:
            case.write(f"{folder}/{name}", data)
    return folder


def _read(
    seeds: seeding.Seeds, name: str, function: Callable[..., Any], case: Case
) -> None:
    rng = case.rng
    kwargs = _kwargs(rng, function)
    stem = name.partition("_")[2]
    if "ambient" in seeding.OF_READER.get(stem, ()):
        path, data = _write_ambient(case, "folder"), b""
    else:
        known = seeding.OF_READER.get(stem)
        own = (
            [s for f in known for s in seeds.formats[f]] if known else seeds.any_format
        )
        seed = _mutated(case, own, seeds.any_format)
        data = seed.data
        path = case.write("x" + seed.suffix, data)
    stdin = data and rng.random() < 0.08
    source: Any = "-" if stdin else path
    if not stdin and rng.random() < 0.1:
        source = Path(path)
    case.note(f"{name}({source!r}, {kwargs})")
    try:
        with _stdin(data):
            value = function(source, **kwargs)
            if isinstance(value, Iterator):
                value = list(value)
    except (ValueError, TypeError, OSError) as error:
        if isinstance(error, TypeError):
            case.remark(f"TypeError at {place_of(error)}: {error}"[:200])
        file = None if kwargs else "-" if stdin else path
        raise _refusal(case, error, file) from error
    if data and not stdin and rng.random() < 0.4:
        _check_same(case, partial(function, **kwargs), value, data, path)
    back = _BACK.get(name)
    if back is not None and not kwargs and not stdin:
        _check_back(case, back, function, value, "back" + Path(path).suffix)


_SAME: dict[str, tuple[Callable[[bytes], bytes], bool]] = {
    # What does not change a text, and whether it may be refused all the same.
    "a byte-order mark": (lambda d: b"\xef\xbb\xbf" + d, True),
    "CRLF": (lambda d: d.replace(b"\n", b"\r\n"), True),
    "gzip": (lambda d: gzip.compress(d, 1, mtime=0), False),
    "no line end at the end": (lambda d: d.rstrip(b"\n"), False),
    "a blank line at the end": (lambda d: d + b"\n\n", False),
}


def _check_same(
    case: Case, function: Callable[[Any], Any], value: Any, data: bytes, path: str
) -> None:
    """Byte-order mark, line ends and compression are not part of what is read."""
    if (
        data[:2] == b"\x1f\x8b"
        or data[:3] == b"\xef\xbb\xbf"
        or b"\r" in data
        or len(data) > 10**6
    ):
        return
    name = case.rng.choice(list(_SAME))
    change, may_refuse = _SAME[name]
    reader = function.func.__name__  # type: ignore[attr-defined]
    if reader in ("read_lines", "read_pharaoh") and "line" in name:
        return  # a line is a record, and an empty one is an empty record
    try:
        # Under the same name, which may be part of what is read.
        Path(path).write_bytes(change(data))
        other = function(path)
        if isinstance(other, Iterator):
            other = list(other)
    except ValueError as error:
        if may_refuse:
            return
        raise Finding("lost", f"with {name} it is refused: {error}", reader) from error
    finally:
        Path(path).write_bytes(data)
    if not same(_view(value), _view(other)):
        seen = str(_view(other))[:300]
        text = f"with {name} {str(_view(value))[:300]!r} becomes {seen!r}"
        raise Finding("lost", text, reader, f"lost by {name}")


def _view(value: Any) -> Any:
    return _columns(value) if hasattr(value, "n_columns") else value


def _check_back(
    case: Case,
    back: Callable[[str, Any], Any],
    function: Callable[..., Any],
    value: Any,
    path: str,
) -> None:
    """What was read, written and read again is the same."""
    try:
        expected, view = back(path, value)
    except (ValueError, TypeError) as error:
        if _ACCIDENT.search(str(error)):
            text = f"what was read does not fit together: {error}"
            raise Finding("lost", text, function.__name__) from error
        case.remark(f"read, but cannot be written: {error}"[:200])
        return
    if expected is None:
        return
    try:
        again = view(function(path))
    except ValueError as error:
        raise Finding(
            "lost", f"what was written is refused: {error}", function.__name__
        ) from error
    if not same(expected, again):
        raise Finding(
            "lost",
            f"read again it is another: {str(expected)[:300]!r} became {str(again)[:300]!r}",
            function.__name__,
        )


def _columns(table: Any) -> list[Any]:
    return [table.column(j) for j in range(table.n_columns)]


def _conll_back(path: str, table: Any) -> Any:
    labels = [["L" for _ in s] for s in table.column(0)]
    readers.write_conll(path, table, labels, sep=" ")
    return [*_columns(table), labels], _columns


def _conllu_back(path: str, bank: Any) -> Any:
    if bank.dependencies is None:
        return None, None
    readers.write_conllu(path, bank, bank.dependencies)
    return (bank.sentences, bank.dependencies), lambda b: (b.sentences, b.dependencies)


def _folds_back(path: str, data: Any) -> Any:
    if data.folds is None:
        return None, None
    if path.endswith((".csv", ".gz")) or (path.endswith(".bpseq") and len(data) != 1):
        return None, None

    def view(d: Any) -> Any:
        return (d.names, d.sequences, d.folds)

    readers.write_folds(path, data.names, data.sequences, data.folds)
    return view(data), view


def _alignments_back(path: str, data: Any) -> Any:
    if not data.aligned:
        return None, None

    def view(d: Any) -> Any:
        return (d.names, d.pairs, d.alignments)

    readers.write_alignments(path, data.names, data.pairs, data.alignments)
    return view(data), view


def _graphs_back(path: str, data: Any) -> Any:
    def view(d: Any) -> Any:
        names = ("edges", "edge_features", "node_types", "edge_types", "shape", "names")
        graphs = [[getattr(g, name) for name in ("features", *names)] for g in d.graphs]
        weights = [g.node_weights for g in d.graphs]
        return graphs, weights, None if d.labels is None else list(map(list, d.labels))

    readers.write_graphs(path, data.graphs, data.labels)
    return view(data), view


def _matchings_back(path: str, data: Any) -> Any:
    def view(d: Any) -> Any:
        # What has features for no pair at all has no width either.
        full = [x for x in d.problems if len(x)]
        return (d.ids, d.links, [(x.shape, x.pairs, x.features) for x in full])

    readers.write_matchings(path, data.problems, data.links, data.ids)
    return view(data), view


def _pair_graphs_back(path: str, data: Any) -> Any:
    def view(d: Any) -> Any:
        return (
            [(g.n, g.items, g.name, g.pairs, g.features) for g in d.graphs],
            d.clusters,
        )

    readers.write_pair_graphs(path, data.graphs, data.clusters)
    return view(data), view


def _letor_back(path: str, data: Any) -> Any:
    def view(d: Any) -> Any:
        # Columns of zeros at the end are not in a file.
        X = np.asarray(d.X)
        used = np.flatnonzero(X.any(axis=0)).max(initial=-1) + 1
        return (X[:, :used].tolist(), d.y.tolist(), d.qid.tolist(), list(d.comments))

    readers.write_letor(path, data.X, data.y, data.qid, data.comments)
    return view(data), view


def _plain_back(write: Callable[..., None]) -> Callable[[str, Any], Any]:
    def back(path: str, value: Any) -> Any:
        write(path, value)
        return value, lambda v: v

    return back


_BACK: dict[str, Callable[[str, Any], Any]] = {
    "read_conll": _conll_back,
    "read_conllu": _conllu_back,
    "read_folds": _folds_back,
    "read_alignments": _alignments_back,
    "read_graphs": _graphs_back,
    "read_pair_graphs": _pair_graphs_back,
    "read_letor": _letor_back,
    "read_matchings": _matchings_back,
    "read_pharaoh": _plain_back(readers.write_pharaoh),
    "read_brackets": _plain_back(readers.write_brackets),
    "read_run": _plain_back(readers.write_run),
    "read_qrels": _plain_back(readers.write_qrels),
    "read_diversity_qrels": _plain_back(partial(readers.write_diversity_qrels)),
}


def same(a: Any, b: Any) -> bool:
    """Equality through and through; NaN equals NaN, and depth does not matter."""
    stack = [(a, b)]
    while stack:
        a, b = stack.pop()
        if sparse.issparse(a):  # as wide as one index says; never made dense
            if not sparse.issparse(b) or a.shape != b.shape:
                return False
            a, b = (sparse.csr_array(m) for m in (a, b))
            stack += [(a.indptr, b.indptr), (a.indices, b.indices)]
            a, b = a.data, b.data
        if isinstance(a, np.ndarray):
            a, b = a.tolist(), b.tolist()
        if isinstance(a, (list, tuple)):
            if not isinstance(b, (list, tuple)) or len(a) != len(b):
                return False
            stack += zip(a, b, strict=True)
        elif isinstance(a, Mapping):
            if list(a) != list(b):
                return False
            stack += [(a[k], b[k]) for k in a]
        elif hasattr(a, "__dataclass_fields__"):
            if type(a) is not type(b):
                return False
            stack += [(getattr(a, n), getattr(b, n)) for n in a.__dataclass_fields__]
        elif a != b and not (a != a and b != b):
            return False
    return True


# ---------------------------------------------------------------------------- verbs


@dataclass
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: bytes
    err: str
    usage: bool


def run_verb(argv: list[str], stdin: bytes = b"") -> Said:
    """The command line in this process, its streams as strict as those of a shell."""
    out: Any = io.BytesIO()
    err = io.BytesIO()
    before = sys.stdout, sys.stderr
    sys.stdout = io.TextIOWrapper(out, encoding="utf-8", write_through=True)
    sys.stderr = io.TextIOWrapper(
        err, encoding="utf-8", errors="backslashreplace", write_through=True
    )
    usage = False
    try:
        with _stdin(stdin):
            try:
                code = main(argv)
            except SystemExit as end:
                code, usage = int(end.code or 0), True
            sys.stdout.flush()
            said = out.getvalue()
            sys.stderr.flush()
    finally:
        streams = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = before
        for stream in streams:
            stream.detach()
    return Said(code, said, err.getvalue().decode(), usage)


def _again(argv: list[str], stdin: bytes) -> BaseException | None:
    """The exception behind an exit code of 1, which the command line turns into a line."""
    with (
        _stdin(stdin),
        contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO(), encoding="utf-8")),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        try:
            args = build_parser().parse_args(argv)
            args.run(args)
        except BaseException as error:
            return error
    return None


def _command(case: Case, argv: list[str], stdin: bytes = b"") -> Said:
    """Run a verb and judge exit code and stderr; returns only if it succeeded."""
    case.note("pystruct-ext " + " ".join(argv) + (" < stdin" if stdin else ""))
    before = {p.name for p in case.folder.iterdir()}
    said = run_verb(argv, stdin)
    after = {p.name for p in case.folder.iterdir()}
    line = said.err.strip()
    if said.code != 0 and after - before:
        raise Finding(
            "output", f"left {sorted(after - before)} behind: {line}", argv[0]
        )
    if any(name.endswith(".tmp") for name in after - before):
        raise Finding("output", f"left {sorted(after - before)} behind", argv[0])
    if said.code == 1:
        error = _again(argv, stdin)
        if isinstance(error, MemoryError) or "out of memory" in line:
            place = "?" if error is None else place_of(error)
            raise Finding("memory", line, place, "MemoryError") from error
        if error is None:
            raise Finding("traceback", f"exit code 1: {line}", argv[0], "exit 1")
        raise Finding(
            "traceback", line, place_of(error), type(error).__name__
        ) from error
    if said.code == 0:
        if line:
            case.remark(f"succeeds with --quiet, and says: {line[:160]}")
        return said
    lines = said.err.rstrip("\n").split("\n")
    if said.code != 2:
        raise Finding("output", f"exit code {said.code}: {line[-300:]}", argv[0])
    if said.usage:
        if not re.match(r"pystruct-ext.*: error: ", lines[-1]):
            raise Finding("output", f"the last line of usage is {lines[-1]!r}", argv[0])
    elif len(lines) != 1 or not lines[0].startswith("pystruct-ext: error: "):
        text = re.sub(r"\S*/", "", said.err)[:300]
        raise Finding(
            "output", f"more than one line of error: {text!r}", argv[0], "stderr"
        )
    raise _refusal(case, lines[-1])


def _check_model(path: str) -> Any:
    model = pystruct_ext.load(path)
    coef = model.coef_.data if sparse.issparse(model.coef_) else np.asarray(model.coef_)
    if not np.isfinite(coef).all():
        raise Finding(
            "output", "learnt weights that are NaN or infinite", type(model).__name__
        )
    return model


_VALUES = (
    "",
    "x",
    "nan",
    "inf",
    "-1",
    "0",
    "1",
    "2",
    "2.9",
    "1e-300",
    "1e300",
    "none",
    "é",
    "-x",
)
_HUGE = ("99999999999", "2147483648", "1000000", "64")
# Their size is the user's word: hours, or tables of the size asked for.
_TRUSTED = ("max_iter", "max_time")


class _Structure:
    """The targets of one structure."""

    def __init__(self, structure: Any, seeds: seeding.Seeds) -> None:
        self.structure = structure
        self.all_seeds = seeds
        self.seeds = seeds.structures[structure.name]

    # ------------------------------------------------------------------ pieces

    def _data(
        self, case: Case, name: str = "x", valid: float = 0.0
    ) -> tuple[str, bytes]:
        """A data file, mutated unless chance (`valid`) has it otherwise."""
        rng = case.rng
        if self.structure.name == "diverse-ranking" and rng.random() < 0.12:
            return _write_ambient(case, name), b""
        if rng.random() < valid:
            seed = self.seeds.files[0]
        else:
            seed = _mutated(case, self.seeds.files, self.all_seeds.any_format)
        path = case.write(name + seed.suffix, seed.data)
        if rng.random() < 0.05:
            return "-", seed.data
        return path, b""

    def _model(self, case: Case, wrong: float) -> str:
        rng = case.rng
        self._foreign = False
        if rng.random() >= wrong:
            choice = (
                self.seeds.models[0]
                if rng.random() < 0.6
                else rng.choice(self.seeds.models)
            )
            return case.write("m.psx", choice.data)
        if rng.random() < 0.1:
            others = [m for s in self.all_seeds.structures.values() for m in s.models]
            case.note("model: of any structure")
            self._foreign = True  # it may read, and write, another format
            return case.write(
                "m.psx", rng.choice([*others, *self.all_seeds.old_models]).data
            )
        return case.write("m.psx", self._wrong_model(case))

    def _wrong_model(self, case: Case) -> bytes:
        models = self.seeds.models
        first = case.rng.random() < 0.4
        chosen = models[0] if first else case.rng.choice(models)
        return _wrong(case, self.all_seeds, chosen)

    def _flags(self, case: Case, verb: str) -> list[str]:
        """Some flags with values, good or odd."""
        rng = case.rng
        skip = ("help", "output", "quiet", "train", "json")
        actions = [
            a for a in seeding.flags_of(verb) if a.option_strings and a.dest not in skip
        ]
        out: list[str] = []
        for _ in range(rng.choice((1, 1, 2, 4)) if actions else 0):
            action = rng.choice(actions)
            flag = rng.choice(action.option_strings)
            if action.nargs == 0 or type(action).__name__ == "BooleanOptionalAction":
                out.append(flag)
                continue
            pool = [*_VALUES]
            if action.choices:
                pool += [str(c) for c in action.choices] * 5
            if action.dest not in _TRUSTED:
                pool += _HUGE
            count = rng.choice((1, 1, 2, 0)) if action.nargs == "+" else 1
            out += [flag, *(rng.choice(pool) for _ in range(count))]
        return out

    # ------------------------------------------------------------------ verbs

    def learn(self, case: Case) -> None:
        """Mutated training data, odd flags, or both."""
        rng = case.rng
        odd = rng.random() < 0.35
        path, stdin = self._data(case, valid=0.6 if odd else 0.0)
        files = [path]
        if self.structure.many and rng.random() < 0.15:
            files.append(self._data(case, "y", valid=0.5)[0])
        argv = [
            "learn",
            self.structure.name,
            *files,
            "-o",
            "out.psx",
            "--quiet",
            *self.seeds.flags,
        ]
        if odd:
            argv += self._flags(case, self.structure.name)
        _command(case, argv, stdin)
        try:
            _check_model("out.psx")
        except ModelFileError as error:
            raise Finding(
                "lost", f"the model learnt is refused: {error}", "load"
            ) from error
        # The user is not asked again: what was learnt must serve.
        file = case.write("same", self.seeds.files[0].data) if path == "-" else path
        said = run_verb(["predict", "out.psx", file, "-o", "again", "--quiet"], stdin)
        if said.code == 1:
            raise Finding(
                "traceback", f"predict what was learnt: {said.err}", "predict"
            )

    def predict(self, case: Case) -> None:
        """Mutated data or a mutated model."""
        rng = case.rng
        model = self._model(case, 0.25)
        path, stdin = self._data(case, valid=0.1)
        argv = ["predict", model, path, "--quiet"]
        to_file = rng.random() < 0.8
        out = "out" + (Path(path).suffix if path != "-" else self.seeds.files[0].suffix)
        if to_file:
            argv += ["-o", out]
        plain = rng.random() >= 0.15
        if not plain:
            argv += self._flags(case, "predict")
        said = _command(case, argv, stdin)
        if to_file and not os.path.exists(out):
            raise Finding("output", "succeeded without writing its output", "predict")
        # Flags may leave records out.
        if to_file and path != "-" and plain and not self._foreign:
            self._check_predictions(path, out)
        elif not to_file and not said.out:
            raise Finding("output", "succeeded and wrote nothing to stdout", "predict")

    def _check_predictions(self, path: str, out: str) -> None:
        """Predictions are read again, and there are as many of them as there were examples."""
        examples = self.structure.read(path)
        name = self.structure.name
        if name not in seeding.OF_STRUCTURE:
            return
        try:
            if name in ("ranking", "diverse-ranking"):
                run = readers.read_run(out)
                if name == "ranking":
                    count, expected = sum(map(len, run.values())), examples.count
                else:
                    count, expected = len(run), len(examples.X)
            else:
                count, expected = self.structure.read(out).count, examples.count
        except (ValueError, OSError) as error:
            text = f"what predict wrote is refused: {error}"
            raise Finding("lost", text, f"predict {name}") from error
        if count != expected:
            text = f"predict wrote {count} of {expected} {examples.unit}"
            raise Finding("lost", text, f"predict {name}")

    def evaluate(self, case: Case) -> None:
        """Mutated data or a mutated model, as text and as JSON."""
        rng = case.rng
        model = self._model(case, 0.25)
        path, stdin = self._data(case, valid=0.1)
        argv = ["evaluate", model, path, "--quiet"]
        if rng.random() < 0.1:
            argv += self._flags(case, "evaluate")
        as_json = rng.random() < 0.5
        said = _command(case, argv + (["--json"] if as_json else []), stdin)
        if as_json:
            try:
                json.loads(said.out, parse_constant=_no_constant)
            except ValueError as error:
                text = f"not JSON: {error}"
                raise Finding("output", text, "evaluate --json") from error
        elif re.search(rb"\b(nan|inf)\b", said.out):
            case.remark("evaluate prints NaN or infinity")

    def inspect(self, case: Case) -> None:
        """Mutated models."""
        argv = ["inspect", self._model(case, 0.97)]
        if case.rng.random() < 0.2:
            argv += self._flags(case, "inspect")
        _command(case, argv)

    # ------------------------------------------------------------------ models

    def load(self, case: Case) -> None:
        """A mutated model is loaded, predicts, and is saved."""
        _load(case, self._wrong_model(case), self.inputs)

    def inputs(self, model: Any) -> list[Any]:
        """Examples that the models of this structure may be asked for."""
        with tempfile_of(self.seeds.files[0]) as path:
            examples = self.structure.read(path)
        if self.structure.adapt is not None:
            with contextlib.suppress(Exception):
                examples = self.structure.adapt(model, examples)
        return [examples.X, self.sample.X]

    # ------------------------------------------------------------------ objects

    @cached_property
    def sample(self) -> Any:
        """Valid arguments of `fit`."""
        return self.structure.problem(np.random.default_rng(0))

    def fit(self, case: Case) -> None:
        """Mutated X, y, parameters, in fit and in the methods of a fitted model."""
        rng = case.rng
        allowed = (ValueError, TypeError)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if rng.random() < 0.4:
                model = rng.choice(self.seeds.fitted)
                method = rng.choice(list(_methods(model)))
                args = _methods(model)[method](self.sample)
                at = 0 if rng.random() < 0.9 else rng.randrange(len(args))
                args[at] = objects.mutate(rng, args[at])
                case.note(f"{method}({', '.join(map(objects.show, args))})")
                try:
                    out = getattr(model, method)(*args)
                except NotImplementedError as error:
                    # Only where the method says so.
                    if "NotImplementedError" not in (
                        getattr(type(model), method).__doc__ or ""
                    ):
                        raise
                    raise _refusal(case, error) from error
                except allowed as error:
                    raise _refusal(case, error) from error
                if method == "predict":
                    _check_count(args[0], out)
                return
            model = self.structure.estimator(**self.structure.small)
            if "max_iter" in model.get_params():
                model.set_params(max_iter=20)
            parts = {"X": self.sample.X, "y": self.sample.y, **self.sample.fit_params}
            if rng.random() < 0.25:
                skip = {"max_iter", "max_time", "verbose", *_TRUSTED}
                name = rng.choice(sorted({*model.get_params(deep=False)} - skip))
                value = objects.wild(rng)
                case.note(f"{name}={objects.show(value)}")
                model.set_params(**{name: value})
            else:
                for name in rng.choices(list(parts), k=rng.choice((1, 1, 1, 2))):
                    parts[name] = objects.mutate(rng, parts[name])
                    case.note(f"{name}={objects.show(parts[name])}")
            X, y = parts.pop("X"), parts.pop("y")
            try:
                model.fit(X, y, **parts)
            except allowed as error:
                raise _refusal(case, error) from error
            coef = (
                model.coef_.data
                if sparse.issparse(model.coef_)
                else np.asarray(model.coef_)
            )
            if not np.isfinite(coef).all():
                text = "fit accepts and learns weights that are NaN or infinite"
                raise Finding("output", text, type(model).__name__)
            try:
                out = model.predict(X)
            except allowed as error:
                raise _refusal(case, error) from error
            _check_count(X, out)

    def oracle(self, case: Case) -> None:
        """Wrong codes, blocks, weights and scores for the compiled oracle."""
        rng = case.rng
        variants = [v for v in self.structure.samples if v.make_problem is not None]
        if not variants:
            raise Refused("no variants")
        variant = rng.choice(variants)
        X, Y = variant.make_problem(np.random.default_rng(0))
        space = self.structure.space(**variant.params)
        oracle = space.bind(space.fit_pack(X, Y))
        verbs = [n for n in dir(oracle) if not n.startswith("_") and n in _ORACLE]
        verb = rng.choice(verbs)
        args = [_oracle_argument(rng, oracle, kind) for kind in _ORACLE[verb]]
        case.note(f"{variant.name}: {verb}({', '.join(map(objects.show, args))})")
        try:
            getattr(oracle, verb)(*args)
        except (
            ValueError,
            TypeError,
            IndexError,
            OverflowError,
            NotImplementedError,
        ) as error:
            raise _refusal(case, error) from error

    # ------------------------------------------------------------------ real processes

    def process(self, case: Case) -> None:
        """True processes: files, standard input, FIFOs, closed outputs."""
        rng = case.rng
        how = rng.choice(("file", "stdin", "fifo", "closed"))
        model = case.write("m.psx", self.seeds.models[0].data)
        seed = _mutated(case, self.seeds.files, self.all_seeds.any_format)
        path = case.write("x" + seed.suffix, seed.data)
        verb = rng.choice(("predict", "evaluate", "learn"))
        if how == "fifo":
            path = "pipe" + seed.suffix
            os.mkfifo(path)
            threading.Thread(target=_feed, args=(path, seed.data), daemon=True).start()
        elif how == "stdin":
            path = "-"
        argv = (
            [verb, model, path]
            if verb != "learn"
            else ["learn", self.structure.name, path]
        )
        argv += ["-o", "out.psx", *self.seeds.flags] if verb == "learn" else []
        case.note(f"{how}: {' '.join(argv)}")
        command = [sys.executable, "-m", "pystruct_ext", *argv, "--quiet"]
        stdin = seed.data if how == "stdin" else b""
        if how == "closed":
            code, err = _reader_gone(command)
        else:
            try:
                done = subprocess.run(
                    command, input=stdin, capture_output=True, check=False, timeout=60
                )
            except subprocess.TimeoutExpired as error:
                raise Finding(
                    "hang", f"{verb} from a {how}: 60 s", f"{verb} {how}"
                ) from error
            code, err = done.returncode, done.stderr.decode(errors="replace")
        _judge(case, code, err, verb)

    def signal(self, case: Case) -> None:
        """SIGINT or SIGTERM at any moment of a command."""
        rng = case.rng
        model = case.write("m.psx", self.seeds.models[0].data)
        # Long enough that something can happen meanwhile.
        path = case.write("x" + self.seeds.files[0].suffix, self.seeds.files[0].data)
        verb = rng.choice(("predict", "learn"))
        argv = ["predict", model, path, "-o", "out"]
        if verb == "learn":
            argv = ["learn", self.structure.name, path, "-o", "out", *self.seeds.flags]
        number = rng.choice((signal.SIGINT, signal.SIGTERM))
        delay = rng.uniform(0.0, 3.0)
        case.note(f"{number!r} after {delay:.3f} s: {' '.join(argv)}")
        before = set(os.listdir())
        command = [sys.executable, "-m", "pystruct_ext", *argv, "--quiet"]
        process = subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(delay)
        process.send_signal(number)
        _, raw = process.communicate()
        left = set(os.listdir()) - before - {"out"}
        err = raw.decode(errors="replace")
        if left:
            raise Finding("output", f"{number.name} left {sorted(left)}", f"{verb}")
        if "Traceback" in err or "Exception ignored" in err:
            raise Finding("traceback", err[-600:], f"{verb} {number.name}")
        if process.returncode not in (0, 130, 143, -number):
            raise Finding("output", f"exit code {process.returncode}: {err}", verb)


def _feed(path: str, data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), open(path, "wb") as file:
        file.write(data)


def _reader_gone(command: list[str]) -> tuple[int, str]:
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    err = process.stderr.read().decode(errors="replace")
    return process.wait(), err


def _judge(case: Case, code: int, err: str, verb: str) -> None:
    if "Traceback" in err or "Exception ignored" in err:
        found = re.findall(r'pystruct_ext/(\S+\.py)", line (\d+), in (\S+)', err)
        place = f"{found[-1][0]}:{found[-1][1]} {found[-1][2]}" if found else verb
        raise Finding("traceback", err[-600:], place, "process")
    if code < 0:
        raise Finding("crash", f"died of signal {-code}: {err[-300:]}", verb, "process")
    if code not in (0, 2):
        raise Finding("traceback", f"exit code {code}: {err[-300:]}", verb, "process")
    left = [n for n in os.listdir() if n.endswith(".tmp")]
    if left:
        raise Finding("output", f"left {left}", verb)
    if code == 2:
        raise _refusal(case, err.strip().split("\n")[-1])


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


@contextlib.contextmanager
def tempfile_of(seed: seeding.Seed) -> Iterator[str]:
    """A seed as a file in the current folder, for a moment."""
    path = "seed" + seed.suffix
    Path(path).write_bytes(seed.data)
    try:
        yield path
    finally:
        os.unlink(path)


def _check_count(X: Any, out: Any) -> None:
    n = (
        X.shape[0]
        if hasattr(X, "shape") and X.shape
        else len(X)
        if hasattr(X, "__len__")
        else None
    )
    count = out.shape[0] if hasattr(out, "shape") and out.shape else len(out)
    if n is not None and n != count:
        raise Finding("lost", f"{count} predictions for {n} examples", "predict")


def _methods(model: Any) -> dict[str, Callable[[Any], list[Any]]]:
    """Public methods that take X, with what else they must be given."""
    found: dict[str, Callable[[Any], list[Any]]] = {}
    for name in dir(type(model)):
        if name.startswith(("_", "fit", "set_", "get_")) or name in (
            "save",
            "to_stored",
        ):
            continue
        function = inspect.getattr_static(type(model), name)
        if not callable(function):
            continue
        try:
            parameters = list(inspect.signature(function).parameters.values())[1:]
        except (ValueError, TypeError):
            continue
        if [p.name for p in parameters[:1]] == ["X"]:
            more = [p for p in parameters[1:] if p.default is p.empty]
            found[name] = partial(_arguments, [p.name for p in more if p.kind < 2])
    return found


def _arguments(names: list[str], problem: Any) -> list[Any]:
    return [problem.X, *(problem.y if n in ("y", "Y") else 2 for n in names)]


def _wrong(case: Case, seeds: seeding.Seeds, model: seeding.Model) -> bytes:
    firsts = [s.models[0].data for s in seeds.structures.values()]
    data, notes = archives.mutate_model(case.rng, model.data, firsts)
    for line in notes:
        case.note(f"model: {line}")
    return data


def _load(case: Case, data: bytes, inputs: Callable[[Any], list[Any]]) -> None:
    path = case.write("m.psx", data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = pystruct_ext.load(path)
    except (ModelFileError, OSError) as error:
        if isinstance(error, OSError) and error.filename is None:
            # Not that the file cannot be opened, but what is in it.
            raise Finding(
                "traceback", str(error), place_of(error), "OSError"
            ) from error
        raise _refusal(case, error, path) from error
    case.note(f"loaded: a {type(model).__name__}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        repr(model)
        for X in inputs(model):
            for _ in range(2):
                with contextlib.suppress(ValueError, TypeError):
                    model.predict(X)
        try:
            model.save("again.psx")
            pystruct_ext.load("again.psx")
        except (ValueError, TypeError) as error:
            case.remark(f"loaded, but not saved again: {error}"[:160])


def _load_old(seeds: seeding.Seeds, case: Case) -> None:
    """Models of format version 1."""
    data = _wrong(case, seeds, case.rng.choice(seeds.old_models))

    def inputs(model: Any) -> list[Any]:
        try:
            structure = structure_of(model)
        except ValueError:
            return []
        return _Structure(structure, seeds).inputs(model)

    _load(case, data, inputs)


# ---------------------------------------------------------------------------- oracles

_ORACLE: dict[str, tuple[str, ...]] = {
    "code_len": ("i",),
    "truth": ("i",),
    "part_shape": ("i",),
    "parts": ("i", "code"),
    "k_best": ("w", "i", "k", "scores"),
    "marginals": ("w", "i", "temperature", "scores"),
    "log_partition": ("w", "i", "temperature", "scores"),
    "sample": ("w", "i", "k", "temperature", "k"),
    "bound": ("w", "i", "scale"),
    "hinge_sum": ("w", "ids", "weight", "threads"),
    "argmax": ("w", "i", "scale", "scores"),
    "score": ("w", "i", "code"),
    "loss": ("i", "code"),
    "psi": ("i", "code"),
    "psi_diff": ("i", "code", "code"),
    "psi_diff_sqnorm": ("i", "code", "code"),
    "psi_diff_dot": ("w", "i", "code", "code"),
    "add_psi_diff": ("w", "i", "code", "code", "scale"),
    "argmax_batch": ("w", "ids", "scale", "threads"),
    "decode_flat": ("w", "ids", "threads"),
    "cut_sum": ("w", "ids", "weight", "threads"),
}


def _oracle_argument(rng: random.Random, oracle: Any, kind: str) -> Any:
    if rng.random() < 0.04:
        return objects.wild(rng)
    if kind == "i":
        n = oracle.n_blocks
        return (
            rng.randrange(n)
            if rng.random() < 0.9
            else rng.choice((-1, n, 2**31, -(2**62)))
        )
    if kind == "k":
        return rng.choice((1, 3, 3, 0, -1, 1000, 2**40))
    if kind == "w":
        w = np.random.default_rng(0).normal(size=oracle.size_psi).astype(oracle.dtype)
        how = rng.random()
        if how < 0.7:
            return w
        return objects.mutate(rng, w)
    if kind == "scores":
        return (
            None
            if rng.random() < 0.8
            else objects.mutate(rng, np.zeros(rng.choice((1, 5, 60))))
        )
    if kind in ("scale", "temperature"):
        pool = (0.0, 1.0, 1.0, 0.5, -1.0, float("nan"), float("inf"), 1e300, 1e-300)
        return rng.choice(pool)
    if kind == "threads":
        return rng.choice((1, 1, 2, 0, -1, 1000))
    if kind in ("ids", "weight"):
        if rng.random() < 0.4:
            return None
        ids = np.arange(oracle.n_blocks)
        return objects.mutate(rng, ids if kind == "ids" else ids.astype(float))
    code = np.array(oracle.truth(rng.randrange(oracle.n_blocks)))
    if rng.random() < 0.3 or code.size == 0:
        return objects.mutate(rng, code)
    pool = (-1, -2, 0, 1, 2, len(code), len(code) + 1, 50, 10_000, 2**31 - 1, -(2**31))
    for _ in range(rng.choice((1, 1, 2, code.size))):
        code[rng.randrange(code.size)] = rng.choice(pool)
    return code
