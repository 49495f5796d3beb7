"""The binder keeps what is outside of a range from every kernel; fields by fields."""

from __future__ import annotations

import importlib
import pkgutil
import warnings

import numpy as np
import pytest

from pystruct_ext import ConstituencySVM, DiverseRankingSVM, SequenceSVM
from pystruct_ext._core.binder import Kernel
from pystruct_ext._core.field_text import parsed_range, parsed_sum
from pystruct_ext.spaces import _kernels
from pystruct_ext.structures import STRUCTURES

# Whatever these hold is good: hashes of words.
ANY = {("dependency", "tokens"), ("spans", "tokens"), ("grammar", "tokens")}


class Recorder:
    """A kernel that keeps what it was bound to."""

    def __init__(self, kernel, seen):
        self.kernel, self.seen = kernel, seen

    def bind(self, values, dtype="float64"):
        self.seen.append((self.kernel, dict(values), np.dtype(dtype)))
        return self.kernel.bind(values, dtype)


def kernels():
    for info in pkgutil.iter_modules(_kernels.__path__):
        module = importlib.import_module(f"{_kernels.__name__}.{info.name}")
        for name, value in vars(module).items():
            if isinstance(value, Kernel):
                yield module, name, value


@pytest.fixture(scope="module")
def problems():
    """Kernel to what it was bound to while models of every structure were fitted."""
    seen = []
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module, name, kernel in list(kernels()):
            patch.setattr(module, name, Recorder(kernel, seen))
        for structure in STRUCTURES.values():
            X, y, fit_params = structure.problem(np.random.default_rng(0))
            model = structure.estimator(**structure.small)
            model.fit(*((X,) if y is None else (X, y)), **fit_params)
            for variant in structure.samples:
                X, Y = variant.make_problem(np.random.default_rng(0))
                space = structure.space(**variant.params)
                space.bind(space.fit_pack(X, Y))
        X, y, _ = STRUCTURES["constituency"].problem(np.random.default_rng(0))
        ConstituencySVM(model="grammar", bits=6).fit(X, y)
        queries = STRUCTURES["diverse-ranking"].problem(np.random.default_rng(0)).X
        DiverseRankingSVM(training="steps", max_iter=2).fit(queries)
        names = [[["a"], ["b"]], [["b"]]]
        SequenceSVM(features="seen").fit(names, [["X", "Y"], ["Y"]])
    found = {}
    for kernel, values, dtype in seen:
        given = frozenset(k for k, v in values.items() if v is not None)
        found.setdefault((kernel.name, given), (kernel, values, dtype))
    return list(found.values())


def test_every_kernel_is_met(problems):
    assert {k.name for k, _, _ in problems} == {k.name for _, _, k in kernels()}
    for kernel, values, dtype in problems:
        kernel.bind(values, dtype)


def test_every_field_has_a_range():
    for _, _, kernel in kernels():
        for field in kernel.fields:
            if "offsets" in field.role or field.role == "size":
                assert field.range == ""
            else:
                assert field.range, f"{kernel.name}: {field.name}"
                wild = parsed_range(field.range).kind == "any"
                assert wild == ((kernel.name, field.name) in ANY)


def wild_entries(field, array):
    """Values that the range of a field does not have, in the type of the array."""
    if array.dtype.kind == "f":
        yield from (np.nan, np.inf)
        if "-inf" not in field.range:
            yield -np.inf
        if field.range.startswith(("0..", "positive")):
            yield -1.0
        return
    info = np.iinfo(array.dtype)
    wanted = parsed_range(field.range)
    if wanted.low is not None and info.min < -1:
        yield info.min
        if "-2147483647.." not in field.range:
            yield -2
    if wanted.high is not None and "..2147483647" not in field.range:
        yield info.max
    if not wanted.text:  # offsets
        yield from (info.min, -1, info.max)


