"""Files that appear whole or not at all."""

from __future__ import annotations

import atexit
import errno
import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from pystruct_ext.utils import signals

# Files that are being written, with the process that does; each is here before it exists.
_unfinished: dict[str, int] = {}
# What is no regular file gets its content in one go; up to so much of it is in memory.
_SPOOL = 2**26
_DESCRIPTOR = re.compile(r"/dev/std(?:out|err)|/(?:dev|proc/self)/fd/(\d+)")


def check_writable(path: str | os.PathLike[str]) -> None:
    """Raise what `atomic_file` would; the file itself is neither made nor changed.

    Parameters
    ----------
    path : path-like

    Raises
    ------
    OSError
        For a folder, a missing or read-only folder, a file where a folder should be, a
        file that may not be written.
    """
    target = _target(path)
    if target is not None:
        handle, temporary = _create(target)
        os.close(handle)
        _remove(temporary)


@contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A binary file under a temporary name beside `path`, renamed to it at the end.

    After an error or an interrupt nothing is left, and a file that was there before is
    untouched. It keeps its permissions, and its owner where that is allowed; a new file has
    those that the umask gives. A link stays one, and what it leads to is written. What is
    not a regular file (a device, a pipe) is not replaced: it gets the whole content at the
    end.

    Parameters
    ----------
    path : path-like

    Yields
    ------
    binary file, open for writing

    Raises
    ------
    OSError
        See `check_writable`.
    """
    target = _target(path)
    with _named(path):
        yield from _written(path, target)


def _written(path: str | os.PathLike[str], target: str | None) -> Iterator[BinaryIO]:
    if target is None:
        with tempfile.SpooledTemporaryFile(_SPOOL) as content:
            yield content  # type: ignore[misc]
            content.seek(0)
            with _through(path) as stream:
                shutil.copyfileobj(content, stream)
        return
    handle, temporary = _create(target)
    try:
        with os.fdopen(handle, "wb") as file:
            # Before there is anything to read.
            _keep_owner_and_mode(target, handle)
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
        _unfinished.pop(temporary, None)
    except BaseException:
        _remove(temporary)
        raise


@contextmanager
def _named(path: str | os.PathLike[str]) -> Iterator[None]:
    """Give the errors of writing, such as that of a full disk, the name of the file."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = os.fspath(path)
        raise


def _target(path: str | os.PathLike[str]) -> str | None:
    """Full name of the regular file to write, links followed; None if `path` is another thing.

    Raises OSError if it cannot be written.
    """
    text = os.fspath(path)
    if _DESCRIPTOR.fullmatch(text):
        return None
    try:
        mode = os.stat(text).st_mode
    except FileNotFoundError:
        if not os.path.basename(text):
            raise
        return os.path.realpath(text)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder, expected a file", text)
    if not os.access(text, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), text)
    return os.path.realpath(text) if stat.S_ISREG(mode) else None


def _through(path: str | os.PathLike[str]) -> BinaryIO:
    text = os.fspath(path)
    found = _DESCRIPTOR.fullmatch(text)
    if found is None:
        return open(text, "wb")
    # What the shell has opened goes on where it stands.
    number = int(found.group(1) or 1 + text.endswith("err"))
    if number == 1:
        sys.stdout.flush()
    return open(os.dup(number), "wb")


def _create(target: str) -> tuple[int, str]:
    """A new file beside `target`: its descriptor and its name."""
    folder, name = os.path.split(target)
    while True:
        temporary = os.path.join(folder, f"{name[:40]}.{secrets.token_hex(4)}.tmp")
        _unfinished[temporary] = os.getpid()
        try:
            # The kernel applies the umask, which nobody can read without setting it.
            return os.open(temporary, _FLAGS, 0o666), temporary
        except FileExistsError:
            _unfinished.pop(temporary, None)
        except OSError as error:
            _unfinished.pop(temporary, None)
            # The temporary name would tell nobody anything.
            where = folder if os.path.isdir(folder) else target
            if isinstance(error, FileNotFoundError):
                message = f"the folder {folder} does not exist"
                raise FileNotFoundError(errno.ENOENT, message, target) from None
            raise type(error)(error.errno, error.strerror, where) from None


_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
_FLAGS |= getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)


def _keep_owner_and_mode(target: str, handle: int) -> None:
    """Give a new file the permissions of the one that it replaces."""
    try:
        old = os.stat(target)
    except FileNotFoundError:
        return
    new = os.fstat(handle)
    if not hasattr(os, "fchmod"):
        return
    mode = stat.S_IMODE(old.st_mode)
    if new.st_gid != old.st_gid:
        try:
            os.fchown(handle, -1, old.st_gid)
        except OSError:
            # Another group must not see more than everybody does.
            mode &= ~0o070 | (mode & 0o007) << 3
    if new.st_uid != old.st_uid:
        with suppress(OSError):
            os.fchown(handle, old.st_uid, -1)
    os.fchmod(handle, mode)


def _remove(temporary: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(temporary)
    _unfinished.pop(temporary, None)


def remove_unfinished() -> None:
    """Remove all files that this process has not finished; at its end, however it comes."""
    for name, process in list(_unfinished.items()):
        if process == os.getpid():
            with suppress(OSError):
                _remove(name)


atexit.register(remove_unfinished)
signals.cleanups.append(remove_unfinished)

__all__ = ["atomic_file", "check_writable", "remove_unfinished"]
