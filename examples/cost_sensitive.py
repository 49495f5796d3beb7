"""Costs of mistakes change what is learnt: missing a rare class made dear."""

import numpy as np

from pystruct_ext import MulticlassSVM


def main():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 2))
    y = np.repeat([0, 1], [540, 60])
    X[y == 1] += 1.5
    for cost in (1, 3, 10):
        model = MulticlassSVM(C=0.1, loss=[[0, 1], [cost, 0]]).fit(X, y)
        z = model.predict(X)
        print(
            f"missing a 1 costs {cost:2d}: {np.sum((y == 1) & (z == 0)):3d} missed, "
            f"{np.sum((y == 0) & (z == 1)):3d} false alarms"
        )


if __name__ == "__main__":
    main()
