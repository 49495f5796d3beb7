"""Compiles and runs the native tests of the headers (without sanitizers)."""

from __future__ import annotations

import importlib.util
import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "csrc" / "include"
TESTS = ROOT / "csrc" / "tests"
HEADERS = sorted(path.relative_to(INCLUDE).as_posix() for path in INCLUDE.rglob("*.h*"))
WARNINGS = ["-Wall", "-Wextra", "-Wno-psabi", "-Werror"]


@pytest.fixture(scope="module")
def compiler():
    found = shutil.which("g++") or shutil.which("clang++")
    if found is None:
        pytest.skip("no g++ or clang++ on this machine")
    return found


def build(compiler, source, folder):
    """Path of the compiled program."""
    program = folder / Path(source).stem
    command = [compiler, "-std=c++17", "-O1", *WARNINGS, "-pthread", f"-I{INCLUDE}"]
    command += [f"-I{folder}", str(TESTS / source), "-o", str(program)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return program


def run(program, *arguments):
    """What it prints, if it exits with 0."""
    command = [str(program), *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " 0 failed" in ran.stdout
    return ran.stdout


def write_problems(folder):
    """Names of the package's kernels; the folder gets the list and the problems."""
    path = TESTS / "write_problems.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.write_all(folder)


def test_core(compiler, tmp_path):
    run(build(compiler, "test_core.cpp", tmp_path))


@pytest.fixture(scope="module")
def kernels(compiler, tmp_path_factory):
    """Names of all kernels, the battery over them, and their problems."""
    folder = tmp_path_factory.mktemp("kernels")
    names = write_problems(folder)
    problems = sorted(folder.glob("*.problem"))
    return names, build(compiler, "test_kernels.cpp", folder), problems


def test_battery_over_every_kernel(kernels):
    names, program, problems = kernels
    said = run(program, *problems)
    covered = dict(re.findall(r"^kernel (\S+): (\d+) problems$", said, re.MULTILINE))
    assert set(covered) == names
    assert "0" not in covered.values()


def test_kernels_without_a_problem_fail_the_battery(kernels):
    names, program, problems = kernels
    both = problems[:2]  # of one space, for float and for double
    ran = subprocess.run([program, *both], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert ran.stdout.count("no problem for this kernel") == len(names) - 1


def test_a_wrong_cost_fails_the_battery(kernels, tmp_path):
    """The battery notices a cost that the truth has, written behind the space's back."""
    _, program, problems = kernels
    chosen = next(p for p in problems if "multiclass-float64" in p.name)
    data = bytearray(chosen.read_bytes())
    # The cost matrix, with a row per class, is the last array; it begins with C[0, 0].
    at = data.rfind(struct.pack("<iiq", 3, 2, 3)) + 32
    assert data[at : at + 16] == struct.pack("<dd", 0, 1)
    data[at : at + 8] = struct.pack("<d", 0.5)
    spoilt = tmp_path / "spoilt.problem"
    spoilt.write_bytes(data)
    ran = subprocess.run([program, spoilt], capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "loss of the truth" in ran.stdout


@pytest.mark.parametrize("header", HEADERS)
def test_every_header_compiles_alone(compiler, header):
    done = subprocess.run(
        [
            compiler,
            "-std=c++17",
            "-fsyntax-only",
            *WARNINGS,
            f"-I{INCLUDE}",
            "-x",
            "c++",
            "-",
        ],
        input=f'#include "{header}"\n',
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("language", ["c", "c++"])
@pytest.mark.parametrize("header", ["oracle.h", "kernel.h"])
def test_the_abi_headers_are_plain_c(tmp_path, language, header):
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no gcc or clang on this machine")
    source = tmp_path / "use.c"
    source.write_text(
        f'#include "pystruct_ext/{header}"\n'
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
    command += [f"-I{INCLUDE}", str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
