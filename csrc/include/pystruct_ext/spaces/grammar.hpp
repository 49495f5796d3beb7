// Constituency trees under a binary grammar with learned rule weights (Taskar, Klein, Collins,
// Koller and Manning 2004; Tsochantaridis et al. 2005), parsed by CKY.
//
//   <w, psi(x, y)> = sum of rules + sum of lexical rules + root symbol + sum of span labels
//                    + sum of split points
//
// Layout of w: label rows (2^bits, stride) if spans are scored, split weights (2^split_bits) if those
// are, then binary rules, lexical rules (symbol over tag), root symbols.
// Code: the derivation in preorder, 2n - 1 pairs: (rule, split) of inner nodes, (n_rules + lexical
// rule, -1) of leaves; all -1 where the grammar has no derivation.
//
// O(n^3 |rules|), the rules grouped by their left part, so that absent symbols cost nothing.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "pystruct_ext/kernel.hpp"
#include "pystruct_ext/trees/span_scores.hpp"

namespace pystruct_ext {

template <class R>
struct GrammarSpace {
  using real = R;
  static constexpr uint32_t kFlags = PSX_EXACT;

  SpanScores<R> scores;
  const int32_t* codes = nullptr;         // truth
  bool use_splits = false;
  int32_t n_symbols = 0, n_rules = 0, n_lexical = 0;
  const int32_t* symbol_label = nullptr;  // (n_symbols,) label, or -1: not a constituent
  const uint8_t* is_root = nullptr;       // (n_symbols,) whether it may cover a sentence
  const int32_t* rule_first = nullptr;    // (n_symbols + 1,) rules by left part
  const int32_t* rule_left = nullptr;     // (n_rules,)
  const int32_t* rule_right = nullptr;
  const int32_t* rule_parent = nullptr;
  const int32_t* word_tag = nullptr;      // (n_words,) tag of every word
  const int32_t* lexical_first = nullptr;  // (n_tags + 1,)
  const int32_t* lexical_symbol = nullptr;  // (n_lexical,)

  struct Back {
    int32_t rule, split;
  };
  struct Scratch {
    typename SpanScores<R>::Buffers spans;
    AlignedBuffer<R> weights, chart, split, split_part;
    AlignedBuffer<Back> back;
    AlignedBuffer<int32_t> active, n_active;
    SparseSink sparse;
    bool finite = true;
    explicit Scratch(const GrammarSpace& s) {
      spans.reserve(s.scores);
      int64_t longest = 1;
      for (int64_t i = 0; i < s.n_blocks(); ++i)
        longest = std::max(longest, static_cast<int64_t>(s.scores.length(i)));
      const std::size_t cells = static_cast<std::size_t>(longest * (longest + 1) / 2);
      const std::size_t k = static_cast<std::size_t>(s.n_symbols);
      weights.reserve(static_cast<std::size_t>(s.n_rules + s.n_lexical) + k);
      const std::size_t m = static_cast<std::size_t>(longest) + 1;
      if (s.use_splits) split.reserve(m * m * m);
      if (s.use_splits && s.scores.features.rich) split_part.reserve(m * m);
      chart.reserve(cells * k);
      back.reserve(cells * k);
      active.reserve(cells * k);
      n_active.reserve(cells);
    }
  };

  static std::size_t idx(int64_t k) noexcept { return static_cast<std::size_t>(k); }
  int64_t n_blocks() const noexcept { return scores.n; }
  int64_t first_split() const noexcept { return scores.n_rows() * scores.stride; }
  int64_t first_rule() const noexcept {
    return first_split() + (use_splits ? int64_t{1} << scores.features.split_bits : 0);
  }
  // Score of joining [a, k) and [k, b).
  R split_of(const Scratch& s, int32_t n, int32_t a, int32_t k, int32_t b) const noexcept {
    return use_splits ? s.split[idx((int64_t{a} * (n + 1) + k) * (n + 1) + b)] : R(0);
  }
  int64_t n_grammar_weights() const noexcept {
    return int64_t{n_rules} + n_lexical + n_symbols;
  }
  int64_t size_psi() const noexcept { return first_rule() + n_grammar_weights(); }
  int32_t code_len(int64_t i) const noexcept { return 2 * (2 * scores.length(i) - 1); }
  const int32_t* truth(int64_t i) const noexcept {
    return codes ? codes + 4 * scores.offsets[i] - 2 * i : nullptr;
  }
  // Spans [a, b) in rows of equal a.
  static int64_t cell(int32_t n, int32_t a, int32_t b) noexcept {
    return int64_t{a} * n - int64_t{a} * (a - 1) / 2 + (b - a - 1);
  }

