"""``pystruct-ext learn`` for trees, folds, segments and alignments."""

from __future__ import annotations

import sys
from typing import Any

from pystruct_ext.cli._fitting import fit_and_save, run_guarded
from pystruct_ext.cli._report import Stages
from pystruct_ext.estimators import (
    AlignmentSVM,
    ConstituencySVM,
    DependencySVM,
    FoldingSVM,
    SegmentSVM,
)
from pystruct_ext.io import (
    read_alignments,
    read_brackets,
    read_conll,
    read_conllu,
    read_folds,
)
from pystruct_ext.outputs.segments import segments_from_bio
from pystruct_ext.solvers import SOLVERS


def register(kinds: Any) -> None:
    """Add the subcommands to the parser of ``learn``."""
    p = kinds.add_parser(
        "dependency",
        help="dependency parsing from CoNLL-U",
        description="Train a dependency parser (DependencySVM) on CoNLL-U trees, or on "
        "columns word, tag, head.",
    )
    _common(p, 0.03, "CoNLL-U file, gzip or plain; - is stdin")
    p.add_argument("--unlabelled", action="store_true", help="heads only")
    p.add_argument(
        "--nonprojective", action="store_true", help="trees with crossing arcs, too"
    )
    p.add_argument(
        "--siblings", action="store_true", help="score neighbouring modifiers"
    )
    p.add_argument("--loss", choices=["las", "uas"], default="las")
    p.add_argument("--bits", type=int, default=22, help="2^BITS arc weights (22)")
    p.add_argument("--label-bits", type=int, default=16, help="2^BITS label rows (16)")
    p.set_defaults(run=lambda args: run_guarded(_dependency, args))

    p = kinds.add_parser(
        "constituency",
        help="constituency parsing from Penn brackets",
        description="Train a constituency parser (ConstituencySVM) on bracketed trees; "
        "function tags and traces are taken off.",
    )
    _common(p, 0.1, "bracket files or folders of them", many=True)
    p.add_argument("--model", choices=["spans", "grammar"], default="spans")
    p.add_argument("--horizontal", type=int, default=1, help="siblings remembered (1)")
    p.add_argument("--vertical", type=int, default=1, help="2: labels know parents (1)")
    p.add_argument("--bits", type=int, default=16, help="2^BITS rows of weights (16)")
    p.set_defaults(run=lambda args: run_guarded(_constituency, args))

    p = kinds.add_parser(
        "folding",
        help="RNA folding from dot-bracket, CT, BPSEQ or CSV",
        description="Train a folding model (FoldingSVM) on RNA structures.",
    )
    _common(p, 0.001, "structures, gzip or plain")
    p.add_argument(
        "--false-cost", type=float, default=0.1, help="of a false pair (0.1)"
    )
    p.add_argument("--miss-cost", type=float, default=1.0, help="of a missed pair (1)")
    p.add_argument("--no-energy", action="store_true", help="without the energy prior")
    p.add_argument("--any-pair", action="store_true", help="not only AU, CG and GU")
    p.set_defaults(run=lambda args: run_guarded(_folding, args))

    p = kinds.add_parser(
        "segments",
        help="segmentation from CoNLL columns with BIO tags in the last",
        description="Train a semi-Markov chain (SegmentSVM).",
    )
    _common(p, 0.1, "CoNLL columns, gzip or plain; - is stdin")
    p.add_argument("--template", metavar="FILE", help="CRF++ feature template")
    p.add_argument("--loss", choices=["tokens", "segments"], default="segments")
    p.add_argument("--max-length", type=int, help="longest segment")
    p.set_defaults(run=lambda args: run_guarded(_segments, args))

    p = kinds.add_parser(
        "alignment",
        help="sequence alignment from FASTA with gaps",
        description="Train an aligner (AlignmentSVM) on pairs of aligned sequences: "
        "records 1 and 2, 3 and 4, and so on.",
    )
    _common(p, 0.1, "FASTA, gzip or plain; - is stdin")
    p.add_argument("--mode", choices=["global", "local"], default="global")
    p.add_argument("--window", type=int, default=0, help="neighbours compared (0)")
    p.set_defaults(run=lambda args: run_guarded(_alignment, args))


def _common(p: Any, C: float, what: str, many: bool = False) -> None:
    p.add_argument("train", metavar="TRAIN", nargs="+" if many else None, help=what)
    p.add_argument(
        "-o", "--output", required=True, metavar="MODEL", help="file to write"
    )
    p.add_argument("--C", type=float, default=C, help=f"weight of the losses ({C:g})")
    p.add_argument("--tol", type=float, default=0.01, help="relative gap (0.01)")
    p.add_argument("--solver", choices=sorted(SOLVERS), default="bcfw")
    p.add_argument("--max-iter", type=int, help="largest number of epochs")
    p.add_argument(
        "--max-time", type=float, help="largest number of seconds of training"
    )
    p.add_argument("--n-jobs", type=int, default=1, help="threads of batch decoding")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--quiet", action="store_true", help="say nothing on stderr")


