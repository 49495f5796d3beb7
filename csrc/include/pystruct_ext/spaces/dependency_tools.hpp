// k-best, log-partition, marginals and samples of dependency trees: by the packed forest for projective
// trees; by the matrix-tree theorem (Koo, Globerson, Carreras and Collins 2007) and by Lawler's
// partitioning (1972) for non-projective ones.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <queue>
#include <utility>
#include <vector>

#include "pystruct_ext/queries.hpp"
#include "pystruct_ext/spaces/dependency.hpp"

namespace pystruct_ext {

// All projective trees of block i. Tags: (m * (n + 1) + h) * max(n_labels, 1) + label.
template <class R>
Hypergraph forest(const DependencySpace<R>& space, const typename DependencySpace<R>::Scratch& s,
                  int64_t i) {
  const int32_t n = space.length(i), m1 = n + 1;
  const int64_t st = space.row_stride(n), plane = m1 * st;
  const int32_t width = std::max(space.n_labels, 1);
  Hypergraph g;
  const auto idx = [](int64_t k) { return static_cast<std::size_t>(k); };
  const auto sib = [&](int32_t h, int32_t q, int32_t m) {
    if (!space.siblings) return 0.0;
    return static_cast<double>(h < m ? s.sib_right[idx(h * plane + q * st + m)]
                                     : s.sib_left[idx(m * plane + q * st + h)]);
  };
  std::vector<int32_t> arc(idx(int64_t{m1} * m1)), right(arc), left(arc), open_right(arc),
      open_left(arc), joined(arc);
  const auto at = [&](std::vector<int32_t>& v, int32_t a, int32_t b) -> int32_t& {
    return v[idx(int64_t{a} * m1 + b)];
  };
  for (int32_t m = 1; m <= n; ++m)
    for (int32_t h = 0; h <= n; ++h) {
      if (h == m) continue;
      at(arc, m, h) = g.node();
      const double a = static_cast<double>(s.arc[idx(m * st + h)]);
      for (int32_t l = 0; l < width; ++l) {
        const double lab =
            space.n_labels ? static_cast<double>(space.label_at(s, n, h, m)[l]) : 0.0;
        g.edge(a + lab, (m * m1 + h) * width + l);
      }
    }
  for (int32_t i0 = 1; i0 <= n; ++i0) {
    at(right, i0, i0) = g.node();
    g.edge(0, Hypergraph::kNone);
    at(left, i0, i0) = at(right, i0, i0);
  }
  for (int32_t d = 1; d < n; ++d)
    for (int32_t a = 1; a + d <= n; ++a) {
      const int32_t b = a + d;
      at(joined, a, b) = g.node();
      for (int32_t k = a; k < b; ++k)
        g.edge(0, Hypergraph::kNone, at(right, a, k), at(left, k + 1, b));
      int32_t raw = at(joined, a, b);
      if (space.siblings) {
        raw = g.node();
        g.edge(sib(a, a, b), Hypergraph::kNone, at(left, a + 1, b));
        for (int32_t k = a + 1; k < b; ++k)
          g.edge(sib(a, k, b), Hypergraph::kNone, at(open_right, a, k), at(joined, k, b));
      }
      at(open_right, a, b) = g.node();
      g.edge(0, Hypergraph::kNone, raw, at(arc, b, a));
      if (space.siblings) {
        raw = g.node();
        g.edge(sib(b, b, a), Hypergraph::kNone, at(right, a, b - 1));
        for (int32_t k = a + 1; k < b; ++k)
          g.edge(sib(b, k, a), Hypergraph::kNone, at(joined, a, k), at(open_left, k, b));
      }
      at(open_left, a, b) = g.node();
      g.edge(0, Hypergraph::kNone, raw, at(arc, a, b));
      at(right, a, b) = g.node();
      for (int32_t k = a + 1; k <= b; ++k)
        g.edge(0, Hypergraph::kNone, at(open_right, a, k), at(right, k, b));
      at(left, a, b) = g.node();
      for (int32_t k = a; k < b; ++k)
        g.edge(0, Hypergraph::kNone, at(left, a, k), at(open_left, k, b));
    }
  std::vector<int32_t> rooted;
  for (int32_t r = 1; r <= n; ++r) {
    rooted.push_back(g.node());
    g.edge(0, Hypergraph::kNone, at(left, 1, r), at(right, r, n));
  }
  g.node();
  for (int32_t r = 1; r <= n; ++r)
    g.edge(0, Hypergraph::kNone, rooted[idx(r - 1)], at(arc, r, 0));
  return g;
}

// Lawler's k best for non-projective trees: the space of trees is cut by the choices of words in
// order, the first words fixed, one choice of the next forbidden.
template <class R>
std::vector<double> nonprojective_k_best(const DependencySpace<R>& space,
                                         typename DependencySpace<R>::Scratch& s, int64_t i,
                                         std::size_t k, int32_t* codes) {
  const int32_t n = space.length(i), width = std::max(space.n_labels, 1), m1 = n + 1;
  const int64_t len = space.code_len(i), st = space.row_stride(n);
  const auto idx = [](int64_t v) { return static_cast<std::size_t>(v); };
  struct Part {
    double score;
    std::vector<int32_t> code;
    int32_t fixed;                                   // words 1 .. fixed keep their choice
    std::vector<std::pair<int32_t, int32_t>> banned;  // (word, choice), choice = h * width + l
    bool operator<(const Part& o) const {
      if (score != o.score) return score < o.score;
      return code > o.code;
    }
  };
  const auto raw = [&](int32_t m, int32_t h, int32_t l) {
    return static_cast<double>(s.arc[idx(m * st + h)]) +
           (space.n_labels ? static_cast<double>(space.label_at(s, n, h, m)[l]) : 0.0);
  };
  std::vector<double> best(idx(int64_t{m1} * m1));
  std::vector<int32_t> label(best.size());
  Arborescence tree;
  tree.reserve(n);
  const auto solve = [&](Part& p) {
    for (int32_t m = 1; m <= n; ++m)
      for (int32_t h = 0; h <= n; ++h) {
        double top = 10 * Arborescence::kForbidden;
        int32_t arg = -1;
        for (int32_t l = 0; l < width && h != m; ++l) {
          if (m <= p.fixed) {
            if (h != p.code[idx(m - 1)]) continue;
            if (space.n_labels && l != p.code[idx(n + m - 1)]) continue;
          }
          if (std::find(p.banned.begin(), p.banned.end(),
                        std::make_pair(m, h * width + l)) != p.banned.end())
            continue;
          const double v = raw(m, h, l);
          if (arg < 0 || v > top) {
            top = v;
            arg = l;
          }
        }
        best[idx(int64_t{m} * m1 + h)] = top;
        label[idx(int64_t{m} * m1 + h)] = arg;
      }
    std::vector<int32_t> code(idx(len));
    tree.solve<double>(n, best.data(), m1, true, code.data());
    p.score = 0;
    int32_t roots = 0;
    for (int32_t m = 1; m <= n; ++m) {
      const int32_t h = code[idx(m - 1)];
      roots += h == 0;
      const double v = best[idx(int64_t{m} * m1 + h)];
      if (v <= Arborescence::kForbidden) return false;
      p.score += v;
      if (space.n_labels) code[idx(n + m - 1)] = label[idx(int64_t{m} * m1 + h)];
    }
    p.code = code;
    return roots == 1;
  };
  std::priority_queue<Part> queue;
  Part all{0, std::vector<int32_t>(idx(len)), 0, {}};
  if (solve(all)) queue.push(all);
  std::vector<double> scores;
  while (!queue.empty() && scores.size() < k) {
    const Part top = queue.top();
    queue.pop();
    std::copy(top.code.begin(), top.code.end(), codes + static_cast<int64_t>(scores.size()) * len);
    scores.push_back(top.score);
    for (int32_t m = top.fixed + 1; m <= n; ++m) {
      Part part{0, top.code, m - 1, top.banned};
      const int32_t l = space.n_labels ? top.code[idx(n + m - 1)] : 0;
      part.banned.push_back({m, top.code[idx(m - 1)] * width + l});
      if (solve(part)) queue.push(part);
    }
  }
  return scores;
}

// Marginals of single-root non-projective trees by the inverse of the Laplacian, whose first row
// holds the root's arcs. `arc` are log potentials [m][h], labels summed out.
inline double matrix_tree(int32_t n, const std::vector<double>& arc, std::vector<double>& p) {
  const auto idx = [](int64_t k) { return static_cast<std::size_t>(k); };
  const int64_t m1 = n + 1;
  // Every word's potentials are scaled by its largest: determinants stay in range.
  std::vector<double> shift(idx(n + 1), 0.0), a(arc.size(), 0.0);
  double log_z = 0;
  for (int32_t m = 1; m <= n; ++m) {
    double top = -std::numeric_limits<double>::infinity();
    for (int32_t h = 0; h <= n; ++h)
      if (h != m) top = std::max(top, arc[idx(m * m1 + h)]);
    if (top < 0.1 * PSX_FORBIDDEN) return LogPlus::zero();
    log_z += top;
    for (int32_t h = 0; h <= n; ++h)
      if (h != m) a[idx(m * m1 + h)] = std::exp(arc[idx(m * m1 + h)] - top);
  }
  // L[h - 1][m - 1], row 0 replaced; then [L | I] by Gauss-Jordan with partial pivoting.
  std::vector<double> l(idx(int64_t{n} * n), 0.0), inv(idx(int64_t{n} * n), 0.0);
  for (int32_t m = 1; m <= n; ++m) {
    for (int32_t h = 1; h <= n; ++h) {
      if (h == m) continue;
      l[idx(int64_t{m - 1} * n + m - 1)] += a[idx(m * m1 + h)];
      l[idx(int64_t{h - 1} * n + m - 1)] -= a[idx(m * m1 + h)];
    }
  }
  for (int32_t m = 1; m <= n; ++m) l[idx(m - 1)] = a[idx(m * m1)];
  for (int32_t r = 0; r < n; ++r) inv[idx(int64_t{r} * n + r)] = 1;
  for (int32_t c = 0; c < n; ++c) {
    int32_t pivot = c;
    for (int32_t r = c + 1; r < n; ++r)
      if (std::abs(l[idx(int64_t{r} * n + c)]) > std::abs(l[idx(int64_t{pivot} * n + c)]))
        pivot = r;
    const double d = l[idx(int64_t{pivot} * n + c)];
    if (d == 0) return LogPlus::zero();
    log_z += std::log(std::abs(d));
    for (int32_t k = 0; k < n; ++k) {
      std::swap(l[idx(int64_t{pivot} * n + k)], l[idx(int64_t{c} * n + k)]);
      std::swap(inv[idx(int64_t{pivot} * n + k)], inv[idx(int64_t{c} * n + k)]);
    }
    for (int32_t k = 0; k < n; ++k) {
      l[idx(int64_t{c} * n + k)] /= d;
      inv[idx(int64_t{c} * n + k)] /= d;
    }
    for (int32_t r = 0; r < n; ++r) {
      const double f = l[idx(int64_t{r} * n + c)];
      if (r == c || f == 0) continue;
      for (int32_t k = 0; k < n; ++k) {
        l[idx(int64_t{r} * n + k)] -= f * l[idx(int64_t{c} * n + k)];
        inv[idx(int64_t{r} * n + k)] -= f * inv[idx(int64_t{c} * n + k)];
      }
    }
  }
  p.assign(arc.size(), 0.0);
  for (int32_t m = 1; m <= n; ++m) {
    p[idx(m * m1)] = a[idx(m * m1)] * inv[idx(int64_t{m - 1} * n)];
    for (int32_t h = 1; h <= n; ++h) {
      if (h == m) continue;
      double v = 0;
      if (m != 1) v += inv[idx(int64_t{m - 1} * n + m - 1)];
      if (h != 1) v -= inv[idx(int64_t{m - 1} * n + h - 1)];
      p[idx(m * m1 + h)] = a[idx(m * m1 + h)] * v;
    }
  }
  return log_z;
}

// Log potentials of arcs [m * (n + 1) + h], labels summed out.
template <class R>
std::vector<double> summed_arcs(const DependencySpace<R>& space,
                                const typename DependencySpace<R>::Scratch& s, int64_t i,
                                double temperature) {
  const int32_t n = space.length(i), width = std::max(space.n_labels, 1), m1 = n + 1;
  const int64_t st = space.row_stride(n);
  std::vector<double> arc(static_cast<std::size_t>(m1 * m1), 0.0);
  for (int32_t m = 1; m <= n; ++m)
    for (int32_t h = 0; h <= n; ++h) {
      if (h == m) continue;
      const double a = static_cast<double>(s.arc[static_cast<std::size_t>(m * st + h)]);
      double sum = LogPlus::zero();
      for (int32_t l = 0; l < width; ++l)
        sum = LogPlus::plus(
            sum, (a + (space.n_labels ? static_cast<double>(space.label_at(s, n, h, m)[l]) : 0.0)) /
                     temperature);
      arc[static_cast<std::size_t>(m * m1 + h)] = sum;
    }
  return arc;
}

template <class R>
void write_tag(const DependencySpace<R>& space, int64_t i, int32_t tag, int32_t* code) {
  const int32_t n = space.length(i), width = std::max(space.n_labels, 1);
  const int32_t arc = tag / width, word = arc / (n + 1);
  code[word - 1] = arc % (n + 1);
  if (space.n_labels) code[n + word - 1] = tag % width;
}
template <class R>
int64_t part_of(const DependencySpace<R>& space, int64_t i, int32_t tag) {
  const int32_t n = space.length(i), arc = tag / std::max(space.n_labels, 1);
  return int64_t{arc % (n + 1)} * n + arc / (n + 1) - 1;
}

template <class R>
struct DependencyQueries {
  static constexpr bool kAny = true;
  using Space = DependencySpace<R>;
  using Scratch = typename Space::Scratch;
  using Projective = ForestQueries<Space>;

