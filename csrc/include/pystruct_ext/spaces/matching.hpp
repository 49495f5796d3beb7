// Matchings: y is a set of links between the rows and the columns of an example.
//
//   <w, psi(x, y)> = sum over links (<u, x_e> + b) - sum over rows and columns sum_k cost_k max(0, links - k)
//                    + sum over pairs of links side by side near_t                    (k = 1 .. K)
//
// A row (column) has at most row_cap (column_cap) links, and at least row_low. With costs >= 0, which the
// solvers keep (`nonnegative`), more links are worth less and less: a flow, solved exactly. Pairs of
// links side by side ("near": in a row, in a column, down right, down left) are not: assignment/adjacent.hpp
// bounds them.
//
// Delta = scale_i (false_cost #links that are not true + miss_cost #sure links that are missing); links
// that are possible cost nothing either way.
//
// Layout of w: u (n_features,), b if any, near (4,) if any, costs of rows (K,), costs of columns (K,).
// Code: for each row min(row_cap, candidates of the row) slots: its columns, rising, then -1.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "pystruct_ext/assignment/adjacent.hpp"
#include "pystruct_ext/assignment/flow.hpp"
#include "pystruct_ext/assignment/k_best.hpp"
#include "pystruct_ext/kernel.hpp"
#include "pystruct_ext/rows.hpp"

namespace pystruct_ext {

template <class R>
struct MatchingSpace {
  using real = R;
  static constexpr int32_t kMostCosts = 16, kNears = 4;
  enum Kind : uint8_t { kFalse = 0, kSure = 1, kPossible = 2 };

  Rows<R> rows;                         // features of the candidates
  int64_t n = 0;
  const int64_t* rows_at = nullptr;     // (n + 1,) rows of example i
  const int64_t* columns_at = nullptr;  // (n + 1,)
  const int64_t* links_at = nullptr;    // (all rows + 1,) candidates of a row
  const int64_t* slots_at = nullptr;    // (all rows + 1,) slots of a row in the code
  const int32_t* column = nullptr;      // (candidates,) rising within a row
  const int32_t *row_cap = nullptr, *row_low = nullptr, *column_cap = nullptr;
  const int32_t* codes = nullptr;       // (slots,) sure links
  const uint8_t* kind = nullptr;        // (candidates,) Kind under the truth
  const double* scale = nullptr;        // (n,) of the loss; null: 1
  double false_cost = 1, miss_cost = 1;
  int32_t n_costs = 0;                  // K
  bool bias = true;
  bool adjacent = false;                // whether there are pairs of links side by side
  bool flipped = false;                 // rows are the user's columns

  struct Scratch {
    AlignedBuffer<double> score, value;
    FlowMatcher matcher;
    SparseSink sparse;
    double row_step[kMostCosts + 1], column_step[kMostCosts + 1], near[kNears];
    double upper = 0;
    bool finite = true;
    AdjacentScratch side;
    explicit Scratch(const MatchingSpace& s) {
      int64_t m = 1, c = 1, e = 1;
      for (int64_t i = 0; i < s.n; ++i) {
        m = std::max(m, s.rows_at[i + 1] - s.rows_at[i]);
        c = std::max(c, s.columns_at[i + 1] - s.columns_at[i]);
        e = std::max(e, s.n_links(i));
      }
      const auto size = static_cast<std::size_t>(e + 1);
      for (auto* b : {&score, &value}) b->reserve(size);
      matcher.reserve(m, c, e);
      if (s.adjacent) {
        const auto most = [&](const int64_t* at, const int32_t* cap, int64_t others) {
          int32_t top = 1;
          for (int64_t k = 0; k < at[s.n]; ++k)
            top = std::max(top, AdjacentScratch::counted(cap[k], others, s.n_costs + 1));
          // A column may have fewer candidates than there are rows: then a lower count.
          return 2 * int64_t{std::max(top, s.n_costs + 1) + 1};
        };
        side.reserve(m, c, e, most(s.rows_at, s.row_cap, c), most(s.columns_at, s.column_cap, m));
      }
    }
  };

