"""An ambiguous query: what to show second depends on what stands first."""

import argparse
from pathlib import Path

from pystruct_ext import DiverseRankingSVM
from pystruct_ext.datasets import load_ambiguous_queries
from pystruct_ext.diversify import MMR, QueryTextFeatures, RelevanceRanker
from pystruct_ext.plotting import IntentCoverageDisplay, RankingDisplay


def main(output):
    train, test = load_ambiguous_queries("train"), load_ambiguous_queries("test")
    text = QueryTextFeatures().fit(train)
    X, X_test = text.transform(train), text.transform(test)
    rankers = {
        "relevance": RelevanceRanker(given=False).fit(X),
        "MMR": MMR().fit(X),
        "coverage": DiverseRankingSVM(model="coverage", C=0.003).fit(X),
        "sequential": DiverseRankingSVM(model="sequential", C=0.1).fit(X),
        "mixture": DiverseRankingSVM(model="mixture", C=0.1).fit(X),
    }
    slates = {name: ranker.predict(X_test) for name, ranker in rankers.items()}
    for name, ranker in rankers.items():
        print(f"{name:12} alpha-nDCG@10 on held-out queries {ranker.score(X_test):.3f}")
    print(rankers["mixture"].explain(X_test[0]))
    page = RankingDisplay.from_predictions(
        test, None, {k: slates[k] for k in ("relevance", "mixture")}
    )
    curves = IntentCoverageDisplay.from_estimators(rankers, X_test)
    output = Path(output).resolve()
    for picture, path in (
        (page, output),
        (curves, output.with_suffix(".coverage.png")),
    ):
        picture.figure_.savefig(path, dpi=110)
        print(f"wrote {path}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "output",
        nargs="?",
        default="rankings.png",
        help="PNG to write; the curves go beside it",
    )
    main(parser.parse_args().output)
