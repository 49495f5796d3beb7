// Graphs: y gives a label to every node.
//
//   <w, psi(x, y)> = sum_v <u[type v][y_v], (x_v, 1)> + sum_e pair_e(y_a, y_b), (a, b) = edges[e],
//   pair_e(k, l) = sum_f f_e table[kind e][f][k][l]        full
//                  the same with the table's (min, max)    symmetric, where both ends are of one type
//                  sum_f f_e p[kind e][f] [k = l]          Potts
//
// over the edge's features f; without any there is one, 1. Nodes of a type have their own weights and
// number of labels; an edge's kind says its table, so that directions may have one each.
//
// Layout of w: unary (types, n_features + bias, stride), then the pair weights, (kinds, features,
// n_labels, stride) or, Potts, (kinds, features). Potts weights may be asked to be >= 0 (`attractive`):
// with edge features >= 0 every edge then favours equal labels, and two labels are decoded by a cut.
// Code: the label of every node. Loss: sum of the costs of nodes with a wrong label. Where labels of the
// truth are not known, several are right.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "pystruct_ext/graphs/decoder.hpp"
#include "pystruct_ext/kernel.hpp"
#include "pystruct_ext/rows.hpp"

namespace pystruct_ext {

enum class PairTerms : int32_t { full, symmetric, potts };

template <class R>
struct GraphView {
  using real = R;
  static constexpr int64_t kDenseNorm = 8192;  // up to here a norm is taken over all of psi

  Rows<R> rows, edge_rows;               // nodes; edges, of no features where they have none
  int64_t n = 0;
  const int64_t* offsets = nullptr;      // (n + 1,) nodes
  const int64_t* edge_offsets = nullptr; // (n + 1,) edges
  const int32_t* edges = nullptr;        // (n_edges, 2), nodes counted within the graph
  const int32_t* types = nullptr;        // (n_nodes,); null: all 0
  const int32_t* kinds = nullptr;        // (n_edges,); null: all 0
  const int32_t* type_labels = nullptr;  // (n_types,) labels of each type
  const int32_t* kind_ends = nullptr;    // (n_kinds, 2) types of both ends
  const int32_t* truths = nullptr;       // (n_nodes,)
  const double* cost = nullptr;          // (n_nodes,) loss of a wrong label
  const uint8_t* allowed = nullptr;      // (n_nodes, n_labels) labels without loss; null: the true ones
  int32_t n_types = 0, n_kinds = 0, n_labels = 0, stride = 0;
  int32_t terms = 0, inference = 0;
  bool bias = true, attractive = false, exact = false;

  struct Scratch {
    AlignedBuffer<R> unary, augmented, potts, tables;
    AlignedBuffer<int64_t> table_at;
    AlignedBuffer<int32_t> label_count;
    AlignedBuffer<double> norm;
    AlignedBuffer<R> extra;  // scores of parts from outside, made at first use
    SparseSink sparse;
    GraphDecoder<R> decoder;
    double upper = 0;        // of the last argmax
    bool finite = true, has_extra = false;
    explicit Scratch(const GraphView& s) {
      const int64_t nodes = std::max<int64_t>(1, longest_block(s.offsets, s.n));
      const int64_t edges = std::max<int64_t>(1, longest_block(s.edge_offsets, s.n));
      unary.reserve(idx(nodes * s.stride));
      augmented.reserve(idx(nodes * s.stride));
      label_count.reserve(idx(nodes));
      if (s.is_potts()) {
        potts.reserve(idx(edges));
      } else {
        tables.reserve(idx(s.table_size() * (s.plain() ? s.n_kinds : edges)));
        table_at.reserve(idx(edges));
      }
      if (s.size_psi() <= kDenseNorm) norm.reserve(idx(s.size_psi()));
      decoder.reserve(nodes, edges, s.stride);
    }
  };