  static std::size_t idx(int64_t k) noexcept { return static_cast<std::size_t>(k); }
  int64_t n_blocks() const noexcept { return n; }
  int64_t bias_at() const noexcept { return rows.n_features; }
  int64_t near_at() const noexcept { return bias_at() + bias; }
  int64_t costs_at() const noexcept { return near_at() + (adjacent ? kNears : 0); }
  int64_t size_psi() const noexcept { return costs_at() + 2 * n_costs; }
  void nonnegative(int64_t* range) const noexcept {
    range[0] = costs_at();
    range[1] = size_psi();
  }
  int32_t n_rows(int64_t i) const noexcept {
    return static_cast<int32_t>(rows_at[i + 1] - rows_at[i]);
  }
  int32_t n_columns(int64_t i) const noexcept {
    return static_cast<int32_t>(columns_at[i + 1] - columns_at[i]);
  }
  int64_t first_link(int64_t i) const noexcept { return links_at[rows_at[i]]; }
  int64_t n_links(int64_t i) const noexcept { return links_at[rows_at[i + 1]] - first_link(i); }
  int64_t first_slot(int64_t i) const noexcept { return slots_at[rows_at[i]]; }
  int32_t code_len(int64_t i) const noexcept {
    return static_cast<int32_t>(slots_at[rows_at[i + 1]] - first_slot(i));
  }
  const int32_t* truth(int64_t i) const noexcept { return codes ? codes + first_slot(i) : nullptr; }
  LinkGraph graph(int64_t i, const Scratch& s) const noexcept {
    LinkGraph g;
    g.n_rows = n_rows(i);
    g.n_columns = n_columns(i);
    g.first = links_at + rows_at[i];
    g.column = column + first_link(i);
    g.row_cap = row_cap + rows_at[i];
    g.row_low = row_low ? row_low + rows_at[i] : nullptr;
    g.column_cap = column_cap + columns_at[i];
    g.n_steps = n_costs ? n_costs + 1 : 0;
    g.row_step = s.row_step;
    g.column_step = s.column_step;
    return g;
  }
  // The candidate of a row r (among all rows) and a column; a negative number where there is none.
  int64_t find(int64_t r, int32_t j, int64_t width) const noexcept {
    const int64_t b = links_at[r], e = links_at[r + 1];
    if (e - b == width) return b + j;
    const int32_t* at = std::lower_bound(column + b, column + e, j);
    return at != column + e && *at == j ? at - column : -1;
  }

  // f(row among all rows, column) of every link.
  template <class F>
  void each_link(int64_t i, const int32_t* y, F&& f) const noexcept {
    const int64_t base = first_slot(i);
    for (int64_t r = rows_at[i]; r < rows_at[i + 1]; ++r)
      for (int64_t t = slots_at[r] - base; t < slots_at[r + 1] - base && y[t] >= 0; ++t) f(r, y[t]);
  }

  CodeFault check_code(int64_t i, const int32_t* y) const noexcept {
    const int64_t base = first_slot(i), width = n_columns(i);
    for (int64_t r = rows_at[i]; r < rows_at[i + 1]; ++r) {
      int32_t before = -1;
      bool ended = false;
      const int64_t b = slots_at[r] - base, e = slots_at[r + 1] - base;
      for (int64_t t = b; t < e; ++t) {
        if (y[t] < -1 || y[t] >= width) return {t, -1, width - 1};
        if (y[t] < 0) {
          if (row_low && t - b < row_low[r]) return {t, 0, width - 1};
          ended = true;
          continue;
        }
        if (ended || y[t] <= before || find(r, y[t], width) < 0) return {t, 0, -1};
        before = y[t];
      }
    }
    // Columns beyond their capacity.
    CodeFault fault;
    each_count(i, y, [&](int64_t j, int32_t count) {
      if (count > column_cap[columns_at[i] + j] && fault.at < 0) {
        int64_t t = code_len(i) - 1;
        while (y[t] != j) --t;
        fault = {t, 0, -1};
      }
    });
    return fault;
  }

