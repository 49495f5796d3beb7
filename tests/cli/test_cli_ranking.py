"""``learn ranking`` and ``learn diverse-ranking``, ``predict``, ``evaluate``."""

from __future__ import annotations

import json
from importlib import resources

import numpy as np
import pytest

from pystruct_ext import load
from pystruct_ext.cli.main import main
from pystruct_ext.io import read_run, write_letor
from pystruct_ext.structures.diverse_ranking import weight_names

QUERIES = str(resources.files("pystruct_ext.datasets") / "ambiguous_queries.jsonl")


@pytest.fixture
def letor(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    y = np.clip(np.round(X[:, 0] + 1), 0, 2)
    path = tmp_path / "train.txt.gz"
    write_letor(
        path, X, y, np.repeat(np.arange(6), 10), [f"docid = D{r}" for r in range(60)]
    )
    return path


def test_ranking(letor, tmp_path, capsys):
    model, run = str(tmp_path / "m.psx"), tmp_path / "run.txt"
    assert main(["learn", "ranking", str(letor), "-o", model, "--C", "10"]) == 0
    assert "certificate: exact" in capsys.readouterr().err
    assert main(["evaluate", model, str(letor), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ndcg@10"] > 0.9
    assert main(["predict", model, str(letor), "-o", str(run), "--quiet"]) == 0
    ranked = read_run(run)
    assert sorted(ranked) == list("012345")
    assert {d for d, _ in ranked["0"]} == {f"D{r}" for r in range(10)}


def test_diverse_ranking(tmp_path, capsys):
    model = str(tmp_path / "m.psx")
    args = ["learn", "diverse-ranking", QUERIES, "-o", model, "--quiet"]
    assert main(args) == 0
    assert main(["evaluate", model, QUERIES]) == 0
    out = capsys.readouterr().out
    assert "alpha_ndcg@10" in out
    assert main(["predict", model, QUERIES, "--quiet"]) == 0
    first = capsys.readouterr().out.splitlines()[0].split()
    assert first[0] == "michael_jordan"
    assert first[2].startswith("michael_jordan-")


@pytest.mark.parametrize("kind", ["mixture", "sequential", "coverage"])
def test_inspect_names_every_weight(kind, tmp_path, capsys):
    model = str(tmp_path / "m.psx")
    args = ["learn", "diverse-ranking", QUERIES, "-o", model, "--quiet"]
    assert main([*args, "--model", kind, "--C", "0.003"]) == 0
    fitted = load(model)
    assert len(weight_names(fitted)) == len(fitted.coef_)
    assert main(["inspect", model, "--top", "1"]) == 0
    out = capsys.readouterr().out
    assert "largest weights" in out
    assert len(out.split("largest weights\n")[1].splitlines()) == 4


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["learn", "ranking", "{letor}", "-o", "/no/such/m.psx"], "does not exist"),
        (["learn", "ranking", "{letor}", "-o", "{m}", "--C", "-1"], "C must be"),
        (["learn", "diverse-ranking", "{letor}", "-o", "{m}"], "not a JSON object"),
        (["learn", "ranking", "missing.txt", "-o", "{m}"], "missing.txt"),
    ],
)
def test_errors_are_one_line(letor, tmp_path, capsys, args, message):
    fill = {"letor": str(letor), "m": str(tmp_path / "m.psx")}
    assert main([a.format(**fill) for a in args] + ["--quiet"]) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
