"""Find the records of one person in a table with typing errors.

The records are generated. All that is told are clusters of some of them; which similarity
counts for how much, and how similar is similar enough, is learnt.
"""

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from pystruct_ext import ClusteringSVM, PairGraph
from pystruct_ext.metrics import clustering_report
from pystruct_ext.outputs import split_into_blocks
from pystruct_ext.plotting import ClusterDisplay

FIRST = [
    "anna",
    "peter",
    "maria",
    "thomas",
    "julia",
    "martin",
    "laura",
    "stefan",
    "petra",
]
FIRST += ["andreas", "sabine", "paul", "emil", "clara"]
LAST = [
    "schmidt",
    "fischer",
    "weber",
    "wagner",
    "becker",
    "koch",
    "bauer",
    "richter",
    "klein",
]
LAST += ["hoffmann", "wolf", "krause", "vogel", "lang"]
STREETS = ["main", "station", "church", "garden", "mill", "school", "forest", "castle"]
rng = np.random.default_rng(0)


def typed(text):
    """A text with an error now and then."""
    letters = list(text)
    for _ in range(rng.poisson(0.6)):
        k = int(rng.integers(len(letters)))
        letters[k] = rng.choice(["", letters[k] * 2, "x"])
    return "".join(letters)


def table(n_people):
    """Records of name and street, and whose they are; some streets are missing."""
    records, owners = [], []
    for person in range(n_people):
        name = f"{rng.choice(FIRST)} {rng.choice(LAST)}"
        street = f"{rng.choice(STREETS)} street {rng.integers(1, 60)}"
        for _ in range(1 + rng.poisson(1.5)):
            records.append((typed(name), typed(street) if rng.random() < 0.8 else ""))
            owners.append(person)
    order = rng.permutation(len(records))
    return [records[k] for k in order], [owners[k] for k in order]


def pair_graph(records):
    """Candidate pairs: those with some letters of the name in common."""
    columns = []
    for field in zip(*records, strict=True):
        vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 3)).fit_transform(
            field
        )
        columns.append((vectors @ vectors.T).toarray())
    pairs = np.argwhere(np.triu(columns[0] > 0.1, 1))
    a, b = pairs.T
    missing = np.array([not street for _, street in records])
    features = [columns[0][a, b], columns[1][a, b], missing[a] | missing[b]]
    names = [f"{k} {', '.join(filter(None, r))}" for k, r in enumerate(records)]
    return PairGraph(len(records), pairs, np.stack(features, axis=1), names)


train, y = table(80)
test, truth = table(40)
X_blocks, y_blocks = split_into_blocks([pair_graph(train)], [y], random_state=0)
model = ClusteringSVM(C=0.1, tol=0.02).fit(X_blocks, y_blocks)
print(f"{len(X_blocks)} blocks, certificate {model.certificate_}: {model.status_}")
weights = zip(("name", "street", "no street", "intercept"), model.coef_, strict=True)
print("weights:", ", ".join(f"{name} {w:.2f}" for name, w in weights))

graph = pair_graph(test)
found = model.predict([graph])
print(f"\n{clustering_report([truth], found)}\n")
print("\n".join(str(ClusterDisplay(graph, found[0], truth)).splitlines()[:5]))