  // f(column, number of its links) of every column with any; without memory of its own.
  template <class F>
  void each_count(int64_t i, const int32_t* y, F&& f) const noexcept {
    constexpr int32_t kPiece = 1024;
    int32_t count[kPiece];
    const int32_t len = code_len(i), width = n_columns(i);
    for (int32_t from = 0; from < width; from += kPiece) {
      const int32_t size = std::min(kPiece, width - from);
      std::fill(count, count + size, 0);
      for (int32_t t = 0; t < len; ++t)
        if (y[t] >= from && y[t] - from < size) ++count[y[t] - from];
      for (int32_t j = 0; j < size; ++j)
        if (count[j]) f(int64_t{from} + j, count[j]);
    }
  }

  // What multiplies b, near and costs in <w, psi>: links, pairs of them side by side, those beyond the
  // k-th.
  struct Totals {
    double links = 0;
    double near[kNears] = {0, 0, 0, 0};
    double row[kMostCosts] = {}, column[kMostCosts] = {};
  };
  void add_totals(int64_t i, const int32_t* y, double a, Totals& t) const noexcept {
    const int64_t base = first_slot(i);
    if (bias)
      for (int32_t k = 0; k < code_len(i); ++k)
        if (y[k] >= 0) t.links += a;
    if (n_costs) {
      for (int64_t r = rows_at[i]; r < rows_at[i + 1]; ++r) {
        int32_t d = 0;
        for (int64_t k = slots_at[r] - base; k < slots_at[r + 1] - base && y[k] >= 0; ++k) ++d;
        for (int32_t k = 0; k < n_costs && d > k + 1; ++k) t.row[k] -= a * (d - k - 1);
      }
      each_count(i, y, [&](int64_t, int32_t d) {
        for (int32_t k = 0; k < n_costs && d > k + 1; ++k) t.column[k] -= a * (d - k - 1);
      });
    }
    if (adjacent)
      each_link(i, y, [&](int64_t r, int32_t j) {
        if (linked(i, y, r, j + 1)) t.near[0] += a;
        if (r + 1 == rows_at[i + 1]) return;
        if (linked(i, y, r + 1, j)) t.near[1] += a;
        if (linked(i, y, r + 1, j + 1)) t.near[2] += a;
        if (linked(i, y, r + 1, j - 1)) t.near[3] += a;
      });
  }
  bool linked(int64_t i, const int32_t* y, int64_t r, int32_t j) const noexcept {
    const int64_t base = first_slot(i);
    for (int64_t t = slots_at[r] - base; t < slots_at[r + 1] - base && y[t] >= 0; ++t)
      if (y[t] == j) return true;
    return false;
  }
  template <class Sink>
  void emit_totals(const Totals& t, Sink& sink) const noexcept {
    if (t.links != 0) sink(bias_at(), t.links);
    if (adjacent)
      for (int k = 0; k < kNears; ++k)
        if (t.near[k] != 0) sink(near_at() + k, t.near[k]);
    for (int32_t k = 0; k < n_costs; ++k) {
      if (t.row[k] != 0) sink(costs_at() + k, t.row[k]);
      if (t.column[k] != 0) sink(costs_at() + n_costs + k, t.column[k]);
    }
  }

  void load(const R* w, int64_t i, Scratch& s) const noexcept {
    const int64_t from = first_link(i), count = n_links(i);
    const double b = bias ? static_cast<double>(w[bias_at()]) : 0.0;
    double check = 0;
    for (int64_t e = 0; e < count; ++e) {
      const auto row = rows.row(from + e);
      double sum = 0;
      if (row.idx) {
        for (int64_t k = 0; k < row.nnz; ++k)
          sum += static_cast<double>(w[row.idx[k]]) * static_cast<double>(row.value(k));
      } else {
        double part[4] = {0, 0, 0, 0};
        int64_t k = 0;
        for (; k + 4 <= row.nnz; k += 4)
          for (int u = 0; u < 4; ++u)
            part[u] += static_cast<double>(w[k + u]) * static_cast<double>(row.val[k + u]);
        for (; k < row.nnz; ++k) part[0] += static_cast<double>(w[k]) * static_cast<double>(row.val[k]);
        sum = (part[0] + part[1]) + (part[2] + part[3]);
      }
      sum += b;
      s.score[idx(e)] = sum;
      check += sum * 0.0;
    }
    for (int t = 0; t < kNears; ++t) {
      s.near[t] = adjacent ? static_cast<double>(w[near_at() + t]) : 0.0;
      check += s.near[t] * 0.0;
    }
    s.row_step[0] = s.column_step[0] = 0;
    for (int32_t k = 0; k < n_costs; ++k) {
      const auto a = static_cast<double>(w[costs_at() + k]);
      const auto c = static_cast<double>(w[costs_at() + n_costs + k]);
      // A negative cost has no flow: whatever is found then is the best for a cost of 0.
      s.row_step[k + 1] = s.row_step[k] - a;
      s.column_step[k + 1] = s.column_step[k] - c;
      check += (a + c) * 0.0;
    }
    s.finite = check == 0;
  }

