"""Mutations of bytes: blind ones, and ones that know lines, cells, numbers and brackets.

Every function takes a ``random.Random`` and bytes and returns bytes, so that a seed gives the
same input again. `mutate` draws one or more of them and says which.
"""

from __future__ import annotations

import gzip
import random
import re
from collections.abc import Callable

Mutation = Callable[[random.Random, bytes], bytes]

# What stands for a number, or for any other cell.
NUMBERS = (
    *(b"-1 0 -0 1 2 3 7 2.9 1e3 1. .5 +1 01 0x10 1_000 1,5 1e308 -1e308 1e400".split()),
    *(b"1e-400 nan NaN -nan inf -inf Infinity 1e-30 255 256 32768 65536".split()),
    *(b"2147483647 2147483648 -2147483649 4294967296 99999999 100000000".split()),
    *(b"999999999999 9223372036854775807 9223372036854775808 None True".split()),
    *(b"1:2 1: :1 1::2 0:1 -1:1 2:nan 100000001:1 2147483650:1".split()),
    b"9" * 30,
    b"9" * 400,
    b"9" * 5000,
    b"",
    "١٢".encode(),  # int() reads these digits
    "²".encode(),  # isdigit() is true, int() refuses it
    "\uff11".encode(),
    "½".encode(),
    "\u22121".encode(),
)
CELLS = (
    *NUMBERS[:12],
    *(
        b"_ - . * # ## > >x ; , | / // a/ /a a/b/c ( ) () (( )) [ ] {} <> qid: qid:".split()
    ),
    *(
        b"qid:a qid:01 qid:1 docid=x -LRB- -RRB- -NONE- TOP ROOT N n GG T t B- I- O".split()
    ),
    *(
        b'B-x I-x L-x U-x BOS <s> </s> __label__ "x "" " \' \\ \\n %s %d {0} {} $'.split()
    ),
    *(
        b'1-2 1.1 0 0.5 null true [] {"a":1} ../x /x x.gz - -- --help @x ~ ((..)) ((('.split()
    ),
    b"",
    b" ",
    b"  ",
    b"\t",
    b"a b",
    b"a\tb",
    "ä".encode(),
    "a\u0308".encode(),  # combining
    "\u202eabc".encode(),  # right to left
    "\u200b".encode(),
    "\u00a0".encode(),  # a space to str.split, not to bytes.split
    "\u3000".encode(),
    "\ufeff".encode(),
    "\U0001d518\U0001f600".encode(),
    "İ".encode(),
    b"\x1b[31mred",
    b"\x00",
    b"a\x00b",
    b"\x0b",
    b"\x0c",
    b"\x1c",
    "\x85".encode(),  # line ends to str.splitlines only
    "\u2028".encode(),
)
BAD_UTF8 = (
    b"\xff",
    b"\xc3",
    b"\x80",
    b"\xed\xa0\x80",
    b"\xc0\xaf",
    b"\xf4\x90\x80\x80",
)
LINES = (
    b"",
    b" ",
    b"\t",
    b"#",
    b"# text = x",
    b"##",
    b"; x",
    b">",
    b"> x",
    b">x",
    b"( )",
    b"()",
    b"x",
    b"1",
    b"0",
    b"-1",
    b"{}",
    b"[]",
    b"null",
    b"\x1a",
    b"...",
    b"((",
)
_NUMBER = re.compile(rb"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_CELL = re.compile(rb"[^\s:,()\[\]{}\"]+")


def _at(rng: random.Random, data: bytes) -> int:
    return rng.randrange(len(data) + 1)


def _span(rng: random.Random, data: bytes, longest: int = 64) -> tuple[int, int]:
    a = _at(rng, data)
    return a, min(len(data), a + rng.randrange(longest + 1))


def flip_bits(rng: random.Random, data: bytes) -> bytes:
    """One to eight bits, anywhere."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        if out:
            out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def set_bytes(rng: random.Random, data: bytes) -> bytes:
    """Some bytes become others."""
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        if out:
            out[rng.randrange(len(out))] = rng.choice(
                (0, 9, 10, 13, 32, 255, rng.randrange(256))
            )
    return bytes(out)


def delete_bytes(rng: random.Random, data: bytes) -> bytes:
    """A run of bytes goes."""
    a, b = _span(rng, data)
    return data[:a] + data[b:]


def repeat_bytes(rng: random.Random, data: bytes) -> bytes:
    """A run of bytes stands several times."""
    a, b = _span(rng, data)
    return data[:b] + data[a:b] * rng.choice((1, 1, 2, 10, 1000)) + data[b:]


def truncate(rng: random.Random, data: bytes) -> bytes:
    """The end, or the beginning, goes."""
    at = _at(rng, data)
    return data[:at] if rng.random() < 0.8 else data[at:]


def insert_odd(rng: random.Random, data: bytes) -> bytes:
    """Bytes that are not UTF-8, controls, odd characters."""
    at = 0 if rng.random() < 0.2 else _at(rng, data)
    return data[:at] + rng.choice((*BAD_UTF8, *CELLS[-18:])) + data[at:]


def byte_order_mark(rng: random.Random, data: bytes) -> bytes:
    """A byte-order mark, of UTF-8 or of another encoding altogether."""
    if rng.random() < 0.6:
        return b"\xef\xbb\xbf" + data
    text = data.decode("utf-8", errors="replace")
    return text.encode(rng.choice(("utf-16", "utf-16-le", "utf-32", "utf-7")))


def _lines(data: bytes) -> list[bytes]:
    return data.split(b"\n")


def delete_line(rng: random.Random, data: bytes) -> bytes:
    """One to three lines go."""
    lines = _lines(data)
    a = rng.randrange(len(lines))
    del lines[a : a + rng.choice((1, 1, 2, 3))]
    return b"\n".join(lines)


def repeat_line(rng: random.Random, data: bytes) -> bytes:
    """A line stands again, at once or elsewhere."""
    lines = _lines(data)
    line = rng.choice(lines)
    for _ in range(rng.choice((1, 1, 2, 100))):
        lines.insert(rng.randrange(len(lines) + 1), line)
    return b"\n".join(lines)


def swap_lines(rng: random.Random, data: bytes) -> bytes:
    """Two lines change places, or all do."""
    lines = _lines(data)
    if rng.random() < 0.2:
        rng.shuffle(lines)
    else:
        i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
        lines[i], lines[j] = lines[j], lines[i]
    return b"\n".join(lines)


def insert_line(rng: random.Random, data: bytes) -> bytes:
    """A line that means something in some format."""
    lines = _lines(data)
    at = rng.choice((0, len(lines), rng.randrange(len(lines) + 1)))
    return b"\n".join([*lines[:at], rng.choice(LINES), *lines[at:]])


def join_lines(rng: random.Random, data: bytes) -> bytes:
    """Two lines become one."""
    lines = _lines(data)
    if len(lines) > 1:
        at = rng.randrange(len(lines) - 1)
        lines[at : at + 2] = [
            lines[at] + rng.choice((b"", b" ", b"\t")) + lines[at + 1]
        ]
    return b"\n".join(lines)


def line_ends(rng: random.Random, data: bytes) -> bytes:
    """Other line ends, or several kinds of them, or none at the end."""
    how = rng.randrange(4)
    if how == 0:
        return data.rstrip(b"\n")
    if how == 1:
        return data + b"\n" * rng.choice((1, 2, 1000))
    ends = (b"\r\n",) if how == 2 else (b"\n", b"\r\n", b"\r", b"\n\r", b"\r\r\n")
    lines = _lines(data)
    return b"".join(line + rng.choice(ends) for line in lines[:-1]) + lines[-1]


def separators(rng: random.Random, data: bytes) -> bytes:
    """Tabs become spaces, spaces tabs, or one of them something else."""
    old = rng.choice((b" ", b"\t", b",", b":"))
    new = rng.choice((b" ", b"\t", b"  ", b",", b";", b"", b"\x0b", "\u00a0".encode()))
    if rng.random() < 0.5:
        return data.replace(old, new)
    return data.replace(old, new, rng.randrange(1, 4))


def _replace_match(
    rng: random.Random, data: bytes, pattern: re.Pattern[bytes], pool: tuple[bytes, ...]
) -> bytes:
    found = list(pattern.finditer(data))
    if not found:
        return data + rng.choice(pool)
    chosen = rng.sample(found, min(len(found), rng.choice((1, 1, 1, 2, 5))))
    if rng.random() < 0.05:
        chosen = found[:10_000]
    value = rng.choice(pool)
    out = bytearray(data)
    for match in sorted(chosen, key=lambda m: -m.start()):
        out[match.start() : match.end()] = value
    return bytes(out)


def numbers(rng: random.Random, data: bytes) -> bytes:
    """Numbers become huge, negative, fractions, none at all."""
    return _replace_match(rng, data, _NUMBER, NUMBERS)


def cells(rng: random.Random, data: bytes) -> bytes:
    """Cells become odd ones."""
    return _replace_match(rng, data, _CELL, CELLS)


def near_cell(rng: random.Random, data: bytes) -> bytes:
    """A cell that is almost what it was: doubled, with another case, sign, zero, end."""
    found = list(_CELL.finditer(data))
    if not found:
        return data
    m = rng.choice(found)
    old = m.group()
    more = rng.choice(CELLS[-26:])
    value = rng.choice(
        (
            *(
                old * 2,
                old.swapcase(),
                old[:-1],
                old[1:],
                b"0" + old,
                b"+" + old,
                b"-" + old,
            ),
            *(
                old + b".0",
                old + b".9",
                old + b"e0",
                old + b"_1",
                old + b" ",
                b"\t" + old,
            ),
            *(b'"' + old + b'"', old + more, more + old, old[:1] + more + old[1:]),
        )
    )
    return data[: m.start()] + value + data[m.end() :]


def move_cell(rng: random.Random, data: bytes) -> bytes:
    """A cell goes, stands twice, or is that of another place."""
    found = list(_CELL.finditer(data))
    if not found:
        return data
    here, there = rng.choice(found), rng.choice(found)
    value = rng.choice((b"", here.group() + b" " + here.group(), there.group()))
    return data[: here.start()] + value + data[here.end() :]


def long_cell(rng: random.Random, data: bytes) -> bytes:
    """A cell of up to a million characters."""
    found = list(_CELL.finditer(data))
    size = rng.choice((1000, 70_000, 1_000_000))
    value = rng.choice((b"a", b"9", b"(", b".", b"A", "é".encode(), b"-")) * size
    if not found:
        return data + value
    m = rng.choice(found)
    return data[: m.start()] + value + data[m.end() :]


def long_line(rng: random.Random, data: bytes) -> bytes:
    """A line of very many cells."""
    lines = _lines(data)
    at = rng.randrange(len(lines))
    cell = rng.choice((b" x", b"\tx", b" 1:1", b" (A b)", b",1", lines[at] or b" 1"))
    lines[at] += (cell * (200_000 // len(cell)))[
        : rng.choice((2_000, 100_000, 200_000))
    ]
    return b"\n".join(lines)


_OPEN = (
    (b"(", b")"),
    (b"(A ", b")"),
    (b"[", b"]"),
    (b'{"a":', b"}"),
    (b"<a>", b"</a>"),
    (b"<", b">"),
)


def deep(rng: random.Random, data: bytes) -> bytes:
    """Brackets in brackets, up to 100,000 of them, closed or not."""
    left, right = rng.choice(_OPEN)
    kind = data.lstrip()[:1]
    if rng.random() < 0.7:
        # Those of the format.
        left, right = next((p for p in _OPEN[1:] if p[0][:1] == kind), (left, right))
    n = rng.choice((60, 1_000, 20_000, 100_000))
    inner = rng.choice((b"", b"(N a)", b"1", b"x", b"....", b"(A (N a) (N b))"))
    closed = rng.choice((n, n, n - 1, n + 1, 0))
    at = rng.choice((0, len(data), _at(rng, data)))
    return data[:at] + b"\n" + left * n + inner + right * closed + b"\n" + data[at:]


def unbalance(rng: random.Random, data: bytes) -> bytes:
    """A bracket too many or too few."""
    found = list(re.finditer(rb"[()\[\]{}<>]", data))
    if found and rng.random() < 0.6:
        m = rng.choice(found)
        return data[: m.start()] + rng.choice((b"", b"[", b">", b"}")) + data[m.end() :]
    at = _at(rng, data)
    return (
        data[:at]
        + rng.choice((b"(", b")", b"[", b"]", b"{", b"}", b"<", b">"))
        + data[at:]
    )


def almost_nothing(rng: random.Random, data: bytes) -> bytes:
    """Empty files, and files of one thing only."""
    nothing = (
        b"",
        b"\n",
        b"\n\n\n",
        b" ",
        b"\t\n",
        b"\x00",
        b"#\n",
        b"# x\n\n",
        b">\n",
    )
    pool = (
        *nothing,
        b"\xef\xbb\xbf",
        b"\x1f\x8b",
        b"()",
        b"[]",
        b"{}",
        b"null\n",
        b"0\n",
        b"PK",
    )
    return rng.choice(pool)


def only_blank(rng: random.Random, data: bytes) -> bytes:
    """Comments or blanks in place of everything, or of much."""
    mark = rng.choice((b"#", b"# ", b";", b" ", b""))
    lines = _lines(data)
    if mark.strip() == b"":
        return b"\n".join(mark for _ in lines)
    share = rng.choice((1.0, 1.0, 0.3))
    return b"\n".join(mark + x if rng.random() < share else x for x in lines)


def many_times(rng: random.Random, data: bytes) -> bytes:
    """The file again and again, up to a megabyte."""
    n = max(1, min(rng.choice((2, 20, 1000)), 1_000_000 // max(1, len(data))))
    return data * n


def compressed(rng: random.Random, data: bytes) -> bytes:
    """Gzip: whole, truncated, damaged, with something behind it, twice."""
    packed = gzip.compress(data, 6, mtime=0)
    how = rng.randrange(6)
    if how == 0:
        return packed
    if how == 1:
        return packed[: rng.randrange(2, len(packed) + 1)]
    if how == 2:
        return flip_bits(rng, packed)
    if how == 3:
        return packed + rng.choice((b"x", b"\0" * 10, b"\x1f\x8b", data, packed))
    if how == 4:
        return gzip.compress(packed, 6, mtime=0)
    return packed[:2] + bytes(rng.randrange(256) for _ in range(20))


def bomb(rng: random.Random, data: bytes) -> bytes:
    """Gzip of much more than it seems: one line of 200 MB, or some megabytes of lines."""
    if rng.random() < 0.5:
        one = rng.choice((b"\0", b" ", b"a", b"(", b"\n"))
        # Blank lines are read one by one.
        return gzip.compress(
            one * (4_000_000 if one == b"\n" else 200_000_000), 1, mtime=0
        )
    line = rng.choice(_lines(data)) + b"\n"
    text = data + line * (2_000_000 // len(line))
    return gzip.compress(text, 1, mtime=0)


BYTEWISE: tuple[tuple[Mutation, float], ...] = (
    (flip_bits, 3),
    (set_bytes, 3),
    (delete_bytes, 2),
    (repeat_bytes, 1),
    (truncate, 2),
)
TEXT: tuple[tuple[Mutation, float], ...] = (
    *((m, w / 2) for m, w in BYTEWISE),
    (insert_odd, 3),
    (byte_order_mark, 1),
    (delete_line, 3),
    (repeat_line, 2),
    (swap_lines, 2),
    (insert_line, 4),
    (join_lines, 2),
    (line_ends, 2),
    (separators, 2),
    (numbers, 8),
    (cells, 8),
    (near_cell, 8),
    (move_cell, 4),
    (long_cell, 1),
    (long_line, 0.7),
    (deep, 1.2),
    (unbalance, 2),
    (almost_nothing, 1),
    (only_blank, 0.7),
    (many_times, 0.4),
    (compressed, 1.2),
    (bomb, 0.15),
)


def mutate(
    rng: random.Random, data: bytes, pool: tuple[tuple[Mutation, float], ...] = TEXT
) -> tuple[bytes, list[str]]:
    """One mutation most of the time, up to four; the result and their names."""
    names = []
    for _ in range(rng.choice((1, 1, 1, 1, 1, 1, 2, 2, 3, 4))):
        nested = data.lstrip()[:1] in (b"(", b"[", b"{", b"<")
        weights = [w * (4 if nested and m is deep else 1) for m, w in pool]
        (chosen,) = rng.choices([m for m, _ in pool], weights)
        data = chosen(rng, data)
        names.append(chosen.__name__)
        if len(data) > 2_000_000 or chosen is bomb:
            break
    return data, names
