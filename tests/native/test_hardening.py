"""What the linker and the compiler were told: read from the compiled modules themselves."""

from __future__ import annotations

import importlib.machinery
import struct
import sys
from pathlib import Path

import pytest

import pystruct_ext

MODULES = sorted(
    path
    for suffix in importlib.machinery.EXTENSION_SUFFIXES
    for path in Path(pystruct_ext.__file__).parent.rglob(f"*{suffix}")
)
PT_DYNAMIC, PT_GNU_STACK, PT_GNU_RELRO = 2, 0x6474E551, 0x6474E552
DT_FLAGS, DT_FLAGS_1, DF_BIND_NOW, DF_1_NOW = 30, 0x6FFFFFFB, 8, 1

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="ELF files of Linux"
)


def segments(raw):
    """Type, flags, offset and size of every segment of a 64-bit little-endian ELF file."""
    assert raw[:6] == b"\x7fELF\x02\x01"
    start = struct.unpack_from("<Q", raw, 32)[0]
    size, count = struct.unpack_from("<HH", raw, 54)
    for k in range(count):
        kind, flags, offset, _, _, length = struct.unpack_from(
            "<IIQQQQ", raw, start + k * size
        )
        yield kind, flags, offset, length


def dynamic(raw):
    """Entries of the dynamic section."""
    found = {}
    for kind, _, offset, length in segments(raw):
        if kind == PT_DYNAMIC:
            found.update(struct.iter_unpack("<Qq", raw[offset : offset + length]))
    return found


def read():
    for path in MODULES:
        raw = path.read_bytes()
        if b"__asan_init" in raw:
            pytest.skip("built with sanitizers")
        yield path, raw


def test_there_are_modules():
    assert len(MODULES) >= 20


def test_full_relro_and_no_executable_stack():
    for path, raw in read():
        kinds = {kind: flags for kind, flags, _, _ in segments(raw)}
        assert PT_GNU_RELRO in kinds, path
        assert not kinds[PT_GNU_STACK] & 1, path
        entries = dynamic(raw)
        now = entries.get(DT_FLAGS, 0) & DF_BIND_NOW
        assert now or entries.get(DT_FLAGS_1, 0) & DF_1_NOW, f"{path} binds lazily"


def test_stack_protector():
    guarded = [path for path, raw in read() if b"__stack_chk_fail" in raw]
    # Modules without an array on the stack need no guard; those that parse have some.
    assert len(guarded) >= len(MODULES) // 2
