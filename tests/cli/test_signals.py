"""Signals at any moment: the right exit code, no traceback, no file that is half."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from pystruct_ext.cli.main import main
from pystruct_ext.utils import signals

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs POSIX")

# Imports once, and forks a command line for every signal.
DRIVER = """
import json, os, random, signal, sys, time
from pystruct_ext.cli.main import main
from pystruct_ext.utils import signals

folder, model, data, n = sys.argv[1:5]
errors = os.path.join(folder, "errors")
commands = {
    "predict": ["predict", model, data, "-o", os.path.join(folder, "out"), "--quiet"],
    "evaluate": ["evaluate", model, data, "--quiet"],
    "inspect": ["inspect", model],
    "learn": ["learn", "sequence", data, "-o", os.path.join(folder, "out"), "--quiet"],
}

def run(verb, number=0, delay=0.0):
    began = time.monotonic()
    child = os.fork()
    if not child:
        os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        # The parent waits for this line, in force from here on.
        signals.install()
        os.write(ready[1], b"x")
        code = main(commands[verb])
        signals.answer_by("finish").__enter__()
        os._exit(code)
    os.read(ready[0], 1)
    if number:
        time.sleep(delay)
        os.kill(child, number)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    left = sorted(os.listdir(folder))
    for name in set(left) - {"errors"}:
        os.unlink(os.path.join(folder, name))
    return [verb, number, status, left, time.monotonic() - began]

ready = os.pipe()
rng = random.Random(0)
spans = {verb: run(verb)[-1] for verb in commands}
found = []
for k in range(int(n)):
    verb = list(commands)[k % len(commands)]
    number = rng.choice(signals.NUMBERS)
    found.append(run(verb, number, rng.random() * spans[verb]))
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("signals")
    sentence = "dt1 DT B-NP\nnn2 NN I-NP\nvb3 VB O\n\n"
    (folder / "data").write_text(sentence * 3000)
    args = ["learn", "sequence", str(folder / "data"), "-o", str(folder / "model")]
    assert main([*args, "--quiet"]) == 0
    return folder


def test_at_random_moments(files, tmp_path):
    out = tmp_path / "folder"
    out.mkdir()
    command = [sys.executable, "-c", DRIVER, str(out), str(files / "model")]
    done = subprocess.run(
        [*command, str(files / "data"), "16"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for verb, number, status, left, _ in found:
        assert status in (0, 128 + number), (verb, number, status)
        assert set(left) <= {"errors", "out"}, (verb, number, left)
        if status == 0 and verb in ("predict", "learn"):
            assert "out" in left
    assert any(status for _, _, status, _, _ in found)
    errors = (out / "errors").read_text() if (out / "errors").exists() else ""
    assert "Traceback" not in errors
    for line in errors.splitlines():
        assert "interrupted" in line


def test_during_imports():
    # NumPy is replaced by what takes for ever.
    slow = (
        "import sys, types, time, importlib.abc\n"
        "class Slow(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'numpy':\n"
        "            sys.stdout.write('importing\\n'); sys.stdout.flush()\n"
        "            time.sleep(60)\n"
        "sys.meta_path.insert(0, Slow())\n"
        "sys.argv = ['pystruct-ext', '--version']\n"
        "from pystruct_ext.cli.main import main\n"
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        process = subprocess.Popen(
            [sys.executable, "-c", slow],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout.readline() == "importing\n"
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
        assert process.returncode == 128 + number
        assert err.splitlines() == [
            f"pystruct-ext: error: interrupted ({signal.Signals(number).name})"
        ]


BUSY = """
import hashlib, sys
from pystruct_ext.utils import signals
signals.install()
sys.stdout.write("busy\\n")
sys.stdout.flush()
# One long call of compiled code without the GIL: Python itself would answer at its end.
with signals.answer_by(sys.argv[1]):
    hashlib.pbkdf2_hmac("sha256", b"x", b"y", 2**31 - 1)
"""


def test_compiled_code_does_not_hold_up_the_answer():
    process = subprocess.Popen(
        [sys.executable, "-c", BUSY, "quit"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "busy\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in err


POLICIES = """
import os, signal, sys
from pystruct_ext.utils import signals
signals.install()
me = os.getpid()
with signals.answer_by("raise"):
    for _ in range(2):
        try:
            os.kill(me, signal.SIGTERM)
            sys.exit("not raised")
        except KeyboardInterrupt:
            pass
assert signals.received() == signal.SIGTERM
with signals.answer_by("finish"):
    os.kill(me, signal.SIGINT)
    print("goes on", flush=True)
    os.kill(me, signal.SIGINT)
    print("not reached", flush=True)
"""


def test_raise_finish_and_the_second_signal():
    done = subprocess.run(
        [sys.executable, "-c", POLICIES], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "goes on\n"
    assert done.stderr == "pystruct-ext: error: interrupted (SIGINT)\n"
    assert done.returncode == 130


def test_other_programs_keep_their_handlers():
    """Neither the import nor a call of `main` answers signals for another program."""
    before = [signal.getsignal(number) for number in signals.NUMBERS]
    with pytest.raises(SystemExit):
        main(["--version"])
    assert [signal.getsignal(number) for number in signals.NUMBERS] == before


def test_which_process_is_the_command_line():
    for argv, original, expected in (
        (["-m", "learn"], ["python", "-m", "pystruct_ext", "learn"], True),
        (["-m"], ["python", "-mpystruct_ext"], True),
        (["/bin/pystruct-ext", "x"], ["python", "/bin/pystruct-ext", "x"], True),
        (["-m"], ["python", "-m", "pystruct_ext.structures"], False),
        (["-m", "pystruct_ext"], ["python", "-m", "pytest", "pystruct_ext"], False),
        (["script.py"], ["python", "script.py"], False),
        ([""], ["python"], False),
        ([], [], False),
    ):
        assert signals.is_command_line(argv, original) is expected, argv
