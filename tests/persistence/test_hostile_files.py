"""Model files made by somebody who means harm: refused, or harmless, and never a crash."""

from __future__ import annotations

import faulthandler
import importlib.util
import json
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

import pystruct_ext
from pystruct_ext import ConstituencySVM, ModelFileError, SequenceSVM
from pystruct_ext.structures import STRUCTURES

HERE = Path(__file__).parent


def beside(name):
    """A module of this folder."""
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


hostile = beside("hostile")
N_MUTATIONS = int(os.environ.get("PSX_MUTATIONS", "25"))


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Name to (bytes of a good file, examples)."""
    folder = tmp_path_factory.mktemp("good")
    found = {}
    for name, (model, X) in hostile.models().items():
        model.save(folder / name)
        assert hostile.outcome(folder / name, X) == "predicted"
        found[name] = (folder / name).read_bytes(), X
    return found


def test_mutations_of_fresh_files(good, tmp_path):
    assert set(STRUCTURES) <= set(good)
    path, seen = tmp_path / "model.psx", set()
    faulthandler.dump_traceback_later(120, exit=True)  # a hang is a failure, too
    for name, (raw, X) in good.items():
        for k in range(N_MUTATIONS):
            path.write_bytes(hostile.mutated(np.random.default_rng([7, k]), raw))
            try:
                seen.add(hostile.outcome(path, X))
            except Exception as error:
                raise AssertionError(f"{name}, mutation {k} of seed 7") from error
    faulthandler.cancel_dump_traceback_later()
    assert seen == {"refused", "predicted"}


def test_mutations_of_old_files(tmp_path):
    old = beside("test_version1")
    path = tmp_path / "model.psx"
    for name, expected in old.EXPECTED.items():
        raw = (HERE / "v1" / f"{name}.psx").read_bytes()
        X = old.READ.get(name, list)(expected["X"])
        for k in range(N_MUTATIONS // 2):
            path.write_bytes(hostile.mutated(np.random.default_rng([8, k]), raw))
            try:
                space = old.Sign() if name == "own_space" else None
                hostile.outcome(path, X, space)
            except Exception as error:
                raise AssertionError(f"{name}, mutation {k} of seed 8") from error


# Targeted: what crashed, wrote out of bounds, or hung before.


def changed_array(raw, attribute, change, owner=None):
    """A file in which one array, named by the attribute that holds it, is another."""
    members = hostile.members_of(raw)
    manifest = json.loads(members["manifest.json"])
    found = []

    def walk(node):
        if isinstance(node, dict):
            pairs = node.get("v") if node.get("$") == "dict" else None
            for pair in pairs if isinstance(pairs, list) else ():
                value = pair[1]
                if pair[0] == attribute and isinstance(value, dict):
                    found.append(value)
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(manifest)
    name = found[-1]["v"]
    with (
        zipfile.ZipFile(hostile.io.BytesIO(raw)) as archive,
        archive.open(name) as file,
    ):
        array = np.lib.format.read_array(file)
    members[name] = hostile.npy(change(array.copy()))
    return hostile.packed(members)


def put(value, at=0):
    def change(array):
        array.reshape(-1)[at] = value
        return array

    return change


TARGETS = [
    (
        "seen",
        "state_label_",
        put(1 << 24),
        r"SequenceSpace.state_label_ holds 16777216",
    ),
    ("seen", "state_label_", put(-(1 << 24)), r"state_label_ holds -16777216 at 0"),
    ("seen", "state_ptr_", put(1 << 40, 1), r"SequenceSpace.state_ptr_ holds"),
    ("seen", "state_ptr_", lambda a: a[::-1].copy(), r"state_ptr_ is no such list"),
    ("seen", "state_label_", lambda a: a.astype(">i8"), r"state_label_ is of int64"),
    ("seen", "cost_", put(np.nan), r"SequenceSpace.cost_ holds nan at \(0, 0\)"),
    ("seen", "transition", lambda a: a[:1], r"Allowed.transition has the shape"),
    ("grammar", "lexical", put(1 << 28), r"TreebankGrammar.lexical holds 268435456"),
    ("grammar", "lexical", put(1 << 28, 1), r"TreebankGrammar.lexical holds 268435456"),
    ("grammar", "rules", put(1 << 28), r"TreebankGrammar.rules holds 268435456"),
    ("grammar", "rules", lambda a: a[::-1].copy(), r"rules is not sorted by column 1"),
    ("grammar", "symbol_label", put(99), r"TreebankGrammar.symbol_label holds 99"),
    ("segments", "longest_", put(0), r"SegmentSpace.longest_ holds 0 at 0"),
    ("sequence", "_w", lambda a: a[:-1], r"SequenceSVM._w has the shape"),
    ("sequence", "_w", put(np.inf), r"SequenceSVM._w holds inf at 0"),
    ("sequence", "_w", lambda a: a.astype("<U9"), r"SequenceSVM._w is of <U9"),
    ("sequence", "names_offsets", put(1 << 40, 1), r"offsets"),
]


@pytest.mark.parametrize(("name", "attribute", "change", "message"), TARGETS)
def test_hostile_arrays_are_named(good, tmp_path, name, attribute, change, message):
    path = tmp_path / "model.psx"
    path.write_bytes(changed_array(good[name][0], attribute, change))
    with pytest.raises(ModelFileError, match=message):
        pystruct_ext.load(path)


NUMBERS = [
    ("dependency", "bits", 30, "DependencySpace.n_arc_ is"),
    ("dependency", "bits", 62, "bits must be an integer in 1 .. 30"),
    ("dependency", "n_label_rows_", 1 << 40, "DependencySpace.n_label_rows_ is"),
    ("constituency", "bits", 24, "ConstituencySpace.size_psi_ is"),
    ("constituency", "stride_", 4, "ConstituencySpace.stride_ is 4, expected 8"),
    ("sequence", "stride_", -8, "SequenceSpace.stride_ is -8"),
    ("sequence", "n_features_", 1 << 62, "SequenceSpace.n_features_ is"),
    ("sequence", "n_features_", True, "a whole number"),
    ("multiclass", "size_psi_", 1 << 62, "MulticlassSpace.size_psi_ is"),
    ("alignment", "window", 1 << 40, "window must be an integer in 0 .. 20"),
    ("diverse-ranking", "top", 1 << 40, "SlateSpace.top is"),
    ("segments", "n_lengths", 1 << 40, "SegmentSpace.n_lengths is"),
]


@pytest.mark.parametrize(("name", "key", "value", "message"), NUMBERS)
def test_hostile_numbers_are_named(good, tmp_path, name, key, value, message):
    members = hostile.members_of(good[name][0])
    text = json.loads(members["manifest.json"])

    def walk(node):
        if isinstance(node, dict):
            for inner in node.values():
                walk(inner)
        elif isinstance(node, list):
            if len(node) == 2 and node[0] == key:
                node[1] = value
            for inner in node:
                walk(inner)

    walk(text)
    members["manifest.json"] = json.dumps(text).encode()
    path = tmp_path / "model.psx"
    path.write_bytes(hostile.packed(members))
    with pytest.raises(ModelFileError, match=message):
        pystruct_ext.load(path)


def test_crashes_would_be_seen(good, tmp_path):
    """The same files in a process of its own: a crash is a failure there, not of pytest."""
    files = []
    for k, (name, attribute, change, _) in enumerate(TARGETS):
        files.append(tmp_path / f"{k}.psx")
        files[-1].write_bytes(changed_array(good[name][0], attribute, change))
    code = (
        "import faulthandler, sys, pystruct_ext; faulthandler.enable()\n"
        "for path in sys.argv[1:]:\n"
        "    try: pystruct_ext.load(path).predict([[['w=a'], ['w=b']]])\n"
        "    except ValueError as error: print('refused', type(error).__name__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, files)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["refused", "ModelFileError"] * len(TARGETS)


# The container.


def archive_with(path, *entries, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in entries:
            archive.writestr(name, data)


def entries_of(raw):
    return list(hostile.members_of(raw).items())


def test_compressed_members(good, tmp_path):
    path = tmp_path / "m"
    archive_with(path, *entries_of(good["seen"][0]), compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(ModelFileError, match="is compressed, expected stored"):
        pystruct_ext.load(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_one_member_per_name(good, tmp_path):
    path = tmp_path / "m"
    entries = entries_of(good["seen"][0])
    archive_with(path, *entries, entries[1])
    with pytest.raises(ModelFileError, match="two members are called"):
        pystruct_ext.load(path)


def test_encrypted(good, tmp_path):
    raw = bytearray(good["seen"][0])
    at = raw.find(b"PK\x01\x02")
    raw[at + 8] |= 1
    (tmp_path / "m").write_bytes(raw)
    with pytest.raises(ModelFileError, match="is encrypted"):
        pystruct_ext.load(tmp_path / "m")


def test_an_array_stands_for_one_value(good, tmp_path):
    members = hostile.members_of(good["seen"][0])
    text = members["manifest.json"].replace(b"arrays/1.npy", b"arrays/0.npy")
    members["manifest.json"] = text
    (tmp_path / "m").write_bytes(hostile.packed(members))
    with pytest.raises(ModelFileError, match="stands for two values"):
        pystruct_ext.load(tmp_path / "m")


def header(text):
    text = text.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            header("{'descr': '<f8', 'fortran_order': False, 'shape': (400000000,)}"),
            r"shape \(400000000,\) of float64 needs 3200000000 bytes, there are 0",
        ),
        (
            header("{'descr': '<f8', 'fortran_order': False, 'shape': (2**62, 4)}"),
            "is no array",
        ),
        (
            header("{'descr': '|U0', 'fortran_order': False, 'shape': (1 << 40,)}"),
            "is no array",
        ),
        (
            header("{'descr': '|S0', 'fortran_order': False, 'shape': (99999999,)}"),
            r"type \|S0",
        ),
        (
            header("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}")
            + b"\0" * 8,
            "type object",
        ),
        (
            header("{'descr': '|b1', 'fortran_order': False, 'shape': (2,)}") + b"\2\0",
            "neither 0 nor 1",
        ),
        (
            header("{'descr': '<U1', 'fortran_order': False, 'shape': (1,)}")
            + struct.pack("<I", 0x7FFFFFFF),
            "no Unicode",
        ),
        (header("[" * 3000), "is no array"),
        (b"\x93NUMPY\x09\x00", "is no array"),
    ],
)
def test_hostile_headers(good, tmp_path, data, message):
    members = hostile.members_of(good["seen"][0])
    members["arrays/0.npy"] = data
    (tmp_path / "m").write_bytes(hostile.packed(members))
    with pytest.raises(ModelFileError, match=message):
        pystruct_ext.load(tmp_path / "m")


def test_zeros_have_a_budget(tmp_path):
    """A file of a kilobyte cannot ask for gigabytes; whoever wants them says so."""
    model = SequenceSVM(hash_bits=16).fit(hostile.NAMES, hostile.TAGS)
    model.save(tmp_path / "m")
    members = hostile.members_of((tmp_path / "m").read_bytes())
    text = members["manifest.json"].decode()
    size = model.space_.size_psi_
    assert f'"size": {size}' in text
    huge = text.replace(f'"size": {size}', f'"size": {1 << 30}')
    members["manifest.json"] = huge.encode()
    (tmp_path / "m").write_bytes(hostile.packed(members))
    with pytest.raises(ModelFileError, match=r"load\(path, max_bytes=...\) allows"):
        pystruct_ext.load(tmp_path / "m")
    members["manifest.json"] = text.encode()
    (tmp_path / "m").write_bytes(hostile.packed(members))
    with pytest.raises(ModelFileError, match=r"manifest\.json has"):
        pystruct_ext.load(tmp_path / "m", max_bytes=1000)
    loaded = pystruct_ext.load(tmp_path / "m", max_bytes=1 << 24)
    assert loaded.predict(hostile.NAMES) == model.predict(hostile.NAMES)


def test_a_manifest_nested_without_end(good, tmp_path):
    members = hostile.members_of(good["seen"][0])
    manifest = json.loads(members["manifest.json"])
    deep = 1
    for _ in range(100):
        deep = {"$": "tuple", "v": [deep]}
    manifest["params"]["v"].append(["C", deep])
    members["manifest.json"] = json.dumps(manifest).encode()
    (tmp_path / "m").write_bytes(hostile.packed(members))
    with pytest.raises(ModelFileError, match="nested more than 64 deep"):
        pystruct_ext.load(tmp_path / "m")
    members["manifest.json"] = b"[" * 200_000
    (tmp_path / "m").write_bytes(hostile.packed(members))
    with pytest.raises(ModelFileError, match="damaged"):
        pystruct_ext.load(tmp_path / "m")


def test_foreign_byte_order_is_converted(good, tmp_path):
    raw, X = good["seen"]
    path = tmp_path / "m"
    path.write_bytes(
        changed_array(raw, "_w", lambda a: a.astype(a.dtype.newbyteorder(">")))
    )
    loaded = pystruct_ext.load(path)
    assert loaded._w.dtype.isnative
    (tmp_path / "good").write_bytes(raw)
    assert loaded.predict(X) == pystruct_ext.load(tmp_path / "good").predict(X)


def test_a_class_checks_what_was_loaded(tmp_path, monkeypatch):
    """One mechanism: whatever has `check_loaded` is asked, with errors of one kind."""
    model = ConstituencySVM(bits=6, split_bits=6)
    X, y, _ = STRUCTURES["constituency"].problem(np.random.default_rng(0))
    model.fit(X, y).save(tmp_path / "m")

    def refuse(self):
        raise ValueError("ConstituencySpace.labels_ is odd")

    monkeypatch.setattr(type(model.space_), "check_loaded", refuse)
    with pytest.raises(
        ModelFileError, match=r"m: damaged model file \(.*labels_ is odd"
    ):
        pystruct_ext.load(tmp_path / "m")
