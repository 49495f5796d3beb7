"""``learn ranking`` and ``learn diverse-ranking``, ``predict``, ``evaluate``."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

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


SAMPLE = Path(__file__).parents[2] / "docs" / "own_queries.jsonl"


def test_the_sample_of_the_docs(tmp_path, capsys):
    model, run = str(tmp_path / "m.psx"), tmp_path / "run"
    judged = tmp_path / "judged.jsonl"
    lines = SAMPLE.read_text().splitlines()
    judged.write_text("\n".join(lines[:3]))
    assert main(["learn", "diverse-ranking", str(SAMPLE), "-o", model]) == 2
    err = capsys.readouterr().err
    assert "1 of 4 queries have no intents and grades, such as 'java'" in err
    assert main(["learn", "diverse-ranking", str(judged), "-o", model, "--quiet"]) == 0
    assert main(["evaluate", model, str(judged)]) == 0
    assert "alpha_ndcg@10" in capsys.readouterr().out
    assert main(["predict", model, str(SAMPLE), "-o", str(run), "--quiet"]) == 0
    found = read_run(run)
    assert list(found) == ["jaguar", "mercury", "python", "java-eu"]
    assert {d for d, _ in found["jaguar"]} == {f"j{d}" for d in range(1, 8)}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    train, model = folder / "train.jsonl", str(folder / "m.psx")
    train.write_text("".join(Path(QUERIES).read_text().splitlines(True)[:4]))
    args = ["learn", "diverse-ranking", str(train), "-o", model, "--quiet"]
    assert main([*args, "--max-iter", "20"]) == 0
    return model


def test_evaluating_what_nobody_has_judged_is_an_error(trained, tmp_path, capsys):
    model, new = trained, tmp_path / "new.jsonl"
    new.write_text(SAMPLE.read_text().splitlines()[3])
    assert main(["predict", model, str(new), "--quiet"]) == 0
    capsys.readouterr()
    for flags in ([], ["--json"]):
        assert main(["evaluate", model, str(new), "--quiet", *flags]) == 2
        out, err = capsys.readouterr()
        assert not out
        assert f"{new}: " in err
        assert "no query has intents and grades" in err


def test_two_queries_of_one_text_are_not_merged(trained, tmp_path, capsys):
    model, new = trained, tmp_path / "new.jsonl"
    record = {"query": "a b", "results": ["one", "two"]}
    new.write_text("\n".join([json.dumps(record)] * 2))
    assert main(["predict", model, str(new), "--quiet"]) == 2
    assert "new.jsonl:2: the query 'a b' has the name" in capsys.readouterr().err
    new.write_text("\n".join(json.dumps({**record, "id": f"q{i}"}) for i in (1, 2)))
    assert main(["predict", model, str(new), "--quiet"]) == 0
    assert {r.split()[0] for r in capsys.readouterr().out.splitlines()} == {"q1", "q2"}
    new.write_text(json.dumps({**record, "id": "q 1"}))
    assert main(["predict", model, str(new), "--quiet"]) == 2
    assert "query 'q 1' has blanks" in capsys.readouterr().err


def test_ranking_ids_are_kept_as_they_are(tmp_path, capsys):
    model, train = str(tmp_path / "m.psx"), tmp_path / "train.txt"
    train.write_text(
        "".join(
            f"{d} qid:{q} 1:{d}.5 # docid = D{q}-{d}\n"
            for q in ("01", "1")
            for d in (0, 1)
        )
    )
    assert main(["learn", "ranking", str(train), "-o", model, "--quiet"]) == 0
    assert main(["predict", model, str(train), "--quiet"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [(r[0], r[2]) for r in rows] == [
        ("01", "D01-1"),
        ("01", "D01-0"),
        ("1", "D1-1"),
        ("1", "D1-0"),
    ]


def test_wide_letor_files_stay_sparse(tmp_path, capsys):
    model, train = str(tmp_path / "m.psx"), tmp_path / "train.txt"
    rows = [
        f"{d % 2} qid:{d // 4} {d + 1}:1 {200_000 + d % 2}:1\n" for d in range(4000)
    ]
    train.write_text("".join(rows))
    assert main(["learn", "ranking", str(train), "-o", model, "--quiet"]) == 0
    assert main(["evaluate", model, str(train), "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["ndcg@10"] == 1.0