  static std::size_t idx(int64_t k) noexcept { return static_cast<std::size_t>(k); }
  bool is_potts() const noexcept { return terms == static_cast<int32_t>(PairTerms::potts); }
  bool is_symmetric(int32_t kind) const noexcept {
    return terms == static_cast<int32_t>(PairTerms::symmetric) &&
           kind_ends[2 * kind] == kind_ends[2 * kind + 1];
  }
  bool plain() const noexcept { return edge_rows.n_features == 0; }
  int64_t edge_width() const noexcept { return std::max<int64_t>(1, edge_rows.n_features); }
  int64_t table_size() const noexcept { return int64_t{n_labels} * stride; }
  int64_t type_size() const noexcept { return (rows.n_features + bias) * stride; }
  int64_t pair_begin() const noexcept { return n_types * type_size(); }
  int64_t kind_size() const noexcept { return edge_width() * (is_potts() ? 1 : table_size()); }
  int64_t size_psi() const noexcept { return pair_begin() + n_kinds * kind_size(); }
  int64_t n_blocks() const noexcept { return n; }
  int32_t code_len(int64_t i) const noexcept {
    return static_cast<int32_t>(offsets[i + 1] - offsets[i]);
  }
  int32_t n_edges(int64_t i) const noexcept {
    return static_cast<int32_t>(edge_offsets[i + 1] - edge_offsets[i]);
  }
  const int32_t* truth(int64_t i) const noexcept { return truths ? truths + offsets[i] : nullptr; }
  const int32_t* ends(int64_t e) const noexcept { return edges + 2 * e; }
  int32_t type_of(int64_t v) const noexcept { return types ? types[v] : 0; }
  int32_t kind_of(int64_t e) const noexcept { return kinds ? kinds[e] : 0; }
  int32_t labels_of(int64_t v) const noexcept { return type_labels[type_of(v)]; }

  bool is_wrong(int64_t v, int32_t label) const noexcept {
    return allowed ? !allowed[v * n_labels + label] : label != truths[v];
  }

  // The weights that are to be >= 0: none, or all pair weights.
  void nonnegative(int64_t range[2]) const noexcept {
    range[0] = attractive ? pair_begin() : 0;
    range[1] = attractive ? size_psi() : 0;
  }

  CodeFault check_code(int64_t i, const int32_t* y) const noexcept {
    for (int32_t v = 0; v < code_len(i); ++v) {
      const int32_t most = labels_of(offsets[i] + v) - 1;
      if (y[v] < 0 || y[v] > most) return {v, 0, most};
    }
    return {};
  }

  // f(feature, value) for the features of an edge.
  template <class F>
  void each_edge_feature(int64_t e, F&& f) const noexcept {
    if (plain()) {
      f(int64_t{0}, R(1));
      return;
    }
    const auto row = edge_rows.row(e);
    for (int64_t k = 0; k < row.nnz; ++k) f(row.feature(k), row.value(k));
  }

  void load_tables(const R* w, int64_t i, Scratch& s) const noexcept {
    using V = Vec<R, 8>;
    const int64_t first = edge_offsets[i], size = table_size();
    const auto add = [&](const R* from, R value, R* to) {
      const V v = V::splat(value);
      for (int64_t k = 0; k < size; k += 8) (V::load(to + k) + V::load(from + k) * v).store(to + k);
    };
    const auto mirror = [&](int32_t kind, R* table) {
      if (!is_symmetric(kind)) return;
      for (int32_t k = 1; k < n_labels; ++k)
        for (int32_t l = 0; l < k; ++l) table[int64_t{k} * stride + l] = table[int64_t{l} * stride + k];
    };
    if (plain()) {
      std::copy(w + pair_begin(), w + size_psi(), s.tables.data());
      for (int32_t kind = 0; kind < n_kinds; ++kind) mirror(kind, s.tables.data() + kind * size);
    }
    for (int32_t e = 0; e < n_edges(i); ++e) {
      const int32_t kind = kind_of(first + e);
      s.table_at[idx(e)] = (plain() ? kind : e) * size;
      if (plain()) continue;
      R* table = s.tables.data() + e * size;
      std::fill(table, table + size, R(0));
      const R* base = w + pair_begin() + kind * kind_size();
      each_edge_feature(first + e, [&](int64_t f, R value) { add(base + f * size, value, table); });
      mirror(kind, table);
    }
  }

