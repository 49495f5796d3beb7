"""Learn to fold RNA, fold with constraints, and draw the fold.

Usage: python plot_folding.py [OUTPUT.png]; the views go beside it.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from pystruct_ext import FoldingSVM
from pystruct_ext.datasets import make_folds
from pystruct_ext.metrics import base_pair_report
from pystruct_ext.plotting import FoldingDisplay

X, y = make_folds(200, length=70)
model = FoldingSVM(C=1).fit(X[:150], y[:150])
print("learned:         ", base_pair_report(y[150:], model.predict(X[150:])))

# The same kernel with measured energies alone, nothing learned.
space = model.space_
energies = space.decode_batch(space.energy_weights(), X[150:])
print("energies alone:  ", base_pair_report(y[150:], energies))

# What the probabilities of pairs say, and what happens if a base must stay free.
x = "GGGGAAACCCCUUUUGGGGAAACCCC"
(free,) = model.predict([x])
(held,) = model.predict([x], constraints=["xxxx" + "." * (len(x) - 4)])
print(f"\n{x}\n{free}  free\n{held}  first four bases kept free")
(pairs,) = model.predict_marginals([x])
print(f"pair 1-11 has probability {pairs[0, 10]:.2f}")

# A fold that the model has partly wrong, and the truth below it.
scores = [
    base_pair_report([a], [b]).f1
    for a, b in zip(y[150:], model.predict(X[150:]), strict=True)
]
i = 150 + min(range(50), key=lambda k: abs(scores[k] - 0.75))
display = FoldingDisplay.from_estimator(model, X, y, index=i)
print(f"\n{display}")
output = Path(sys.argv[1] if len(sys.argv) > 1 else "fold.png").resolve()
for kind, path in (
    ("arc", output),
    ("circle", output.with_suffix(".circle.png")),
    ("mountain", output.with_suffix(".mountain.png")),
):
    display.plot(kind=kind).figure_.savefig(path, dpi=110)
    print(f"wrote {path}")
