// Packed forests of the two constituency kernels.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "pystruct_ext/queries.hpp"
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
// node_part: the part of every node, -1: none.
template <class R>
Hypergraph forest(const GrammarSpace<R>& space, const typename GrammarSpace<R>::Scratch& s,
                  int64_t i, std::vector<int64_t>* node_part = nullptr) {
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
      for (int32_t k = a + 1; k < b; ++k) {
        const R joint = space.split_of(s, n, a, k, b);
        for (int32_t r = 0; r < space.n_rules; ++r) {
          const int32_t left = node[idx(space.cell(n, a, k) * S + space.rule_left[r])];
          const int32_t right = node[idx(space.cell(n, k, b) * S + space.rule_right[r])];
          if (left < 0 || right < 0) continue;
          found[idx(space.rule_parent[r])].push_back(
              {left, right, r * n + k, static_cast<double>(s.weights[idx(r)] + joint)});
        }
      }
      const R* pot = space.scores.at(s.spans, n, a, b);
      for (int32_t x = 0; x < S; ++x) {
        if (found[idx(x)].empty()) continue;
        node[idx(space.cell(n, a, b) * S + x)] = g.node();
        const int32_t l = space.symbol_label[x];
        if (node_part)
          node_part->push_back(l < 0 ? -1 : (int64_t{a} * (n + 1) + b) * space.scores.n_labels + l);
        for (const auto& e : found[idx(x)])
          g.edge(e.weight + (l >= 0 ? static_cast<double>(pot[l]) : 0.0), e.tag, e.left, e.right);
      }
    }
  g.node();
  if (node_part) node_part->push_back(-1);
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

// Brackets come in any order: a code has them in preorder.
template <class R>
class CodeWriter<SpanSpace<R>> {
 public:
  CodeWriter(const SpanSpace<R>& space, int64_t i, int32_t* code)
      : space_(space), i_(i), code_(code) {
    std::fill(code, code + space.code_len(i), -1);
  }
  void put(int32_t tag) {
    code_[2 * m_] = tag / space_.scores.n_labels;
    code_[2 * m_ + 1] = tag % space_.scores.n_labels;
    ++m_;
  }
  void finish() { sort_brackets(code_, m_, space_.scores.length(i_)); }

 private:
  const SpanSpace<R>& space_;
  int64_t i_;
  int32_t* code_;
  int32_t m_ = 0;
};

template <class R>
class CodeWriter<GrammarSpace<R>> {
 public:
  CodeWriter(const GrammarSpace<R>& space, int64_t i, int32_t* code)
      : space_(space), i_(i), code_(code) {
    std::fill(code, code + space.code_len(i), -1);
  }
  void put(int32_t tag) {
    const int32_t n = space_.scores.length(i_), rule = tag / n;
    *code_++ = rule;
    *code_++ = rule < space_.n_rules ? tag % n : -1;
  }
  void finish() {}

 private:
  const GrammarSpace<R>& space_;
  int64_t i_;
  int32_t* code_;
};

// Tags of the grammar are rules; its parts are the spans of their nodes.
template <class R>
struct GrammarQueries : ForestQueries<GrammarSpace<R>> {
  using Space = GrammarSpace<R>;
  using Scratch = typename Space::Scratch;
  static double marginals(const Space& space, Scratch& s, int64_t i, double temperature,
                          double* out) {
    if (!s.finite) return std::numeric_limits<double>::quiet_NaN();
    std::vector<int64_t> part;
    const Hypergraph g = forest(space, s, i, &part);
    if (!out) return g.inside<LogPlus>(temperature).back();
    std::fill(out, out + n_parts(space, i), 0.0);
    std::vector<double> p;
    const double log_z = g.marginals(temperature, p);
    for (int64_t v = 0; v < g.n_nodes(); ++v) {
      if (part[static_cast<std::size_t>(v)] < 0) continue;
      for (int64_t e = g.begin(v); e < g.end(v); ++e)
        out[part[static_cast<std::size_t>(v)]] += p[static_cast<std::size_t>(e)];
    }
    return log_z;
  }
};

// The table of the kernel, for both types of w.
inline const psx_kernel* spans_kernel() {
  return kernel_table<With<SpanSpace<float>, ForestQueries<SpanSpace<float>>>,
                      With<SpanSpace<double>, ForestQueries<SpanSpace<double>>>>("spans");
}

// The table of the kernel, for both types of w.
inline const psx_kernel* grammar_kernel() {
  return kernel_table<With<GrammarSpace<float>, GrammarQueries<float>>,
                      With<GrammarSpace<double>, GrammarQueries<double>>>("grammar");
}

}  // namespace pystruct_ext