  static int64_t k_best(const Space& space, Scratch& s, int64_t i, int64_t k, int32_t* codes,
                        double* scores) {
    if (space.projective) return Projective::k_best(space, s, i, k, codes, scores);
    if (!s.finite) return -1;
    const std::vector<double> found =
        nonprojective_k_best(space, s, i, static_cast<std::size_t>(k), codes);
    std::copy(found.begin(), found.end(), scores);
    return static_cast<int64_t>(found.size());
  }

  static double marginals(const Space& space, Scratch& s, int64_t i, double temperature,
                          double* out) {
    if (space.projective) return Projective::marginals(space, s, i, temperature, out);
    if (!s.finite) return std::numeric_limits<double>::quiet_NaN();
    const int32_t n = space.length(i), m1 = n + 1;
    std::vector<double> p;
    const double log_z = matrix_tree(n, summed_arcs(space, s, i, temperature), p);
    if (!out) return log_z;
    std::fill(out, out + int64_t{m1} * n, 0.0);
    if (!p.empty())
      for (int32_t m = 1; m <= n; ++m)
        for (int32_t h = 0; h <= n; ++h)
          if (h != m) out[int64_t{h} * n + m - 1] = p[static_cast<std::size_t>(m * m1 + h)];
    return log_z;
  }