  // Candidates worth as much as their score and their share of the loss.
  void augment(int64_t i, double loss_scale, const Scratch& s, double* value) const noexcept {
    const int64_t count = n_links(i);
    if (loss_scale == 0) {
      std::copy(s.score.data(), s.score.data() + count, value);
      return;
    }
    const uint8_t* k = kind + first_link(i);
    const double c = loss_scale * weight(i);
    const double by[3] = {c * false_cost, -c * miss_cost, 0.0};
    for (int64_t e = 0; e < count; ++e) value[e] = s.score[idx(e)] + by[k[e]];
  }
  double weight(int64_t i) const noexcept { return scale ? scale[i] : 1.0; }
  // What the loss is without any link.
  double all_missed(int64_t i) const noexcept {
    int64_t sure = 0;
    for (int32_t t = 0; t < code_len(i); ++t) sure += truth(i)[t] >= 0;
    return weight(i) * miss_cost * static_cast<double>(sure);
  }
  // The links of a matcher as a code.
  template <class Linked>
  void write(int64_t i, Linked&& is_linked, int32_t* code) const noexcept {
    const int64_t base = first_slot(i), from = first_link(i);
    for (int64_t r = rows_at[i]; r < rows_at[i + 1]; ++r) {
      int64_t t = slots_at[r] - base;
      const int64_t end = slots_at[r + 1] - base;
      for (int64_t e = links_at[r]; e < links_at[r + 1] && t < end; ++e)
        if (is_linked(e - from)) code[t++] = column[e];
      for (; t < end; ++t) code[t] = -1;
    }
  }

  uint32_t exactness() const noexcept { return adjacent ? PSX_UNDERGEN : PSX_EXACT; }
  double argmax(int64_t i, double loss_scale, Scratch& s, int32_t* code) const noexcept {
    if (!s.finite) return std::numeric_limits<double>::quiet_NaN();
    augment(i, loss_scale, s, s.value.data());
    const LinkGraph g = graph(i, s);
    const double missed = loss_scale != 0 ? loss_scale * all_missed(i) : 0.0;
    double value;
    if (adjacent) {
      AdjacentLinks search(g, s.value.data(), s.near, s.matcher, s.side);
      value = search.solve();
      write(i, [&](int64_t e) { return search.linked(e); }, code);
      s.upper = search.bound() + missed;
    } else {
      if (!s.matcher.solve(g, s.value.data())) s.matcher.solve_anyhow(g, s.value.data());
      write(i, [&](int64_t e) { return s.matcher.linked(e); }, code);
      value = s.matcher.total();
      s.upper = value + missed;
    }
    return value + missed;
  }
  double bound(int64_t, double, const Scratch& s) const noexcept { return s.upper; }

  double score(int64_t i, const Scratch& s, const int32_t* y) const noexcept {
    const int64_t from = first_link(i), width = n_columns(i);
    double sum = 0;
    each_link(i, y, [&](int64_t r, int32_t j) { sum += s.score[idx(find(r, j, width) - from)]; });
    if (n_costs || adjacent) {
      Totals t;
      add_totals(i, y, 1.0, t);
      for (int k = 0; k < kNears; ++k) sum += t.near[k] * s.near[k];
      for (int32_t k = 0; k < n_costs; ++k)
        sum += t.row[k] * (s.row_step[k] - s.row_step[k + 1]) +
               t.column[k] * (s.column_step[k] - s.column_step[k + 1]);
    }
    return sum;
  }

