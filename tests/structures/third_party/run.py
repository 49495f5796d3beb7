"""Run in a process of its own, with ``pairing`` on its path: all that it gets for free."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import numpy as np

warnings.simplefilter("error")


def run(folder: Path) -> None:
    from pystruct_ext import load
    from pystruct_ext.cli.main import main
    from pystruct_ext.structures import STRUCTURES, structure_of
    from pystruct_ext.testing import check_output_space, check_structured_estimator

    structure = STRUCTURES["pairing"]
    data, model, out = (str(folder / name) for name in ("data", "m.psx", "out"))
    problem = structure.problem(np.random.default_rng(0))
    structure.write(data, problem.X, problem.y)

    assert main(["learn", "pairing", data, "-o", model, "--power", "3", "--quiet"]) == 0
    assert main(["predict", model, data, "-o", out, "--quiet"]) == 0
    assert main(["evaluate", model, data, "--json", "--quiet"]) == 0
    assert main(["inspect", model]) == 0

    back = load(model)
    assert structure_of(back) is structure
    assert type(back.space_) is structure.space
    assert back.get_params()["power"] == 3
    assert back.C == 2.0
    written = [json.loads(line)["y"] for line in Path(out).read_text().splitlines()]
    assert written == [y.tolist() for y in back.predict(problem.X)]

    for variant in structure.samples:
        space = structure.space(**variant.params)
        check_output_space(space, variant.make_problem)
    check_structured_estimator(structure.estimator(), structure.sample)
    sys.stdout.write("all checks passed\n")


if __name__ == "__main__":
    run(Path(sys.argv[1]))
