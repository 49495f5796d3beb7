"""Valid files to begin from: small ones by hand, those of the structures, and their models."""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from pystruct_ext.cli import main as command_line
from pystruct_ext.cli.main import build_parser, main
from pystruct_ext.persistence import load
from pystruct_ext.structures import STRUCTURES

HERE = Path(__file__).parent
OLD_MODELS = HERE.parent / "persistence" / "v1"

# Format to (suffix, text); features that the samples of the structures do not use.
TEXTS: dict[str, list[tuple[str, str]]] = {
    "conll": [
        (
            ".txt",
            "the DT B-NP\ndog NN I-NP\nbarks VBZ O\n\nit PRP B-NP\nsleeps VBZ O\n",
        ),
        (".txt", "# comment\nEU\tNNP\tI-ORG\nrejects\tVBZ\tO\n\n\nx y O\n"),
        (".txt", "a,b,X\nc,d,Y\n"),
        (".txt", "a\u00a0b X\n\u3000 X\n"),
    ],
    "conllu": [
        (
            ".conllu",
            "# sent_id = 1\n# text = vámonos al mar\n"
            "1-2\tvámonos\t_\t_\t_\t_\t_\t_\t_\t_\n"
            "1\tvamos\tir\tVERB\tV\tMood=Imp\t0\troot\t0:root\t_\n"
            "2\tnos\tnosotros\tPRON\tP\tCase=Acc\t1\tobj\t1:obj\tSpaceAfter=No\n"
            "2.1\te\t_\t_\t_\t_\t_\t_\t1:x\t_\n"
            "3-4\tal\t_\t_\t_\t_\t_\t_\t_\t_\n"
            "3\ta\ta\tADP\tS\t_\t5\tcase\t5:case\t_\n"
            "4\tel\tel\tDET\tD\t_\t5\tdet\t5:det\t_\n"
            "5\tmar\tmar\tNOUN\tN\t_\t1\tobl\t1:obl\t_\n\n",
        ),
        (".conllu", "dog\tNN\t2\nbarks\tVB\t0\n\nit\tPRP\t0\n"),
        (".conllu", "1\ta\t_\tN\t_\t_\t_\t_\t_\t_\n2\tb\t_\tV\t_\t_\t_\t_\t_\t_\n\n"),
        (".conll", "dog NN 2\nbarks VB 0\n"),
        (".conllu", "dog\tNN\nbarks\tVB\n"),
    ],
    "brackets": [
        (
            ".mrg",
            "( (S (NP-SBJ=2 (DT The) (NN dog)) (VP (VBZ barks) (NP (-NONE- *T*-1))) (. .)) )\n"
            "(TOP (NP (-LRB- -LRB-) (NN x) (-RRB- -RRB-)))\n(ROOT (FRAG (NN a)))\n(NN a)\n",
        ),
        (".mrg", "(S (A (B (C (D (E (N a)))))) (X|Y-Z (V b)))\n"),
        (".txt", "the/DT dog/NN barks/VBZ\n1/2/CD cups/NNS\n"),
        (".mrg", "(S (NP (NNP $) (CD 1\\/2)) (VP (VB -LRB-)))\n"),
    ],
    "folds": [
        (
            ".dbn",
            ">a name\nGGGAAAUCCC\n(((....)))\n>b\nGCGCAAAGCGC (-1.20)\n((([[.)))]]\n",
        ),
        (".fa", ">a x=1\nGGGAAAUCCC\nGGG\n>b\nacgtnNRYK\n"),
        (
            ".ct",
            "4 one\n1 G 0 2 4 1\n2 A 1 3 0 2\n3 A 2 4 0 3\n4 C 3 0 1 4\n"
            "2\n1 A 0 2 0 1\n2 G 1 0 0 2\n",
        ),
        (
            ".ct",
            "  4 ENERGY = -1.2  x\n1\tG\t0\t2\t4\t1\n2\tA\t1\t3\t0\t2\n"
            "3\tA\t2\t4\t0\t3\n4\tC\t3\t0\t1\t4\n",
        ),
        (".bpseq", "# one\n1 G 4\n2 A 0\n3 A 0\n4 C 1\n"),
        (
            ".csv",
            'id,sequence,structure,note\na,GGGAAACCC,(((...))),"x, y"\nb,GAAAC,(...),"z\nz"\n',
        ),
        (".csv", "sequence\nGGGAAACCC\n"),
    ],
    "alignments": [
        (".fa", ">a\nACG-T\n>b\nA-GGT\n>c\nAC.GT\n>d\n-CAGT\n"),
        (".fa", ">a long name\nACGT\nACG\n>b\nAG\n>\nA\n>\nA\n"),
    ],
    "matchings": [
        (
            ".jsonl",
            '{"features": [[[0.5, 1], [0, -1]], [[2, 0], [1, 1e-3]]], "links": [[0, 1]]}\n'
            '{"id": "b", "shape": [2, 3], "pairs": [[1, 2], [0, 0]], "features": [[1, 2], '
            '[0, 3.5]], "links": [[1, 2]], "possible": [[0, 0]], "row_capacity": 2, '
            '"column_capacity": [1, 0, 1], "rows": ["a", "b"], "columns": ["c", "d", "e"]}\n',
        ),
        (
            ".jsonl",
            '{"shape": [1, 2], "pairs": [[0, 0], [0, 1]], "features": [["x", "y"], '
            '{"x": 0.5, "z": -2}], "links": []}\n{"shape": [0, 3], "pairs": [], "features": '
            '[], "links": []}\n',
        ),
    ],
    "pharaoh": [(".align", "0-0 1-2 3p4\n\n2?1 10-20\n")],
    "word_alignments": [
        (
            ".jsonl",
            '{"src_words": ["the", "cat"], "tgt_words": ["le", "chat"], "alignment": [[0, 0], '
            '[1, 1]], "possible": [[0, 1]], "n": 1}\n{"src_words": [], "tgt_words": ["x"]}\n',
        ),
    ],
    "queries": [
        (
            ".jsonl",
            '{"query": "jaguar", "split": "test", "intents": [{"id": "cat", "description": "an '
            'animal", "probability": 0.7}, {"id": "car", "probability": 0.3}], "results": '
            '[{"id": "d1", "title": "Jaguar", "snippet": "big cat", "grades": {"cat": 3}}, '
            '{"id": "d2", "title": "Jaguar cars", "grades": {"car": 2, "cat": 0}}]}\n'
            '{"query": "java", "results": [{"title": "island"}, {"title": "coffee"}]}\n',
        ),
    ],
    "letor": [
        (
            ".txt",
            "2 qid:1 1:0.5 3:-1e-3 # docid = d1 x\n0 qid:1 2:1 # d2\n"
            "1.5 qid:a 1:2\n\n# x\n0 qid:2\n",
        ),
        (".txt", "1 qid:01 1:1\n0 qid:1 1:2\n2 qid:1 46:0.25 #docid=x\n"),
    ],
    "libsvm": [
        (".svm", "1 1:0.5 3:2 # x\n-1 2:1\n2.5 1:1\n\n"),
        (".svm", "3 qid:1 1:0.5 700:2\n1 1:1\n"),
    ],
    "run": [(".run", "1 Q0 d1 1 2.5 tag\n1 Q0 d2 2 1e-3 tag\nq2 Q0 d1 1 -inf tag\n")],
    "qrels": [(".qrels", "1 0 d1 2\n1 0 d2 -2\n2 0 d1 0\n")],
    "diversity_qrels": [(".qrels", "1 1 d1 2\n1 2 d1 -2\n1 0 d2 0\n2 1 d1 1\n")],
    "topics": [
        (
            ".xml",
            '<?xml version="1.0"?>\n<webtrack2009>\n<topic number="1" type="faceted">\n'
            "<query>obama"
            "</query>\n<description> Find &lt;x&gt; </description>\n"
            '<subtopic number="1" type="inf">x\n y</subtopic>\n</topic>\n</webtrack2009>\n',
        ),
        (
            ".xml",
            '<!DOCTYPE t [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
            '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d SYSTEM "file:///etc/hostname">]>'
            '<t><topic number="1"><query>&c;</query></topic></t>',
        ),
    ],
    "ambient": [
        ("topics.txt", "ID\tdescription\n1\tAida\n2\tB-52\n"),
        (
            "subTopics.txt",
            "ID\tdescription\n1.1\tthe opera\n1.2\ta &amp; b\n2.1\tthe plane\n",
        ),
        (
            "results.txt",
            "ID\turl\ttitle\tsnippet\n1.1\thttp://x\tAida <b>x</b>\tVerdi\n1.2\thttp://y\ty\t\n"
            "2.1\thttp://z\tB-52\tband\n",
        ),
        ("STRel.txt", "subTopicID\tresultID\n1.1\t1.1\n1.2\t1.2\n2.1\t2.1\n"),
    ],
}
# The formats that a reader, or a structure, reads; another one is fed with all.
OF_READER = {
    "conll": ("conll",),
    "conllu": ("conllu",),
    "brackets": ("brackets",),
    "folds": ("folds",),
    "alignments": ("alignments",),
    "ambient": ("ambient",),
    "matchings": ("matchings",),
    "pharaoh": ("pharaoh",),
    "word_alignments": ("word_alignments",),
    "ambiguous_queries": ("queries",),
    "letor": ("letor",),
    "run": ("run",),
    "qrels": ("qrels",),
    "diversity_qrels": ("diversity_qrels",),
    "topics": ("topics",),
}
OF_STRUCTURE = {
    "sequence": ("conll",),
    "segments": ("conll",),
    "dependency": ("conllu",),
    "constituency": ("brackets",),
    "folding": ("folds",),
    "alignment": ("alignments",),
    "matching": ("matchings",),
    "ranking": ("letor",),
    "multiclass": ("libsvm",),
    "diverse-ranking": ("queries",),
}


