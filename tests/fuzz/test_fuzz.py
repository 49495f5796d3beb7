"""A small fixed budget of the fuzz harness, and the harness itself; `make fuzz` runs longer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).with_name("run.py")


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the harness needs fork and /proc"
)
def test_mutated_inputs(tmp_path):
    done = subprocess.run(
        [sys.executable, RUN, "--self-test", "--cases", "100", "--failures", tmp_path],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    # The groups of targets, then what broke.
    report = done.stdout[done.stdout.find("\nall ") :] + done.stderr
    assert "the harness notices all of it" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0, report
    assert " cases, 0 failures" in done.stdout, report
