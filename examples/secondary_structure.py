"""Helices, strands and coils: labels per residue, or whole segments.

Sequences are generated: helices repeat residues every three or four places, strands
alternate, coils do neither, and every kind has residues it likes. `SequenceSVM` labels each
residue from a window around it; `SegmentSVM` scores whole segments and so knows how long
they are. Three states here; eight are only other labels.
"""

import numpy as np

from pystruct_ext import SegmentSVM, SequenceSVM
from pystruct_ext.metrics import q_score, segment_overlap
from pystruct_ext.outputs.segments import segments_from_labels, segments_to_labels

LIKES = {"H": "AELKMQR", "E": "VIYFWTC", "C": "GPNDS"}
LENGTHS = {"H": (8, 14), "E": (4, 7), "C": (2, 6)}
RESIDUES = "ACDEFGHIKLMNPQRSTVWY"


def chain(rng):
    """One protein: residues and states."""
    sequence, states = "", ""
    while len(sequence) < 80:
        kinds = [k for k in LIKES if not states.endswith(k)]
        kind = kinds[int(rng.integers(len(kinds)))]
        length = int(rng.integers(*LENGTHS[kind]))
        for _ in range(length):
            liked = rng.random() < 0.45
            sequence += str(rng.choice(list(LIKES[kind] if liked else RESIDUES)))
        states += kind * length
    return sequence, states


def profile(sequence, window=4):
    """A (T, d) array: which residue stands at each place of the window, and smoothed counts."""
    one_hot = np.eye(len(RESIDUES))[[RESIDUES.index(c) for c in sequence]]
    padded = np.pad(one_hot, ((window, window), (0, 0)))
    shifted = [padded[d : d + len(sequence)] for d in range(2 * window + 1)]
    return np.hstack([*shifted, sum(shifted) / len(shifted)])


rng = np.random.default_rng(0)
chains = [chain(rng) for _ in range(120)]
X = [profile(s) for s, _ in chains]
y = [list(states) for _, states in chains]
segments = [segments_from_labels(states) for states in y]
test = slice(80, 120)

tagger = SequenceSVM(C=0.1).fit(X[:80], y[:80])
cutter = SegmentSVM(C=0.1).fit(X[:80], segments[:80])
by_residue = tagger.predict(X[test])
by_segment = [segments_to_labels(s) for s in cutter.predict(X[test])]
for name, found in (("SequenceSVM", by_residue), ("SegmentSVM", by_segment)):
    q3 = q_score(y[test], found)
    overlap = segment_overlap(y[test], found)
    print(
        f"{name:<12} Q3 {100 * q3['all']:.1f} %  SOV {100 * overlap['all']:.1f} %  "
        f"helix {100 * q3['H']:.1f} %  strand {100 * q3['E']:.1f} %"
    )
longest = zip(cutter.space_.classes_, cutter.space_.longest_.tolist(), strict=True)
print("longest segments seen:", ", ".join(f"{label} {n}" for label, n in longest))
print("".join(y[80]))
print("".join(by_segment[0]))
