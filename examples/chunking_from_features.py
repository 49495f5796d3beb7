"""Tag words from feature dictionaries, in CRFsuite's convention: change one import.

A hand-written corpus of one domain (recipes): quantities, units and ingredients.
"""

from pystruct_ext import SequenceSVM
from pystruct_ext.metrics import chunk_report

CORPUS = """
two/B-QTY cups/B-UNIT of/O brown/B-FOOD sugar/I-FOOD
one/B-QTY pinch/B-UNIT of/O sea/B-FOOD salt/I-FOOD
three/B-QTY large/O eggs/B-FOOD
a/B-QTY half/I-QTY cup/B-UNIT olive/B-FOOD oil/I-FOOD
four/B-QTY ripe/O tomatoes/B-FOOD and/O one/B-QTY onion/B-FOOD
one/B-QTY and/I-QTY a/I-QTY half/I-QTY cups/B-UNIT flour/B-FOOD
freshly/O ground/O black/B-FOOD pepper/I-FOOD
two/B-QTY cloves/B-UNIT of/O garlic/B-FOOD finely/O chopped/O
one/B-QTY tin/B-UNIT coconut/B-FOOD milk/I-FOOD
a/B-QTY handful/B-UNIT of/O fresh/O basil/B-FOOD
six/B-QTY slices/B-UNIT of/O rye/B-FOOD bread/I-FOOD
salt/B-FOOD and/O pepper/B-FOOD to/O taste/O
two/B-QTY and/I-QTY a/I-QTY half/I-QTY spoons/B-UNIT honey/B-FOOD
five/B-QTY small/O potatoes/B-FOOD peeled/O
one/B-QTY litre/B-UNIT vegetable/B-FOOD stock/I-FOOD
"""
HELD_OUT = """
three/B-QTY cups/B-UNIT of/O olive/B-FOOD oil/I-FOOD
two/B-QTY small/O onions/B-FOOD finely/O chopped/O
one/B-QTY and/I-QTY a/I-QTY half/I-QTY cloves/B-UNIT of/O garlic/B-FOOD
fresh/O basil/B-FOOD and/O black/B-FOOD pepper/I-FOOD
"""


def read(text):
    """Words and tags of each line."""
    lines = [
        [w.rsplit("/", 1) for w in line.split()] for line in text.strip().splitlines()
    ]
    return [[w for w, _ in s] for s in lines], [[t for _, t in s] for s in lines]


def features(words):
    """One dictionary per word: names to values, as sklearn-crfsuite takes them."""
    out = []
    for t, word in enumerate(words):
        out.append(
            {
                "bias": 1.0,
                "word": word,
                "suffix": word[-2:],
                "before": words[t - 1] if t else "<s>",
                "after": words[t + 1] if t + 1 < len(words) else "</s>",
                "plural": word.endswith("s"),
            }
        )
    return out


def main():
    words, tags = read(CORPUS)
    model = SequenceSVM(C=1.0, constraints="BIO")
    model.fit([features(s) for s in words], tags)
    test_words, test_tags = read(HELD_OUT)
    predicted = model.predict([features(s) for s in test_words])
    for s, p in zip(test_words, predicted, strict=True):
        print("  ".join(f"{w}/{t}" for w, t in zip(s, p, strict=True)))
    print(chunk_report(test_tags, predicted))
    print("speaks for a quantity:", model.top_features("B-QTY", 4))


if __name__ == "__main__":
    main()
