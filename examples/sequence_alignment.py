"""Learn to align two sequences: which letters replace each other, and what a gap costs.

The sequences are generated: letters of one group replace each other often. The model is told
alignments only, and finds the groups.
"""

from pystruct_ext import AlignmentSVM
from pystruct_ext.datasets import make_alignments
from pystruct_ext.metrics import alignment_report
from pystruct_ext.plotting import AlignmentDisplay

X, y = make_alignments(300)
model = AlignmentSVM(C=0.1).fit(X[:240], y[:240])
print(alignment_report(y[240:], model.predict(X[240:])))

(letters,) = model.space_.letters_
scores = model.substitution_scores()
print("\nbest partners of each letter:")
for group in ("AGST", "DENQ", "HKR", "FWY", "ILMV"):
    for letter in group:
        row = scores[letters.index(letter)].copy()
        row[letters.index(letter)] = -1
        best = "".join(letters[k] for k in (-row).argsort()[: len(group) - 1])
        print(f"  {letter}: {best} (group {group})")

a, b = X[250]
print(f"\n{AlignmentDisplay(a, b, model.predict([(a, b)])[0], y[250])}")
