"""A path over six C against six separate fits, at the same certificates.

Both start from the same packed data. Separate fits are `BCFW` with its defaults, which a
single C is trained with; the path is `solve_path`. Seconds are of the processor.

Usage: python benchmarks/path.py [--data ocr conll ewt] [--sentences 2000] [--tol 1e-3]
"""

from __future__ import annotations

import argparse
import time
import warnings
from itertools import pairwise
from typing import Any

import numpy as np
from _common import data_folder, show_table, write_json

from pystruct_ext import DependencySVM, PackedRows, SequenceSVM
from pystruct_ext._core.features import Template, Vocabulary
from pystruct_ext.io import DEFAULT_TEMPLATE, read_conll, read_conllu
from pystruct_ext.solvers import BCFW, solve_path
from pystruct_ext.spaces import CodedLabels

# Six values a factor of about 3 apart, around the best one on held-out data.
GRIDS = {
    "ocr": (0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
    "conll": (0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
    "ewt": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3),
}


def ocr(_: int) -> tuple[Any, Any, Any]:
    """Handwritten words, fold 0."""
    z = np.load(data_folder("ocr-letters") / "ocr_letters.npz")
    off, fold, pixels, letter = (z[k] for k in ("offsets", "fold0", "pixels", "labels"))
    spans = [s for s, f in zip(pairwise(off), fold, strict=True) if f == 1]
    X = [pixels[a:b].astype(np.float64) for a, b in spans]
    return SequenceSVM(), X, [letter[a:b].tolist() for a, b in spans]


def conll(n: int) -> tuple[Any, Any, Any]:
    """Chunking: the first n sentences."""
    table = read_conll(data_folder("conll2000") / "train.txt")
    vocabulary = Vocabulary()
    offsets, indptr, indices = Template(DEFAULT_TEMPLATE).extract(
        table, vocabulary, True
    )[:3]
    y = CodedLabels(*table.column_ids(-1))
    n = min(n, len(offsets) - 1)
    # Features are numbered as they appear: none that no sentence here has.
    last = int(indices[: indptr[offsets[n]]].max()) + 1
    rows = indptr[: offsets[n] + 1], indices[: indptr[offsets[n]]]
    X = PackedRows(offsets[: n + 1], *rows, None, last)
    return SequenceSVM(), X, CodedLabels(y.codes[: X.offsets[n]], y.classes)


def ewt(n: int) -> tuple[Any, Any, Any]:
    """Labelled dependencies: the first n sentences."""
    bank = read_conllu(data_folder("ud-english-ewt") / "en_ewt-ud-train.conllu.gz")
    return DependencySVM(features="basic"), bank.sentences[:n], bank.dependencies[:n]


def row_of(C: float, way: str, seconds: float, result: Any) -> dict[str, Any]:
    exact = int(np.isfinite(result.history.column("gap")).sum())
    return {
        "C": C,
        "way": way,
        "CPU s": seconds,
        "epochs": result.n_iter,
        "oracle calls": result.n_oracle_calls,
        "exact passes": exact,
        "cuts": len(result.working_set),
        "relative gap": result.relative_gap,
        "status": result.status,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", nargs="+", default=list(GRIDS), choices=list(GRIDS))
    parser.add_argument("--sentences", type=int, default=2000)
    parser.add_argument("--tol", type=float, default=1e-3)
    args = parser.parse_args()
    totals = []
    for name in args.data:
        estimator, X, y = {"ocr": ocr, "conll": conll, "ewt": ewt}[name](args.sentences)
        began = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            packed, _ = estimator._pack_for_fit(X, y)
        oracle = estimator.space_.bind(packed)
        packing = time.process_time() - began
        solver, rows = BCFW(tol=args.tol), []
        began = time.process_time()
        for C, result in solve_path(solver, oracle, GRIDS[name]):
            rows.append(row_of(C, "path", time.process_time() - began, result))
            began = time.process_time()
        for C in GRIDS[name]:
            began = time.process_time()
            result = solver.solve(oracle, 1 / (oracle.n_blocks * C))
            rows.append(row_of(C, "separate", time.process_time() - began, result))
        show_table(f"{name}, {oracle.n_blocks} examples, tol {args.tol:g}", rows)
        total: dict[str, Any] = {"data": name, "examples": oracle.n_blocks}
        total["packing s"] = packing
        for key in ("CPU s", "oracle calls"):
            for way in ("path", "separate"):
                total[f"{way}: {key}"] = sum(r[key] for r in rows if r["way"] == way)
            total[f"ratio of {key}"] = total[f"path: {key}"] / total[f"separate: {key}"]
        totals.append(total)
        write_json(f"path_{name}", {"rows": rows, "total": total})
    show_table("All six values", totals)


if __name__ == "__main__":
    main()
