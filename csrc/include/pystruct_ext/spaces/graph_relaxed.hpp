// Graphs trained with cuts of the local polytope: argmax is the maximum over marginals of nodes and
// edges that agree with each other, a superset of the labellings.
//
// Code: the marginal of every label of every node, then of every edge, in units of 2^-30: [label of
// a][label of b], or, Potts, the share on which both ends agree, which is all that scores depend
// on. Those of a node add up to one unit exactly, the rows and columns of an edge to the marginals of
// its ends: every code is a point of the polytope, psi and loss are linear in it. A labelling is a code of
// zeros and units.
//
// What the maximiser loses when it is written down: 2^-30 for each entry, a node's largest one less
// than 2^-30 times its labels, where the solver's marginals agree; as much as they disagree by (1e-6
// at worst) where they do not. The value is within 4e-9 (1 + |value|) of the maximum, up to 1e-6 of it
// where rounding ends the solver early. `bound` is above the maximum always: primal values are counted
// with it and certify the relaxed problem whatever the solver reached.
//
// Without loss, argmax is the best labelling that rounding finds: that is what prediction returns.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "pystruct_ext/spaces/graph.hpp"

namespace pystruct_ext {

template <class R>
struct RelaxedGraphSpace : private GraphView<R> {  // no verbs of parts: those are of labels
  using View = GraphView<R>;
  using real = R;
  using View::load;
  using View::n_blocks;
  using View::nonnegative;
  using View::size_psi;
  static constexpr uint32_t kFlags = PSX_OVERGEN;
  static constexpr int32_t kUnit = int32_t{1} << 30;

  const int64_t* code_offsets = nullptr;  // (n + 1,)
  const int32_t* node_at = nullptr;       // (n_nodes,) of its marginals in the code of its graph
  const int32_t* codes = nullptr;         // of the truths

  struct Scratch : View::Scratch {
    AlignedBuffer<int32_t> labels, edge_at, rows, columns;
    explicit Scratch(const RelaxedGraphSpace& s) : View::Scratch(static_cast<const View&>(s)) {
      labels.reserve(View::idx(std::max<int64_t>(1, longest_block(s.offsets, s.n))));
      edge_at.reserve(View::idx(std::max<int64_t>(1, longest_block(s.edge_offsets, s.n))));
      rows.reserve(View::idx(s.n_labels));
      columns.reserve(View::idx(s.n_labels));
    }
  };

  int32_t code_len(int64_t i) const noexcept {
    return static_cast<int32_t>(code_offsets[i + 1] - code_offsets[i]);
  }
  const int32_t* truth(int64_t i) const noexcept { return codes ? codes + code_offsets[i] : nullptr; }

  // The nodes at both ends of edge e of graph i, counted over all graphs.
  int64_t end(int64_t i, int64_t e, int k) const noexcept {
    return this->offsets[i] + this->ends(e)[k];
  }
  int64_t edge_size(int64_t i, int64_t e) const noexcept {
    if (this->is_potts()) return 1;
    return int64_t{this->labels_of(end(i, e, 0))} * this->labels_of(end(i, e, 1));
  }
  // Bounds of the share on which two nodes agree.
  void agreement(const int32_t* a, const int32_t* b, int32_t count, int32_t range[2]) const noexcept {
    int32_t least = 0, most = 0;
    for (int32_t l = 0; l < count; ++l) {
      least = std::max(least, a[l] - kUnit + b[l]);
      most += std::min(a[l], b[l]);
    }
    range[0] = least;
    range[1] = most;
  }

