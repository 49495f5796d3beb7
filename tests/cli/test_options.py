"""Flags of ``learn``: made from parameters; those of earlier versions still work."""

from __future__ import annotations

import argparse
import dataclasses
import inspect

import pytest

from pystruct_ext import FoldingSVM
from pystruct_ext.cli._options import add_options, naming_flags, parameter_values
from pystruct_ext.cli.main import build_parser, main
from pystruct_ext.structures import STRUCTURES, Option
from pystruct_ext.utils.numpydoc import parameters

SOLVER = {
    "--C 2.5": ("C", 2.5),
    "--tol 0.5": ("tol", 0.5),
    "--max-iter 7": ("max_iter", 7),
    "--max-time 1.5": ("max_time", 1.5),
}
MORE = {
    "--solver one_slack": ("solver", "one_slack"),
    "--n-jobs 2": ("n_jobs", 2),
    "--seed 5": ("random_state", 5),
}
# Every flag that there was before flags were made from parameters, and what it sets.
FLAGS = {
    "sequence": {
        **SOLVER,
        **MORE,
        "--template FILE": ("template", "FILE"),
        "--loss hamming": ("loss", "hamming"),
        "--loss zero_one": ("loss", "zero_one"),
        "--constraints BIO": ("constraints", "BIO"),
        "--constraints BILOU": ("constraints", "BILOU"),
        "--features seen": ("features", "seen"),
        "--min-count 3": ("min_count", 3),
        "--hash-bits 9": ("hash_bits", 9),
    },
    "segments": {
        **SOLVER,
        **MORE,
        "--template FILE": ("template", "FILE"),
        "--loss tokens": ("loss", "tokens"),
        "--max-length 4": ("max_length", 4),
    },
    "dependency": {
        **SOLVER,
        **MORE,
        "--unlabelled": ("labelled", False),
        "--nonprojective": ("projective", False),
        "--siblings": ("siblings", True),
        "--grandparents": ("grandparents", True),
        "--features basic": ("features", "basic"),
        "--loss uas": ("loss", "uas"),
        "--bits 9": ("bits", 9),
        "--label-bits 8": ("label_bits", 8),
    },
    "constituency": {
        **SOLVER,
        **MORE,
        "--model grammar": ("model", "grammar"),
        "--horizontal 2": ("horizontal", 2),
        "--vertical 2": ("vertical", 2),
        "--features basic": ("features", "basic"),
        "--bits 9": ("bits", 9),
    },
    "folding": {
        **SOLVER,
        **MORE,
        "--false-cost 0.5": ("false_cost", 0.5),
        "--miss-cost 2": ("miss_cost", 2.0),
        "--no-energy": ("prior", None),
        "--any-pair": ("canonical", False),
    },
    "alignment": {
        **SOLVER,
        **MORE,
        "--mode local": ("mode", "local"),
        "--window 2": ("window", 2),
    },
    "multilabel": {"-C 0.1": ("C", 0.1), "--loss f1": ("loss", "f1")},
    "ranking": {
        **SOLVER,
        **{
            f"--loss {name}": ("loss", name)
            for name in ("pairs", "roc", "map", "ndcg", "precision", "mrr")
        },
        "--top 3": ("top", 3),
        "--gain linear": ("gain", "linear"),
    },
    "diverse-ranking": {
        **SOLVER,
        **{
            f"--loss {name}": ("loss", name)
            for name in ("alpha_ndcg", "err_ia", "ndcg_ia", "intents")
        },
        **{
            f"--model {name}": ("model", name)
            for name in ("mixture", "sequential", "coverage")
        },
        "--top 3": ("top", 3),
    },
}
# Defaults of earlier versions.
DEFAULTS = {
    "sequence": {"C": 0.1, "tol": 0.01, "solver": "bcfw", "random_state": 0},
    "segments": {"C": 0.1, "loss": "segments", "outside": "O", "max_length": None},
    "dependency": {"C": 0.03, "labelled": True, "projective": True, "bits": None},
    "constituency": {"C": 0.1, "model": "spans", "horizontal": 1},
    "folding": {"C": 0.001, "prior": "energy", "canonical": True, "false_cost": 0.3},
    "alignment": {"C": 0.1, "mode": "global", "window": 0},
    "multilabel": {"C": 1.0, "loss": "hamming"},
    "ranking": {"C": 1.0, "tol": None, "loss": "ndcg", "top": 10, "solver": "auto"},
    "diverse-ranking": {
        "C": 0.1,
        "model": "auto",
        "max_iter": 100,
        "tol": 0.01,
        "loss": "alpha_ndcg",
    },
}


