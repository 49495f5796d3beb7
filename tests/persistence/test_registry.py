"""The table of storable classes, and what loading may import."""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
import textwrap
import zipfile
from dataclasses import dataclass
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

import pystruct_ext
from pystruct_ext import ModelFileError, OutputSpace, SequenceSVM, StructuralSVM
from pystruct_ext.persistence import _finding, registry, storable
from pystruct_ext.persistence.registry import entry_of, lookup, names

X = [[["w=a", "é"], {"w=b": 2.0}], [["w=b"]], [["w=a"], ["w=b"], ["w=b"]]]
Y = [["X", "Y"], ["Y"], ["X", "Y", "Y"]]


@pytest.fixture(autouse=True)
def table(monkeypatch):
    """Tests register classes in a copy."""
    monkeypatch.setattr(registry, "_TABLE", dict(registry._TABLE))
    monkeypatch.setattr(registry, "_BY_CLASS", dict(registry._BY_CLASS))


def stored(model, folder):
    path = Path(folder) / "model.psx"
    pystruct_ext.persistence.save(model, path)
    return path


def change(file, edit):
    with zipfile.ZipFile(file) as archive:
        members = {n: archive.read(n) for n in archive.namelist()}
    manifest = json.loads(members["manifest.json"])
    edit(manifest)
    members["manifest.json"] = json.dumps(manifest).encode()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file


# Registration.


def test_two_classes_of_one_name():
    class Other:
        pass

    Other.__module__ = "elsewhere"
    with pytest.raises(ValueError, match=r"'History'.*result\.History and elsewhere"):
        storable(name="History")(Other)
    assert lookup("History").module == "pystruct_ext.solvers.result"


def test_the_same_module_again():
    def make():
        @storable
        class Twice(BaseEstimator):
            pass

        return Twice

    first, second = make(), make()
    assert lookup("Twice").cls is second
    assert entry_of(first).name == "Twice"


def test_the_kind_is_checked():
    with pytest.raises(ValueError, match="kind must be one of"):
        storable(kind="thing")(BaseEstimator)


def test_options_are_inherited():
    @storable(kind="model", leave_out=["a"], private=["_w"], renamed={"x": "y"})
    class Base(BaseEstimator):
        pass

    @storable(leave_out=["b"], renamed={"u": "v"})
    class Below(Base):
        pass

    entry = lookup("Below")
    assert entry.kind == "model"
    assert entry.leave_out == {"a", "b"}
    assert entry.private == ("_w",)
    assert entry.renamed == {"x": "y", "u": "v"}

    class NotRegistered(Below):
        pass

    assert entry_of(NotRegistered) is None


def test_every_class_of_the_package_is_there():
    assert set(names("model")) >= {"StructuralSVM", "SequenceSVM"}
    assert set(names("solver")) == {
        c.__name__ for c in pystruct_ext.solvers.SOLVERS.values()
    }
    for name in dir(pystruct_ext):
        cls = getattr(pystruct_ext, name)
        if name.endswith("SVM"):
            assert lookup(name).cls is cls
    spaces = [getattr(pystruct_ext.spaces, n) for n in pystruct_ext.spaces.__all__]
    for cls in spaces:
        if isinstance(cls, type) and cls.__name__.endswith("Space"):
            assert (cls.__name__ in names("space")) != inspect.isabstract(cls)


