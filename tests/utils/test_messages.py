"""Quotations in messages are short."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pystruct_ext.utils.messages import LIMIT, shorten


@given(st.text(max_size=1000), st.integers(40, 300))
def test_text_is_kept_or_cut_at_both_ends(text, limit):
    short = shorten(text, limit)
    assert len(short) <= limit
    if len(text) <= limit:
        assert short == text
    else:
        said = f" ... ({len(text)} characters) ... "
        cut = short.rindex(said)
        assert text.startswith(short[:cut])
        assert text.endswith(short[cut + len(said) :])


def test_other_values_are_quoted_by_repr():
    assert shorten(None) == "None"
    assert shorten(["a", 1]) == "['a', 1]"
    assert len(shorten(list(range(10_000)))) <= LIMIT
    assert len(shorten(b"\x00" * 10_000_000)) <= LIMIT
    assert shorten(b"ab") == "b'ab'"
