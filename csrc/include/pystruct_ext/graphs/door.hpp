// One labelling problem given as plain arrays: checked, decoded, with the scratch of the thread.
#pragma once

#include <memory>
#include <vector>

#include "pystruct_ext/graphs/decoder.hpp"

namespace pystruct_ext {

enum class EdgeFault : int { none, range, loop, twice };
constexpr int kTooLarge = 4;  // the fault of marginals that memory does not suffice for

template <class R>
struct GraphDoor {
  GraphDecoder<R> decoder;
  std::vector<int32_t> edges, n_labels, begin, ends, seen;
  std::vector<int64_t> table_at;
  PairwiseProblem<R> problem;

  // The scratch of this thread; what a huge problem has grown is given back by the next small one.
  static GraphDoor& of_thread(int64_t size) {
    static thread_local std::unique_ptr<GraphDoor> door;
    static thread_local int64_t largest = 0;
    constexpr int64_t kKept = int64_t(1) << 22;
    if (!door || (largest > kKept && size <= kKept)) {
      door = std::make_unique<GraphDoor>();
      largest = 0;
    }
    largest = size > largest ? size : largest;
    return *door;
  }

  // Copies the edges; the first fault and where it is.
  template <class I>
  EdgeFault take_edges(const I* from, int32_t n, int32_t m, int32_t* where) {
    edges.resize(2 * std::size_t(m));
    bool ordered = true;
    int64_t before = -1;
    for (int32_t e = 0; e < m; ++e) {
      const int64_t a = int64_t(from[2 * int64_t(e)]), b = int64_t(from[2 * int64_t(e) + 1]);
      *where = e;
      if (a < 0 || a >= n || b < 0 || b >= n) return EdgeFault::range;
      if (a == b) return EdgeFault::loop;
      edges[2 * std::size_t(e)] = int32_t(a);
      edges[2 * std::size_t(e) + 1] = int32_t(b);
      const int64_t key = a < b ? a * n + b : b * n + a;
      ordered &= key > before;
      before = key;
    }
    if (ordered) return EdgeFault::none;
    begin.assign(std::size_t(n) + 1, 0);
    ends.resize(std::size_t(m));
    for (int32_t e = 0; e < m; ++e) ++begin[std::size_t(low(e)) + 1];
    for (int32_t v = 0; v < n; ++v) begin[std::size_t(v) + 1] += begin[std::size_t(v)];
    for (int32_t e = 0; e < m; ++e) ends[std::size_t(begin[std::size_t(low(e))]++)] = e;
    seen.assign(std::size_t(n), -1);
    int32_t first = m;  // the smallest edge that repeats another
    for (int32_t v = 0, k = 0; v < n; ++v)
      for (; k < begin[std::size_t(v)]; ++k) {
        const int32_t e = ends[std::size_t(k)];
        const int32_t high = edges[2 * std::size_t(e)] + edges[2 * std::size_t(e) + 1] - v;
        if (seen[std::size_t(high)] == v && e < first) first = e;
        seen[std::size_t(high)] = v;
      }
    *where = first;
    return first < m ? EdgeFault::twice : EdgeFault::none;
  }

  // `shape` of the pair scores: 1 one per edge (Potts), 2 one table, 3 a table per edge.
  void fill(int32_t n, int32_t m, int32_t stride, const int32_t* counts, const R* unary,
            const R* pairs, int shape) {
    problem = PairwiseProblem<R>();
    problem.n_nodes = n;
    problem.n_edges = m;
    problem.stride = stride;
    if (counts == nullptr) n_labels.assign(std::size_t(n), stride);
    problem.n_labels = counts ? counts : n_labels.data();
    problem.edges = edges.data();
    problem.unary = unary;
    if (shape == 1) {
      problem.potts = pairs;
    } else {
      problem.tables = pairs;
      table_at.assign(std::size_t(m), 0);
      for (int32_t e = 0; shape == 3 && e < m; ++e)
        table_at[std::size_t(e)] = int64_t(e) * stride * stride;
      problem.table_at = table_at.data();
    }
    decoder.reserve(n, m, stride);
  }

 private:
  int32_t low(int32_t e) const noexcept {
    const int32_t a = edges[2 * std::size_t(e)], b = edges[2 * std::size_t(e) + 1];
    return a < b ? a : b;
  }
};

struct GraphAnswer {
  double value = 0, bound = 0;
  bool exact = false, forest = false;
  int fault = 0;       // of the edges, or kTooLarge
  int32_t where = 0;   // the edge
  double entries = 0;  // of the tables that a proof by elimination would need, where `exact` failed
};

// `nodes` and `pairs_out` are the marginals of `lp`, (n, stride) and (m, stride, stride), or null.
template <class R, class I>
GraphAnswer decode_graph(int32_t n, int32_t m, int32_t stride, const int32_t* counts,
                         const R* unary, const I* edges, const R* pairs, int shape, int inference,
                         int32_t branches, int32_t* labels, double* nodes, double* pairs_out) {
  const int64_t size = (int64_t(n) + 2 * int64_t(m)) * stride;
  GraphDoor<R>& door = GraphDoor<R>::of_thread(size);
  GraphAnswer answer;
  answer.fault = int(door.take_edges(edges, n, m, &answer.where));
  if (answer.fault) return answer;
  door.fill(n, m, stride, counts, unary, pairs, shape);
  const PairwiseProblem<R>& p = door.problem;
  GraphDecoder<R>& decoder = door.decoder;
  decoder.search_limits().branches = branches;
  answer.value = decoder.decode(p, Inference(inference), labels);
  answer.bound = decoder.bound();
  answer.exact = decoder.exact();
  answer.forest = decoder.forest();
  const bool known = answer.value == answer.value;
  if (known && Inference(inference) == Inference::exact && !answer.exact)
    answer.entries = decoder.entries(p);
  if (known && nodes && decoder.relaxed()) {
    decoder.relaxed()->nodes(p, stride, nodes);
    decoder.relaxed()->edges(p, stride, pairs_out);
    answer.value = decoder.relaxed()->value();
  } else if (known && nodes && decoder.too_large()) {
    answer.fault = kTooLarge;
  } else if (known && nodes) {
    for (int32_t v = 0; v < n; ++v) nodes[int64_t(v) * stride + labels[v]] = 1;
    for (int32_t e = 0; e < m; ++e)
      pairs_out[(int64_t(e) * stride + labels[p.a(e)]) * stride + labels[p.b(e)]] = 1;
  }
  return answer;
}

}  // namespace pystruct_ext