@dataclass(frozen=True)
class Seed:
    """A valid file."""

    suffix: str
    data: bytes


class Model:
    """A model file, learnt when it is first asked for.

    Parameters
    ----------
    learn : callable
        Returns the file, or None if the flags do not go together.
    otherwise : bytes
        In place of None.
    """

    def __init__(
        self, learn: Callable[[], bytes | None], otherwise: bytes = b""
    ) -> None:
        self._learn = learn
        self._otherwise = otherwise

    @cached_property
    def data(self) -> bytes:
        """The file."""
        return self._learn() or self._otherwise


@dataclass
class StructureSeeds:
    """What one structure is fuzzed with.

    Attributes
    ----------
    files : list of Seed
        What its `read` reads.
    models : list of Model
        The first is made by ``learn`` with no choices but `small`, the last by `fit`.
    flags : list of str
        For ``learn``: what makes a fit quick.
    fitted : list of estimators
        Fitted on what `sample` draws.
    """

    files: list[Seed] = field(default_factory=list)
    models: list[Model] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    fitted: list[Any] = field(default_factory=list)


@dataclass
class Seeds:
    """All of them."""

    formats: dict[str, list[Seed]]
    structures: dict[str, StructureSeeds]
    old_models: list[Model]

    def learn_all(self) -> None:
        """Now rather than in every case that asks: for long runs."""
        for structure in self.structures.values():
            for model in structure.models:
                _ = model.data

    @property
    def any_format(self) -> list[Seed]:
        """The files of all formats."""
        return [s for name in sorted(self.formats) for s in self.formats[name]]