  double loss(int64_t i, const int32_t* z) const noexcept {
    const int64_t width = n_columns(i);
    int64_t wrong_links = 0, hits = 0, sure = 0;
    for (int32_t t = 0; t < code_len(i); ++t) sure += truth(i)[t] >= 0;
    each_link(i, z, [&](int64_t r, int32_t j) {
      const uint8_t k = kind[find(r, j, width)];
      wrong_links += k == kFalse;
      hits += k == kSure;
    });
    return weight(i) * (false_cost * static_cast<double>(wrong_links) +
                        miss_cost * static_cast<double>(sure - hits));
  }

  template <class Sink>
  void emit(int64_t e, double a, Sink& sink) const noexcept {
    const auto row = rows.row(e);
    for (int64_t k = 0; k < row.nnz; ++k) sink(row.feature(k), a * static_cast<double>(row.value(k)));
  }
  template <class Sink>
  void psi(int64_t i, const int32_t* y, double a, Sink& sink) const noexcept {
    const int64_t width = n_columns(i);
    each_link(i, y, [&](int64_t r, int32_t j) { emit(find(r, j, width), a, sink); });
    if (!bias && !n_costs && !adjacent) return;
    Totals t;
    add_totals(i, y, a, t);
    emit_totals(t, sink);
  }
  template <class Sink>
  void psi_diff(int64_t i, const int32_t* y, const int32_t* z, double a,
                Sink& sink) const noexcept {
    const int64_t base = first_slot(i), width = n_columns(i);
    for (int64_t r = rows_at[i]; r < rows_at[i + 1]; ++r) {
      int64_t p = slots_at[r] - base, q = p;
      const int64_t end = slots_at[r + 1] - base;
      while ((p < end && y[p] >= 0) || (q < end && z[q] >= 0)) {
        const bool left = p < end && y[p] >= 0, right = q < end && z[q] >= 0;
        if (left && right && y[p] == z[q]) {
          ++p, ++q;
        } else if (left && (!right || y[p] < z[q])) {
          emit(find(r, y[p++], width), a, sink);
        } else {
          emit(find(r, z[q++], width), -a, sink);
        }
      }
    }
    if (!bias && !n_costs && !adjacent) return;
    Totals t;
    add_totals(i, y, a, t);
    add_totals(i, z, -a, t);
    emit_totals(t, sink);
  }

  // Parts: links, numbered over (rows, columns) as the user has them.
  int part_shape(int64_t i, int64_t* shape) const noexcept {
    shape[0] = flipped ? n_columns(i) : n_rows(i);
    shape[1] = flipped ? n_rows(i) : n_columns(i);
    return 2;
  }
  int64_t part(int64_t i, int64_t r, int32_t j) const noexcept {
    const int64_t row = r - rows_at[i];
    return flipped ? j * int64_t{n_rows(i)} + row : row * n_columns(i) + j;
  }
  template <class F>
  void each_part(int64_t i, const int32_t* y, F&& f) const noexcept {
    each_link(i, y, [&](int64_t r, int32_t j) { f(part(i, r, j)); });
  }
  void clear(int64_t i, Scratch& s) const noexcept {
    std::fill(s.score.data(), s.score.data() + n_links(i), 0.0);
    std::fill(s.row_step, s.row_step + kMostCosts + 1, 0.0);
    std::fill(s.column_step, s.column_step + kMostCosts + 1, 0.0);
    std::fill(s.near, s.near + kNears, 0.0);
    s.finite = true;
  }
  void add_parts(int64_t i, double a, const R* scores, Scratch& s) const noexcept {
    const int64_t from = first_link(i);
    double check = 0;
    for (int64_t r = rows_at[i]; r < rows_at[i + 1]; ++r)
      for (int64_t e = links_at[r]; e < links_at[r + 1]; ++e) {
        const double v = a * static_cast<double>(scores[part(i, r, column[e])]);
        s.score[idx(e - from)] += v;
        check += v * 0.0;
      }
    s.finite = s.finite && check == 0;
  }

