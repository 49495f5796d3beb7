"""Which word translates which: an aligner without links, and a matching that learns from some.

A small grammar makes English sentences, their German translations and the links: verbs go to
the end of clauses, two English words may be one in German, articles agree with their nouns.
"""

from __future__ import annotations

import numpy as np
from sklearn.pipeline import make_pipeline

from pystruct_ext import MatchingSVM
from pystruct_ext.metrics import link_report
from pystruct_ext.word_alignment import AlignmentFeatures, WordAligner

NOUNS = {  # article, noun; two English words make one German one
    "dog": "der hund", "cat": "die katze", "child": "das kind", "teacher": "der lehrer",
    "garden door": "die gartentür", "apple tree": "der apfelbaum", "house": "das haus",
    "kitchen table": "der küchentisch", "moon": "der mond", "winter coat": "der wintermantel",
    "friend": "der freund", "bread": "das brot", "letter": "der brief", "lake": "der see",
}  # fmt: skip
VERBS = {
    "sees": "sieht", "finds": "findet", "paints": "malt", "likes": "mag",
    "forgets": "vergisst", "looks for": "sucht", "waits for": "erwartet", "hears": "hört",
}  # fmt: skip
SAYS = {"says": "sagt", "thinks": "denkt", "knows": "weiß", "hopes": "hofft"}
WHEN = {"today": "heute", "in winter": "im winter", "every day": "jeden tag"}


def pick(rng, words):
    return list(words.items())[rng.integers(len(words))]


def noun(rng):
    """(English, German) chunks of an article and a noun."""
    english, german = pick(rng, NOUNS)
    article, word = german.split()
    return [("the", article), (english, word)]


def clause(rng):
    """Subject, verb, object and time of a clause, each a list of chunks."""
    subject, verb, object_ = noun(rng), [pick(rng, VERBS)], noun(rng)
    when = [pick(rng, WHEN)] if rng.random() < 0.4 else []
    return subject, verb, object_, when


def sentence(rng):
    """Source words, target words, links."""
    s, v, o, w = clause(rng)
    english, german = [*s, *v, *o, *w], [*s, *v, *w, *o]
    if rng.random() < 0.5:
        who, says = noun(rng), pick(rng, SAYS)
        that = ("that", ", dass")
        english = [*who, says, that, *english]
        german = [*who, says, that, *s, *w, *o, *v]  # the verb comes last
    dot = (".", ".")
    english, german = [*english, dot], [*german, dot]
    source, at = [], {}
    for chunk in english:
        at[id(chunk)] = range(len(source), len(source) + len(chunk[0].split()))
        source += chunk[0].split()
    target, links = [], []
    for chunk in german:
        words = chunk[1].split()
        for word in words:
            links += [(i, len(target)) for i in at[id(chunk)] if word != ","]
            target.append(word)
    return source, target, links


rng = np.random.default_rng(0)
made = [sentence(rng) for _ in range(160)]
X, y = [(s, t) for s, t, _ in made], [links for *_, links in made]
train, test = slice(0, 40), slice(100, None)

# Without links: all sentences are text.
aligner = WordAligner().fit(X)
found = [list(map(tuple, p.tolist())) for p in aligner.predict(X[test])]
print("without links          ", link_report(y[test], found))

# With the links of 40 sentences; the others are still text. Two words may share a partner.
for name, params in {
    "one to one             ": {"excess": "drop"},
    "with learned fertility ": {
        "row_capacity": 2,
        "column_capacity": 2,
        "fertility": 1,
    },
}.items():
    model = make_pipeline(AlignmentFeatures(), MatchingSVM(C=0.01, **params))
    model.fit(X[train], y[train], alignmentfeatures__unlabelled=X[40:])
    print(name, link_report(y[test], model.predict(X[test])))

source, target = X[test.start]
words = [f"{source[i]}-{target[j]}" for i, j in model.predict(X[test][:1])[0]]
print(" ".join(words))
