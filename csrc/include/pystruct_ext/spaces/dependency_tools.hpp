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
Hypergraph forest_with_grandparents(const DependencySpace<R>& space,
                                    const typename DependencySpace<R>::Scratch& s, int64_t i);

template <class R>
Hypergraph forest(const DependencySpace<R>& space, const typename DependencySpace<R>::Scratch& s,
                  int64_t i) {
  if (space.grandparents) return forest_with_grandparents(space, s, i);
  const int32_t n = space.length(i), m1 = n + 1;
  const int64_t st = space.row_stride(n);
  const int32_t width = std::max(space.n_labels, 1);
  Hypergraph g;
  const auto idx = [](int64_t k) { return static_cast<std::size_t>(k); };
  const auto sib = [&](int32_t h, int32_t q, int32_t m) {
    return space.siblings ? s.second.sibling(h, q, m) : 0.0;
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

// The same with grandparents: items as in grandparents.hpp, one for each head of their head outside of
// them, O(n^4) edges.
template <class R>
Hypergraph forest_with_grandparents(const DependencySpace<R>& space,
                                    const typename DependencySpace<R>::Scratch& s, int64_t i) {
  const int32_t n = space.length(i), m1 = n + 1;
  const int64_t st = space.row_stride(n);
  const int32_t width = std::max(space.n_labels, 1);
  Hypergraph g;
  const auto idx = [](int64_t k) { return static_cast<std::size_t>(k); };
  const auto sib = [&](int32_t h, int32_t q, int32_t m) {
    return space.siblings ? s.second.sibling(h, q, m) : 0.0;
  };
  std::vector<int32_t> arc(idx(int64_t{m1} * m1));
  std::vector<int32_t> full(idx(int64_t{m1} * m1 * m1)), open(full), sides(full);
  const auto at = [&](std::vector<int32_t>& v, int32_t a, int32_t b, int32_t c) -> int32_t& {
    return v[idx((int64_t{a} * m1 + b) * m1 + c)];
  };
  for (int32_t m = 1; m <= n; ++m)
    for (int32_t h = 0; h <= n; ++h) {
      if (h == m) continue;
      arc[idx(int64_t{m} * m1 + h)] = g.node();
      const double a = static_cast<double>(s.arc[idx(m * st + h)]);
      for (int32_t l = 0; l < width; ++l) {
        const double lab =
            space.n_labels ? static_cast<double>(space.label_at(s, n, h, m)[l]) : 0.0;
        g.edge(a + lab, (m * m1 + h) * width + l);
      }
    }
  const int32_t empty = g.node();
  g.edge(0, Hypergraph::kNone);
  for (int32_t a = 1; a <= n; ++a)
    for (int32_t c = 0; c <= n; ++c) at(full, a, a, c) = empty;
  for (int32_t d = 1; d < n; ++d)
    for (int32_t a = 1; a + d <= n; ++a) {
      const int32_t b = a + d;
      for (int32_t h = 1; h <= n; ++h) {
        if (!outside_of(h, a, b)) continue;
        at(sides, a, b, h) = g.node();
        for (int32_t k = a; k < b; ++k)
          g.edge(0, Hypergraph::kNone, at(full, a, k, h), at(full, b, k + 1, h));
      }
      for (const bool right : {true, false}) {
        const int32_t h = right ? a : b, m = right ? b : a, inner = right ? a + 1 : b - 1;
        for (int32_t c = 0; c <= n; ++c) {
          if (!outside_of(c, a, b)) continue;
          const int32_t raw = g.node();
          g.edge(sib(h, h, m), Hypergraph::kNone, at(full, m, inner, h));
          for (int32_t k = a + 1; k < b; ++k)
            g.edge(sib(h, k, m), Hypergraph::kNone, at(open, h, k, c),
                   right ? at(sides, k, b, h) : at(sides, a, k, h));
          at(open, h, m, c) = g.node();
          g.edge(s.second.grandparent(c, h, m), Hypergraph::kNone, raw,
                 arc[idx(int64_t{m} * m1 + h)]);
          at(full, h, m, c) = g.node();
          for (int32_t k = right ? a + 1 : a; k <= (right ? b : b - 1); ++k)
            g.edge(0, Hypergraph::kNone, at(open, h, k, c), at(full, k, m, h));
        }
      }
    }
  std::vector<int32_t> rooted;
  for (int32_t r = 1; r <= n; ++r) {
    rooted.push_back(g.node());
    g.edge(0, Hypergraph::kNone, at(full, r, 1, 0), at(full, r, n, 0));
  }
  g.node();
  for (int32_t r = 1; r <= n; ++r)
    g.edge(0, Hypergraph::kNone, rooted[idx(r - 1)], arc[idx(int64_t{r} * m1)]);
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

// Log-partition of single-root non-projective trees by the matrix-tree theorem, and, where p is not
// null, the marginals of the arcs. `arc` are log potentials [m][h], labels summed out.
//
// Words are eliminated one by one: the heads of a word k become those of the words that hang on k. The
// diagonal of the Laplacian is formed anew as the sum of its row, so that nothing is ever subtracted
// (Grassmann, Taksar and Heyman 1985); a determinant and its inverse lose all digits where two words
// want each other much more than anything else. Marginals go back through the elimination.
inline double matrix_tree(int32_t n, const std::vector<double>& arc, std::vector<double>* p) {
  const int64_t m1 = n + 1;
  const auto idx = [](int64_t k) { return static_cast<std::size_t>(k); };
  constexpr double kTiny = std::numeric_limits<double>::min();
  // Every word's potentials are scaled by its largest, and the root's, of which a tree has one.
  std::vector<double> a(arc.size(), 0.0), top(idx(m1), 0.0);
  double log_z = 0, root = -std::numeric_limits<double>::infinity();
  for (int64_t m = 1; m <= n; ++m) {
    double& t = top[idx(m)];
    t = -std::numeric_limits<double>::infinity();
    for (int64_t h = 1; h <= n; ++h)
      if (h != m) t = std::max(t, arc[idx(m * m1 + h)]);
    if (!(t > 0.1 * PSX_FORBIDDEN)) t = 0;
    log_z += t;
    root = std::max(root, arc[idx(m * m1)] - t);
  }
  if (n && !(root > 0.1 * PSX_FORBIDDEN)) return LogPlus::zero();
  log_z += n ? root : 0.0;
  for (int64_t m = 1; m <= n; ++m) {
    const double t = top[idx(m)];
    for (int64_t h = 1; h <= n; ++h)
      if (h != m) a[idx(m * m1 + h)] = std::exp(arc[idx(m * m1 + h)] - t);
    a[idx(m * m1)] = std::exp(arc[idx(m * m1)] - t - root);
  }
  // Words 1 .. last are left; the next one to go changes places with the last.
  const auto exchange = [m1, idx](std::vector<double>& v, int64_t x, int64_t last) {
    if (x == last) return;
    std::swap_ranges(v.begin() + x * m1, v.begin() + x * m1 + last + 1, v.begin() + last * m1);
    for (int64_t m = 1; m <= last; ++m) std::swap(v[idx(m * m1 + x)], v[idx(m * m1 + last)]);
  };
  std::vector<int64_t> place(idx(m1));
  // What part of an arc, after a step, goes through the word that went: last - 1 rows of last.
  std::vector<double> shares;
  if (p) shares.resize(idx((int64_t{n} - 1) * n * (n + 1) / 3));
  double* share = shares.data();
  for (int64_t last = n; last > 1; --last) {
    // The one with the most to hang on but the root; if there is none, two words want the root.
    int64_t pivot = 0;
    double most = kTiny;
    for (int64_t m = 1; m <= last; ++m) {
      const double* row = a.data() + m * m1;
      double sum = 0;
      for (int64_t h = 1; h <= last; ++h) sum += row[h];
      if (sum > most) most = sum, pivot = m;
    }
    if (!pivot) return LogPlus::zero();
    exchange(a, pivot, last);
    place[idx(last)] = pivot;
    log_z += std::log(most);
    double* gone = a.data() + last * m1;
    for (int64_t h = 0; h < last; ++h) gone[h] /= most;
    for (int64_t m = 1; m < last; ++m) {
      double* row = a.data() + m * m1;
      const double to_gone = row[last];
      if (p)
        for (int64_t h = 0; h < last; ++h)
          share[h] = to_gone * gone[h] / (row[h] + to_gone * gone[h] + kTiny);
      for (int64_t h = 0; h < last; ++h) row[h] += to_gone * gone[h];
      row[m] = 0;
      if (p) share += last;
    }
  }
  log_z += n ? std::log(a[idx(m1)]) : 0.0;
  if (!p) return log_z;
  p->assign(arc.size(), 0.0);
  if (!n || !std::isfinite(log_z)) return log_z;
  std::vector<double>& q = *p;
  q[idx(m1)] = 1;
  for (int64_t last = 2; last <= n; ++last) {
    share -= (last - 1) * last;
    double* into = q.data() + last * m1;
    const double* gone = a.data() + last * m1;
    double total = 0;
    for (int64_t m = 1; m < last; ++m) {
      double* row = q.data() + m * m1;
      const double* part = share + (m - 1) * last;
      double through = 0;
      for (int64_t h = 0; h < last; ++h) {
        const double v = row[h] * part[h];
        row[h] -= v;
        into[h] += v;
        through += v;
      }
      row[last] = through;
      total += through;
    }
    into[0] = std::max(into[0], 0.0);
    for (int64_t h = 1; h < last; ++h)
      into[h] = std::min(std::max(into[h] + gone[h] * (1 - total), 0.0), 1.0);
    exchange(q, place[idx(last)], last);
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
    const double log_z =
        matrix_tree(n, summed_arcs(space, s, i, temperature), out ? &p : nullptr);
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
          if (!std::isfinite(matrix_tree(n, left, &p))) return false;
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