  void load(const R* w, int64_t i, Scratch& s) const noexcept {
    using V = Vec<R, 8>;
    R check = 0;
    s.has_extra = false;
    for (int32_t v = 0; v < code_len(i); ++v) {
      const int64_t at = offsets[i] + v;
      const R* base = w + type_of(at) * type_size();
      R* out = s.unary.data() + int64_t{v} * stride;
      if (bias)
        std::copy(base + rows.n_features * stride, base + type_size(), out);
      else
        std::fill(out, out + stride, R(0));
      const auto row = rows.row(at);
      for (int64_t k = 0; k < row.nnz; ++k) {
        const R* from = base + row.feature(k) * stride;
        const V value = V::splat(row.value(k));
        for (int32_t l = 0; l < stride; l += 8)
          (V::load(out + l) + V::load(from + l) * value).store(out + l);
      }
      s.label_count[idx(v)] = labels_of(at);
      for (int32_t l = 0; l < labels_of(at); ++l) check += out[l] * R(0);
    }
    if (is_potts()) {
      for (int32_t e = 0; e < n_edges(i); ++e) {
        const R* base = w + pair_begin() + kind_of(edge_offsets[i] + e) * kind_size();
        R sum = 0;
        each_edge_feature(edge_offsets[i] + e, [&](int64_t f, R value) { sum += base[f] * value; });
        s.potts[idx(e)] = sum;
        check += sum * R(0);
      }
    } else {
      load_tables(w, i, s);
      for (int32_t e = 0; e < n_edges(i); ++e) {
        const int32_t* to = kind_ends + 2 * kind_of(edge_offsets[i] + e);
        const R* table = s.tables.data() + s.table_at[idx(e)];
        for (int32_t k = 0; k < type_labels[to[0]]; ++k)
          for (int32_t l = 0; l < type_labels[to[1]]; ++l) check += table[k * stride + l] * R(0);
      }
    }
    s.finite = check == 0;
  }

  // The problem that a decoder is given, over unary scores.
  PairwiseProblem<R> problem(int64_t i, const Scratch& s, const R* unary) const noexcept {
    PairwiseProblem<R> p;
    p.n_nodes = code_len(i);
    p.n_edges = n_edges(i);
    p.stride = stride;
    p.n_labels = s.label_count.data();
    p.edges = edges + 2 * edge_offsets[i];
    p.unary = unary;
    if (is_potts()) {
      p.potts = s.potts.data();
    } else {
      p.tables = s.tables.data();
      p.table_at = s.table_at.data();
    }
    return p;
  }

  double argmax(int64_t i, double loss_scale, Scratch& s, int32_t* code) const noexcept {
    s.upper = std::numeric_limits<double>::quiet_NaN();
    if (!s.finite) return s.upper;
    const R* unary = s.unary.data();
    bool forbids = false;
    if (loss_scale != 0 || s.has_extra) {
      augment(i, loss_scale, s);
      unary = s.augmented.data();
      if (s.has_extra) forbids = soften(i, s);
    }
    const PairwiseProblem<R> p = problem(i, s, unary);
    const double value = s.decoder.decode(p, static_cast<Inference>(inference), code);
    s.upper = s.decoder.bound();
    if (!forbids || !std::isfinite(value)) return value;
    return score(i, s, code) + (loss_scale != 0 ? loss_scale * loss(i, code) : 0.0);
  }

  void augment(int64_t i, double loss_scale, Scratch& s) const noexcept {
    const int64_t first = offsets[i];
    const int32_t len = code_len(i);
    std::copy(s.unary.data(), s.unary.data() + int64_t{len} * stride, s.augmented.data());
    for (int32_t v = 0; v < len; ++v) {
      R* row = s.augmented.data() + int64_t{v} * stride;
      if (loss_scale != 0) {
        const R each = static_cast<R>(loss_scale * cost[first + v]);
        for (int32_t l = 0; l < labels_of(first + v); ++l)
          if (is_wrong(first + v, l)) row[l] += each;
      }
      if (s.has_extra)
        for (int32_t l = 0; l < labels_of(first + v); ++l) row[l] += s.extra[idx(int64_t{v} * n_labels + l)];
    }
  }

