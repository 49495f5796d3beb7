// What Python calls: one problem at a time, scratch kept per thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "pystruct_ext/assignment/dense.hpp"
#include "pystruct_ext/assignment/k_best.hpp"

namespace pystruct_ext {

// A column for each row, or for as many as there are columns; -1 for the others. Scratch stays with
// the thread. False if a cost is not finite.
inline bool assign_dense(const double* cost, int32_t n_rows, int32_t n_columns, bool maximize,
                         int32_t* column_of) {
  thread_local DenseAssignment solver;
  const double sign = maximize ? -1.0 : 1.0;
  solver.reserve(n_rows, n_columns);
  if (n_rows <= n_columns) return solver.solve(cost, n_rows, n_columns, sign, column_of);
  std::vector<double> turned(static_cast<std::size_t>(n_rows) * static_cast<std::size_t>(n_columns));
  constexpr int32_t kTile = 32;  // both matrices stay in the cache
  for (int32_t a = 0; a < n_rows; a += kTile)
    for (int32_t b = 0; b < n_columns; b += kTile)
      for (int32_t i = a; i < std::min(n_rows, a + kTile); ++i)
        for (int32_t j = b; j < std::min(n_columns, b + kTile); ++j)
          turned[static_cast<std::size_t>(int64_t{j} * n_rows + i)] = cost[int64_t{i} * n_columns + j];
  std::vector<int32_t> row_of(static_cast<std::size_t>(n_columns));
  if (!solver.solve(turned.data(), n_columns, n_rows, sign, row_of.data())) return false;
  std::fill(column_of, column_of + n_rows, -1);
  for (int32_t j = 0; j < n_columns; ++j) column_of[row_of[static_cast<std::size_t>(j)]] = j;
  return true;
}

// The k best sets of links of a graph: rows after rows of found links and their totals.
class LinkSearch {
 public:
  LinkGraph graph;
  std::vector<int64_t> links, ends;
  std::vector<double> totals;

  // False where rows cannot have the links that they need.
  bool run(const double* value, int64_t k) {
    FlowMatcher matcher;
    matcher.reserve(graph.n_rows, graph.n_columns, graph.size());
    links.clear();
    totals.clear();
    ends.assign(1, 0);
    if (k == 1) {
      if (!matcher.solve(graph, value)) return false;
      for (int64_t e = 0; e < graph.size(); ++e)
        if (matcher.linked(e)) links.push_back(e);
      ends.push_back(static_cast<int64_t>(links.size()));
      totals.push_back(matcher.total());
      return true;
    }
    KBestLinks search(graph, value, matcher);
    return search.run(k, [&](const std::vector<int64_t>& found, double total) {
             links.insert(links.end(), found.begin(), found.end());
             ends.push_back(static_cast<int64_t>(links.size()));
             totals.push_back(total);
           }) > 0;
  }
};

}  // namespace pystruct_ext