def parsed(kind, *flags):
    args = build_parser().parse_args(["learn", kind, "file", "-o", "model", *flags])
    return args, parameter_values(STRUCTURES[kind], args)


@pytest.mark.parametrize("kind", FLAGS)
def test_flags_of_earlier_versions(kind):
    _, plain = parsed(kind)
    for name, value in DEFAULTS[kind].items():
        assert plain[name] == value, name
    for flags, (name, value) in FLAGS[kind].items():
        _, values = parsed(kind, *flags.split())
        assert values[name] == value, flags
        assert type(values[name]) is type(value), flags
        others = {k: v for k, v in values.items() if k != name}
        assert others == {k: v for k, v in plain.items() if k != name}, flags


def test_flags_that_set_no_parameter():
    args, _ = parsed("sequence", "--dev", "held", "--patience", "3", "--quiet")
    assert (args.dev, args.patience, args.quiet) == ("held", 3, True)
    args = build_parser().parse_args(["learn", "ranking", "a", "b", "--output", "m"])
    assert (args.train, args.output) == (["a", "b"], "m")


@pytest.mark.parametrize("structure", STRUCTURES.values(), ids=lambda s: s.name)
def test_every_parameter_has_a_flag(structure):
    _, values = parsed(structure.name)
    params = structure.estimator().get_params(deep=False)
    assert set(values) == set(params) - {"callback"}
    structure.estimator(**values)
    expected = {**params, **structure.defaults, "random_state": 0, "n_jobs": 1}
    for name in set(values) - {"verbose"}:
        assert values[name] == expected[name], name


def test_the_shell_and_the_constructor_have_the_same_defaults():
    """But for what a format says, and what makes two runs of one command the same."""
    assert {s.name: dict(s.defaults) for s in STRUCTURES.values() if s.defaults} == {
        "segments": {"outside": "O"}
    }
    for structure in STRUCTURES.values():
        _, values = parsed(structure.name)
        signature = inspect.signature(structure.estimator).parameters
        for name in set(values) - {"random_state", "n_jobs", "verbose"}:
            if name not in structure.defaults:
                assert values[name] == signature[name].default, (structure.name, name)
        # Text on the way to a flag and back, as the help shows it.
        documented = {p.name: p.default for p in parameters(structure.estimator)}
        assert (
            documented.items()
            >= {name: p.default for name, p in signature.items()}.items()
        )


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--C abc", "--C must be a number, or auto, got abc"),
        ("--C nan", "--C must be a number, or auto, got nan"),
        ("--max-iter 1.5", "--max-iter must be an integer or none, got 1.5"),
        ("--n-jobs 0", "--n-jobs must be an integer other than 0"),
        ("--seed -1", "--random-state must be an integer >= 0, got -1"),
        ("--max-input lots", "--max-input must be a size such as 500M, 16G or none"),
        ("--C " + "9" * 10_000 + "x", "(10001 characters)"),
    ],
)
def test_numbers_name_their_flag(flags, message, capsys):
    with pytest.raises(SystemExit) as stop:
        parsed("sequence", *flags.split())
    assert stop.value.code == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert len(err) < 500


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--max-iter 0", "--max-iter must be an integer >= 1, got 0"),
        ("--tol -1", "--tol must be a number >= 0, got -1.0"),
        ("--C 0", "--C must be a finite number > 0, got 0.0"),
        ("--hash-bits 99", "--hash-bits must be None or an integer in 1 .. 30, got 99"),
    ],
)
def test_what_an_estimator_refuses_is_named_by_its_flag(
    flags, message, tmp_path, capsys
):
    path = tmp_path / "train"
    path.write_text("a X B\nb Y O\n")
    args = ["learn", "sequence", str(path), "-o", str(tmp_path / "m"), "--quiet"]
    assert main([*args, *flags.split()]) == 2
    assert capsys.readouterr().err == f"pystruct-ext: error: {message}\n"