  CodeFault check_code(int64_t i, const int32_t* y) const noexcept {
    int32_t at = 0;
    for (int64_t v = this->offsets[i]; v < this->offsets[i + 1]; ++v) {
      int32_t left = kUnit;
      const int32_t count = this->labels_of(v);
      for (int32_t l = 0; l < count; ++l, ++at) {
        if (y[at] < (l == count - 1 ? left : 0) || y[at] > left)
          return {at, l == count - 1 ? left : 0, left};
        left -= y[at];
      }
    }
    for (int64_t e = this->edge_offsets[i]; e < this->edge_offsets[i + 1]; ++e) {
      const int32_t *a = y + node_at[end(i, e, 0)], *b = y + node_at[end(i, e, 1)];
      const int32_t n_a = this->labels_of(end(i, e, 0)), n_b = this->labels_of(end(i, e, 1));
      if (this->is_potts()) {
        int32_t range[2];
        agreement(a, b, n_a, range);
        if (y[at] < range[0] || y[at] > range[1]) return {at, range[0], range[1]};
        ++at;
        continue;
      }
      const int32_t* cells = y + at;
      for (int32_t k = 0; k < n_a; ++k) {
        int32_t left = a[k];
        for (int32_t l = 0; l < n_b; ++l, ++at) {
          int32_t below = b[l];
          for (int32_t q = 0; q < k; ++q) below -= cells[q * n_b + l];
          const int32_t high = std::min(left, below);
          const int32_t low = std::max(l == n_b - 1 ? left : 0, k == n_a - 1 ? below : 0);
          if (y[at] < low || y[at] > high) return {at, low, high};
          left -= y[at];
        }
      }
    }
    return {};
  }

  double argmax(int64_t i, double loss_scale, Scratch& s, int32_t* code) const noexcept {
    const double value = View::argmax(i, loss_scale, s, s.labels.data());
    std::fill(code, code + code_len(i), 0);
    if (!std::isfinite(value)) return value;
    int32_t at = 0;
    for (int64_t e = this->edge_offsets[i]; e < this->edge_offsets[i + 1]; ++e) {
      int32_t& where = s.edge_at[View::idx(e - this->edge_offsets[i])];
      where = (e > this->edge_offsets[i] ? at : edges_begin(i));
      at = where + static_cast<int32_t>(edge_size(i, e));
    }
    const LocalPolytope* lp = loss_scale != 0 ? s.decoder.relaxed() : nullptr;
    if (lp) {
      write(i, *lp, s, code);
      const double relaxed = this->score(i, s, code) + loss_scale * loss(i, code);
      s.upper = std::max(s.upper, relaxed);
      if (relaxed > value) return relaxed;
      std::fill(code, code + code_len(i), 0);
    }
    for (int64_t v = this->offsets[i]; v < this->offsets[i + 1]; ++v)
      code[node_at[v] + s.labels[View::idx(v - this->offsets[i])]] = kUnit;
    for (int32_t e = 0; e < this->n_edges(i); ++e) {
      const int64_t edge = this->edge_offsets[i] + e;
      const int32_t a = s.labels[View::idx(this->ends(edge)[0])];
      const int32_t b = s.labels[View::idx(this->ends(edge)[1])];
      int32_t* cells = code + s.edge_at[View::idx(e)];
      if (this->is_potts())
        *cells = a == b ? kUnit : 0;
      else
        cells[a * this->labels_of(end(i, edge, 1)) + b] = kUnit;
    }
    return value;
  }
  // At least the maximum over the polytope; without loss, over the labellings.
  double bound(int64_t, double, const Scratch& s) const noexcept { return s.upper; }

  double score(int64_t i, const Scratch& s, const int32_t* y) const noexcept {
    double sum = 0;
    for (int32_t v = 0; v < View::code_len(i); ++v) {
      const R* unary = s.unary.data() + int64_t{v} * this->stride;
      const int32_t count = this->labels_of(this->offsets[i] + v);
      for (int32_t l = 0; l < count; ++l, ++y) sum += static_cast<double>(unary[l]) * *y;
    }
    for (int32_t e = 0; e < this->n_edges(i); ++e) {
      if (this->is_potts()) {
        sum += static_cast<double>(s.potts[View::idx(e)]) * *y++;
        continue;
      }
      const int64_t edge = this->edge_offsets[i] + e;
      const int32_t n_a = this->labels_of(end(i, edge, 0)), n_b = this->labels_of(end(i, edge, 1));
      const R* table = s.tables.data() + s.table_at[View::idx(e)];
      for (int32_t k = 0; k < n_a; ++k)
        for (int32_t l = 0; l < n_b; ++l, ++y)
          sum += static_cast<double>(table[int64_t{k} * this->stride + l]) * *y;
    }
    return sum / kUnit;
  }
  double loss(int64_t i, const int32_t* z) const noexcept {
    double sum = 0;
    for (int64_t v = this->offsets[i]; v < this->offsets[i + 1]; ++v) {
      int32_t wrong = 0;
      for (int32_t l = 0; l < this->labels_of(v); ++l, ++z)
        if (this->is_wrong(v, l)) wrong += *z;
      sum += this->cost[v] * (static_cast<double>(wrong) / kUnit);
    }
    return sum;
  }

