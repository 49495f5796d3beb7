"""Flags of ``learn``: made from parameters; those of earlier versions still work."""

from __future__ import annotations

import argparse
import dataclasses

import pytest

from pystruct_ext import FoldingSVM
from pystruct_ext.cli._options import add_options, parameter_values
from pystruct_ext.cli.main import build_parser
from pystruct_ext.structures import STRUCTURES, Option

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
    "dependency": {"C": 0.03, "labelled": True, "projective": True, "bits": 22},
    "constituency": {"C": 0.1, "model": "spans", "horizontal": 1, "bits": 16},
    "folding": {"C": 0.001, "prior": "energy", "canonical": True, "false_cost": 0.1},
    "alignment": {"C": 0.1, "mode": "global", "window": 0},
    "ranking": {"C": 1.0, "tol": 0.01, "loss": "ndcg", "top": 10, "solver": "auto"},
    "diverse-ranking": {
        "C": 0.1,
        "model": "mixture",
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
    assert parsed("folding", "--no-canonical")[1]["canonical"] is False
    assert parsed("ranking", "--top", "none")[1]["top"] is None
    assert parsed("folding", "--random-state", "4")[1]["random_state"] == 4


@pytest.mark.parametrize(
    "flags",
    ["--callback x", "--prior nonsense", "--max-length x", "--C none", "--dtype int8"],
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
    assert "--C C Weight of the sum of hinges (0.5)" in text
    assert "--prior {energy,none}" in text
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
