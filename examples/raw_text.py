"""Parse plain sentences: a tagger that the parser was trained with.

A parser reads words and their tags. `TaggedParser` learns both from a treebank; the tags that
its parser is trained on come from taggers that have not seen the sentence, and so are as
wrong as those of new text.
"""

from tempfile import TemporaryDirectory

from pystruct_ext import DependencySVM, TaggedParser, load
from pystruct_ext.datasets import make_treebank
from pystruct_ext.metrics import aligned_attachment_report

bank = make_treebank(300)
X, y = bank.sentences, bank.dependencies

model = TaggedParser(DependencySVM(C=0.1, bits=16, label_bits=10), n_folds=4)
model.fit(X[:200], y[:200])
print(
    f"tags that the parser was trained on: {100 * model.tag_accuracy_:.1f} % right\n"
    f"certified gaps: tagger {100 * model.tagger_.relative_gap_:.1f} %, parser "
    f"{100 * model.relative_gap_:.1f} %"
)

with TemporaryDirectory() as folder:
    model.save(f"{folder}/parser.psx")  # tagger and parser in one file
    model = load(f"{folder}/parser.psx")
sentences = [
    "Ada ate the pizza with a fork.",
    "Ada ate the pizza with the cheese.",
    "Grace didn't say that Donald wrote a well-known book...",
]
for text, sentence, tree in zip(
    sentences, model.tag(sentences), model.predict(sentences), strict=True
):
    forms = ["ROOT", *sentence.forms]
    print(f"\n{text}")
    for form, tag, head, label in zip(
        sentence.forms, sentence.tags, tree.heads, tree.labels, strict=True
    ):
        print(f"  {form:<10} {tag:<4} {label:<8} <- {forms[head]}")

texts = [" ".join(s.forms) for s in X[200:]]
gold = [s.forms for s in X[200:]]
print()
print(
    aligned_attachment_report(gold, y[200:], model.words(texts), model.predict(texts))
)