def test_the_archive_names_no_class():
    folder = Path(registry.__file__).parent
    for path in folder.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docs = {
            id(n.body[0].value)
            for n in ast.walk(tree)
            if isinstance(n, ast.Module | ast.FunctionDef | ast.ClassDef)
            and isinstance(n.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            said = None
            if isinstance(node, ast.Name):
                said = node.id
            elif isinstance(node, ast.Attribute):
                said = node.attr
            elif isinstance(node, ast.Constant) and id(node) not in docs:
                said = node.value
            assert said not in registry._TABLE, f"{path.name} names {said}"


# Classes of a third party.


@dataclass
class Pair:
    left: np.ndarray
    right: float


class Box:
    """State by the pickle protocol, a dtype in it."""

    def __init__(self):
        self.dtype, self.items = np.dtype("float32"), [1, (2, "c")]

    def __getstate__(self):
        return dict(self.__dict__)

    def __setstate__(self, state):
        self.__dict__.update(state)


class Custom:
    def __init__(self, text):
        self.text = text

    def to_stored(self):
        return self.text.split()

    @classmethod
    def from_stored(cls, state):
        return cls(" ".join(state))


class Shift(BaseEstimator):
    def __init__(self, by=1.0, log=None, inner=None):
        self.by = by
        self.log = log
        self.inner = inner

    def fit(self, X, y=None):
        self.mean_ = np.mean(X)
        self.double_ = 2 * self.mean_
        self.scratch = "not stored"
        return self


class Own(OutputSpace):
    """Its parameter is a storable object."""

    def __init__(self, shift=None):
        self.shift = shift

    def fit_domain(self, X, Y=None):
        self.size_psi_ = 2
        return self

    def joint_feature(self, x, y):
        return np.array([x, 0.0]) if y else np.array([0.0, x])

    def loss(self, y, y_hat):
        return float(y != y_hat)

    def decode(self, w, x):
        return bool(w[0] * x > w[1] * x)

    def loss_augmented_decode(self, w, x, y):
        return bool(w[0] * x + (not y) > w[1] * x + y)


def test_parts_of_every_sort_inside_an_estimator(tmp_path):
    for cls in (Pair, Box, Custom):
        storable(name=f"vendor.{cls.__name__}")(cls)
    storable(leave_out=["log"], derived={"double_": lambda s: 2 * s.mean_})(Shift)
    storable(Own)
    shift = Shift(by=3.0, log=print).fit([1.0, 2.0])
    model = StructuralSVM(Own(shift), C=10.0).fit([1.0, -1.0], [True, False])
    model.pair_ = Pair(np.arange(3), np.inf)
    model.things_ = {"box": Box(), 2: [Custom("a b")]}
    model.nested_ = SequenceSVM(callback=print).fit(X, Y)
    loaded = pystruct_ext.load(stored(model, tmp_path))  # the space is in the table
    assert type(loaded.space_) is Own
    assert loaded.predict([2.0, -2.0]) == [True, False]
    assert loaded.space.shift.by == 3.0
    assert loaded.space.shift.log is None
    # Parameters are cloned at fit; here it is the object given that was fitted.
    assert loaded.space.shift.mean_ == 1.5
    assert loaded.space.shift.double_ == 3.0
    assert not hasattr(loaded.space.shift, "scratch")
    np.testing.assert_array_equal(loaded.pair_.left, [0, 1, 2])
    assert loaded.pair_.right == np.inf
    assert loaded.things_["box"].__dict__ == Box().__dict__
    assert loaded.things_[2][0].text == "a b"
    assert loaded.nested_.predict(X) == model.nested_.predict(X)
    assert loaded.nested_.callback is None


def test_what_is_not_storable_is_refused(tmp_path):
    model = SequenceSVM().fit(X, Y)
    model.extra_ = Custom("a")
    with pytest.raises(TypeError, match=r"SequenceSVM \(fitted\) holds a Custom"):
        stored(model, tmp_path)

    class Below(SequenceSVM):
        pass

    with pytest.raises(TypeError, match=r"estimator must be one of .* got Below"):
        stored(Below().fit(X, Y), tmp_path)


def test_a_third_party_model(tmp_path):
    storable(kind="model")(Shift)
    loaded = pystruct_ext.load(stored(Shift(2.0).fit([1.0, 5.0]), tmp_path))
    assert (type(loaded), loaded.by, loaded.mean_) == (Shift, 2.0, 3.0)
    with pytest.raises(NotFittedError):
        stored(Shift(), tmp_path)


# Renamed parameters.


class Fitting(BaseEstimator):
    def fit(self, X, y=None):
        self.coef_, self.was_ = 1.0, 5
        return self


class Before(Fitting):
    def __init__(self, old=None):
        self.old = old


class After(Fitting):
    def __init__(self, new=None):
        self.new = new


class Alias(Fitting):
    def __init__(self, new=None, old="deprecated"):
        self.new = new
        self.old = old


def as_part(cls, **options):
    """The class under the name "Part", as if it had been written anew in the same place."""
    del registry._TABLE["Part"]
    storable(name="Part", kind="model", **options)(cls)


def test_renamed_parameters(tmp_path):
    renamed = {"old": "new", "was_": "is_"}
    storable(name="Part", kind="model")(Before)
    path = stored(Before(1).fit(X), tmp_path)
    as_part(Before, renamed={"old": "new"})
    assert pystruct_ext.load(path).get_params() == {"old": 1}  # said, not yet done
    as_part(After, renamed=renamed)
    loaded = pystruct_ext.load(path)
    assert loaded.get_params() == {"new": 1}
    assert loaded.is_ == 5
    assert not hasattr(loaded, "was_")
    as_part(Alias, renamed=renamed)
    assert pystruct_ext.load(path).get_params() == {"new": 1, "old": "deprecated"}
    path = stored(Alias(2, "alias").fit(X), tmp_path)
    assert pystruct_ext.load(path).get_params() == {"new": 2, "old": "deprecated"}
    as_part(After)
    with pytest.raises(ModelFileError, match=r"damaged model file .*'old'"):
        pystruct_ext.load(path)


def test_attributes_that_became_properties(tmp_path):
    storable(name="Part", kind="model")(Fitting)
    path = stored(Fitting().fit(X), tmp_path)

    class Newer(BaseEstimator):
        @property
        def coef_(self):
            return "made"

    as_part(Newer)
    loaded = pystruct_ext.load(path)
    assert (loaded.coef_, loaded.was_) == ("made", 5)
    as_part(Newer, derived={"coef_": lambda model: pytest.fail("it makes itself")})
    assert pystruct_ext.load(path).coef_ == "made"


# What loading imports.

FLAG = """
    import sys
    sys.evil_was_imported = True
    from sklearn.base import BaseEstimator
    from pystruct_ext.persistence import storable

    @storable(kind="model")
    class Evil(BaseEstimator):
        pass
"""


@pytest.fixture
def evil(tmp_path, monkeypatch):
    """A module on the path that says so if it is imported, and a file that names it."""
    (tmp_path / "evil_module.py").write_text(textwrap.dedent(FLAG))
    package = tmp_path / "evil_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "inner.py").write_text(textwrap.dedent(FLAG))
    (package / "__main__.py").write_text(textwrap.dedent(FLAG))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "evil_was_imported", False, raising=False)
    yield stored(SequenceSVM().fit(X, Y), tmp_path)
    for name in [n for n in sys.modules if n.startswith("evil_")]:
        del sys.modules[name]


def naming(file, module):
    return change(file, lambda m: m.update({"class": "Evil", "module": module}))


REFUSED = [
    "evil_module",
    "evil_package.inner",
    "__main__",
    "evil_package.__main__",
    "pystruct_ext.__main__",
    "pystruct_ext.cli.__main__",
    "pystruct_ext_evil",
    ".evil_module",
    "pystruct_ext..evil_module",
    "pystruct_ext/../evil_module",
    "pystruct_ext.solvers\n",
    "pystruct_ext. solvers",
    "",
    7,
    ["evil_module"],
]


@pytest.mark.parametrize("module", REFUSED)
def test_other_modules_are_not_imported(evil, module):
    before = set(sys.modules)
    with pytest.raises(ModelFileError, match="model of class 'Evil', expected one of"):
        pystruct_ext.load(naming(evil, module))
    assert not sys.evil_was_imported
    assert not {m for m in set(sys.modules) - before if "evil" in m or "main" in m}


def test_nor_for_an_object_inside(evil):
    def edit(manifest):
        node = {"$": "object", "class": "Evil", "module": "evil_module", "kind": "part"}
        node |= {"params": {"$": "dict", "v": []}, "fitted": {"$": "dict", "v": []}}
        manifest["params"]["v"].append(["C", node])

    message = "part of class 'Evil'.*loading does not import 'evil_module'"
    with pytest.raises(ModelFileError, match=message):
        pystruct_ext.load(change(evil, edit))
    assert not sys.evil_was_imported


def install(monkeypatch, value):
    points = EntryPoints([EntryPoint("evil", value, _finding.GROUP)])
    monkeypatch.setattr(
        _finding, "entry_points", lambda group: points.select(group=group)
    )


@pytest.mark.parametrize(
    ("point", "module"),
    [
        ("evil_module:Evil", "evil_module"),
        ("evil_package:STRUCTURE", "evil_package.inner"),
        ("evil_package.inner:STRUCTURE", "evil_package.moved.away"),
    ],
)
def test_packages_of_entry_points_are_imported(evil, monkeypatch, point, module):
    install(monkeypatch, point)
    file = naming(evil, module)
    change(file, lambda m: m.update({k: {"$": "dict", "v": []} for k in PARTS}))
    assert type(pystruct_ext.load(file)).__name__ == "Evil"
    assert sys.evil_was_imported


PARTS = ("params", "fitted")


def test_entry_points_open_their_own_package_only(evil, monkeypatch):
    install(monkeypatch, "evil_package:STRUCTURE")
    for module in ("evil_module", "evil_package.__main__", "evil_package_2"):
        with pytest.raises(ModelFileError, match="class 'Evil', expected one of"):
            pystruct_ext.load(naming(evil, module))
    assert not sys.evil_was_imported


def test_a_trusted_module_that_fails_says_so(evil, monkeypatch):
    Path(evil.parent, "evil_package", "broken.py").write_text("1 / 0")
    install(monkeypatch, "evil_package:STRUCTURE")
    message = "'evil_package.broken' cannot be imported: division by zero"
    with pytest.raises(ModelFileError, match=message):
        pystruct_ext.load(naming(evil, "evil_package.broken"))


@pytest.mark.parametrize("module", ["pystruct_ext.gone", "pystruct_ext.solvers.gone"])
def test_a_class_that_has_moved(tmp_path, module):
    path = stored(SequenceSVM().fit(X, Y), tmp_path)

    def edit(manifest):
        text = json.dumps(manifest).replace(
            f'"{SequenceSVM.__module__}"', f'"{module}"'
        )
        manifest.update(json.loads(text))

    change(path, edit)
    del registry._TABLE["SequenceSVM"]
    with pytest.raises(ModelFileError, match="class 'SequenceSVM'"):
        pystruct_ext.load(path)  # all its modules are imported already
    registry._enter(registry._BY_CLASS[SequenceSVM])
    assert pystruct_ext.load(path).predict(X) == SequenceSVM().fit(X, Y).predict(X)


@pytest.mark.parametrize("version", [1, 2])
def test_imports_on_demand(tmp_path, version):
    """In a process whose table lacks what is not yet imported."""
    v1 = Path(__file__).parent / "v1" / "sequence.psx"
    path = v1 if version == 1 else stored(SequenceSVM().fit(X, Y), tmp_path)
    code = f"""
        import sys, types
        root = types.ModuleType("pystruct_ext")
        root.__path__ = {list(pystruct_ext.__path__)!r}
        root.__version__ = "0"
        sys.modules["pystruct_ext"] = root
        from pystruct_ext.persistence import load
        assert "pystruct_ext.estimators" not in sys.modules
        assert "pystruct_ext.spaces" not in sys.modules
        assert type(load({str(path)!r})).__name__ == "SequenceSVM"
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
