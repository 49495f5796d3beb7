"""Draw a dependency parse and a constituency parse, mistakes in colour.

Usage: python plot_parses.py [OUTPUT.png]; the constituency tree goes beside it.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from pystruct_ext import ConstituencySVM, DependencySVM
from pystruct_ext.datasets import make_treebank
from pystruct_ext.plotting import DependencyDisplay, TreeDisplay

bank = make_treebank(120)
X = bank.sentences
# So little data that mistakes remain to be seen.
few = slice(0, 25)
parser = DependencySVM(C=0.1, bits=14, label_bits=9).fit(X[few], bank.dependencies[few])
phrases = ConstituencySVM(bits=12).fit(X[few], bank.trees[few])

arcs, trees = parser.predict(X), phrases.predict(X)
i = next(
    (
        i
        for i in range(25, 120)
        if arcs[i] != bank.dependencies[i] and len(X[i].forms) > 8
    ),
    30,
)
dependency = DependencyDisplay.from_predictions(X, bank.dependencies, arcs, index=i)
constituency = TreeDisplay.from_predictions(X, bank.trees, trees, index=i)
print(f"{dependency}\n\n{constituency}")
output = Path(sys.argv[1] if len(sys.argv) > 1 else "parses.png").resolve()
for picture, path in (
    (dependency, output),
    (constituency, output.with_suffix(".tree.png")),
):
    picture.figure_.savefig(path, dpi=110)
    print(f"wrote {path}")
