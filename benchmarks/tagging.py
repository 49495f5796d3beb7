"""Tagging and parsing of raw text: English Web Treebank and the Penn Treebank sample.

    python benchmarks/tagging.py [--parts tokens tagger parser constituency] [--train N]

The tagger is compared with CRFsuite on exactly the same features, one thread each. Parsers
see gold tags, predicted ones, and words of the simple tokeniser in place of the gold ones.
Seconds are those of the processor, since other work may run beside.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
import warnings
from itertools import pairwise
from pathlib import Path

from _common import data_folder, show_table

from pystruct_ext import (
    ConstituencySVM,
    DependencySVM,
    DependencyTree,
    Sentence,
    TaggedParser,
)
from pystruct_ext._core.features import Template, Vocabulary
from pystruct_ext.estimators._word_columns import WordColumns
from pystruct_ext.io import read_brackets, read_conllu
from pystruct_ext.metrics import (
    aligned_attachment_report,
    attachment_report,
    bracket_report,
    token_accuracy,
)
from pystruct_ext.outputs import tokenize

CRFSUITE = {
    "CRFsuite averaged perceptron": ("ap", {}),
    "CRFsuite l-BFGS, c2=1": ("lbfgs", {"c1": 0.0, "c2": 1.0}),
}
NAMES = {"tags": "UPOS", "fine_tags": "XPOS"}


def cpu(function):
    """Seconds of the processor, and the result."""
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = function()
    return time.process_time() - began, result


def ewt(part, most=None):
    bank = read_conllu(data_folder("ud-english-ewt") / f"en_ewt-ud-{part}.conllu.gz")
    if most is None or most >= len(bank):
        return bank
    step = len(bank) // most
    return bank.take(range(0, len(bank), step)[:most])


def text_of(lines):
    """The line "# text = ..." of a sentence."""
    return next(v[8:].strip() for v in lines if v.startswith("# text ="))


def column(sentences, name):
    return [list(getattr(s, name)) for s in sentences]


def lists_of(table, template, vocabulary, grow):
    """The features of a table as lists of strings, for CRFsuite."""
    offsets, indptr, indices = Template(template).extract(table, vocabulary, grow)
    names = vocabulary.names()
    flat = [names[j] for j in indices]
    ptr, off = indptr.tolist(), offsets.tolist()
    tokens = [flat[a:b] for a, b in pairwise(ptr)]
    return [tokens[a:b] for a, b in pairwise(off)]


def crfsuite(name, X, y, X_test):
    import pycrfsuite

    algorithm, params = CRFSUITE[name]
    trainer = pycrfsuite.Trainer(algorithm=algorithm, verbose=False)
    trainer.set_params(params)
    for x, labels in zip(X, y, strict=True):
        trainer.append(x, labels)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model")
        seconds, _ = cpu(lambda: trainer.train(path))
        tagger = pycrfsuite.Tagger()
        tagger.open(path)
        tagging, tags = cpu(lambda: [tagger.tag(x) for x in X_test])
        tagger.close()
    return seconds, tagging, tags


def taggers(train, test, peers):
    """Accuracy of the taggers."""
    columns = WordColumns({})
    tables = [columns.table([s.forms for s in b.sentences]) for b in (train, test)]
    n = tables[1].n_tokens
    parser = TaggedParser()
    parser._columns, parser.clusters_ = columns, {}
    rows = []
    for name, title in NAMES.items():
        gold = column(test.sentences, name)
        y = column(train.sentences, name)
        seconds, tagger = cpu(lambda y=y: parser._trained(train.sentences, y, None))
        forms = [s.forms for s in test.sentences]
        parser._columns = WordColumns({})  # nothing kept of words
        tagging, tags = cpu(lambda t=tagger, f=forms: parser._tags_by(t, f))
        parser._columns = columns
        rows.append(
            {
                "tags": title,
                "tagger": "SequenceSVM (bcfw, C=0.1)",
                "train s": seconds,
                "gap %": 100 * tagger.relative_gap_,
                "accuracy %": 100 * token_accuracy(gold, [list(t) for t in tags]),
                "words/s": n / tagging,
            }
        )
        print(rows[-1], flush=True)
        if not peers:
            continue
        try:
            import pycrfsuite  # noqa: F401
        except ImportError:
            print("pycrfsuite is not installed: left out")
            continue
        vocabulary = Vocabulary()
        X = lists_of(tables[0], columns.template, vocabulary, True)
        X_test = lists_of(tables[1], columns.template, vocabulary, False)
        for peer in CRFSUITE:
            seconds, tagging, tags = crfsuite(peer, X, y, X_test)
            rows.append(
                {
                    "tags": title,
                    "tagger": peer,
                    "train s": seconds,
                    "gap %": None,
                    "accuracy %": 100 * token_accuracy(gold, tags),
                    "words/s": n / tagging,
                }
            )
            print(rows[-1], flush=True)
    show_table(f"Taggers, EWT test, {len(train)} training sentences", rows)


def without_lemmas(sentences):
    return [Sentence(s.forms, s.tags, s.fine_tags) for s in sentences]


def parsers(train, test, settings):
    """Attachment with gold and predicted tags, and from raw sentences."""
    X, y = without_lemmas(train.sentences), train.dependencies
    X_test, gold = without_lemmas(test.sentences), test.dependencies
    seconds, model = cpu(lambda: TaggedParser(DependencySVM(**settings)).fit(X, y))
    print(
        f"TaggedParser: {seconds:.1f} s; jackknifed tags {100 * model.tag_accuracy_:.2f}, "
        f"{100 * model.fine_tag_accuracy_:.2f} %; gaps: taggers "
        f"{100 * model.tagger_.relative_gap_:.2g}, "
        f"{100 * model.fine_tagger_.relative_gap_:.2g} %, parser "
        f"{100 * model.relative_gap_:.2g} %",
        flush=True,
    )
    words = [list(s.forms) for s in test.sentences]
    tagging, seen = cpu(lambda: model.tag(words))
    for name, title in NAMES.items():
        share = token_accuracy(column(X_test, name), column(seen, name))
        print(f"  {title} of the test part {100 * share:.2f} %")
    print(f"  {test.n_words / tagging:,.0f} words/s tagged with both")
    on_gold_s, on_gold = cpu(lambda: DependencySVM(**settings).fit(X, y))
    rows = []

    def add(label, tags, report):
        rows.append(
            {
                "parser trained on": label,
                "tags given": tags,
                "UAS": 100 * report.uas,
                "LAS": 100 * report.las,
            }
        )
        print(rows[-1], flush=True)

    print(f"  parser on gold tags: {on_gold_s:.1f} s")
    add("gold tags", "gold", attachment_report(gold, on_gold.predict(X_test)))
    add("gold tags", "predicted", attachment_report(gold, on_gold.predict(seen)))
    trees = model.predict(seen, tagged=True)
    add("jackknifed tags", "predicted", attachment_report(gold, trees))
    add(
        "jackknifed tags",
        "gold",
        attachment_report(gold, model.parser_.predict(X_test)),
    )
    texts = [text_of(lines) for lines in test.lines]
    parsing, made = cpu(lambda: model.predict(texts))
    for name, found in (("simple", model.words(texts)), ("whitespace", None)):
        if found is None:
            model.set_params(tokenizer=name)
            found, made = model.words(texts), model.predict(texts)
        report = aligned_attachment_report(words, gold, found, made)
        add("jackknifed tags", f"predicted, raw sentences, {name}", report)
        print(f"  {report}")
    print(f"  {test.n_words / parsing:,.0f} words/s from raw sentences to trees")
    show_table(f"Dependencies, EWT test, {len(train)} training sentences", rows)


def constituency(settings):
    """Brackets of the Penn Treebank sample."""
    folder = data_folder("treebank-constituency")
    splits = json.loads((folder / "splits.json").read_text())
    train, test = (
        read_brackets([folder / "mrg" / f for f in splits[part]])
        for part in ("train", "test")
    )
    train = [t for t in train if len(t.words()) <= 150]
    X, X_test = [t.sentence() for t in train], [t.sentence() for t in test]
    seconds, model = cpu(
        lambda: TaggedParser(ConstituencySVM(**settings)).fit(X, train)
    )
    gold_s, on_gold = cpu(lambda: ConstituencySVM(**settings).fit(X, train))
    seen = model.tag(X_test)
    share = token_accuracy(column(X_test, "tags"), column(seen, "tags"))
    print(
        f"TaggedParser: {seconds:.1f} s, on gold tags {gold_s:.1f} s; jackknifed tags "
        f"{100 * model.tag_accuracy_:.2f} %, those of the test part {100 * share:.2f} %"
    )
    rows = [
        {
            "parser trained on": label,
            "tags given": tags,
            "F1": 100 * bracket_report(test, trees).f1,
        }
        for label, tags, trees in (
            ("gold tags", "gold", on_gold.predict(X_test)),
            ("gold tags", "predicted", on_gold.predict(seen)),
            ("jackknifed tags", "predicted", model.predict(seen, tagged=True)),
        )
    ]
    show_table("Constituents, treebank sample, test part", rows)


def tokens():
    """The simple tokeniser against the words of EWT."""
    rows = []
    for part in ("dev", "test"):
        bank = ewt(part)
        texts = [text_of(lines) for lines in bank.lines]
        words = [list(s.forms) for s in bank.sentences]
        for name, cut in (("simple", tokenize), ("whitespace", str.split)):
            seconds, found = cpu(lambda c=cut, t=texts: list(map(c, t)))
            report = aligned_attachment_report(
                words,
                [_flat(w) for w in words],
                found,
                [_flat(w) for w in found],
            )
            rows.append(
                {
                    "part": part,
                    "tokenizer": name,
                    "F1 of words": 100 * report.words,
                    "words/s": report.n_predicted / seconds,
                }
            )
    show_table("Tokeniser, EWT", rows)


def _flat(words):
    """Some tree: only words are compared."""
    return DependencyTree((0,) + (1,) * (len(words) - 1))


def main():
    parser = argparse.ArgumentParser()
    parts = ("tokens", "tagger", "parser", "constituency")
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    parser.add_argument("--train", type=int, help="training sentences of EWT, all")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--C", type=float, default=None, help="of the parsers")
    parser.add_argument("--max-iter", type=int, help="epochs of the parsers")
    args = parser.parse_args()
    settings = {} if args.C is None else {"C": args.C}
    if args.max_iter is not None:
        settings["max_iter"] = args.max_iter
    if "tokens" in args.parts:
        tokens()
    if "tagger" in args.parts or "parser" in args.parts:
        train, test = ewt("train", args.train), ewt("test")
        if "tagger" in args.parts:
            taggers(train, test, not args.no_peers)
        if "parser" in args.parts:
            parsers(train, test, {"max_iter": 20, **settings})
    if "constituency" in args.parts:
        constituency({"max_iter": 30, **settings})


if __name__ == "__main__":
    sys.exit(main())
