"""Which records of two shops are the same product, and which of one list are duplicates?

Blocking finds candidates, `PairFeatures` compares them, and a structural SVM learns which links
to make together: at most one a record between two shops (`MatchingSVM`), whole clusters within
one list (`ClusteringSVM`). Tables are lists of dicts here; DataFrames work as well.
"""

import numpy as np

from pystruct_ext.entities import Blocking, EntityMatcher, PairFeatures

MAKERS = ("sony", "canon", "nikon", "philips", "samsung", "panasonic", "bosch", "asus")
THINGS = {
    "camera": ("digital", "compact", "black", "zoom", "kit"),
    "tv": ("led", "hd", "smart", "wall mount", "black"),
    "kettle": ("steel", "cordless", "1.7 l", "white", "fast"),
    "laptop": ("notebook", "i5", "silver", "8 gb", "light"),
    "speaker": ("wireless", "portable", "stereo", "black", "mini"),
}


def products(n, rng):
    """True products: a maker, a model, a thing, its properties, a price."""
    out = []
    for _ in range(n):
        thing = str(rng.choice(list(THINGS)))
        letters = "".join(rng.choice(list("abcdefghkmnprstx"), 2))
        model = f"{letters}{rng.integers(10, 100)}0"
        words = [str(w) for w in rng.choice(THINGS[thing], 3, replace=False)]
        maker = str(rng.choice(MAKERS))
        out.append((maker, model, thing, words, float(rng.integers(20, 900))))
        if rng.random() < 0.4:  # a sister model, easily mistaken for it
            sister = model[:-1] + str(rng.integers(1, 10))
            out.append((maker, sister, thing, words, out[-1][-1] + 50))
    return out


def offer(product, rng):
    """How a shop writes a product down."""
    maker, model, thing, words, price = product
    if rng.random() < 0.3:  # a slip of the pen
        k = int(rng.integers(len(thing)))
        thing = thing[:k] + thing[k + 1 :]
    model = model if rng.random() < 0.6 else f"{model[:2]}-{model[2:]}".upper()
    shown = [w for w in words if rng.random() < 0.7]
    parts = [model, thing, *shown] if rng.random() < 0.92 else [thing, *shown]
    if rng.random() < 0.5:
        parts = parts[::-1]
    return {
        "name": " ".join([maker, *parts] if rng.random() < 0.8 else parts),
        "maker": maker.title() if rng.random() < 0.7 else None,
        "price": None
        if rng.random() < 0.2
        else f"$ {price * rng.uniform(0.97, 1.03):.2f}",
    }


def two_shops(n, seed):
    """Two tables with ids, and the links between them."""
    rng = np.random.default_rng(seed)
    left, right, links = [], [], []
    for product in products(n, rng):
        where = rng.random()
        if where < 0.8:
            left.append({"id": f"a{len(left)}", **offer(product, rng)})
        if where > 0.2:
            right.append({"id": f"b{len(right)}", **offer(product, rng)})
        if 0.2 < where < 0.8:
            links.append((left[-1]["id"], right[-1]["id"]))
    order = rng.permutation(len(right))
    return left, [right[k] for k in order], links


def one_list(n, seed):
    """A table with duplicates, and the product of each record."""
    rng = np.random.default_rng(seed)
    rows, ids = [], []
    for k, product in enumerate(products(n, rng)):
        for _ in range(1 + rng.poisson(1.0)):
            rows.append(offer(product, rng))
            ids.append(k)
    order = rng.permutation(len(rows))
    return [rows[k] for k in order], [ids[k] for k in order]


def main():
    left, right, links = two_shops(150, seed=0)
    new_left, new_right, new_links = two_shops(150, seed=1)

    blocking = Blocking(["name"], neighbours=5, exact=["maker"])
    where = (
        {r["id"]: k for k, r in enumerate(left)},
        {r["id"]: k for k, r in enumerate(right)},
    )
    known = [(where[0][a], where[1][b]) for a, b in links]
    report = blocking.report(left, right, known)
    print(
        f"blocking keeps {100 * report['pair_completeness']:.1f} % of the links and spares "
        f"{100 * report['reduction_ratio']:.1f} % of the pairs"
    )

    matcher = EntityMatcher(id="id", blocking=blocking)
    matcher.fit(left, right, links)
    print(
        f"\ntrained on {matcher.n_pairs_} candidates, certificate {matcher.certificate_}, "
        f"relative gap {matcher.relative_gap_:.1e}; two new shops:"
    )
    print(matcher.report(new_left, new_right, new_links))
    found = matcher.predict(new_left, new_right)
    names = {r["id"]: r["name"] for r in [*new_left, *new_right]}
    for a, b, score in found[np.argsort(-found["score"])][:3].tolist():
        print(f"  {score:5.2f}  {names[a]!r} = {names[b]!r}")

    features = PairFeatures(columns=["name", "price"], expand="hinges", n_knots=4)
    rows, ids = one_list(80, seed=2)
    dedup = EntityMatcher(features, Blocking(["name"])).fit(rows, ids)
    new_rows, new_ids = one_list(80, seed=3)
    clusters = dedup.predict(new_rows)
    print(f"\none list of {len(new_rows)} records, {len(set(new_ids))} products:")
    print(dedup.report(new_rows, new_ids))
    print(f"{clusters.max() + 1} clusters found; one of them:")
    largest = np.bincount(clusters).argmax()
    for k in np.flatnonzero(clusters == largest):
        print(f"  {new_rows[k]['name']!r} (product {new_ids[k]})")


if __name__ == "__main__":
    main()
