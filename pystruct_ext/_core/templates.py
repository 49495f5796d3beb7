"""Feature templates that come with the package."""

from __future__ import annotations

__all__ = ["DEFAULT_TEMPLATE"]

#: Words and part-of-speech tags around a token, in the language of CRF++: column 0 is
#: the word, column 1 the tag. The window is the one usual for CoNLL-2000 chunking.
DEFAULT_TEMPLATE = """\
# words
U00:%x[-2,0]
U01:%x[-1,0]
U02:%x[0,0]
U03:%x[1,0]
U04:%x[2,0]
U05:%x[-1,0]/%x[0,0]
U06:%x[0,0]/%x[1,0]
# part-of-speech tags
U10:%x[-2,1]
U11:%x[-1,1]
U12:%x[0,1]
U13:%x[1,1]
U14:%x[2,1]
U15:%x[-2,1]/%x[-1,1]
U16:%x[-1,1]/%x[0,1]
U17:%x[0,1]/%x[1,1]
U18:%x[1,1]/%x[2,1]
U20:%x[-2,1]/%x[-1,1]/%x[0,1]
U21:%x[-1,1]/%x[0,1]/%x[1,1]
U22:%x[0,1]/%x[1,1]/%x[2,1]
# pairs of neighbouring labels
B
"""
