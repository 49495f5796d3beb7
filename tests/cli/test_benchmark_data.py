"""The main job on real data: quality, not time."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import pystruct_ext
from pystruct_ext.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("PYSTRUCT_EXT_DATA", ROOT / ".." / "shared" / "data"))


@pytest.mark.data
def test_chunking_conll2000(tmp_path, capsys):
    folder = DATA / "conll2000"
    if not folder.is_dir():
        pytest.skip("benchmark data is missing: set PYSTRUCT_EXT_DATA to its folder")
    model = str(tmp_path / "chunker.psx")
    assert main(["learn", "sequence", str(folder / "train.txt"), "-o", model]) == 0
    capsys.readouterr()
    assert main(["evaluate", "--json", model, str(folder / "test.txt")]) == 0
    report = json.loads(capsys.readouterr().out)
    fitted = pystruct_ext.load(model)
    assert fitted.status_ == "converged"
    assert fitted.relative_gap_ <= 0.01
    assert report["f1"] >= 0.9375