  template <class Sink>
  void psi(int64_t i, const int32_t* y, double a, Sink& sink) const noexcept {
    emit(i, [y](int32_t k) { return y[k]; }, a, sink);
  }
  template <class Sink>
  void psi_diff(int64_t i, const int32_t* y, const int32_t* z, double a, Sink& sink) const noexcept {
    emit(i, [y, z](int32_t k) { return y[k] - z[k]; }, a, sink);
  }
  // Over all of psi where it is short, as of labels.
  double psi_diff_sqnorm(int64_t i, const int32_t* y, const int32_t* z, Scratch& s) const noexcept {
    if (size_psi() > View::kDenseNorm) {
      s.sparse.clear();
      psi_diff(i, y, z, 1.0, s.sparse);
      return s.sparse.overflow ? -1.0 : s.sparse.sqnorm();
    }
    double sum = 0;
    std::fill(s.norm.data(), s.norm.data() + size_psi(), 0.0);
    DenseSink<double> sink{s.norm.data()};
    psi_diff(i, y, z, 1.0, sink);
    for (int64_t j = 0; j < size_psi(); ++j) sum += s.norm[View::idx(j)] * s.norm[View::idx(j)];
    return sum;
  }

  template <class F>
  void fields(F& f) {
    View::fields(f);
    f.offsets("code_offsets", code_offsets, "n+1", "n_code");
    f.array("node_at", node_at, "n_nodes", "0..2147483647");
    f.array("codes", codes, "n_code", "0..1073741824; with truths", kOptional);
  }
  const char* wrong() const noexcept {
    if (const char* fault = View::wrong()) return fault;
    if (this->inference != static_cast<int32_t>(Inference::lp))
      return "inference is not that of a relaxation";
    if (this->truths && !codes) return "there are truths, but no codes";
    for (int64_t i = 0; i < this->n; ++i) {
      const int64_t size = code_offsets[i + 1] - code_offsets[i];
      if (size > std::numeric_limits<int32_t>::max()) return "the code of a graph is too long";
      int64_t at = 0;
      for (int64_t v = this->offsets[i]; v < this->offsets[i + 1]; ++v) {
        if (node_at[v] != at) return "node_at is not where the marginals of a node are";
        at += this->labels_of(v);
      }
      for (int64_t e = this->edge_offsets[i]; e < this->edge_offsets[i + 1]; ++e) at += edge_size(i, e);
      if (at != size) return "code_offsets do not fit the graphs";
      if (!codes) continue;
      if (check_code(i, truth(i)).at >= 0) return "codes hold marginals that do not agree";
      for (int64_t v = this->offsets[i]; v < this->offsets[i + 1]; ++v)
        if (truth(i)[node_at[v] + this->truths[v]] != kUnit) return "codes are not those of the truths";
    }
    return nullptr;
  }

 private:
  int32_t edges_begin(int64_t i) const noexcept {
    const int64_t last = this->offsets[i + 1] - 1;
    return last < this->offsets[i] ? 0 : node_at[last] + this->labels_of(last);
  }

  // psi of the numbers at(k), in units, in the place of a code.
  template <class At, class Sink>
  void emit(int64_t i, At&& at, double a, Sink& sink) const noexcept {
    const double unit = a / kUnit;
    int32_t position = 0;
    for (int64_t v = this->offsets[i]; v < this->offsets[i + 1]; ++v)
      for (int32_t l = 0; l < this->labels_of(v); ++l)
        if (const int32_t x = at(position++)) this->emit_node(v, l, unit * x, sink);
    for (int64_t e = this->edge_offsets[i]; e < this->edge_offsets[i + 1]; ++e) {
      const bool potts = this->is_potts();
      const int32_t n_a = potts ? 1 : this->labels_of(end(i, e, 0));
      const int32_t n_b = potts ? 1 : this->labels_of(end(i, e, 1));
      for (int32_t k = 0; k < n_a; ++k)
        for (int32_t l = 0; l < n_b; ++l)
          if (const int32_t x = at(position++)) this->emit_edge(e, k, l, unit * x, sink);
    }
  }