  void load(const R* w, int64_t i, Scratch& s) const noexcept {
    R check = scores.load(w, i, s.spans);
    if (use_splits)
      check += scores.load_splits(w + first_split(), i, scores.length(i) + 1, s.split.data(),
                                  s.split_part.data());
    const R* g = w + first_rule();
    for (int64_t k = 0; k < n_grammar_weights(); ++k) {
      s.weights[idx(k)] = g[k];
      check += g[k] * R(0);
    }
    s.finite = check == 0;
  }

  // Adds the score and loss of the labels to a finished cell, and lists what is in it.
  void finish(int64_t i, double loss_scale, int32_t a, int32_t b, Scratch& s) const noexcept {
    const int32_t n = scores.length(i);
    const int64_t c = cell(n, a, b);
    R* chart = s.chart.data() + c * n_symbols;
    int32_t* active = s.active.data() + c * n_symbols;
    const R* pot = scores.at(s.spans, n, a, b);
    const R* cost = nullptr;
    if (loss_scale != 0)
      cost = scores.cost +
             int64_t{scores.gold(i, a * (n + 1) + b) + 1} * (scores.n_labels + 1);
    int32_t count = 0;
    for (int32_t x = 0; x < n_symbols; ++x) {
      if (chart[x] == -std::numeric_limits<R>::infinity()) continue;
      const int32_t l = symbol_label[x];
      if (l >= 0) {
        chart[x] += pot[l];
        if (cost) chart[x] += static_cast<R>(loss_scale) * (cost[l + 1] - cost[0]);
      }
      active[count++] = x;
    }
    s.n_active[idx(c)] = count;
  }

  double argmax(int64_t i, double loss_scale, Scratch& s, int32_t* code) const noexcept {
    if (!s.finite) return std::numeric_limits<double>::quiet_NaN();
    const int32_t n = scores.length(i);
    const R none = -std::numeric_limits<R>::infinity();
    const int64_t cells = int64_t{n} * (n + 1) / 2;
    std::fill(s.chart.data(), s.chart.data() + cells * n_symbols, none);
    const R* w = s.weights.data();
    for (int32_t t = 0; t < n; ++t) {
      const int64_t c = cell(n, t, t + 1);
      const int32_t tag = word_tag[scores.offsets[i] + t];
      for (int32_t e = lexical_first[tag]; e < lexical_first[tag + 1]; ++e) {
        const int64_t at = c * n_symbols + lexical_symbol[e];
        s.chart[idx(at)] = w[n_rules + e];
        s.back[idx(at)] = {n_rules + e, -1};
      }
      finish(i, loss_scale, t, t + 1, s);
    }
    for (int32_t d = 2; d <= n; ++d)
      for (int32_t a = 0; a + d <= n; ++a) {
        const int32_t b = a + d;
        const int64_t c = cell(n, a, b);
        R* out = s.chart.data() + c * n_symbols;
        Back* back = s.back.data() + c * n_symbols;
        for (int32_t k = a + 1; k < b; ++k) {
          const int64_t cl = cell(n, a, k), cr = cell(n, k, b);
          if (!s.n_active[idx(cr)]) continue;
          const R* left = s.chart.data() + cl * n_symbols;
          const R* right = s.chart.data() + cr * n_symbols;
          const int32_t* active = s.active.data() + cl * n_symbols;
          const R joint = split_of(s, n, a, k, b);
          for (int32_t q = 0; q < s.n_active[idx(cl)]; ++q) {
            const int32_t x = active[q];
            const R v = left[x] + joint;
            for (int32_t r = rule_first[x]; r < rule_first[x + 1]; ++r) {
              const R total = v + right[rule_right[r]] + w[r];
              const int32_t p = rule_parent[r];
              if (total > out[p]) {
                out[p] = total;
                back[p] = {r, k};
              }
            }
          }
        }
        finish(i, loss_scale, a, b, s);
      }
    const R* top = s.chart.data() + cell(n, 0, n) * n_symbols;
    const double constant = loss_scale != 0 ? loss_scale * scores.missed_all(i) : 0.0;
    R best = none;
    int32_t root = -1;
    for (int32_t x = 0; x < n_symbols; ++x)
      if (is_root[x] && top[x] + w[n_rules + n_lexical + x] > best) {
        best = top[x] + w[n_rules + n_lexical + x];
        root = x;
      }
    std::fill(code, code + code_len(i), -1);
    if (root < 0) return constant;
    write(s, n, 0, n, root, code);
    return static_cast<double>(best) + constant;
  }

