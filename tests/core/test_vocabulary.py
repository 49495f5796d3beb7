from __future__ import annotations

import pickle
import re
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pystruct_ext._core.features import (
    ColumnTable,
    HashedVocabulary,
    Template,
    Vocabulary,
    encode_sequences,
    hash_string,
)

MASK = 2**64 - 1
WORDS = st.lists(st.text(max_size=40), max_size=60)


def hash_twin(text: str) -> int:
    """The hash in arithmetic of unbounded integers, byte order written out."""
    length, first = 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B
    second, final = 0x3C6EF372FE94F82B, 0xA54FF53A5F1D36F1

    def fold(a: int, b: int) -> int:
        product = a * b
        return (product ^ (product >> 64)) & MASK

    p = text.encode()
    n = len(p)

    def word(at: int, size: int = 8) -> int:
        return int.from_bytes(p[at : at + size], "little")

    state = second ^ (n * length & MASK)
    if n >= 16:
        at = 0
        while at < n - 16:
            state = (fold(word(at) ^ first, word(at + 8) ^ state) + length) & MASK
            at += 16
        a, b = word(n - 16), word(n - 8)
    elif n >= 8:
        a, b = word(0), word(n - 8)
    elif n >= 4:
        a, b = word(0, 4), word(n - 4, 4)
    elif n:
        a, b = p[0] | p[n // 2] << 8 | p[n - 1] << 16, 0
    else:
        a = b = 0
    return fold(fold(a ^ first, b ^ state) ^ length, final)


@given(st.text(max_size=70))
def test_hash_equals_its_twin(text):
    assert hash_string(text) == hash_twin(text)


def test_hash_is_frozen():
    # Saved models depend on these numbers: a change needs a new format version.
    assert hash_string("") == hash_twin("")
    assert [
        hash_string(s) % 2**32 for s in ("a", "w=the", "U05:%x[-1,0]/abc", "é")
    ] == [
        2339937543,
        1776164814,
        2376387071,
        2982327307,
    ]


def test_hash_spreads_over_low_and_high_bits():
    n = 1 << 14
    names = [f"U{k % 20:02d}:w{k // 20}" for k in range(n)]
    hashes = np.array([hash_string(s) for s in names], dtype=np.uint64)
    assert len(np.unique(hashes)) == n
    for shift in (0, 20, 40, 50):
        buckets = np.bincount(((hashes >> np.uint64(shift)) % np.uint64(n)).astype(int))
        # Poisson(1): 1 - 1/e of the buckets are hit, standard deviation below 0.004.
        assert abs(np.count_nonzero(buckets) / n - (1 - np.exp(-1))) < 0.02
        assert buckets.max() < 12


def test_one_changed_bit_changes_half_the_hash():
    rng = np.random.default_rng(0)
    flips = []
    for size in (1, 3, 5, 8, 15, 16, 17, 31, 40):
        for _ in range(40):
            text = bytearray(rng.integers(32, 96, size).astype(np.uint8).tobytes())
            before = hash_string(text.decode())
            text[rng.integers(size)] ^= 1 << int(rng.integers(4))
            flips.append(bin(before ^ hash_string(text.decode())).count("1"))
    assert abs(np.mean(flips) - 32) < 1
    assert min(flips) > 10


@given(WORDS, WORDS)
def test_behaves_like_a_dict(added, asked):
    vocabulary, twin, counts = Vocabulary(), {}, {}
    for name in added:
        expected = twin.setdefault(name, len(twin))
        counts[name] = counts.get(name, 0) + 1
        assert vocabulary.add(name) == expected
    assert len(vocabulary) == len(twin)
    assert vocabulary.names() == list(twin)
    assert vocabulary.counts().tolist() == [counts[k] for k in twin]
    for name in asked + added:
        assert vocabulary.get(name) == twin.get(name)
        assert (name in vocabulary) == (name in twin)


def test_many_names_survive_growth():
    names = [f"feature={k}" for k in range(50_000)]
    vocabulary = Vocabulary(names)
    assert vocabulary.names() == names
    assert all(vocabulary.get(n) == k for k, n in enumerate(names))
    assert vocabulary.get("feature=50000") is None
    assert vocabulary.nbytes < 100 * len(names)


def test_strings_that_differ_only_at_the_end_or_in_length():
    names = ["x" * n for n in range(40)] + ["x" * n + "y" for n in range(40)]
    names += ["x\0" * n for n in range(1, 10)] + ["\0" * n for n in range(1, 20)]
    vocabulary = Vocabulary(names)
    assert vocabulary.names() == names


@given(WORDS)
def test_arrays_round_trip(names):
    vocabulary = Vocabulary(names)
    blob, offsets = vocabulary.to_arrays()
    assert blob.dtype == np.uint8
    assert offsets.dtype == np.int64
    distinct = list(dict.fromkeys(names))
    assert bytes(blob) == "".join(distinct).encode()
    back = Vocabulary.from_arrays(blob, offsets)
    assert back.names() == distinct
    assert back.counts() is None
    copy = pickle.loads(pickle.dumps(vocabulary))
    assert copy.names() == distinct
    assert copy.counts().tolist() == vocabulary.counts().tolist()


@pytest.mark.parametrize(
    ("blob", "offsets", "message"),
    [
        (b"abc", [0, 1, 2], "offsets must start at 0 and end at the size of blob (3)"),
        (b"abc", [1, 3], "offsets must start at 0"),
        (b"abc", [0, 2, 1, 3], "offsets must not decrease; entry 2"),
        (b"abc", [0, 9, 3], "entry 1 is out of order"),
        (b"abc", [0, -5, 3], "entry 1 is out of order"),
        (b"abab", [0, 2, 4], "name 1 in blob occurs twice"),
        (b"a\xff", [0, 1, 2], "name 1 in blob is not valid UTF-8"),
        ("é".encode(), [0, 1, 2], "name 0 in blob is not valid UTF-8"),
        (b"", [], "offsets must be a 1-D integer array with at least one entry"),
        (b"ab", [0.0, 2.0], "offsets must be a 1-D integer array"),
    ],
)
def test_from_arrays_refuses_what_to_arrays_cannot_return(blob, offsets, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Vocabulary.from_arrays(np.frombuffer(blob, np.uint8), np.array(offsets))


def test_from_arrays_checks_types_and_counts():
    with pytest.raises(ValueError, match="blob must be a 1-D uint8 array"):
        Vocabulary.from_arrays(np.zeros(1, np.int8), [0, 1])
    blob, offsets = Vocabulary(["a", "b"]).to_arrays()
    with pytest.raises(ValueError, match="counts must be 2 integers"):
        Vocabulary.from_arrays(blob, offsets, [1])
    with pytest.raises(ValueError, match=r"counts\[1\] is out of range: -1"):
        Vocabulary.from_arrays(blob, offsets, [1, -1])
    assert Vocabulary.from_arrays(blob, offsets, [3, 1]).prune(2).tolist() == [0, -1]


@given(WORDS, st.integers(0, 4))
def test_prune(names, min_count):
    vocabulary = Vocabulary(names)
    before = vocabulary.names()
    kept = [n for n in before if names.count(n) >= min_count]
    new = vocabulary.prune(min_count)
    assert new.dtype == np.int32
    assert new.tolist() == [kept.index(n) if n in kept else -1 for n in before]
    assert vocabulary.names() == kept
    assert vocabulary.counts().tolist() == [names.count(n) for n in kept]
    assert [vocabulary.get(n) for n in before] == [
        kept.index(n) if n in kept else None for n in before
    ]


def test_prune_needs_counts():
    vocabulary = Vocabulary.from_arrays(*Vocabulary(["a"]).to_arrays())
    with pytest.raises(ValueError, match="without counts"):
        vocabulary.prune(1)
    assert vocabulary.names() == ["a"]


def test_names_must_be_str_with_utf8():
    vocabulary = Vocabulary()
    with pytest.raises(TypeError, match="names must be an iterable of str, got a str"):
        Vocabulary("abc")
    for bad in (1, b"a", None):
        with pytest.raises(TypeError):
            vocabulary.add(bad)
        assert bad not in vocabulary
    with pytest.raises(UnicodeEncodeError):
        vocabulary.add("\ud800")
    assert len(vocabulary) == 0


def hash_to_zero(start: str, size: int) -> str:
    """Extend `start` to `size` bytes so that a factor of the last product is zero."""
    length, first = 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B
    for k in range(100_000):
        # The counter comes first: bytes just before the tail need not matter.
        head = f"{start}{k:08d}".ljust(size - 8, ".").encode()
        state = 0x3C6EF372FE94F82B ^ (size * length & MASK)
        for at in range(0, size - 16, 16):
            a, b = (int.from_bytes(head[i : i + 8], "little") for i in (at, at + 8))
            product = (a ^ first) * (b ^ state)
            state = (((product ^ (product >> 64)) & MASK) + length) & MASK
        tail = state.to_bytes(8, "little")
        if max(tail) < 128:
            return (head + tail).decode()
    raise RuntimeError("no string found")


def colliding_names(n: int) -> list[str]:
    """Strings of 32 bytes and one 64-bit hash."""
    # The factor depends on the first 16 bytes; the next 8 are free.
    name = hash_to_zero("", 32)
    return [f"{name[:16]}{j:08d}{name[24:]}" for j in range(n)]


def test_equal_hashes_of_a_name_and_its_prefix():
    short = hash_to_zero("", 24)
    long = hash_to_zero(short, 40)
    assert long.startswith(short)
    assert hash_string(short) == hash_string(long)
    vocabulary = Vocabulary([long])
    assert vocabulary.get(short) is None
    assert vocabulary.add(short) == 1
    assert (vocabulary.get(short), vocabulary.get(long)) == (1, 0)


def test_equal_hashes_do_not_merge_names():
    names = colliding_names(300)
    assert len({hash_string(name) for name in names}) == 1
    vocabulary = Vocabulary(names[:200])
    assert vocabulary.names() == names[:200]
    for k, name in enumerate(names):
        assert vocabulary.get(name) == (k if k < 200 else None)
    _, _, indices, _ = encode_sequences([[names]], vocabulary, grow=False)
    assert indices.tolist() == list(range(200))
    _, _, indices, _ = encode_sequences([[names[::-1]]], vocabulary, grow=True)
    assert sorted(indices.tolist()) == list(range(300))
    assert vocabulary.names() == names[:200] + names[:199:-1]
    vocabulary.prune(2)
    assert vocabulary.names() == names[:200]


def test_hashed_vocabulary():
    hashed = HashedVocabulary(bits=10)
    assert len(hashed) == 1024
    for name in ("a", "bc", "w=dog", "x" * 100):
        assert hashed.get(name) == hash_twin(name) % 1024
    assert pickle.loads(pickle.dumps(hashed)).get("q") == hashed.get("q")
    for bits in (0, 31):
        with pytest.raises(ValueError, match="bits must be between 1 and 30"):
            HashedVocabulary(bits)
    with pytest.raises(TypeError, match="bits must be an int"):
        HashedVocabulary(1.5)
    with pytest.raises(TypeError, match="vocabulary must be a Vocabulary"):
        encode_sequences([[["a"]]], {"a": 0}, grow=False)


def test_growing_while_another_thread_reads_is_refused_or_safe():
    table = ColumnTable(b"".join(b"w%d\n" % k for k in range(50_000)))
    template = Template("\n".join(f"U{k}:%x[{k},0]" for k in range(-5, 6)))
    vocabulary = Vocabulary()
    expected = template.extract(table, vocabulary, True)[2]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    seen = []
    thread = threading.Thread(
        target=lambda: seen.append(template.extract(table, vocabulary, False)[2])
    )
    refused = 0
    try:
        thread.start()
        while thread.is_alive():
            try:
                vocabulary.add("new")
            except RuntimeError as error:
                assert "another thread" in str(error)  # noqa: PT017
                refused += 1
    finally:
        thread.join()
        sys.setswitchinterval(interval)
    assert refused > 0
    assert (seen[0] == expected).all()
    vocabulary.add("new")
