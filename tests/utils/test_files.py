"""Outputs appear whole or not at all, and what is no regular file stays what it is."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading

import pytest

from pystruct_ext.io import write_lines
from pystruct_ext.utils import files, signals
from pystruct_ext.utils.files import atomic_file, check_writable

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX")


def write(path, text="new"):
    with atomic_file(path) as file:
        file.write(text.encode())


def mode_of(path):
    return stat.S_IMODE(os.stat(path).st_mode)


@posix
def test_permissions(tmp_path, monkeypatch):
    old = tmp_path / "old"
    old.write_text("x")
    old.chmod(0o600)
    before = os.umask(0o027)
    try:
        # Another thread would make files that everybody can write.
        monkeypatch.setattr(os, "umask", lambda mask: pytest.fail("umask was set"))
        write(old)
        write(tmp_path / "new")
    finally:
        monkeypatch.undo()
        os.umask(before)
    assert mode_of(old) == 0o600
    assert mode_of(tmp_path / "new") == 0o640
    assert old.read_text() == "new"


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root"
)
def test_the_owner_is_kept(tmp_path):
    path = tmp_path / "theirs"
    path.write_text("x")
    os.chown(path, 12345, 54321)
    path.chmod(0o640)
    write(path)
    found = path.stat()
    assert (found.st_uid, found.st_gid, mode_of(path)) == (12345, 54321, 0o640)


@posix
def test_another_group_sees_no_more_than_everybody(tmp_path, monkeypatch):
    path = tmp_path / "shared"
    path.write_text("x")
    path.chmod(0o674)
    real = os.fstat

    def refuse(*_):
        raise PermissionError

    class OfAnotherGroup:
        def __init__(self, handle):
            self.st_uid, self.st_gid = real(handle).st_uid, real(handle).st_gid + 1

    with monkeypatch.context() as patch:
        patch.setattr(os, "fchown", refuse)
        patch.setattr(os, "fstat", OfAnotherGroup)
        target = str(path)
        handle = os.open(tmp_path / "other", os.O_CREAT | os.O_WRONLY)
        files._keep_owner_and_mode(target, handle)
        os.close(handle)
    assert mode_of(tmp_path / "other") == 0o644


@posix
def test_links_are_followed(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "real").write_text("old")
    (tmp_path / "link").symlink_to("folder/real")
    (tmp_path / "dangling").symlink_to("folder/later")
    for name in ("link", "dangling"):
        write(tmp_path / name)
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / name).read_text() == "new"
    assert sorted(os.listdir(folder)) == ["later", "real"]


@posix
def test_pipes_and_devices_stay(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    seen = []
    reader = threading.Thread(target=lambda: seen.append(pipe.read_bytes()))
    reader.start()
    write_lines(pipe, ["a", "b"])
    reader.join(20)
    assert seen == [b"a\nb\n"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    write(os.devnull)
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_named():
    with pytest.raises(OSError, match="No space left") as caught:
        write("/dev/full")
    assert caught.value.filename == "/dev/full"


@posix
def test_nothing_goes_to_a_pipe_before_it_is_whole(tmp_path):
    def lines():
        yield "a"
        raise ValueError("later")

    read, into = os.pipe()
    with pytest.raises(ValueError, match="later"):
        write_lines(f"/dev/fd/{into}", lines())
    write_lines(f"/dev/fd/{into}", ["b"])
    os.close(into)
    with os.fdopen(read, "rb") as file:
        assert file.read() == b"b\n"


def test_an_error_leaves_nothing(tmp_path):
    (tmp_path / "old").write_text("old")
    for name in ("old", "new"):
        with pytest.raises(KeyboardInterrupt), atomic_file(tmp_path / name) as file:
            file.write(b"half")
            raise KeyboardInterrupt
    assert os.listdir(tmp_path) == ["old"]
    assert (tmp_path / "old").read_text() == "old"
    assert not files._unfinished


def test_what_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("x")
    bad = {
        tmp_path: IsADirectoryError,
        tmp_path / "file" / "below": NotADirectoryError,
        tmp_path / "missing" / "file": FileNotFoundError,
        tmp_path / ("n" * 300): OSError,
        "": FileNotFoundError,
    }
    for path, error in bad.items():
        for how in (check_writable, write):
            with pytest.raises(error) as caught:
                how(path)
            assert caught.value.filename == os.fspath(path)
    good = [tmp_path / "file", tmp_path / "new", tmp_path / ("ä" * 120), os.devnull]
    for path in good:
        check_writable(path)
    assert os.listdir(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "x"
    write(tmp_path / ("ä" * 120))


@posix
def test_read_only(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_text("x")
    # Root may do everything.
    monkeypatch.setattr(os, "access", lambda p, how: False)
    with pytest.raises(PermissionError) as caught:
        check_writable(path)
    assert caught.value.filename == str(path)

    def refuse(name, *_):
        raise PermissionError(13, "Permission denied", name)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError) as caught:
        check_writable(tmp_path / "new")
    assert caught.value.filename == str(tmp_path)


KILLED = """
import os, signal, sys
from pystruct_ext.utils import files, signals
signals.install()
real = os.open
def open_then_signal(name, flags, mode=0o777):
    handle = real(name, flags, mode)
    # Between the making of the file and any try.
    os.kill(os.getpid(), int(sys.argv[2]))
    return handle
os.open = open_then_signal
with files.atomic_file(sys.argv[1]):
    pass
"""


@posix
@pytest.mark.parametrize("number", signals.NUMBERS)
def test_a_signal_just_after_the_file_was_made(tmp_path, number):
    command = [sys.executable, "-c", KILLED, str(tmp_path / "out"), str(int(number))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    name = signal.Signals(number).name
    assert done.returncode == 128 + number
    assert done.stderr == f"pystruct-ext: error: interrupted ({name})\n"
    assert os.listdir(tmp_path) == []


def test_a_child_leaves_the_files_of_its_parent(tmp_path):
    with atomic_file(tmp_path / "out") as file:
        (name,) = files._unfinished
        files._unfinished[name] = os.getpid() + 1
        files.remove_unfinished()
        file.write(b"x")
        files._unfinished[name] = os.getpid()
    assert (tmp_path / "out").read_bytes() == b"x"
