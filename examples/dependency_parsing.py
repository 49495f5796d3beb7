"""Parse sentences: who does what with which tool?

"Ada ate the pizza with a fork" or "... with cheese": the tags are the same, the words decide
where "with" belongs. The parser learns it from generated sentences, and says how sure the
second best tree is.
"""

from pystruct_ext import DependencySVM
from pystruct_ext.datasets import make_treebank
from pystruct_ext.metrics import attachment_report

bank = make_treebank(400)
X, y = bank.sentences, bank.dependencies

model = DependencySVM(C=0.1, bits=16, label_bits=10).fit(X[:300], y[:300])
print(
    f"trained to a certified gap of {100 * model.relative_gap_:.1f} % in "
    f"{model.n_iter_} epochs"
)
print(attachment_report(y[300:], model.predict(X[300:])))

for words in ("Ada ate the pizza with a fork .", "Ada ate the pizza with the cheese ."):
    sentence = (words.split(), ["NNP", "VBD", "DT", "NN", "IN", "DT", "NN", "."])
    (best, second), *_ = model.predict_k_best([sentence], 2)
    tree = best[1]
    forms = ["ROOT", *sentence[0]]
    print(
        f"\n{words}\n  {forms[7]} <- {forms[tree.heads[6]]} ({tree.labels[6]}), ahead of the "
        f"second best tree by {best[0] - second[0]:.2f}"
    )

# The tags alone cannot tell.
blind = [s._replace(forms=s.tags) for s in X]
tags_only = DependencySVM(C=0.1, bits=16, label_bits=10).fit(blind[:300], y[:300])
print(
    "\nwithout the words:", attachment_report(y[300:], tags_only.predict(blind[300:]))
)