  void write(const Scratch& s, int32_t n, int32_t a, int32_t b, int32_t symbol,
             int32_t*& code) const noexcept {
    const Back back = s.back[idx(cell(n, a, b) * n_symbols + symbol)];
    *code++ = back.rule;
    *code++ = back.split;
    if (back.split < 0) return;
    write(s, n, a, back.split, rule_left[back.rule], code);
    write(s, n, back.split, b, rule_right[back.rule], code);
  }

  int32_t symbol_of(int32_t rule) const noexcept {
    return rule < n_rules ? rule_parent[rule] : lexical_symbol[rule - n_rules];
  }

  // A derivation in preorder over the whole sentence, or -1: none.
  CodeFault check_code(int64_t i, const int32_t* y) const noexcept {
    CodeFault fault;
    if (y[0] >= 0) check_node(y, y, 0, scores.length(i), fault);
    return fault;
  }
  // What walk relies on: halves that are shorter and end at single words, 2 n - 1 nodes in all.
  const int32_t* check_node(const int32_t* y, const int32_t* at, int32_t a, int32_t b,
                            CodeFault& fault) const noexcept {
    const bool leaf = b == a + 1;
    const int32_t low = leaf ? n_rules : 0, high = leaf ? n_rules + n_lexical : n_rules;
    if (at[0] < low || at[0] >= high) {
      fault = {at - y, low, high - 1};
    } else if (leaf ? at[1] >= 0 : at[1] <= a || at[1] >= b) {
      fault = {at - y + 1, leaf ? -1 : a + 1, leaf ? -1 : b - 1};
    }
    if (leaf || fault.at >= 0) return at + 2;
    const int32_t* right = check_node(y, at + 2, a, at[1], fault);
    return fault.at >= 0 ? right : check_node(y, right, at[1], b, fault);
  }

  // f(start, end, rule, split) for all nodes of a derivation.
  template <class F>
  const int32_t* walk(const int32_t* code, int32_t a, int32_t b, F&& f) const noexcept {
    const int32_t rule = code[0], split = code[1];
    f(a, b, rule, split);
    code += 2;
    if (split < 0) return code;
    code = walk(code, a, split, f);
    return walk(code, split, b, f);
  }
  template <class F>
  void each_node(int64_t i, const int32_t* code, F&& f) const noexcept {
    if (code[0] >= 0) walk(code, 0, scores.length(i), f);
  }

  double score(int64_t i, const Scratch& s, const int32_t* y) const noexcept {
    if (y[0] < 0) return 0;
    const int32_t n = scores.length(i);
    double sum = static_cast<double>(
        s.weights[idx(n_rules + n_lexical + symbol_of(y[0]))]);
    each_node(i, y, [&](int32_t a, int32_t b, int32_t rule, int32_t split) {
      sum += static_cast<double>(s.weights[idx(rule)]);
      if (split >= 0) sum += static_cast<double>(split_of(s, n, a, split, b));
      const int32_t l = symbol_label[symbol_of(rule)];
      if (l >= 0) sum += static_cast<double>(scores.at(s.spans, n, a, b)[l]);
    });
    return sum;
  }

  double loss(int64_t i, const int32_t* z) const noexcept {
    double sum = scores.missed_all(i);
    const int32_t n = scores.length(i);
    each_node(i, z, [&](int32_t a, int32_t b, int32_t rule, int32_t) {
      const int32_t l = symbol_label[symbol_of(rule)];
      if (l >= 0) sum += scores.change(i, a * (n + 1) + b, l);
    });
    return sum;
  }

  template <class Sink>
  void emit(int64_t i, int32_t a, int32_t b, int32_t rule, int32_t split, double v,
            Sink& sink) const noexcept {
    sink(first_rule() + rule, v);
    if (use_splits && split >= 0)
      scores.features.split(scores.words(i), a, split, b,
                            [&](int64_t j) { sink(first_split() + j, v); });
    const int32_t l = symbol_label[symbol_of(rule)];
    if (l >= 0) scores.emit(i, a, b, l, v, sink);
  }
  template <class Sink>
  void emit_root(const int32_t* y, double v, Sink& sink) const noexcept {
    if (y[0] >= 0) sink(first_rule() + n_rules + n_lexical + symbol_of(y[0]), v);
  }

  template <class Sink>
  void psi(int64_t i, const int32_t* y, double v, Sink& sink) const noexcept {
    emit_root(y, v, sink);
    each_node(i, y, [&](int32_t a, int32_t b, int32_t rule, int32_t split) {
      emit(i, a, b, rule, split, v, sink);
    });
  }