def _solver(args: Any) -> dict[str, Any]:
    return {
        "C": args.C,
        "solver": args.solver,
        "tol": args.tol,
        "max_iter": args.max_iter,
        "max_time": args.max_time,
        "n_jobs": args.n_jobs,
        "random_state": args.seed,
        "verbose": int(not args.quiet and sys.stderr.isatty()),
    }


def _dependency(args: Any, stages: Stages) -> int:
    with stages.stage("read"):
        bank = read_conllu(args.train)
    if bank.dependencies is None:
        raise ValueError(f"{args.train}: has no heads, expected trees to learn from")
    labelled = not args.unlabelled and all(t.labels for t in bank.dependencies)
    model = DependencySVM(
        labelled=labelled,
        projective=not args.nonprojective,
        siblings=args.siblings,
        loss=args.loss,
        bits=args.bits,
        label_bits=args.label_bits,
        **_solver(args),
    )
    stages.say(
        f"{'data':<10} {len(bank)} sentences, {bank.n_words} words, "
        f"{'labelled' if labelled else 'unlabelled'}, "
        f"{'non-projective' if args.nonprojective else 'projective'}"
    )
    return fit_and_save(model, args, stages, bank.sentences, bank.dependencies)


def _constituency(args: Any, stages: Stages) -> int:
    with stages.stage("read"):
        trees = read_brackets(args.train)
        X = [tree.sentence() for tree in trees]
    words = sum(len(x.forms) for x in X)
    stages.say(f"{'data':<10} {len(X)} trees, {words} words")
    model = ConstituencySVM(
        model=args.model,
        horizontal=args.horizontal,
        vertical=args.vertical,
        bits=args.bits,
        **_solver(args),
    )
    # Sentences beyond the limit are told, and left out, rather than stop a long run.
    long = [i for i, x in enumerate(X) if len(x.forms) > model.max_length]
    if long:
        stages.say(
            f"warning: {len(long)} trees of more than {model.max_length} words left out"
        )
        keep = set(range(len(X))) - set(long)
        X, trees = [X[i] for i in sorted(keep)], [trees[i] for i in sorted(keep)]
    code = fit_and_save(model, args, stages, X, trees)
    if model.space_.grammar_ is not None:
        stages.say(f"{'grammar':<10} {model.space_.grammar_!r}")
    return code


def _folding(args: Any, stages: Stages) -> int:
    with stages.stage("read"):
        data = read_folds(args.train)
    if data.folds is None:
        raise ValueError(f"{args.train}: has no structures to learn from")
    bases = sum(map(len, data.sequences))
    stages.say(f"{'data':<10} {len(data)} sequences, {bases} bases")
    model = FoldingSVM(
        false_cost=args.false_cost,
        miss_cost=args.miss_cost,
        canonical=not args.any_pair,
        prior=None if args.no_energy else "energy",
        **_solver(args),
    )
    return fit_and_save(model, args, stages, data.sequences, data.folds)


def _segments(args: Any, stages: Stages) -> int:
    from pystruct_ext.cli.learn import choose_template

    with stages.stage("read"):
        table = read_conll(args.train)
        if table.n_columns < 2:
            raise ValueError(
                f"{args.train}: has {table.n_columns} column, expected at least 2: "
                "features and, in the last, BIO tags"
            )
        y = [segments_from_bio(tags) for tags in table.column(-1)]
    template, origin = choose_template(args.template, table)
    stages.say(
        f"{'data':<10} {table.n_sentences} sentences, {table.n_tokens} tokens; template: "
        f"{origin}"
    )
    model = SegmentSVM(
        loss=args.loss,
        outside="O",
        max_length=args.max_length,
        template=template,
        **_solver(args),
    )
    return fit_and_save(model, args, stages, table, y)


def _alignment(args: Any, stages: Stages) -> int:
    with stages.stage("read"):
        data = read_alignments(args.train)
    if not data.aligned:
        raise ValueError(
            f"{args.train}: the rows of a pair differ in length, expected alignments with "
            "gaps"
        )
    stages.say(f"{'data':<10} {len(data)} alignments")
    model = AlignmentSVM(mode=args.mode, window=args.window, **_solver(args))
    return fit_and_save(model, args, stages, data.pairs, data.alignments)