def test_no_field_can_leave_its_range(problems):
    """Every array of every kernel, its first, middle and last entry."""
    tried = 0
    for kernel, values, dtype in problems:
        for field in kernel.fields:
            array = values.get(field.name)
            if not isinstance(array, np.ndarray) or array.size == 0:
                continue
            if (kernel.name, field.name) in ANY:
                continue
            for value in wild_entries(field, array):
                for at in {0, array.size // 2, array.size - 1}:
                    wild = array.copy()
                    wild.reshape(-1)[at] = value
                    with pytest.raises(
                        ValueError, match=rf"{kernel.name}.*{field.name}"
                    ):
                        kernel.bind({**values, field.name: wild}, dtype)
                    tried += 1
    assert tried > 500


def test_no_array_can_have_another_type_or_shape(problems):
    for kernel, values, dtype in problems:
        for field in kernel.fields:
            array = values.get(field.name)
            if not isinstance(array, np.ndarray) or array.size == 0:
                continue
            if (
                field.role == "offsets"
                and field.shape == "n_sets+1"
                and array.size == 1
            ):
                continue  # no sets; any number of empty ones would do
            others = [
                array.ravel()[:-1],
                np.concatenate([array.ravel(), array.ravel()]),
            ]
            if field.type != "record":
                others += [
                    array.astype(array.dtype.newbyteorder(">")),
                    array.astype("c16"),
                ]
                others += [
                    array.astype(object),
                    array.tolist(),
                    array[..., None][..., ::-1],
                ]
            others += [np.repeat(array, 2).reshape(*array.shape, 2)[..., 0]]
            for other in others[:-1] if array.size == 1 else others:
                if isinstance(other, np.ndarray) and other.dtype == array.dtype:
                    if other.flags.c_contiguous and other.shape == array.shape:
                        continue
                    if other.size == array.size and other.flags.c_contiguous:
                        continue  # the same content, flat
                with pytest.raises((ValueError, TypeError), match=kernel.name):
                    kernel.bind({**values, field.name: other}, dtype)


@pytest.mark.parametrize(
    "value", [-(2**31), 2**31, 2**40, 2**63, 2**70, np.nan, np.inf, "x"]
)
def test_no_number_can_leave_its_range(problems, value):
    """Sizes that would multiply beyond 64 bits never reach C++."""
    for kernel, values, dtype in problems:
        for field in kernel.fields:
            if "number" not in field.role or values.get(field.name) is None:
                continue
            wide = field.range in ("finite", "..") or (value != "x" and value > 0)
            if field.type == "float64" and isinstance(value, int) and wide:
                continue
            unread = {"bits", "label_bits", "split_bits", "max_states", "n_lengths"}
            if field.name in unread and value == 2**31:
                continue  # in range, though odd
            try:
                kernel.bind({**values, field.name: value}, dtype)
            except (ValueError, TypeError):
                continue
            spare = ("n_arc", "n_label_rows", "max_states", "n_features")
            assert field.name in spare, f"{kernel.name}.{field.name} = {value}"


def test_no_labels_at_all(problems):
    for kernel, values, dtype in problems:
        if "n_labels" not in values or kernel.name == "dependency":
            continue
        for n in (0, -1):
            with pytest.raises(ValueError, match="n_labels"):
                kernel.bind({**values, "n_labels": n}, dtype)


def test_truths_that_are_no_outputs(problems):
    """In range, and still no output of the space."""
    wrong = {
        "alignment": ("codes", lambda a: np.zeros_like(a), "must rise"),
        "fold": ("partner", lambda a: np.ones_like(a), "partner of its partner"),
        "segments": ("codes", lambda a: a & ~1, "does not begin"),
        "spans": ("codes", lambda a: np.zeros_like(a), "a span or a label"),
        "grammar": ("codes", lambda a: np.zeros_like(a), "no derivation"),
    }
    met = set()
    for kernel, values, dtype in problems:
        name, change, message = wrong.get(kernel.name, (None, None, None))
        if name is None or values.get(name) is None:
            continue
        with pytest.raises(ValueError, match=message):
            kernel.bind({**values, name: change(values[name])}, dtype)
        met.add(kernel.name)
    assert met == set(wrong)


def test_optional_fields_that_are_needed(problems):
    kernel, values, dtype = next(p for p in problems if p[0].name == "chain")
    dense = {**values, "indptr": None, "indices": None, "values": None}
    with pytest.raises(TypeError, match="needs the field 'values' without 'indptr'"):
        kernel.bind(dense, dtype)
    sparse = next(
        v for k, v, _ in problems if k.name == "chain" and v["state_ptr"] is not None
    )
    with pytest.raises(
        TypeError, match="needs the field 'state_label' with 'state_ptr'"
    ):
        kernel.bind({**sparse, "state_label": None}, np.float32)


def test_a_constant_table_is_checked_once(problems):
    """What cannot change is not read again; what can is."""
    _, values, dtype = next(
        p for p in problems if p[0].name == "chain" and p[1]["state_ptr"] is not None
    )
    kernel = next(k for _, _, k in kernels() if k.name == "chain")
    own = values["state_label"].copy()
    changed = {**values, "state_label": own}
    kernel.bind(changed, dtype)
    own[0] = 99
    with pytest.raises(
        ValueError, match=r"state_label\[0\] is 99, expected 0\.\.[12] "
    ):
        kernel.bind(changed, dtype)
    own[0] = 0
    own.setflags(write=False)
    for _ in range(2):
        kernel.bind(changed, dtype)
    # The same table under other bounds is another check.
    with pytest.raises(ValueError, match=r"state_label|n_labels"):
        kernel.bind({**changed, "n_labels": 1}, dtype)


def test_ranges_are_parsed():
    assert parsed_sum("2*n-k+1").terms == ((2, ("n",)), (-1, ("k",)), (1, ()))
    assert parsed_range("n..m by 8").by == 8
    assert parsed_range("0..n rising").rising
    assert parsed_range("-1..#offsets-1").per
    assert parsed_range("finite; without x").needed == (False, "x")
    for text in ("0-4", "0..n falling", "finite; if x"):
        with pytest.raises(ValueError, match="range"):
            parsed_range(text)