  template <class Sink>
  void psi_diff(int64_t i, const int32_t* y, const int32_t* z, double v,
                Sink& sink) const noexcept {
    emit_root(y, v, sink);
    emit_root(z, -v, sink);
    only(i, y, z, v, sink);
    only(i, z, y, -v, sink);
  }
  // Nodes of y that z does not have.
  template <class Sink>
  void only(int64_t i, const int32_t* y, const int32_t* z, double v, Sink& sink) const noexcept {
    each_node(i, y, [&](int32_t a, int32_t b, int32_t rule, int32_t split) {
      bool shared = false;
      each_node(i, z, [&](int32_t c, int32_t d, int32_t other, int32_t where) {
        shared = shared || (a == c && b == d && rule == other && (!use_splits || split == where));
      });
      if (!shared) emit(i, a, b, rule, split, v, sink);
    });
  }

  int part_shape(int64_t i, int64_t* shape) const noexcept { return scores.part_shape(i, shape); }
  template <class F>
  void each_part(int64_t i, const int32_t* y, F&& f) const noexcept {
    const int64_t m1 = scores.length(i) + 1;
    each_node(i, y, [&](int32_t a, int32_t b, int32_t rule, int32_t) {
      const int32_t l = symbol_label[symbol_of(rule)];
      if (l >= 0) f((a * m1 + b) * scores.n_labels + l);
    });
  }
  // The grammar stays: which derivations there are is no potential.
  void clear(int64_t i, Scratch& s) const noexcept {
    scores.clear(i, s.spans);
    std::fill(s.weights.data(), s.weights.data() + n_grammar_weights(), R(0));
    const int64_t m = scores.length(i) + 1;
    if (use_splits) std::fill(s.split.data(), s.split.data() + m * m * m, R(0));
    s.finite = true;
  }
  void add_parts(int64_t i, double a, const R* parts, Scratch& s) const noexcept {
    s.finite = scores.add_parts(i, a, parts, s.spans) == 0 && s.finite;
  }

  template <class F>
  void fields(F& f) {
    scores.fields(f);
    f.array("codes", codes, "4*n_words-2*n", "-1..", kOptional);
    f.number("use_splits", use_splits, "0..1");
    f.number("n_symbols", n_symbols, "1..1073741824");
    f.number("n_rules", n_rules, "0..1073741823");
    f.number("n_lexical", n_lexical, "0..1073741823");
    f.array("symbol_label", symbol_label, "n_symbols", "-1..n_labels-1");
    f.array("is_root", is_root, "n_symbols", "0..1");
    f.array("rule_first", rule_first, "n_symbols+1", "0..n_rules rising");
    f.array("rule_left", rule_left, "n_rules", "0..n_symbols-1");
    f.array("rule_right", rule_right, "n_rules", "0..n_symbols-1");
    f.array("rule_parent", rule_parent, "n_rules", "0..n_symbols-1");
    f.array("word_tag", word_tag, "n_words", "0..n_tags-1");
    f.array("lexical_first", lexical_first, "n_tags+1", "0..n_lexical rising");
    f.array("lexical_symbol", lexical_symbol, "n_lexical", "0..n_symbols-1");
  }
  const char* wrong() const noexcept {
    if (const char* found = scores.wrong(codes != nullptr)) return found;
    const int64_t longest = longest_block(scores.offsets, scores.n);
    if (!table_fits(longest + 1, longest + 1, n_symbols))
      return "the chart of the longest sentence is too large";
    if (use_splits && !table_fits(longest + 1, longest + 1, longest + 1))
      return "the splits of the longest sentence are too large";
    for (int32_t x = 0; x < n_symbols; ++x)
      for (int32_t r = rule_first[x]; r < rule_first[x + 1]; ++r)
        if (rule_left[r] != x) return "rule_left must be sorted, as rule_first says";
    for (int64_t i = 0; codes && i < scores.n; ++i) {
      const int32_t *y = truth(i), *end = y + code_len(i);
      if (y < end && y[0] >= 0 && !derives(y, end, 0, scores.length(i), -1))
        return "codes hold what is no derivation";
    }
    return nullptr;
  }
  // Whether a preorder of (rule, split) derives [a, b) from a symbol (-1: any); y moves behind it.
  bool derives(const int32_t*& y, const int32_t* end, int32_t a, int32_t b,
               int32_t symbol) const noexcept {
    if (y == end) return false;
    const int32_t rule = y[0], split = y[1];
    y += 2;
    if (rule < 0 || rule >= n_rules + n_lexical) return false;
    if (symbol >= 0 && symbol_of(rule) != symbol) return false;
    if (split < 0) return rule >= n_rules && b == a + 1;
    if (rule >= n_rules || split <= a || split >= b) return false;
    return derives(y, end, a, split, rule_left[rule]) && derives(y, end, split, b, rule_right[rule]);
  }
};

}  // namespace pystruct_ext
