"""Sequence labelling on CoNLL-2000: this package beside CRFsuite, in one run.

Every contender runs in a process of its own, one thread, so that its peak memory is its
own. Training starts from the same features: CRFsuite gets, as strings, exactly the
attributes that the packed features hold. F1 is conlleval's, on the test file.

Usage: python benchmarks/sequence.py [--quick] [--C 0.1]
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import subprocess
import sys
import tempfile
import time
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from _common import data_folder, peak_mb, show_table, timed, write_json

from pystruct_ext import PackedRows, SequenceSVM, load
from pystruct_ext._core.features import Template, Vocabulary
from pystruct_ext.io import DEFAULT_TEMPLATE, read_conll
from pystruct_ext.metrics import chunk_f1
from pystruct_ext.solvers import BCFW
from pystruct_ext.spaces import CodedLabels


class Data:
    """Both files, packed with one vocabulary."""

    def __init__(self) -> None:
        folder = data_folder("conll2000")
        self.train = read_conll(folder / "train.txt")
        self.test = read_conll(folder / "test.txt")
        template, self.vocabulary = Template(DEFAULT_TEMPLATE), Vocabulary()
        a = template.extract(self.train, self.vocabulary, True)
        b = template.extract(self.test, self.vocabulary, False)
        d = len(self.vocabulary)
        self.X = PackedRows(a[0], a[1], a[2], None, d)
        self.X_test = PackedRows(b[0], b[1], b[2], None, d)
        self.y = CodedLabels(*self.train.column_ids(-1))
        self.gold = self.test.column(-1)

    def names(self, rows: PackedRows) -> list[list[list[str]]]:
        """The features as people hold them: lists of strings."""
        table = self.vocabulary.names()
        flat = [table[j] for j in rows.indices]
        ptr, off = rows.indptr.tolist(), rows.offsets.tolist()
        tokens = [flat[ptr[r] : ptr[r + 1]] for r in range(rows.n_rows)]
        return [tokens[a:b] for a, b in pairwise(off)]


def ours(C: float, tol: float) -> dict[str, Any]:
    """Train from packed features to a certified gap; F1 against time on the way."""
    data = Data()
    spent = {"scoring": 0.0}
    curve: list[dict[str, float]] = []
    began = 0.0
    space_of: dict[str, Any] = {}

    def watch(progress: Any) -> bool:
        # Scoring is not part of training: its seconds are taken off.
        at = time.perf_counter()
        seconds = at - began - spent["scoring"]
        space, oracle = space_of["space"], space_of["oracle"]
        predicted = space.labels_of(*oracle.decode_flat(progress.coef))
        curve.append(
            {
                "epoch": progress.epoch,
                "seconds": seconds,
                "F1": 100 * chunk_f1(data.gold, predicted),
            }
        )
        spent["scoring"] += time.perf_counter() - at
        return False

    # The run whose time is quoted: nothing but training.
    seconds, model = timed(
        lambda: (
            SequenceSVM(C=C, solver=BCFW(tol=tol))
            .set_params(tol=tol)
            .fit(data.X, data.y)
        )
    )
    f1 = 100 * chunk_f1(data.gold, model.predict(data.X_test))
    space_of["space"] = model.space_
    space_of["oracle"] = model.space_.bind(model.space_.pack(data.X_test))
    began = time.perf_counter()
    SequenceSVM(C=C, tol=tol, callback=watch).fit(data.X, data.y)

    # One epoch against one plain decode of the same data.
    oracle = model.space_.bind(model.space_.pack(data.X, data.y))
    decode, _ = timed(lambda: oracle.decode_flat(model._w), 7)
    history = model.history_
    n_exact = int(np.isfinite(history.column("gap")).sum())
    epoch = (history[-1]["seconds"] - n_exact * decode) / model.n_iter_
    test_oracle = space_of["oracle"]
    packed_decode, _ = timed(lambda: test_oracle.decode_flat(model._w), 7)
    lists = data.names(data.X_test)
    named = SequenceSVM(C=C, tol=0.5)
    named.fit(data.names(data.X), data.train.column(-1))
    list_predict, _ = timed(lambda: named.predict(lists), 5)
    return {
        "train_s": seconds,
        "F1": f1,
        "gap": model.relative_gap_,
        "primal": model.primal_objective_,
        "epochs": model.n_iter_,
        "status": model.status_,
        "curve": curve,
        "decode_train_s": decode,
        "epoch_s": epoch,
        "working_set_bytes_per_token": model.solver_info_["working_set_bytes"]
        / data.X.n_rows,
        "packed_tokens_per_s": data.X_test.n_rows / packed_decode,
        "list_tokens_per_s": data.X_test.n_rows / list_predict,
    }


CRFSUITE = {
    "L-BFGS c2=1": ("lbfgs", {"c1": 0.0, "c2": 1.0}),
    "passive-aggressive, 10 it.": ("pa", {"max_iterations": 10}),
    "averaged perceptron, 10 it.": ("ap", {"max_iterations": 10}),
}


def crfsuite(name: str) -> dict[str, Any]:
    """CRFsuite on the same features."""
    import pycrfsuite

    data = Data()
    algorithm, params = CRFSUITE[name]
    X, y = data.names(data.X), data.train.column(-1)
    trainer = pycrfsuite.Trainer(algorithm=algorithm, verbose=False)
    trainer.set_params(params)
    began = time.perf_counter()
    for x, labels in zip(X, y, strict=True):
        trainer.append(x, labels)
    feeding = time.perf_counter() - began
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model")
        began = time.perf_counter()
        trainer.train(path)
        seconds = time.perf_counter() - began
        tagger = pycrfsuite.Tagger()
        tagger.open(path)
        lists = data.names(data.X_test)
        from_lists, predicted = timed(lambda: [tagger.tag(x) for x in lists], 3)
        packed = [pycrfsuite.ItemSequence(x) for x in lists]
        from_packed, _ = timed(lambda: [tagger.tag(x) for x in packed], 3)
        tagger.close()
    n = data.X_test.n_rows
    return {
        "feeding_s": feeding,
        "train_s": seconds,
        "F1": 100 * chunk_f1(data.gold, predicted),
        "packed_tokens_per_s": n / from_packed,
        "list_tokens_per_s": n / from_lists,
    }


def ours_end_to_end(C: float, tol: float) -> dict[str, Any]:
    """From file and template to a saved model."""
    folder = data_folder("conll2000")
    with tempfile.TemporaryDirectory() as out:
        path = Path(out) / "model.psx"
        began = time.perf_counter()
        table = read_conll(folder / "train.txt")
        model = SequenceSVM(C=C, tol=tol, template=DEFAULT_TEMPLATE)
        model.fit(table, CodedLabels(*table.column_ids(-1)))
        model.save(path)
        seconds = time.perf_counter() - began
        memory = peak_mb()
        test = read_conll(folder / "test.txt")
        f1 = 100 * chunk_f1(test.column(-1), load(path).predict(test))
        return {
            "seconds": seconds,
            "peak_MB": memory,
            "F1": f1,
            "model_MB": path.stat().st_size / 1e6,
        }


def crfsuite_end_to_end(name: str) -> dict[str, Any]:
    """From file to a saved model, features written in Python as its users do."""
    import pycrfsuite

    folder = data_folder("conll2000")
    algorithm, params = CRFSUITE[name]
    with tempfile.TemporaryDirectory() as out:
        path = Path(out) / "model.crfsuite"
        began = time.perf_counter()
        trainer = pycrfsuite.Trainer(algorithm=algorithm, verbose=False)
        trainer.set_params(params)
        for sentence in _sentences(folder / "train.txt"):
            trainer.append(_python_features(sentence), [t[2] for t in sentence])
        trainer.train(str(path))
        seconds = time.perf_counter() - began
        memory = peak_mb()
        tagger = pycrfsuite.Tagger()
        tagger.open(str(path))
        test = _sentences(folder / "test.txt")
        predicted = [tagger.tag(_python_features(s)) for s in test]
        f1 = 100 * chunk_f1([[t[2] for t in s] for s in test], predicted)
        return {
            "seconds": seconds,
            "peak_MB": memory,
            "F1": f1,
            "model_MB": path.stat().st_size / 1e6,
        }


def _sentences(path: Path) -> list[list[list[str]]]:
    blocks = path.read_text().strip().split("\n\n")
    return [[line.split() for line in block.splitlines()] for block in blocks]


def _python_features(sentence: list[list[str]]) -> list[list[str]]:
    """The default template by hand, padding names included."""
    n = len(sentence)
    w = ["_B-2", "_B-1", *(t[0] for t in sentence), "_B+1", "_B+2"]
    p = ["_B-2", "_B-1", *(t[1] for t in sentence), "_B+1", "_B+2"]
    out = []
    for t in range(2, n + 2):
        features = [f"U{d}:{w[t + d - 2]}" for d in range(5)]
        features.append(f"U05:{w[t - 1]}/{w[t]}")
        features.append(f"U06:{w[t]}/{w[t + 1]}")
        features += [f"U1{d}:{p[t + d - 2]}" for d in range(5)]
        features += [f"U1{5 + d}:{p[t + d - 2]}/{p[t + d - 1]}" for d in range(4)]
        features += [
            f"U2{d}:{p[t + d - 2]}/{p[t + d - 1]}/{p[t + d]}" for d in range(3)
        ]
        out.append(features)
    return out


def two_threads(oracle: Any, w: np.ndarray) -> dict[str, Any]:
    """Batch decoding by two threads against one."""
    one, a = timed(lambda: oracle.decode_flat(w, None, 1)[0], 5)
    two, b = timed(lambda: oracle.decode_flat(w, None, 2)[0], 5)
    return {"speed_up_2_threads": one / two, "same": bool(np.array_equal(a, b))}


def scaling(C: float) -> dict[str, Any]:
    """Seconds per epoch against tokens, and two threads against one."""
    data = Data()
    rows = []
    n_all = data.X.n_examples
    for tokens in (10_000, 100_000, 1_000_000, 10_000_000):
        copies = tokens / data.X.n_rows
        ids = np.tile(np.arange(n_all), max(1, math.ceil(copies)))
        ids = ids[: max(1, int(copies * n_all))]
        X = data.X.take(ids)
        codes = np.concatenate(
            [data.y.codes[data.X.offsets[i] : data.X.offsets[i + 1]] for i in ids]
        )
        y = CodedLabels(codes, data.y.classes)
        model = SequenceSVM(C=C * n_all / len(ids) if len(ids) > n_all else C)
        model.set_params(solver=BCFW(max_iter=4, check_every=4), tol=1e-9)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X, y)
        seconds = model.history_.column("seconds")
        rows.append(
            {
                "tokens": X.n_rows,
                "s_per_epoch": float(np.median(np.diff(seconds[:3]))),
                "working_set_bytes_per_token": model.solver_info_["working_set_bytes"]
                / X.n_rows,
            }
        )
        if tokens == 1_000_000:
            oracle = model.space_.bind(model.space_.pack(X))
            threads = two_threads(oracle, model._w)
            del oracle
        del X, y, model
        gc.collect()
    big = rows[1:]
    x, z = np.log([r["tokens"] for r in big]), np.log([r["s_per_epoch"] for r in big])
    return {"rows": rows, "exponent": float(np.polyfit(x, z, 1)[0]), **threads}


JOBS = {
    "ours": lambda a: ours(a.C, a.tol),
    "ours_end_to_end": lambda a: ours_end_to_end(a.C, a.tol),
    "crfsuite": lambda a: crfsuite(a.name),
    "crfsuite_end_to_end": lambda a: crfsuite_end_to_end(a.name),
    "scaling": lambda a: scaling(a.C),
}


def run(job: str, args: argparse.Namespace, name: str = "") -> dict[str, Any]:
    """One job in a process of its own."""
    command = [sys.executable, __file__, "--job", job, "--name", name]
    command += ["--C", str(args.C), "--tol", str(args.tol)]
    print(f"... {job} {name}", file=sys.stderr, flush=True)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{job} {name} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def reached(curve: list[dict[str, float]], f1: float) -> float:
    """Seconds until a test F1 is first reached."""
    return next((p["seconds"] for p in curve if p["F1"] >= f1), math.nan)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--C", type=float, default=0.1)
    parser.add_argument("--tol", type=float, default=1e-2)
    parser.add_argument(
        "--quick", action="store_true", help="leave out L-BFGS and scaling"
    )
    parser.add_argument("--job", choices=sorted(JOBS))
    parser.add_argument("--name", default="")
    args = parser.parse_args()
    if args.job:
        print(json.dumps(JOBS[args.job](args), default=float))
        return

    names = [n for n in CRFSUITE if not (args.quick and n.startswith("L-BFGS"))]
    us = run("ours", args)
    them = {name: run("crfsuite", args, name) for name in names}
    slow = names[0]
    label = f"SequenceSVM C={args.C:g}"
    rows = [
        {
            "trained from packed features": f"{label}, certified gap {100 * us['gap']:.2f} %",
            "train s": us["train_s"],
            "test F1": round(us["F1"], 2),
            "tokens/s packed": us["packed_tokens_per_s"],
            "tokens/s lists": us["list_tokens_per_s"],
        }
    ]
    for f1 in (93.5, 93.6):
        rows.append(
            {
                "trained from packed features": f"{label}, to test F1 {f1}",
                "train s": reached(us["curve"], f1),
                "test F1": f1,
            }
        )
    for name, r in them.items():
        rows.append(
            {
                "trained from packed features": f"CRFsuite {name}",
                "train s": r["train_s"],
                "test F1": round(r["F1"], 2),
                "tokens/s packed": r["packed_tokens_per_s"],
                "tokens/s lists": r["list_tokens_per_s"],
            }
        )
    show_table("CoNLL-2000 chunking, one thread", rows)

    ends = {label: run("ours_end_to_end", args)}
    ends[f"CRFsuite {slow}"] = run("crfsuite_end_to_end", args, slow)
    show_table(
        "From the CoNLL file to a saved model",
        [
            {"": k, "seconds": v["seconds"], "peak MB": v["peak_MB"],
             "model MB": v["model_MB"], "test F1": round(v["F1"], 2)}
            for k, v in ends.items()
        ],
    )  # fmt: skip

    quickest = min(r["train_s"] for r in them.values())
    a, b = ends.values()
    best_packed = max(r["packed_tokens_per_s"] for r in them.values())
    best_lists = max(r["list_tokens_per_s"] for r in them.values())
    ratios = [
        (f"train: CRFsuite {slow} / ours to {100 * args.tol:g} % gap",
         them[slow]["train_s"] / us["train_s"], ">= 20"),
        (f"train: CRFsuite {slow} / ours to F1 93.6",
         them[slow]["train_s"] / reached(us["curve"], 93.6), ">= 50"),
        ("train: quickest CRFsuite / ours to F1 93.5",
         quickest / reached(us["curve"], 93.5), ">= 8"),
        ("end to end: CRFsuite / ours", b["seconds"] / a["seconds"], ">= 10"),
        ("end to end peak memory: ours / CRFsuite", a["peak_MB"] / b["peak_MB"], "<= 1"),
        ("tagging packed: ours / best CRFsuite",
         us["packed_tokens_per_s"] / best_packed, ">= 20"),
        ("tagging lists: ours / best CRFsuite",
         us["list_tokens_per_s"] / best_lists, ">= 3"),
        ("one epoch / one plain decode", us["epoch_s"] / us["decode_train_s"], "<= 2.0"),
        ("epochs to the gap", float(us["epochs"]), "<= 50"),
        ("working set, bytes per token", us["working_set_bytes_per_token"], "<= 64"),
        ("test F1", us["F1"], ">= 93.75"),
    ]  # fmt: skip
    result = {"ours": us, "crfsuite": them, "end_to_end": ends}
    if not args.quick:
        s = result["scaling"] = run("scaling", args)
        show_table("Scaling (the training file, cut or repeated)", s["rows"])
        ratios.append(("seconds per epoch ~ tokens ^", s["exponent"], "<= 1.05"))
        ratios.append(
            ("batch decode, 2 threads / 1", s["speed_up_2_threads"], ">= 1.6")
        )
    show_table(
        "Ratios in this run",
        [{"ratio": k, "seen": v, "target": t} for k, v, t in ratios],
    )
    result["ratios"] = {k: v for k, v, _ in ratios}
    write_json("sequence", result)


if __name__ == "__main__":
    main()