  // Forbidden labels at a finite distance, so that sums stay exact: below whatever all others could
  // win. Whether there are any.
  bool soften(int64_t i, Scratch& s) const noexcept {
    const double limit = 0.1 * PSX_FORBIDDEN;
    double range = 1;
    bool any = false;
    const auto spread = [&](const R* values, int32_t count, double& low, double& high) {
      for (int32_t k = 0; k < count; ++k) {
        if (!(double(values[k]) > limit)) {
          any = true;
          continue;
        }
        low = std::min(low, double(values[k]));
        high = std::max(high, double(values[k]));
      }
    };
    constexpr double inf = std::numeric_limits<double>::infinity();
    for (int32_t v = 0; v < code_len(i); ++v) {
      double low = inf, high = -inf;
      spread(s.augmented.data() + int64_t{v} * stride, s.label_count[idx(v)], low, high);
      if (high > low) range += high - low;
    }
    if (!any) return false;
    for (int32_t e = 0; e < n_edges(i); ++e) {
      double low = 0, high = 0;
      if (is_potts()) {
        high = std::fabs(double(s.potts[idx(e)]));
      } else {
        const int32_t* at = ends(edge_offsets[i] + e);
        for (int32_t k = 0; k < s.label_count[idx(at[0])]; ++k)
          spread(s.tables.data() + s.table_at[idx(e)] + int64_t{k} * stride, s.label_count[idx(at[1])],
                 low, high);
      }
      range += high - low;
    }
    for (int32_t v = 0; v < code_len(i); ++v) {
      R* row = s.augmented.data() + int64_t{v} * stride;
      double high = -inf;
      for (int32_t l = 0; l < s.label_count[idx(v)]; ++l)
        if (double(row[l]) > limit) high = std::max(high, double(row[l]));
      for (int32_t l = 0; l < s.label_count[idx(v)]; ++l)
        if (!(double(row[l]) > limit))
          row[l] = static_cast<R>((std::isfinite(high) ? high : 0.0) - range);
    }
    return true;
  }

  double score(int64_t i, const Scratch& s, const int32_t* y) const noexcept {
    double sum = 0;
    for (int32_t v = 0; v < code_len(i); ++v) {
      sum += static_cast<double>(s.unary[idx(int64_t{v} * stride + y[v])]);
      if (s.has_extra) sum += static_cast<double>(s.extra[idx(int64_t{v} * n_labels + y[v])]);
    }
    return sum + pair_score(i, s, y);
  }
  double pair_score(int64_t i, const Scratch& s, const int32_t* y) const noexcept {
    double sum = 0;
    const int64_t first = edge_offsets[i];
    for (int32_t e = 0; e < n_edges(i); ++e) {
      const int32_t a = y[ends(first + e)[0]], b = y[ends(first + e)[1]];
      if (!is_potts())
        sum += static_cast<double>(s.tables[idx(s.table_at[idx(e)] + int64_t{a} * stride + b)]);
      else if (a == b)
        sum += static_cast<double>(s.potts[idx(e)]);
    }
    return sum;
  }

  double loss(int64_t i, const int32_t* z) const noexcept {
    double sum = 0;
    for (int64_t v = offsets[i]; v < offsets[i + 1]; ++v)
      if (is_wrong(v, z[v - offsets[i]])) sum += cost[v];
    return sum;
  }

