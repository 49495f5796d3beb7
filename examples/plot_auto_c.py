"""How C is chosen: held-out scores along a path of certified solutions.

Handwritten digits in sequences, only so many that C matters. ``C="auto"`` trains at increasing
C on a part of them, each time from the solution before, scores the rest, and trains on all at
the C it takes.
"""

import argparse
from pathlib import Path

from pystruct_ext import SequenceSVM
from pystruct_ext.datasets import load_digit_sequences
from pystruct_ext.plotting import CPathDisplay


def main(output):
    data = load_digit_sequences("keypad", n_sequences=400)
    model = SequenceSVM(C="auto").fit(data.X_train, data.y_train)
    print(model.C_path_)
    print(
        f"C = {model.C_:g}: {model.score(data.X_test, data.y_test):.4f} on the test part"
    )
    for C in (model.C_ / 30, model.C_ * 30):
        plain = SequenceSVM(C=C).fit(data.X_train, data.y_train)
        print(f"C = {C:g}: {plain.score(data.X_test, data.y_test):.4f}")
    CPathDisplay.from_estimator(model).figure_.savefig(output, dpi=110)
    print(f"wrote {Path(output).resolve()}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", nargs="?", default="auto_c.png", help="PNG to write")
    main(parser.parse_args().output)
