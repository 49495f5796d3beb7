"""What the readers of many records do with one that is bad, and names that can be written."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pystruct_ext.utils.callers import user_stacklevel
from pystruct_ext.utils.listed import listed
from pystruct_ext.utils.messages import shorten


class SkippedRecordsWarning(UserWarning):
    """Records or files were left out; the message counts and names them."""


class BadRecords:
    """Raises the error of a bad record, or keeps it until the end of the file.

    Parameters
    ----------
    on_error : {"raise", "skip"}
    unit : str
        What records are called, in the plural.

    Raises
    ------
    ValueError
        If `on_error` is neither.
    """

    def __init__(self, on_error: str, unit: str) -> None:
        if on_error not in ("raise", "skip"):
            raise ValueError(
                f"on_error must be 'raise' or 'skip', got {shorten(repr(on_error))}"
            )
        self.skip = on_error == "skip"
        self.unit = unit
        self.messages: list[str] = []

    def add(self, error: ValueError) -> None:
        """Take the error of one record."""
        if not self.skip:
            raise error
        self.messages.append(str(error))

    def finish(self, path: Any, n_good: int) -> None:
        """Refuse a file without good records, and tell what was left out."""
        n_bad = len(self.messages)
        if not n_good:
            more = f"; all {n_bad} are bad: {listed(self.messages)}" if n_bad else ""
            raise ValueError(f"{path}: holds no {self.unit}{more}")
        if n_bad:
            warnings.warn(
                f"{path}: {n_bad} of {n_bad + n_good} {self.unit} left out: "
                f"{listed(self.messages)}",
                SkippedRecordsWarning,
                stacklevel=user_stacklevel(),
            )


def files_of(paths: Any, suffixes: tuple[str, ...]) -> list[str | os.PathLike[str]]:
    """Files to read: those given, and of folders what is in them with a matching name.

    Parameters
    ----------
    paths : path-like or binary file, or list of them
    suffixes : tuple of str
        Such as ".mrg"; ".gz" may follow. Where no file of a folder has one of them, files
        without any suffix are taken.

    Returns
    -------
    list of path-like
        Of a folder and those below it, by name.

    Raises
    ------
    ValueError
        For a folder without such files.

    Warns
    -----
    SkippedRecordsWarning
        Naming files of a folder that are left out.
    """
    found: list[str | os.PathLike[str]] = []
    for path in list(paths) if isinstance(paths, (list, tuple)) else [paths]:
        is_path = isinstance(path, (str, os.PathLike)) and str(path) != "-"
        if not is_path or not Path(path).is_dir():
            found.append(path)
            continue
        folder = Path(path)
        files = sorted(f for f in folder.rglob("*") if f.is_file())
        seen = [f for f in files if not _is_hidden(f.relative_to(folder))]
        taken = [f for f in seen if _suffix(f) in suffixes]
        if not taken:
            taken = [f for f in seen if _is_plain(f)]
        if not taken:
            raise ValueError(
                f"{path}: no file of this folder has a name that ends in "
                f"{', '.join(suffixes)}"
            )
        left = [str(f.relative_to(folder)) for f in files if f not in set(taken)]
        if left:
            warnings.warn(
                f"{path}: {len(taken)} files read, {len(left)} of other names left out: "
                f"{listed(left)}",
                SkippedRecordsWarning,
                stacklevel=user_stacklevel(),
            )
        found += taken
    return found


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _suffix(path: Path) -> str:
    parts = [s.lower() for s in path.suffixes]
    if parts and parts[-1] == ".gz":
        parts.pop()
    return parts[-1] if parts else ""


def _is_plain(path: Path) -> bool:
    known = (
        "readme",
        "license",
        "licence",
        "copying",
        "makefile",
        "changelog",
        "notice",
    )
    return _suffix(path) == "" and path.name.lower() not in known


def checked_names(names: Iterable[Any], what: str) -> list[str]:
    """Names of records that a line of a file can hold.

    Raises
    ------
    ValueError
        For line breaks and NUL, and for white space at the ends, which readers take off.
    """
    out = []
    for k, name in enumerate(names):
        text = str(name)
        if text != text.strip() or len(text.splitlines()) > 1 or "\0" in text:
            raise ValueError(
                f"{what}: example {k} is {shorten(text)!r}: a name must not have line "
                "breaks, or white space at its ends"
            )
        out.append(text)
    return out


__all__ = [
    "BadRecords",
    "SkippedRecordsWarning",
    "checked_names",
    "files_of",
]
