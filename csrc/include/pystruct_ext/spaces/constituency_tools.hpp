// Packed forests of the two constituency kernels, and k-best and log-partition from them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "pystruct_ext/hypergraph.hpp"
#include "pystruct_ext/spaces/grammar.hpp"
#include "pystruct_ext/spaces/spans.hpp"

namespace pystruct_ext {

// Tags: (start * (n + 1) + end) * n_labels + label.
template <class R>
Hypergraph forest(const SpanSpace<R>& space, const typename SpanSpace<R>::Scratch& s, int64_t i) {
  const int32_t n = space.scores.length(i), L = space.scores.n_labels, m1 = n + 1;
  const int64_t st = space.row_stride(n);
  const auto idx = [](int64_t k) { return static_cast<std::size_t>(k); };
  std::vector<int32_t> label(idx(int64_t{m1} * m1)), joined(label), whole(label), open(label);
  Hypergraph g;
  const int32_t none = Hypergraph::kNone;
  for (int32_t d = 1; d <= n; ++d)
    for (int32_t a = 0; a + d <= n; ++a) {
      const int32_t b = a + d, at = a * m1 + b;
      label[idx(at)] = g.node();
      const R* pot = space.scores.at(s.spans, n, a, b);
      for (int32_t l = 0; l < L; ++l) g.edge(static_cast<double>(pot[l]), at * L + l);
      if (d == 1) {
        whole[idx(at)] = open[idx(at)] = g.node();
        g.edge(0, none);
        g.edge(0, none, label[idx(at)]);
        continue;
      }
      joined[idx(at)] = g.node();
      for (int32_t k = a + 1; k < b; ++k) {
        const double split =
            space.use_splits ? static_cast<double>(s.split[idx((int64_t{a} * m1 + k) * st + b)])
                             : 0.0;
        g.edge(split, none, open[idx(a * m1 + k)], whole[idx(k * m1 + b)]);
      }
      whole[idx(at)] = g.node();
      g.edge(0, none, label[idx(at)], joined[idx(at)]);
      open[idx(at)] = g.node();
      g.edge(0, none, joined[idx(at)]);
      g.edge(0, none, whole[idx(at)]);
    }
  g.node();
  g.edge(0, none, n == 1 ? label[1] : whole[idx(n)]);
  return g;
}

// Tags: rule * n + split, then (n_rules + lexical rule) * n; in preorder they are the code.
template <class R>
Hypergraph forest(const GrammarSpace<R>& space, const typename GrammarSpace<R>::Scratch& s,
                  int64_t i) {
  const int32_t n = space.scores.length(i), S = space.n_symbols;
  const auto idx = [](int64_t k) { return static_cast<std::size_t>(k); };
  std::vector<int32_t> node(idx(space.cell(n, n - 1, n) + 1) * idx(S), -1);
  Hypergraph g;
  std::vector<std::vector<Hypergraph::Edge>> found(idx(S));
  for (int32_t d = 1; d <= n; ++d)
    for (int32_t a = 0; a + d <= n; ++a) {
      const int32_t b = a + d;
      for (auto& f : found) f.clear();
      if (d == 1) {
        const int32_t tag = space.word_tag[space.scores.offsets[i] + a];
        for (int32_t e = space.lexical_first[tag]; e < space.lexical_first[tag + 1]; ++e)
          found[idx(space.lexical_symbol[e])].push_back(
              {-1, -1, (space.n_rules + e) * n,
               static_cast<double>(s.weights[idx(space.n_rules + e)])});
      }
      for (int32_t k = a + 1; k < b; ++k)
        for (int32_t r = 0; r < space.n_rules; ++r) {
          const int32_t left = node[idx(space.cell(n, a, k) * S + space.rule_left[r])];
          const int32_t right = node[idx(space.cell(n, k, b) * S + space.rule_right[r])];
          if (left < 0 || right < 0) continue;
          found[idx(space.rule_parent[r])].push_back(
              {left, right, r * n + k, static_cast<double>(s.weights[idx(r)])});
        }
      const R* pot = space.scores.at(s.spans, n, a, b);
      for (int32_t x = 0; x < S; ++x) {
        if (found[idx(x)].empty()) continue;
        node[idx(space.cell(n, a, b) * S + x)] = g.node();
        const int32_t l = space.symbol_label[x];
        for (const auto& e : found[idx(x)])
          g.edge(e.weight + (l >= 0 ? static_cast<double>(pot[l]) : 0.0), e.tag, e.left, e.right);
      }
    }
  g.node();
  for (int32_t x = 0; x < S; ++x) {
    const int32_t v = node[idx(space.cell(n, 0, n) * S + x)];
    if (v >= 0 && space.is_root[x])
      g.edge(static_cast<double>(s.weights[idx(space.n_rules + space.n_lexical + x)]),
             Hypergraph::kNone, v);
  }
  return g;
}

// Brackets in any order to a code in preorder.
inline void sort_brackets(int32_t* code, int32_t m, int32_t n) {
  std::vector<std::pair<int32_t, int32_t>> b;
  for (int32_t k = 0; k < m; ++k) b.push_back({code[2 * k], code[2 * k + 1]});
  std::sort(b.begin(), b.end(), [n](const auto& x, const auto& y) {
    const int32_t xs = x.first / (n + 1), ys = y.first / (n + 1);
    return xs != ys ? xs < ys : x.first > y.first;
  });
  for (int32_t k = 0; k < m; ++k) {
    code[2 * k] = b[static_cast<std::size_t>(k)].first;
    code[2 * k + 1] = b[static_cast<std::size_t>(k)].second;
  }
}

template <class R>
struct CodeWriter {
  static void put(const SpanSpace<R>& space, int64_t, int32_t tag, int32_t* code, int32_t& m) {
    code[2 * m] = tag / space.scores.n_labels;
    code[2 * m + 1] = tag % space.scores.n_labels;
    ++m;
  }
  static void put(const GrammarSpace<R>& space, int64_t i, int32_t tag, int32_t* code,
                  int32_t& m) {
    const int32_t n = space.scores.length(i), rule = tag / n;
    code[2 * m] = rule;
    code[2 * m + 1] = rule < space.n_rules ? tag % n : -1;
    ++m;
  }
  static void finish(const SpanSpace<R>& space, int64_t i, int32_t* code, int32_t m) {
    sort_brackets(code, m, space.scores.length(i));
  }
  static void finish(const GrammarSpace<R>&, int64_t, int32_t*, int32_t) {}
};

// Up to k best codes, best first; returns their number, or -1 if a score is not finite.
template <class Space>
int64_t tree_k_best(const Space& space, const void* w, int64_t i, int64_t k, int32_t* codes,
                    double* scores) {
  using R = typename Space::real;
  typename Space::Scratch s(space);
  space.load(static_cast<const R*>(w), i, s);
  if (!s.finite) return -1;
  const int64_t len = space.code_len(i);
  std::fill(codes, codes + k * len, -1);
  std::vector<int32_t> written(static_cast<std::size_t>(k), 0);
  const std::vector<double> found =
      forest(space, s, i).k_best(static_cast<std::size_t>(k), [&](std::size_t m, int32_t tag) {
        CodeWriter<R>::put(space, i, tag, codes + static_cast<int64_t>(m) * len, written[m]);
      });
  for (std::size_t m = 0; m < found.size(); ++m)
    CodeWriter<R>::finish(space, i, codes + static_cast<int64_t>(m) * len, written[m]);
  std::copy(found.begin(), found.end(), scores);
  return static_cast<int64_t>(found.size());
}

// Log-partition function under exp(score / temperature); NaN if a score is not finite.
template <class Space>
double tree_log_partition(const Space& space, const void* w, int64_t i, double temperature) {
  using R = typename Space::real;
  typename Space::Scratch s(space);
  space.load(static_cast<const R*>(w), i, s);
  if (!s.finite) return std::numeric_limits<double>::quiet_NaN();
  return forest(space, s, i).template inside<LogPlus>(temperature).back();
}

// Probability that a span is a constituent with a label, (n + 1, n + 1, n_labels).
template <class R>
double span_marginals(const SpanSpace<R>& space, const void* w, int64_t i, double temperature,
                      double* out) {
  typename SpanSpace<R>::Scratch s(space);
  space.load(static_cast<const R*>(w), i, s);
  if (!s.finite) return std::numeric_limits<double>::quiet_NaN();
  const Hypergraph g = forest(space, s, i);
  std::vector<double> p;
  const double log_z = g.marginals(temperature, p);
  for (int64_t e = 0; e < g.n_edges(); ++e)
    if (g.edge_at(e).tag >= 0) out[g.edge_at(e).tag] += p[static_cast<std::size_t>(e)];
  return log_z;
}

}  // namespace pystruct_ext