def learn_flags(structure: Any) -> list[str]:
    """Flags of ``learn`` that keep a fit short."""
    flags = []
    for name, value in structure.small.items():
        flags += ["--" + name.replace("_", "-"), str(value)]
    known = {o for a in flags_of(structure.name) for o in a.option_strings}
    if "--max-iter" in known:
        flags += ["--max-iter", "20"]
    return flags


_ACTIONS: dict[str, list[Any]] = {}


def flags_of(name: str) -> list[Any]:
    """The flags of a verb, or of ``learn NAME``, as argparse has them."""
    if not _ACTIONS:
        parser: Any = build_parser()
        commands = next(
            a for a in parser._actions if a.choices and "learn" in a.choices
        )
        for verb, verb_parser in commands.choices.items():
            _ACTIONS[verb] = list(verb_parser._actions)
        nested = [a.choices for a in _ACTIONS["learn"] if isinstance(a.choices, dict)]
        for kind, kind_parser in nested[0].items():
            _ACTIONS[kind] = list(kind_parser._actions)
    return _ACTIONS[name]


def _learn(name: str, seed: Seed, flags: list[str]) -> bytes | None:
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        file, out = folder + "/x" + seed.suffix, folder + "/m.psx"
        Path(file).write_bytes(seed.data)
        try:
            code = main(["learn", name, file, "-o", out, "--quiet", *flags])
        except SystemExit:
            return None
        return Path(out).read_bytes() if code == 0 else None


