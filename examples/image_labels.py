"""Find noisy shapes in images: a grid of cells whose neighbours like to agree.

Squares, and bars that cross them, under noise: single cells say little. First a model of the
cells alone, then one with a table of pair scores for each direction.
"""

import numpy as np

from pystruct_ext import GraphSVM
from pystruct_ext.metrics import graph_report
from pystruct_ext.outputs import Graph, grid_graph
from pystruct_ext.plotting import GridDisplay

rng = np.random.default_rng(0)


def make_image(size=12):
    truth = np.zeros((size, size), dtype=int)
    a, b = rng.integers(1, size - 5, size=2)
    truth[a : a + 5, b : b + 5] = 1
    truth[int(rng.integers(size)), :] = 2
    colours = np.array([[0.2, 0.3, 0.5], [0.8, 0.5, 0.2], [0.3, 0.7, 0.3]])[truth]
    return colours + 0.3 * rng.normal(size=(size, size, 3)), truth


images, y = zip(*(make_image() for _ in range(60)), strict=True)
cells = [grid_graph(image) for image in images]

# Without edges: every cell for itself.
alone = [Graph(x.features, [], shape=x.shape) for x in cells]
model = GraphSVM(C=0.1).fit(alone[:40], y[:40])
print("cells alone\n", graph_report(y[40:], model.predict(alone[40:])), sep="")

# A table of pair scores for horizontal neighbours, another for vertical ones: bars are flat.
model = GraphSVM(C=0.1).fit(cells[:40], y[:40])
predicted = model.predict(cells[40:])
print("\nwith neighbours\n", graph_report(y[40:], predicted), sep="")
print(f"certificate {model.certificate_}, relative gap {model.relative_gap_:.3f}")

for (_, _, direction), table in zip(
    model.space_.kinds_,
    [model.space_.pair_scores(model.coef_, k)[0] for k in range(2)],
    strict=True,
):
    print(f"\n{direction}\n{table.round(2)}")

print(f"\n{GridDisplay(cells[40], predicted[0], y[40])}")