def test_a_flag_of_another_name_is_the_one_that_is_named():
    dependency = STRUCTURES["dependency"]
    text = "nonprojective must be 'project' or 'error', got 3"
    assert naming_flags(dependency, text).startswith("--nonprojective-truth must")
    for other in ("nothing must be 1", "a must", "example 3 must be a list"):
        assert naming_flags(dependency, other) == other


def test_opposites_and_new_names():
    assert parsed("dependency", "--no-projective")[1]["projective"] is False
    assert parsed("dependency", "--no-labelled")[1]["labelled"] is False
    assert parsed("dependency", "--nonprojective", "--projective")[1]["projective"]
    truth = parsed("dependency", "--nonprojective-truth", "error")[1]
    assert truth["nonprojective"] == "error"
    assert truth["projective"] is True
    ignored = parsed("dependency", "--ignore-labels", "punct", "root")[1]
    assert ignored["ignore_labels"] == ("punct", "root")
    assert parsed("folding", "--prior", "none")[1]["prior"] is None
    assert parsed("folding", "--prior", "my.par")[1]["prior"] == "my.par"
    assert parsed("folding", "--no-canonical")[1]["canonical"] is False
    assert parsed("ranking", "--top", "none")[1]["top"] is None
    assert parsed("folding", "--random-state", "4")[1]["random_state"] == 4


@pytest.mark.parametrize(
    "flags",
    ["--callback x", "--unfit nonsense", "--max-length x", "--C none", "--dtype int8"],
)
def test_bad_values(flags, capsys):
    with pytest.raises(SystemExit) as stop:
        parsed("folding", *flags.split())
    assert stop.value.code == 2
    assert flags.split()[0] in capsys.readouterr().err


class WiderFolding(FoldingSVM):
    """A folding model with more parameters.

    Parameters
    ----------
    depth, width : int or None, default=3, None
        How far to look. And so on.
    style : {"thin", "bold"}, default="thin"
        How it is drawn; 100 % of users like it.
    shout : bool, default=False
        Say it loudly.
    """

    def __init__(
        self, C=0.5, prior="energy", depth=3, width=None, style="thin", shout=False
    ):
        super().__init__(C=C, prior=prior)
        self.depth = depth
        self.width = width
        self.style = style
        self.shout = shout


def parser_of(structure):
    parser = argparse.ArgumentParser()
    parser.add_argument("--quiet", action="store_true")
    add_options(parser, structure)
    return parser


def test_a_new_parameter_is_a_new_flag():
    wider = dataclasses.replace(STRUCTURES["folding"], estimator=WiderFolding)
    parser = parser_of(wider)
    text = " ".join(parser.format_help().split())
    assert "--depth DEPTH How far to look (3)" in text
    assert "--width WIDTH How far to look (none)" in text
    assert "--style {thin,bold} How it is drawn (thin)" in text
    assert "--shout, --no-shout Say it loudly (no)" in text
    # What the new class says nothing of is looked up in its base, and where that refers to.
    assert "--C C, -C C Weight of the sum of hinges (0.5)" in text
    assert "--prior {energy,none,FILE}" in text
    args = parser.parse_args(["--depth", "none", "--style", "bold", "--shout"])
    assert parameter_values(wider, args) == {
        "C": 0.5,
        "prior": "energy",
        "depth": None,
        "width": None,
        "style": "bold",
        "shout": True,
    }


def test_a_parameter_cannot_take_a_name_of_the_command_line():
    class Bad(FoldingSVM):
        def __init__(self, output=1):
            self.output = output

    with pytest.raises(ValueError, match="Bad: the parameter 'output' cannot become"):
        parser_of(dataclasses.replace(STRUCTURES["folding"], estimator=Bad))


def test_options_of_unknown_parameters_add_nothing():
    narrow = dataclasses.replace(
        STRUCTURES["folding"], options=(Option("--gone", "no_such", value=1),)
    )
    assert "--gone" not in parser_of(narrow).format_help()
