"""Compiles and runs the native tests of the headers (without sanitizers)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_headers(tmp_path):
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        pytest.skip("no g++ or clang++ on this machine")
    program = tmp_path / "test_core"
    command = [
        compiler,
        "-std=c++17",
        "-O1",
        "-Wall",
        "-Wextra",
        "-Wno-psabi",
        "-Werror",
    ]
    command += ["-pthread", f"-I{ROOT / 'csrc' / 'include'}"]
    command += [str(ROOT / "csrc" / "tests" / "test_core.cpp"), "-o", str(program)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    ran = subprocess.run([str(program)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
    assert " 0 failed" in ran.stdout


@pytest.mark.parametrize("language", ["c", "c++"])
def test_the_abi_header_is_plain_c(tmp_path, language):
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no gcc or clang on this machine")
    source = tmp_path / "use.c"
    source.write_text(
        '#include "pystruct_ext/oracle.h"\n'
        "int main(void) { psx_oracle o; o.flags = PSX_EXACT; return (int)o.flags - 4; }\n"
    )
    standard = {"c": "-std=c99", "c++": "-std=c++17"}[language]
    command = [
        compiler,
        "-x",
        language,
        standard,
        "-pedantic",
        "-Werror",
        "-fsyntax-only",
    ]
    command += [f"-I{ROOT / 'csrc' / 'include'}", str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