  template <class Sink>
  void emit_node(int64_t v, int32_t label, double a, Sink& sink) const noexcept {
    const int64_t base = type_of(v) * type_size() + label;
    const auto row = rows.row(v);
    for (int64_t k = 0; k < row.nnz; ++k)
      sink(base + row.feature(k) * stride, a * static_cast<double>(row.value(k)));
    if (bias) sink(base + rows.n_features * stride, a);
  }
  template <class Sink>
  void emit_edge(int64_t e, int32_t ka, int32_t kb, double a, Sink& sink) const noexcept {
    const int32_t kind = kind_of(e);
    int64_t base = pair_begin() + kind * kind_size(), step = 1;
    if (is_potts()) {
      if (ka != kb) return;
    } else {
      if (is_symmetric(kind) && ka > kb) std::swap(ka, kb);
      base += int64_t{ka} * stride + kb;
      step = table_size();
    }
    each_edge_feature(e, [&](int64_t f, R value) { sink(base + f * step, a * static_cast<double>(value)); });
  }
  template <class Sink>
  void psi(int64_t i, const int32_t* y, double a, Sink& sink) const noexcept {
    for (int32_t v = 0; v < code_len(i); ++v) emit_node(offsets[i] + v, y[v], a, sink);
    for (int64_t e = edge_offsets[i]; e < edge_offsets[i + 1]; ++e)
      emit_edge(e, y[ends(e)[0]], y[ends(e)[1]], a, sink);
  }
  template <class Sink>
  void psi_diff(int64_t i, const int32_t* y, const int32_t* z, double a, Sink& sink) const noexcept {
    for (int32_t v = 0; v < code_len(i); ++v)
      if (y[v] != z[v]) {
        emit_node(offsets[i] + v, y[v], a, sink);
        emit_node(offsets[i] + v, z[v], -a, sink);
      }
    for (int64_t e = edge_offsets[i]; e < edge_offsets[i + 1]; ++e) {
      const int32_t p = ends(e)[0], q = ends(e)[1];
      if (y[p] == z[p] && y[q] == z[q]) continue;
      emit_edge(e, y[p], y[q], a, sink);
      emit_edge(e, z[p], z[q], -a, sink);
    }
  }
  // Over all of psi where it is short: many nodes share few weights.
  double psi_diff_sqnorm(int64_t i, const int32_t* y, const int32_t* z, Scratch& s) const noexcept {
    double sum = 0;
    if (size_psi() > kDenseNorm) {
      s.sparse.clear();
      psi_diff(i, y, z, 1.0, s.sparse);
      return s.sparse.overflow ? -1.0 : s.sparse.sqnorm();
    }
    std::fill(s.norm.data(), s.norm.data() + size_psi(), 0.0);
    DenseSink<double> sink{s.norm.data()};
    psi_diff(i, y, z, 1.0, sink);
    for (int64_t j = 0; j < size_psi(); ++j) sum += s.norm[idx(j)] * s.norm[idx(j)];
    return sum;
  }

  // Parts: a node with a label, in an array of (nodes, n_labels).
  int part_shape(int64_t i, int64_t* shape) const noexcept {
    shape[0] = code_len(i);
    shape[1] = n_labels;
    return 2;
  }
  template <class F>
  void each_part(int64_t i, const int32_t* y, F&& f) const noexcept {
    for (int32_t v = 0; v < code_len(i); ++v) f(int64_t{v} * n_labels + y[v]);
  }
  void clear(int64_t i, Scratch& s) const noexcept {
    std::fill(s.unary.data(), s.unary.data() + int64_t{code_len(i)} * stride, R(0));
    for (int32_t v = 0; v < code_len(i); ++v) s.label_count[idx(v)] = labels_of(offsets[i] + v);
    if (is_potts()) {
      std::fill(s.potts.data(), s.potts.data() + n_edges(i), R(0));
    } else {
      const int64_t used = plain() ? n_kinds : n_edges(i);
      std::fill(s.tables.data(), s.tables.data() + used * table_size(), R(0));
      for (int32_t e = 0; e < n_edges(i); ++e)
        s.table_at[idx(e)] = (plain() ? kind_of(edge_offsets[i] + e) : e) * table_size();
    }
    s.finite = true;
    s.has_extra = false;
  }
  void add_parts(int64_t i, double a, const R* scores, Scratch& s) const {
    const int64_t size = int64_t{code_len(i)} * n_labels;
    s.extra.reserve(idx(size));
    if (!s.has_extra) std::fill(s.extra.data(), s.extra.data() + size, R(0));
    R check = 0;
    for (int64_t k = 0; k < size; ++k) {
      const R v = static_cast<R>(a) * scores[k];
      s.extra[idx(k)] += v;
      check += v * R(0);
    }
    s.has_extra = true;
    s.finite = s.finite && check == 0;
  }

