"""The simple tokeniser."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pystruct_ext.outputs import token_spans, tokenize
from pystruct_ext.outputs.tokens import splits_hyphens

# What each text is cut into, between spaces.
CUT = [
    "I do n't know .",
    "It 's Smith 's , the teachers ' !",
    "We 'll ca n't wo n't I 'd they 've you 're I 'm",
    "can not gon na do nt I m du n no",
    "It \u2019s n\u2019t",
    "see https://a.b/c?d=e-f . or ( www.x.org/a_(b) ) , a.b+c@d-e.co.uk ; Amazon.com !",
    "report.pdf alt.animals.cats end . The",
    "$ 2,500.00 , 10:30 , 1/2/2003 , 10 % , 1st , 1990s , 5 pm , 713-664-7478 , .5",
    "the U.S. , e.g. Mr. Smith , J. Doe etc.",
    "and / or , AT&T , well - known e-mails non-human",
    "so ... yes -- no !!! what ?!? ===== :-) <3",
    "#topic @name b/c w/o",
    "( a ) [ b ] { c } \" d \" `` e ''",
    "'s went",
]


@pytest.mark.parametrize("text", CUT)
def test_rules(text):
    want = text.split()
    assert tokenize(text) == want, "tokens are not cut again"


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("I don't.", "I do n't ."),
        ("It's Smith's, the teachers'!", "It 's Smith 's , the teachers ' !"),
        ("CAN'T cannot Gonna DONT", "CA N'T can not Gon na DO NT"),
        ("It\u2019s", "It \u2019s"),
        ("(see http://a.b/c).", "( see http://a.b/c ) ."),
        ("mail a.b@c.org, or www.x.org.", "mail a.b@c.org , or www.x.org ."),
        ("$2,500.00, 10% (5pm)", "$ 2,500.00 , 10 % ( 5 pm )"),
        ("Mr. O'Neil's U.S. tour.", "Mr. O'Neil 's U.S. tour ."),
        ("A man. J. Doe", "A man . J. Doe"),
        ("well-known, e-mail and/or", "well - known , e-mail and / or"),
        ('"Hi!!!"...', '" Hi !!! " ...'),
        ("naïve café \u2013 5€", "naïve café \u2013 5 €"),
        ("cafe\u0301's", "cafe\u0301 's"),
        ("東京。", "東京 。"),
        ("😀😀", "😀😀"),
        ("a\tb\u00a0c\u2003d", "a b c d"),
    ],
)
def test_cuts(text, want):
    assert tokenize(text) == want.split(" ")


def test_hyphens_stay_on_request():
    assert tokenize("a well-known e-mail", split_hyphens=False) == [
        *("a", "well-known", "e-mail")
    ]


@pytest.mark.parametrize("text", ["", " ", "\n\t\u2003"])
def test_nothing(text):
    assert tokenize(text) == []


def test_text_is_needed():
    with pytest.raises(TypeError, match="text must be a str, got bytes"):
        tokenize(b"a")


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_nothing_but_space_is_lost(text):
    at = 0
    for a, b in token_spans(text):
        assert at <= a < b
        assert not text[at:a].strip()
        assert not any(c.isspace() for c in text[a:b])
        at = b
    assert not text[at:].strip()


@given(st.text("ab.-'$ 19/:!n't", max_size=40))
def test_spans_and_tokens_agree(text):
    spans = token_spans(text)
    assert [text[a:b] for a, b in spans] == tokenize(text)
    assert "".join(tokenize(text)) == "".join(text.split())


def test_hyphens_of_a_treebank():
    assert splits_hyphens([["well", "-", "known"], ["e-mail", "b-c"], ["x", "-", "y"]])
    assert not splits_hyphens([["well-known", "-", "a-b"], ["c"]])
    assert not splits_hyphens([])
