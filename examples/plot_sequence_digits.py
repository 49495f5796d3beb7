"""What structure is worth: handwritten dates read whole, or digit by digit."""

import argparse
from pathlib import Path

import numpy as np

from pystruct_ext import MulticlassSVM, SequenceSVM
from pystruct_ext.datasets import digits_of, load_digit_sequences
from pystruct_ext.metrics import sentence_accuracy, token_accuracy
from pystruct_ext.plotting import TaggingDisplay


def main(output):
    data = load_digit_sequences("dates", n_sequences=600)
    truth = [digits_of(y) for y in data.y_test]
    alone = MulticlassSVM(C=0.1).fit(
        np.concatenate(data.X_train),
        np.concatenate([digits_of(y) for y in data.y_train]),
    )
    whole = SequenceSVM(C=0.1).fit(data.X_train, data.y_train)
    read = {
        "whole date": [digits_of(y) for y in whole.predict(data.X_test)],
        "digits alone": [alone.predict(x).tolist() for x in data.X_test],
    }
    for name, predicted in read.items():
        print(
            f"{name:12} digits {token_accuracy(truth, predicted):.3f}, "
            f"dates {sentence_accuracy(truth, predicted):.3f}"
        )
    display = TaggingDisplay.from_predictions(
        data.images_test[:4], truth[:4], {k: v[:4] for k, v in read.items()}
    )
    display.figure_.savefig(output, dpi=110)
    print(f"wrote {Path(output).resolve()}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", nargs="?", default="dates.png", help="PNG to write")
    main(parser.parse_args().output)