def make() -> Seeds:
    """Write, learn and fit everything once; the same on every call."""
    # Its flags do not depend on the input, and take longer to make than most cases to run.
    command_line.build_parser = cache(build_parser)
    formats = {
        name: [Seed(suffix, text.encode()) for suffix, text in texts]
        for name, texts in TEXTS.items()
    }
    structures = {}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for structure in STRUCTURES.values():
            structures[structure.name] = _of(structure, folder, formats)
    old = sorted(OLD_MODELS.glob("*.psx"))
    return Seeds(formats, structures, [Model(p.read_bytes) for p in old])


def _of(structure: Any, folder: str, formats: dict[str, list[Seed]]) -> StructureSeeds:
    out = StructureSeeds(flags=learn_flags(structure))
    known = OF_STRUCTURE.get(structure.name, ())
    suffixes = [s.suffix for f in known for s in formats[f]] or [""]
    problem = structure.problem(np.random.default_rng(0))
    file = f"{folder}/{structure.name}{suffixes[0]}"
    structure.write(file, problem.X, problem.y, **problem.fit_params)
    own = Seed(suffixes[0], Path(file).read_bytes())
    # Half of what is drawn comes from here: it is what the models were trained on.
    hand = [s for f in known for s in formats[f]]
    out.files = [own] * max(1, len(hand)) + hand
    for f in known:
        formats[f].append(own)
    first = _learn(structure.name, own, out.flags)
    if first is None:
        raise RuntimeError(f"learn {structure.name} fails on its own sample")
    out.models = [Model(partial(bytes, first))]
    for action in flags_of(structure.name):
        for choice in action.choices or ():
            if (
                choice is not None
                and choice != action.default
                and action.option_strings
            ):
                flags = [*out.flags, action.option_strings[-1], str(choice)]
                out.models.append(
                    Model(partial(_learn, structure.name, own, flags), first)
                )
    model = structure.estimator(**structure.small)
    try:
        model.fit(problem.X, problem.y, **problem.fit_params)
    except ValueError as error:
        # Tests of the structures say so; the rest can be fuzzed all the same.
        sys.stdout.write(f"no fit of {structure.name} on its own sample: {error}\n")
        Path(f"{folder}/first.psx").write_bytes(first)
        out.fitted = [load(f"{folder}/first.psx")]
        return out
    model.save(f"{folder}/fitted.psx")
    out.models.append(Model(Path(f"{folder}/fitted.psx").read_bytes))
    _ = out.models[-1].data
    out.fitted = [model, load(f"{folder}/fitted.psx")]
    return out
