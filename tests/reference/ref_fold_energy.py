"""Free energies of folds by the rules of the nearest-neighbour model, loop by loop, plainly.

Reads the parameter file by itself, and keeps its order: pairs CG GC GU UG AU UA and others,
bases unknown A C G U.
"""

from __future__ import annotations

import math
import re
from itertools import product

PAIRS = ["CG", "GC", "GU", "UG", "AU", "UA"]
LETTERS = "NACGU"


def read(path):
    """Sections by name: lists of words."""
    sections, now = {}, None
    for line in path.read_text().splitlines():
        line = re.sub(r"/\*.*?\*/", "", line)
        if line.startswith("# "):
            now = sections.setdefault(line[2:].strip(), [])
        elif now is not None and not line.startswith("#"):
            now.extend(line.split())
    return sections


class Model:
    def __init__(self, path):
        words = read(path)
        values = {"INF": 10**7, "DEF": -50, "NST": 0}
        self.t = {
            name: [values[w] if w in values else int(w) for w in section]
            for name, section in words.items()
            if name not in ("Misc", "Triloops", "Tetraloops", "Hexaloops")
        }
        self.terminal_penalty = int(words["Misc"][2])
        self.factor = float(words["Misc"][4])
        self.whole = {}
        for name in ("Triloops", "Tetraloops", "Hexaloops"):
            for loop, energy in zip(words[name][::3], words[name][1::3], strict=True):
                self.whole[loop] = int(energy)

    def kind(self, a, b):
        return PAIRS.index(a + b) if a + b in PAIRS else 6

    def look(self, name, pairs, bases):
        at = 0
        for p in pairs:
            at = 7 * at + p
        for b in bases:
            at = 5 * at + LETTERS.index(b)
        return self.t[name][at]

    def two_by_two(self, p, q, bases):
        """What is not known is the worst of all."""
        return max(
            self.t["int22"][256 * (6 * i + j) + 64 * a + 16 * b + 4 * c + d]
            for i in ([p] if p < 6 else range(6))
            for j in ([q] if q < 6 else range(6))
            for a, b, c, d in product(
                *[["ACGU".index(x)] if x in "ACGU" else range(4) for x in bases]
            )
        )

    def size(self, name, n):
        t = self.t[name]
        return t[n] if n <= 30 else t[30] + int(self.factor * math.log(n / 30))

    def terminal(self, pair):
        return self.terminal_penalty if pair >= 2 else 0

    def hairpin(self, loop):
        """The letters of a hairpin, closing pair included."""
        n, pair = len(loop) - 2, self.kind(loop[0], loop[-1])
        e = self.size("hairpin", n)
        if n < 3:
            return e
        if loop in self.whole:
            return self.whole[loop]
        if n == 3:
            return e + self.terminal(pair)
        return e + self.look("mismatch_hairpin", [pair], loop[1] + loop[-2])

    def inner(self, left, right):
        """The letters i .. k and l .. j of the two sides."""
        a, b = len(left) - 2, len(right) - 2
        p, q = self.kind(left[0], right[-1]), self.kind(right[0], left[-1])
        stack = self.look("stack", [p, q], "")
        if a == b == 0:
            return stack
        if a == 0 or b == 0:
            e = self.size("bulge", a + b)
            return e + (stack if a + b == 1 else self.terminal(p) + self.terminal(q))
        if a == b == 1:
            return self.look("int11", [p, q], left[1] + right[-2])
        if (a, b) == (1, 2):
            return self.look("int21", [p, q], left[1] + right[1] + right[2])
        if (a, b) == (2, 1):
            return self.look("int21", [q, p], right[1] + left[1] + left[2])
        if a == b == 2:
            return self.two_by_two(p, q, left[1:3] + right[1:3])
        name = "mismatch_internal"
        if 1 in (a, b):
            name += "_1n"
        elif a + b == 5:
            name += "_23"
        factor, _, most = self.t["NINIO"]
        return (
            self.size("internal", a + b)
            + min(most, factor * abs(a - b))
            + self.look(name, [p], left[1] + right[-2])
            + self.look(name, [q], right[1] + left[-2])
        )

    def branch(self, name, first, last, before, after):
        pair = self.kind(first, last)
        e = self.terminal(pair)
        if before and after:
            e += min(0, self.look(name, [pair], before + after))
        elif before:
            e += min(0, self.look("dangle5", [pair], before))
        elif after:
            e += min(0, self.look("dangle3", [pair], after))
        return e

    def fold(self, x, y):
        """The energy of a nested fold in dot-bracket."""
        x = x.upper().replace("T", "U")
        x = re.sub("[^ACGU]", "N", x)
        partner, stack = {}, []
        for i, c in enumerate(y):
            if c == "(":
                stack.append(i)
            elif c == ")":
                partner[stack.pop()] = i

        def branches(a, b):
            out, t = [], a
            while t < b:
                if t in partner:
                    out.append((t, partner[t]))
                    t = partner[t]
                t += 1
            return out

        total = 0
        for i, j in branches(0, len(x)):
            before, after = x[i - 1 : i] if i else "", x[j + 1 : j + 2]
            total += self.branch("mismatch_exterior", x[i], x[j], before, after)
        unpaired, _, closing, _, each, _ = self.t["ML_params"]
        for i, j in partner.items():
            inside = branches(i + 1, j)
            if not inside:
                total += self.hairpin(x[i : j + 1])
            elif len(inside) == 1:
                ((k, m),) = inside
                total += self.inner(x[i : k + 1], x[m : j + 1])
            else:
                free = j - i - 1 - sum(m - k + 1 for k, m in inside)
                total += closing + each * (1 + len(inside)) + unpaired * free
                total += self.branch("mismatch_multi", x[j], x[i], x[j - 1], x[i + 1])
                for k, m in inside:
                    total += self.branch(
                        "mismatch_multi", x[k], x[m], x[k - 1], x[m + 1]
                    )
        return total
