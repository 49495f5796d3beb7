r"""A simple tokeniser: English-like rules, with the places of the tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

# Letters, digits, the marks that stand above and below them, and joiners.
_W = (
    r"(?:[^\W_]|[\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u064b-\u065f\u0900-\u0dff"
    r"\u0e31-\u0e4e\u1dc0-\u1dff\u200c\u200d\u20d0-\u20ff])"
)
_ABBREVIATIONS = (
    "mr mrs ms dr prof st jr sr vs etc inc corp co ltd gen sen rep gov lt col sgt capt rev "
    "hon mt ave blvd rd dept est approx fig jan feb aug sept oct nov dec bros al"
)
_FILES = "pdf docx? xlsx? pptx? html? txt jpe?g png gif zip exe csv"
_TOP = "com org net edu gov mil info biz uk de fr eu ca us au nz io tv"
# Beginnings that stay with their word.
_PREFIXES = (
    "anti bi co counter de e ex inter micro mid mini mis multi neo non over post pre pro "
    "pseudo quasi re semi sub tri ultra un vice"
)
_NEGATED = "do does did is was were are have has had could would should ca wo"
# What contractions are cut into; whatever they are, they are no other words.
_WHOLE = {
    "cannot": (3,),
    "gonna": (3,),
    "gotta": (3,),
    "wanna": (3,),
    "lemme": (3,),
    "gimme": (3,),
    "dunno": (2, 3),
    "outta": (3,),
    "im": (1,),
    "ive": (1,),
    "thats": (4,),
    **{stem + "nt": (len(stem),) for stem in _NEGATED.split()},
}
_CLITIC = re.compile(r"(?:n['\u2019]t|['\u2019](?:s|m|d|ll|re|ve))$", re.IGNORECASE)


def _any(words: str) -> str:
    return "|".join(words.split())


_TOKEN = re.compile(
    rf"""
    (?P<address>
        (?:(?:https?|ftp)://|www\.)[^\s<>]+
      | [\w.+-]+@[\w-]+(?:\.[\w-]+)*
      | \w[\w-]*\.(?:{_any(_FILES)})(?!\w)
      | [a-z][\w-]+(?:\.[a-z][\w-]+){{2,}}(?!\w)
      | [a-z0-9][\w-]*(?:\.[\w-]+)*\.(?:{_any(_TOP)})\b(?:/[^\s<>]*)?
    )
  | (?<!\w)[#@][^\W\d]\w* | (?<!\w)(?:w/o|b/c)(?!\w) | [?!]+ | _+
  | (?<!\w)[:;=][-o^']?(?:[)(\]\[|]+|[dpo/\\](?!\w)) | <3+(?!\d)
  | (?:1-)?(?:\d{{3}}-)?\d{{3}}-\d{{4}}(?![\w-])
  | \d+(?:[.,:/]\d+)*(?:st|nd|rd|th|s)?(?!{_W})
  | \.?\d+(?:[.,:/]\d+)*
  | (?:[^\W\d_]\.){{2,}}
  | (?:{_any(_ABBREVIATIONS)})\.(?!{_W})
  | [^\W\d_]\.(?=\ \S)(?<=[A-Z]\.)
  | (?<!\S)['\u2019](?:s|m|d|ll|re|ve|em|til|cause)(?!{_W})
  | (?P<word> {_W}+(?:[-'\u2019&_]{_W}+)* )
  | (?P<mark>[^\w\s])(?P=mark)*
  | \S
    """,
    re.VERBOSE | re.IGNORECASE,
)
_FINAL = re.compile(r"[.,;:!?'\"\u2019\u201d)\]}]+$")


def token_spans(text: str, split_hyphens: bool = True) -> list[tuple[int, int]]:
    """Begin and end of every token of a text; see `tokenize`.

    Parameters
    ----------
    text : str
    split_hyphens : bool, default=True

    Returns
    -------
    list of (int, int)
        In order, without overlap; what is between them is white space.

    Examples
    --------
    >>> token_spans("I don't.")
    [(0, 1), (2, 4), (4, 7), (7, 8)]
    """
    if not isinstance(text, str):
        raise TypeError(f"text must be a str, got {type(text).__name__}")
    spans: list[tuple[int, int]] = []
    at = 0
    while found := _TOKEN.search(text, at):
        begin, at = found.span()
        if found["address"]:
            final = _FINAL.search(found[0])
            # Brackets of a path are closed in it.
            if final and not (final[0][0] == ")" and "(" in found[0]):
                at = begin + max(final.start(), 1)
            spans.append((begin, at))
        elif found["word"]:
            spans += _pieces(found[0], begin, split_hyphens)
        else:
            spans.append((begin, at))
    return spans


def tokenize(text: str, split_hyphens: bool = True) -> list[str]:
    """Words and marks of a text.

    Parameters
    ----------
    text : str
        A sentence; white space of any kind separates tokens.
    split_hyphens : bool, default=True
        Whether words joined by hyphens are several tokens, and the hyphens, too, as in the
        English Web Treebank of Universal Dependencies, but for beginnings such as "non-"; or
        one, as in the Wall Street Journal of the Penn Treebank.

    Returns
    -------
    list of str

    Notes
    -----
    Between spaces, tokens are cut off from the left by the first of these rules that fits:

    1. addresses, without a final mark: ``https://...``, ``www...``, e-mail, ``name.com``,
       names of files, three words joined by full stops;
    2. ``#topic`` and ``@name``, w/o and b/c, emoticons such as ``:-)`` and ``<3``;
    3. numbers: digits joined by ``.``, ``,``, ``:``, ``/`` (2,500.00, 10:30, 1/2/2003), those
       of telephones, 1st, 1990s; a unit is another token (5 pm, 10 %);
    4. single letters with full stops (U.S., e.g.), initials before a space, and usual
       abbreviations (Mr., etc.);
    5. words: letters, digits and accents, with apostrophes, hyphens, ``&`` and ``_`` inside;
    6. the same mark several times (``...``, ``--``), or of ! and ?; any other character alone.

    Contractions are taken apart as in the Penn Treebank: do n't, it 's, we 'll, teachers ',
    can not, gon na; also without an apostrophe, where it can hardly be anything else: do nt.

    Examples
    --------
    >>> tokenize("Mr. O'Neil can't pay $2,500.00 (U.S.) for well-known e-mails...")
    ['Mr.', "O'Neil", 'ca', "n't", 'pay', '$', '2,500.00', '(', 'U.S.', ')', 'for', 'well', \
'-', 'known', 'e-mails', '...']
    """
    return [text[a:b] for a, b in token_spans(text, split_hyphens)]


def _pieces(word: str, begin: int, split_hyphens: bool) -> Iterator[tuple[int, int]]:
    """A word without spaces, taken apart at hyphens and contractions."""
    parts = word.split("-")
    if len(parts) > 1 and (not split_hyphens or _stays(parts)):
        parts = [word]
    at = begin
    for k, part in enumerate(parts):
        if k:
            yield at, at + 1
            at += 1
        end = at + len(part)
        lower = part.lower()
        cuts: Sequence[int] = _WHOLE.get(lower, ())
        clitic = _CLITIC.search(part)
        if clitic is not None and clitic.start():
            cuts = (clitic.start(),)
        for cut in [*cuts, len(part)]:
            stop = end - len(part) + cut
            yield at, stop
            at = stop


def _stays(parts: Sequence[str]) -> bool:
    """Whether a word joined by hyphens is one token all the same."""
    return len(parts) == 2 and parts[0].lower() in _PREFIXES.split()


def splits_hyphens(sentences: Sequence[Sequence[str]]) -> bool:
    """Whether tokenised sentences have words joined by hyphens taken apart.

    Parameters
    ----------
    sentences : list of lists of str

    Returns
    -------
    bool
        True if hyphens between words are tokens more often than they are inside words.
    """
    apart = joined = 0
    for words in sentences:
        for word in words:
            if word == "-":
                apart += 1
            elif "-" in word:
                parts = word.split("-")
                whole = len(parts) > 1 and all(p.isalpha() for p in parts)
                joined += whole and not _stays(parts)
    return apart > joined


__all__ = ["splits_hyphens", "token_spans", "tokenize"]