  template <class F>
  void fields(F& f) {
    f.size("n", n);
    f.offsets("rows_at", rows_at, "n+1", "n_rows");
    f.offsets("columns_at", columns_at, "n+1", "n_columns");
    f.offsets("links_at", links_at, "n_rows+1", "n_links");
    f.offsets("slots_at", slots_at, "n_rows+1", "n_slots");
    rows.fields(f, "n_links+1", "nnz|n_links*n_features");
    f.array("column", column, "n_links", "0..");
    f.array("row_cap", row_cap, "n_rows", "0..");
    f.array("row_low", row_low, "n_rows", "0..", kOptional);
    f.array("column_cap", column_cap, "n_columns", "0..");
    f.array("codes", codes, "n_slots", "-1..", kOptional);
    f.array("kind", kind, "n_links", "0..2; with codes", kOptional);
    f.array("scale", scale, "n", "positive", kOptional);
    f.number("false_cost", false_cost, "0..");
    f.number("miss_cost", miss_cost, "0..");
    f.number("n_costs", n_costs, "0..16");
    f.number("bias", bias, "0..1");
    f.number("flipped", flipped, "0..1");
  }
  const char* wrong() const noexcept {
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t r = rows_at[i]; r < rows_at[i + 1]; ++r) {
        for (int64_t e = links_at[r]; e < links_at[r + 1]; ++e) {
          if (column[e] >= n_columns(i)) return "a candidate has a column beyond its example";
          if (e > links_at[r] && column[e] <= column[e - 1])
            return "the columns of the candidates of a row must rise";
        }
        const int64_t most = std::min<int64_t>(row_cap[r], links_at[r + 1] - links_at[r]);
        if (slots_at[r + 1] - slots_at[r] != most)
          return "a row must have as many slots as it may have links";
        if (row_low && row_low[r] > most) return "a row needs more links than it can have";
      }
      if (slots_at[rows_at[i + 1]] - first_slot(i) > std::numeric_limits<int32_t>::max())
        return "an example has more slots than an int32 can count";
      if (!table_fits(n_rows(i), n_columns(i))) return "an example has too many pairs";
      if (!codes) continue;
      if (check_code(i, truth(i)).at >= 0) return "a true code is no output of its example";
      int64_t sure = 0;
      for (int64_t e = first_link(i); e < first_link(i) + n_links(i); ++e) sure += kind[e] == kSure;
      bool same = true;
      each_link(i, truth(i), [&](int64_t r, int32_t j) {
        same = same && kind[find(r, j, n_columns(i))] == kSure;
        --sure;
      });
      if (!same || sure != 0) return "sure candidates must be those of the true code";
    }
    return nullptr;
  }
};

// With pairs of links side by side.
template <class R>
struct AdjacentMatchingSpace : MatchingSpace<R> {
  AdjacentMatchingSpace() noexcept { this->adjacent = true; }
};

template <class R>
struct MatchingQueries {
  static constexpr bool kAny = true;
  using Space = MatchingSpace<R>;

  static int64_t k_best(const Space& space, typename Space::Scratch& s, int64_t i, int64_t k,
                        int32_t* codes, double* scores) {
    if (!s.finite) return -1;
    space.augment(i, 0.0, s, s.value.data());
    const LinkGraph g = space.graph(i, s);
    const int64_t len = space.code_len(i);
    int64_t at = 0;
    return KBestLinks(g, s.value.data(), s.matcher)
        .run(k, [&](const std::vector<int64_t>& links, double total) {
          auto next = links.begin();
          space.write(
              i,
              [&](int64_t e) {
                if (next == links.end() || *next != e) return false;
                ++next;
                return true;
              },
              codes + at * len);
          scores[at++] = total;
        });
  }
};

inline const psx_kernel* matching_kernel() {
  return kernel_table<With<MatchingSpace<float>, MatchingQueries<float>>,
                      With<MatchingSpace<double>, MatchingQueries<double>>>("matching");
}
inline const psx_kernel* adjacent_matching_kernel() {
  return kernel_table<With<AdjacentMatchingSpace<float>>, With<AdjacentMatchingSpace<double>>>(
      "adjacent_matching");
}

}  // namespace pystruct_ext