  static int32_t in_units(double x) noexcept {
    return static_cast<int32_t>(std::min(1.0, std::max(0.0, x)) * kUnit);
  }

  // The marginals of the program as a code of zeros.
  void write(int64_t i, const LocalPolytope& lp, Scratch& s, int32_t* code) const noexcept {
    for (int32_t v = 0; v < View::code_len(i); ++v) {
      int32_t* to = code + node_at[this->offsets[i] + v];
      const int32_t count = this->labels_of(this->offsets[i] + v);
      int32_t largest = 0;
      int64_t left = kUnit;
      for (int32_t l = 0; l < count; ++l) {
        to[l] = in_units(lp.marginal(v, l));
        left -= to[l];
        if (to[l] > to[largest]) largest = l;
      }
      for (int32_t k = 0; k < count && left != 0; ++k) {  // all to the largest, or from it and the rest
        int32_t& x = to[(largest + k) % count];
        const int64_t step = std::max<int64_t>(left, -x);
        x += static_cast<int32_t>(step);
        left -= step;
      }
    }
    const PairwiseProblem<R> p = this->problem(i, s, s.unary.data());
    if (!this->is_potts())
      lp.each_pair(p, [&](int32_t e, int32_t la, int32_t lb, double x) {
        code[s.edge_at[View::idx(e)] + la * p.n_labels[p.b(e)] + lb] = in_units(x);
      });
    for (int32_t e = 0; e < p.n_edges; ++e) {
      const int32_t* a = code + node_at[this->offsets[i] + p.a(e)];
      const int32_t* b = code + node_at[this->offsets[i] + p.b(e)];
      int32_t* cells = code + s.edge_at[View::idx(e)];
      if (this->is_potts()) {  // the best that these nodes allow
        int32_t range[2];
        agreement(a, b, p.n_labels[p.a(e)], range);
        *cells = range[s.potts[View::idx(e)] > 0];
      } else {
        agree(a, p.n_labels[p.a(e)], b, p.n_labels[p.b(e)], s, cells);
      }
    }
  }
  // Makes the rows of a table add up to a, the columns to b: what is too much goes, what is missing
  // is added to the largest entry that lacks something, whose score is near the best.
  void agree(const int32_t* a, int32_t n_a, const int32_t* b, int32_t n_b, Scratch& s,
             int32_t* cells) const noexcept {
    int32_t *lack_a = s.rows.data(), *lack_b = s.columns.data();
    for (int32_t k = 0; k < n_a; ++k) {
      lack_a[k] = a[k];
      for (int32_t l = 0; l < n_b; ++l) {
        int32_t& x = cells[k * n_b + l];
        x = std::min(x, lack_a[k]);
        lack_a[k] -= x;
      }
    }
    for (int32_t l = 0; l < n_b; ++l) {
      lack_b[l] = b[l];
      for (int32_t k = 0; k < n_a; ++k) {
        int32_t& x = cells[k * n_b + l];
        const int32_t kept = std::min(x, lack_b[l]);
        lack_a[k] += x - kept;
        lack_b[l] -= kept;
        x = kept;
      }
    }
    while (true) {
      int32_t best = -1, more = 0;
      for (int32_t k = 0; k < n_a; ++k)
        for (int32_t l = 0; lack_a[k] > 0 && l < n_b; ++l)
          if (lack_b[l] > 0 && (best < 0 || cells[k * n_b + l] > cells[best])) {
            best = k * n_b + l;
            more = std::min(lack_a[k], lack_b[l]);
          }
      if (best < 0) return;
      cells[best] += more;
      lack_a[best / n_b] -= more;
      lack_b[best % n_b] -= more;
    }
  }
};

}  // namespace pystruct_ext