  template <class F>
  void fields(F& f) {
    f.size("n", n);
    f.offsets("offsets", offsets, "n+1", "n_nodes");
    rows.fields(f, "n_nodes+1", "nnz|n_nodes*n_features");
    f.offsets("edge_offsets", edge_offsets, "n+1", "n_edges");
    f.array("edges", edges, "n_edges,2", "0..#offsets-1");
    f.offsets("edge_indptr", edge_rows.indptr, "n_edges+1", "edge_nnz", kOptional);
    f.array("edge_indices", edge_rows.indices, "edge_nnz|*", "0..n_edge_features-1; with edge_indptr",
            kOptional);
    f.array("edge_values", edge_rows.values, "edge_nnz|n_edges*n_edge_features",
            "finite; without edge_indptr", kOptional);
    f.number("n_edge_features", edge_rows.n_features, "0..2147483647");
    f.number("n_types", n_types, "1..1048576");
    f.number("n_kinds", n_kinds, "0..1048576");
    f.number("n_labels", n_labels, "1..1048576");
    f.number("stride", stride, "n_labels..1048576 by 8");
    f.array("types", types, "n_nodes", "0..n_types-1", kOptional);
    f.array("kinds", kinds, "n_edges", "0..n_kinds-1", kOptional);
    f.array("type_labels", type_labels, "n_types", "1..n_labels");
    f.array("kind_ends", kind_ends, "n_kinds,2", "0..n_types-1");
    f.array("truths", truths, "n_nodes", "0..n_labels-1", kOptional);
    f.array("cost", cost, "n_nodes", "0..; with truths", kOptional);
    f.array("allowed", allowed, "n_nodes,n_labels", "0..1", kOptional);
    f.number("terms", terms, "0..2");
    f.number("inference", inference, "0..6");
    f.number("bias", bias, "0..1");
    f.number("attractive", attractive, "0..1");
    f.number("exact", exact, "0..1");
  }
  const char* wrong() const noexcept {
    const int64_t nodes = longest_block(offsets, n), most = longest_block(edge_offsets, n);
    if (nodes > std::numeric_limits<int32_t>::max() / 2 || most > std::numeric_limits<int32_t>::max() / 2)
      return "a graph has too many nodes or edges";
    if (!table_fits(nodes, stride) || !table_fits(std::max<int64_t>(most, n_kinds), n_labels, stride) ||
        !table_fits(n_types, rows.n_features + 1, stride) ||
        nodes * n_labels > std::numeric_limits<int32_t>::max() ||
        !table_fits(std::max<int64_t>(1, n_kinds), edge_width(), table_size()))
      return "the tables of the largest graph are too large";
    if (attractive && !is_potts()) return "attractive is for Potts terms";
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t e = edge_offsets[i]; e < edge_offsets[i + 1]; ++e) {
        const int32_t* at = ends(e);
        if (at[0] == at[1]) return "edges hold a loop";
        if (n_kinds == 0) return "there are edges, but no kinds";
        for (int k = 0; k < 2; ++k)
          if (type_of(offsets[i] + at[k]) != kind_ends[2 * kind_of(e) + k])
            return "kinds hold an edge between nodes of other types";
      }
    }
    for (int32_t k = 0; is_potts() && k < n_kinds; ++k)
      if (kind_ends[2 * k] != kind_ends[2 * k + 1]) return "Potts terms are for nodes of one type";
    for (int64_t v = 0; truths && v < offsets[n]; ++v)
      if (truths[v] >= labels_of(v) || is_wrong(v, truths[v]))
        return "truths hold a label that the node may not have";
    return nullptr;
  }
};

// Decoded as well as can be, with an upper bound. To the maximum where whoever binds it says so: two labels
// that attract each other are cut apart, small graphs are solved by elimination.
template <class R>
struct GraphSpace : GraphView<R> {
  static constexpr uint32_t kFlags = PSX_UNDERGEN;
  uint32_t exactness() const noexcept { return this->exact ? PSX_EXACT : PSX_UNDERGEN; }
  double bound(int64_t, double, const typename GraphView<R>::Scratch& s) const noexcept {
    return s.upper;
  }
};
// Every graph is a forest: decoded to the maximum, and it can be asked about all labellings.
template <class R>
struct ForestGraphSpace : GraphView<R> {
  static constexpr uint32_t kFlags = PSX_EXACT;
};

}  // namespace pystruct_ext
