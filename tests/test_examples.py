"""Every example runs and says something, also where its pictures are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_example(path, tmp_path):
    # One is told where to write; the others write where they are called.
    args = [str(tmp_path / "mine.png")] if path.stem == "plot_parses" else []
    env = {**os.environ, "MPLBACKEND": "Agg"}
    if "PYTHONPATH" in env:
        # It may be relative to where the tests run.
        parts = env["PYTHONPATH"].split(os.pathsep)
        env["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, parts))
    done = subprocess.run(
        [sys.executable, str(path), *args],
        capture_output=True, text=True, check=False, env=env, timeout=120, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) >= 2
    said = {Path(x.removeprefix("wrote ")) for x in lines if x.startswith("wrote ")}
    assert said == set(tmp_path.iterdir())
    assert bool(said) == path.stem.startswith("plot_")
    if args:
        assert Path(args[0]) in said
    for picture in said:
        data = picture.read_bytes()
        assert data.startswith(b"\x89PNG")
        # Large enough to be more than an empty page, small enough to be looked at.
        width, height = (int.from_bytes(data[k : k + 4], "big") for k in (16, 20))
        assert 200 < width < 3000
        assert 200 < height < 3000
        assert len(data) > 5000