  // Non-projective: words in order, each head from its marginals given the heads before, O(n^4) a
  // tree (Colbourn, Myrvold and Neufeld 1996); then the label given the arc.
  static bool sample(const Space& space, Scratch& s, int64_t i, double temperature, uint64_t seed,
                     int64_t count, int32_t* codes) {
    if (space.projective)
      return Projective::sample(space, s, i, temperature, seed, count, codes);
    if (!s.finite) return false;
    const int32_t n = space.length(i), m1 = n + 1;
    const int64_t len = space.code_len(i);
    const auto at = [m1](int32_t m, int32_t h) { return static_cast<std::size_t>(m * m1 + h); };
    const std::vector<double> arc = summed_arcs(space, s, i, temperature);
    Uniform uniform(seed);
    std::vector<double> left, p, first;
    for (int64_t c = 0; c < count; ++c) {
      int32_t* code = codes + c * len;
      left = arc;
      for (int32_t m = 1; m <= n; ++m) {
        // All draws begin with the same marginals.
        if (m == 1 && !first.empty()) {
          p = first;
        } else {
          if (!std::isfinite(matrix_tree(n, left, p))) return false;
          if (m == 1) first = p;
        }
        const int32_t h = uniform.index(m1, 0.0, [&](int32_t g) {
          return g == m ? LogPlus::zero() : std::log(std::max(p[at(m, g)], 0.0));
        });
        for (int32_t g = 0; g <= n; ++g)
          if (g != h && g != m) left[at(m, g)] = PSX_FORBIDDEN;
        code[m - 1] = h;
        if (!space.n_labels) continue;
        const R* label = space.label_at(s, n, h, m);
        const double base = static_cast<double>(s.arc[static_cast<std::size_t>(
            m * space.row_stride(n) + h)]);
        code[n + m - 1] = uniform.index(space.n_labels, arc[at(m, h)], [&](int32_t l) {
          return (base + static_cast<double>(label[l])) / temperature;
        });
      }
    }
    return true;
  }
};

// The table of the kernel, for both types of w.
inline const psx_kernel* dependency_kernel() {
  return kernel_table<With<DependencySpace<float>, DependencyQueries<float>>,
                      With<DependencySpace<double>, DependencyQueries<double>>>("dependency");
}

}  // namespace pystruct_ext
