"""Learning to rank: losses of whole rankings, scikit-learn's search, and what was learnt."""

import numpy as np
import sklearn
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from pystruct_ext import RankingSVM
from pystruct_ext.metrics import mean_average_precision, ndcg


def make_queries(n_queries, seed):
    """Documents with five signals; two of them count, one of these differently per query."""
    rng = np.random.default_rng(seed)
    qid = np.repeat(np.arange(n_queries), rng.integers(10, 40, n_queries))
    X = rng.normal(size=(len(qid), 5)) * [1, 1, 10, 1, 0.1]
    taste = rng.normal(1, 0.5, n_queries)[qid]
    worth = X[:, 0] + taste * X[:, 1] + rng.normal(size=len(qid))
    y = np.digitize(worth, [1.0, 2.0, 3.0])
    return X, y, qid


def main():
    X, y, qid = make_queries(100, 0)
    X_test, y_test, qid_test = make_queries(100, 1)
    for loss in ("ndcg", "map", "pairs", "mrr"):
        model = make_pipeline(StandardScaler(), RankingSVM(loss=loss, tol=0.01))
        model.fit(X, y, rankingsvm__qid=qid)
        s = model.predict(X_test)
        print(
            f"{loss:6} NDCG@10 {ndcg(y_test, s, qid_test):.4f}  "
            f"MAP {mean_average_precision(y_test, s, qid_test):.4f}  "
            f"gap {100 * model[-1].relative_gap_:.2f} %"
        )
    with sklearn.config_context(enable_metadata_routing=True):
        ranker = (
            RankingSVM(tol=0.01).set_fit_request(qid=True).set_score_request(qid=True)
        )
        search = GridSearchCV(
            make_pipeline(StandardScaler(), ranker),
            {"rankingsvm__C": [0.01, 0.1, 1.0, 10.0]},
            cv=GroupKFold(3),
        ).fit(X, y, groups=qid, qid=qid)
    print(f"best C by grouped cross-validation: {search.best_params_['rankingsvm__C']}")
    best = search.best_estimator_[-1]
    print("weights:", np.round(best.coef_, 3))


if __name__ == "__main__":
    main()
