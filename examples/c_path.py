"""Choose C along a path: each point starts from the cuts of the one before."""

from pystruct_ext import SequenceSVM, c_path
from pystruct_ext.datasets import load_digit_sequences


def main():
    data = load_digit_sequences("keypad", n_sequences=500)
    path = c_path(
        SequenceSVM(tol=1e-2),
        data.X_train,
        data.y_train,
        [0.003, 0.01, 0.03, 0.1, 0.3],
        X_dev=data.X_test,
        y_dev=data.y_test,
    )
    print(path)
    print(f"best: C={path.best.C:g} with token accuracy {path.best.score:.4f}")


if __name__ == "__main__":
    main()
