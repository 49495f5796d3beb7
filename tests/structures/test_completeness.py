"""Every structure, whole: what a descriptor must have, and its way through the command line."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

import pystruct_ext
from pystruct_ext import load
from pystruct_ext.cli.main import main
from pystruct_ext.spaces import OutputSpace
from pystruct_ext.structures import STRUCTURES, structure_of, table
from pystruct_ext.utils.numpydoc import parameters


@pytest.fixture(scope="module", params=STRUCTURES.values(), ids=lambda s: s.name)
def structure(request):
    return request.param


def small_flags(structure):
    """The parameters that make a fit quick, as flags."""
    flags = []
    for name, value in structure.small.items():
        flags += [f"--{name.replace('_', '-')}", str(value)]
    return flags


@pytest.fixture(scope="module")
def learnt(structure, tmp_path_factory):
    """A sample written by the structure's writer, and a model learnt from the file."""
    folder = tmp_path_factory.mktemp(structure.name)
    data, model = str(folder / "data"), str(folder / "model.psx")
    X, y, fit_params = structure.problem(np.random.default_rng(0))
    structure.write(data, X, y, **fit_params)
    args = ["learn", structure.name, data, "-o", model, "--quiet"]
    assert main([*args, *small_flags(structure)]) == 0
    return data, model


def test_descriptor(structure):
    exported = getattr(pystruct_ext, structure.estimator.__name__)
    assert exported is structure.estimator
    assert structure.estimator.__name__ in pystruct_ext.__all__
    assert getattr(pystruct_ext.spaces, structure.space.__name__) is structure.space
    for text in (structure.summary, structure.description, structure.file):
        assert len(text) > 10
    for cls in (structure.estimator, structure.space):
        assert len(cls.__doc__) > 100
    assert "Examples\n" in structure.estimator.__doc__
    assert structure_of(structure.estimator()) is structure
    assert set(structure.defaults) | set(structure.small) <= set(
        structure.estimator().get_params()
    )
    assert f"| `{structure.name}` | `{structure.estimator.__name__}` |" in table()


def test_every_parameter_is_documented(structure):
    for p in parameters(structure.estimator):
        if p.name == "callback":
            continue
        assert p.kind is not None, f"{p.name}: no type in the docstring"
        assert len(p.help) > 5, f"{p.name}: no description"
        assert "See `" not in p.help, p.name
        if p.choices and isinstance(p.default, str):
            assert p.default in p.choices


def test_sample(structure):
    one, two = (structure.problem(np.random.default_rng(3)) for _ in range(2))
    assert str(one) == str(two), "a seed gives one problem"
    other = structure.problem(np.random.default_rng(4))
    assert pickle.dumps(one) != pickle.dumps(other)
    model = structure.estimator(**structure.small)
    model.fit(one.X, one.y, **one.fit_params)
    assert type(model.space_) is structure.space
    some = structure.select(one, [3, 2, 1, 0, 3])
    again = structure.select(some, [4, 3, 2, 1])
    direct = structure.select(one, [3, 0, 1, 2])
    assert str(again) == str(direct)
    model.fit(again.X, again.y, **again.fit_params)


def test_variants_have_names_of_their_own(structure):
    # What is an OutputSpace has variants for the battery, and only that.
    assert bool(structure.samples) == issubclass(structure.space, OutputSpace)
    names = [v.name for v in structure.samples]
    assert len(set(names)) == len(names)
    for variant in structure.samples:
        X, Y = variant.make_problem(np.random.default_rng(0))
        space = structure.space(**variant.params).fit_domain(X, Y)
        for y in Y:
            assert space.loss(y, y) == 0


def test_written_samples_are_read(structure, learnt):
    data, _ = learnt
    examples = structure.read(data)
    assert examples.count >= 4
    assert examples.unit.endswith("s")
    assert str(examples.count) in examples.about
    problem = structure.problem(np.random.default_rng(0))
    if problem.y is not None:
        assert examples.y is not None


def test_learn_says_what_was_reached(structure, learnt, tmp_path, capsys):
    data, _ = learnt
    args = ["learn", structure.name, data, "-o", str(tmp_path / "m")]
    assert main([*args, *small_flags(structure)]) == 0
    seen = capsys.readouterr()
    assert seen.out == ""
    for word in (
        "read",
        "data",
        "train",
        "save",
        "relative gap",
        "certificate",
        "status",
    ):
        assert word in seen.err, word


def test_predictions_are_written_and_evaluated(structure, learnt, tmp_path, capsys):
    data, model = learnt
    out = tmp_path / "out"
    assert main(["predict", model, data, "-o", str(out), "--quiet"]) == 0
    assert main(["predict", model, data, "--quiet", "--n-jobs", "2"]) == 0
    assert capsys.readouterr().out == out.read_text()
    assert out.read_text().strip()

    assert main(["evaluate", model, data, "--json", "--quiet"]) == 0
    plain = json.loads(capsys.readouterr().out)
    fitted, examples = load(model), structure.read(data)
    if structure.adapt is not None:
        examples = structure.adapt(fitted, examples)
    report = structure.report(examples, fitted.predict(examples.X), fitted)
    if isinstance(report, dict):
        assert plain == {
            name: v if isinstance(v, float) else v.to_dict()
            for name, v in report.items()
        }
    else:
        assert plain == report.to_dict()
    assert main(["evaluate", model, data]) == 0
    seen = capsys.readouterr()
    assert any(c.isdigit() for c in seen.out)
    assert f"{examples.unit}/s" in seen.err


def test_inspect(structure, learnt, capsys):
    _, model = learnt
    assert main(["inspect", model, "--top", "2"]) == 0
    out = capsys.readouterr().out
    assert structure.estimator.__name__ in out
    assert "certificate" in out
    if structure.inspect is not None:
        extra = structure.inspect(load(model), 2)
        assert extra
        assert out.rstrip().endswith("\n".join(extra).rstrip())


def test_displays(structure, learnt):
    mpl = pytest.importorskip("matplotlib", reason="pip install pystruct-ext[plot]")
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    data, model = learnt
    for draw in structure.display.values():
        display = draw(load(model), structure.read(data))
        assert display.figure_.get_axes()
    plt.close("all")


def test_missing_files_and_folders(structure, learnt, tmp_path, capsys):
    data, model = learnt
    missing = str(tmp_path / "missing")
    for args in (
        ["learn", structure.name, missing, "-o", str(tmp_path / "m")],
        ["learn", structure.name, data, "-o", f"{missing}/m"],
        ["predict", model, missing],
        ["evaluate", model, missing],
        ["predict", model, data, "-o", f"{missing}/out"],
    ):
        assert main([*args, "--quiet"]) == 2, args
        err = capsys.readouterr().err
        assert missing in err
        assert err.count("\n") == 1
