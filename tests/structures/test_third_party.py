"""A structure of another package: three files and an entry point, nothing of ours touched."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import pystruct_ext
from pystruct_ext.structures import GROUP

HERE = Path(__file__).with_name("third_party")
PACKAGE = Path(pystruct_ext.__file__).parent


def state():
    """Digest of every source file of the package."""
    return {
        str(path.relative_to(PACKAGE)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(PACKAGE.rglob("*"))
        if path.suffix in (".py", ".pyx", ".pxd", ".pyi")
    }


def install(folder, entry, name="pairing"):
    """What pip would leave of a distribution without files of its own."""
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    )
    (info / "entry_points.txt").write_text(f"[{GROUP}]\n{entry}\n")


def python(*args, path):
    root = str(PACKAGE.parent)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(path), root])}
    return subprocess.run(
        [sys.executable, *args], env=env, capture_output=True, text=True, cwd=path
    )


def test_three_files_are_enough(tmp_path):
    site, work = tmp_path / "site", tmp_path / "work"
    work.mkdir()
    shutil.copytree(
        HERE / "pairing",
        site / "pairing",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    install(site, "pairing = pairing:STRUCTURE")
    before = state()
    done = python(str(HERE / "run.py"), str(work), path=site)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all checks passed" in done.stdout
    assert "right partners" in done.stdout
    assert "PairingSVM, 3 weights" in done.stdout
    assert "certificate: exact" in done.stdout

    n_files = sum(1 for _ in (site / "pairing").glob("*.py"))
    after = state()
    names = sorted({*before, *after})
    edited = [name for name in names if before.get(name) != after.get(name)]
    naming = [
        name
        for name in names
        if "pairing" in (PACKAGE / name).read_text("utf-8").lower()
    ]
    sys.stdout.write(
        f"files of the new structure: {n_files}, shared modules edited: {len(edited)}\n"
    )
    assert n_files == 3
    assert edited == naming == []


SHOW = "from pystruct_ext.structures import STRUCTURES; print(*STRUCTURES)"


def test_a_broken_structure_is_left_out_with_one_warning(tmp_path):
    install(tmp_path, "knots = no_such_module:STRUCTURE", "knots")
    done = python("-c", SHOW, path=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "folding" in done.stdout.split()
    assert "knots" not in done.stdout.split()
    assert done.stderr.count("RuntimeWarning") == 1
    assert "'knots' of knots cannot be loaded" in done.stderr
    assert "no_such_module" in done.stderr


def test_what_is_no_structure_is_left_out(tmp_path):
    install(tmp_path, "knots = json:dumps", "knots")
    done = python("-c", SHOW, path=tmp_path)
    assert "json:dumps is a function, expected a Structure" in done.stderr
    assert "sequence" in done.stdout.split()


@pytest.mark.parametrize("command", [["-c", SHOW], ["-m", "pystruct_ext", "--help"]])
def test_a_name_that_is_taken_is_an_error(tmp_path, command):
    install(
        tmp_path, "folding = pystruct_ext.structures.folding:STRUCTURE", "other-folds"
    )
    done = python(*command, path=tmp_path)
    assert done.returncode != 0
    assert "two structures are called 'folding'" in done.stderr
    assert "pystruct_ext.structures.folding" in done.stderr
    assert "other-folds" in done.stderr
    if "--help" in command:
        assert done.returncode == 2
        assert done.stderr.startswith("pystruct-ext: error: two structures")
        assert done.stderr.count("\n") == 1
