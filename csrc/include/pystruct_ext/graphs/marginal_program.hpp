// Linear programs over marginals of nodes and edges that agree, by an interior point.
//
// Primal-dual steps (Mehrotra 1992) from points that are feasible on both sides. The Newton systems
// are reduced edge by edge to one unknown per label and node, less one per node.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "pystruct_ext/graphs/skyline.hpp"

namespace pystruct_ext {

class MarginalProgram {
 protected:
  struct Node {
    int32_t v, begin, count;       // its columns begin .. begin + count
    int32_t unknown, reference;    // first unknown of the reduced system; label without one
  };
  struct Edge {
    int32_t a, b, arc, begin;      // ends by index, arc at a, first column
    int32_t dual_a, dual_b;        // first multipliers of each end
    std::size_t inverse;           // where its inverse block is
    int32_t edge;
  };

  // out = A x: sums over nodes (n), then of each edge's rows and columns less the node's column.
  void rows_of(const std::vector<double>& x, std::vector<double>& node, std::vector<double>& end) {
    for (std::size_t u = 0; u < nodes_.size(); ++u) {
      node[u] = 0;
      for (int32_t k = 0; k < nodes_[u].count; ++k) node[u] += x[std::size_t(nodes_[u].begin + k)];
    }
    for (const Edge& e : edges_) {
      const Node &a = nodes_[std::size_t(e.a)], &b = nodes_[std::size_t(e.b)];
      double* ra = end.data() + e.dual_a;
      double* rb = end.data() + e.dual_b;
      for (int32_t k = 0; k < a.count; ++k) ra[k] = -x[std::size_t(a.begin + k)];
      for (int32_t l = 0; l < b.count; ++l) rb[l] = -x[std::size_t(b.begin + l)];
      const double* cell = x.data() + e.begin;
      for (int32_t k = 0; k < a.count; ++k)
        for (int32_t l = 0; l < b.count; ++l, ++cell) ra[k] += *cell, rb[l] += *cell;
    }
  }
  // out = A' (y, u).
  void columns_of(const std::vector<double>& node, const std::vector<double>& end,
                  std::vector<double>& out) {
    for (std::size_t u = 0; u < nodes_.size(); ++u)
      for (int32_t k = 0; k < nodes_[u].count; ++k) out[std::size_t(nodes_[u].begin + k)] = node[u];
    for (const Edge& e : edges_) {
      const Node &a = nodes_[std::size_t(e.a)], &b = nodes_[std::size_t(e.b)];
      const double* ua = end.data() + e.dual_a;
      const double* ub = end.data() + e.dual_b;
      for (int32_t k = 0; k < a.count; ++k) out[std::size_t(a.begin + k)] -= ua[k];
      for (int32_t l = 0; l < b.count; ++l) out[std::size_t(b.begin + l)] -= ub[l];
      double* cell = out.data() + e.begin;
      for (int32_t k = 0; k < a.count; ++k)
        for (int32_t l = 0; l < b.count; ++l) *cell++ = ua[k] + ub[l];
    }
  }

  // The reduced system for the weights d of the columns.
  void assemble(const std::vector<double>& d) {
    system_.clear();
    for (Node& x : nodes_) {
      x.reference = 0;
      for (int32_t k = 1; k < x.count; ++k)
        if (d[std::size_t(x.begin + k)] > d[std::size_t(x.begin + x.reference)]) x.reference = k;
      const double base = 1 / d[std::size_t(x.begin + x.reference)];
      for (int32_t k = 0; k < x.count; ++k) {
        if (k == x.reference) continue;
        const int32_t i = place(x, k);
        system_.at(i, i) += 1 / d[std::size_t(x.begin + k)] + base;
        for (int32_t l = 0; l < k; ++l)
          if (l != x.reference) system_.at(i, place(x, l)) += base;
      }
    }
    for (const Edge& e : edges_) {
      const Node &a = nodes_[std::size_t(e.a)], &b = nodes_[std::size_t(e.b)];
      const int32_t n = a.count + b.count;
      double* inverse = inverses_.data() + e.inverse;
      invert(d.data() + e.begin, a.count, b.count, inverse);
      const auto entry = [&](int32_t k, int32_t l) { return inverse[k * n + l]; };
      const auto scatter = [&](const Node& x, int32_t from, const Node& y, int32_t other) {
        for (int32_t k = 0; k < x.count; ++k) {
          if (k == x.reference) continue;
          for (int32_t l = 0; l < y.count; ++l) {
            if (l == y.reference) continue;
            const int32_t i = place(x, k), j = place(y, l);
            if (j > i) continue;
            system_.at(i, j) += entry(from + k, other + l) -
                                entry(from + x.reference, other + l) -
                                entry(from + k, other + y.reference) +
                                entry(from + x.reference, other + y.reference);
          }
        }
      };
      scatter(a, 0, a, 0);
      scatter(b, a.count, b, a.count);
      scatter(b, a.count, a, 0);
    }
    system_.factor();
  }
  static int32_t place(const Node& x, int32_t k) noexcept {
    return x.unknown + k - (k > x.reference);
  }

  // A symmetric inverse of [R D; D' C], where R and C are the sums of the rows and columns of D,
  // on the right sides whose two parts have equal sums (all others never occur). What is left
  // after the rows are eliminated is the Laplacian of a graph over the columns: its diagonal is
  // the sum of the rest, so nothing is lost by cancellation, and one column is grounded.
  void invert(const double* d, int32_t rows, int32_t columns, double* out) {
    const int32_t n = rows + columns;
    sum_.assign(std::size_t(n), 0.0);
    for (int32_t k = 0; k < rows; ++k)
      for (int32_t l = 0; l < columns; ++l) {
        sum_[std::size_t(k)] += d[k * columns + l];
        sum_[std::size_t(rows + l)] += d[k * columns + l];
      }
    int32_t ground = 0;
    for (int32_t l = 1; l < columns; ++l)
      if (sum_[std::size_t(rows + l)] > sum_[std::size_t(rows + ground)]) ground = l;
    const int32_t m = columns - 1;
    const auto column = [&](int32_t i) { return i + (i >= ground); };
    // links between the columns, the last one being the ground
    links_.assign(std::size_t(columns * columns), 0.0);
    double* links = links_.data();
    for (int32_t k = 0; k < rows; ++k)
      for (int32_t i = 0; i < columns; ++i)
        for (int32_t j = 0; j < i; ++j) {
          const int32_t ci = i == m ? ground : column(i), cj = column(j);
          links[i * columns + j] += d[k * columns + ci] * (d[k * columns + cj] /
                                                           sum_[std::size_t(k)]);
        }
    for (int32_t i = 0; i < columns; ++i)
      for (int32_t j = 0; j < i; ++j) links[j * columns + i] = links[i * columns + j];
    // L diag L' by eliminating columns one by one: a link to j becomes links among the rest.
    lower_.assign(std::size_t(columns * columns), 0.0);
    double* lower = lower_.data();
    for (int32_t j = 0; j < m; ++j) {
      double total = 0;
      for (int32_t i = j + 1; i < columns; ++i) total += links[i * columns + j];
      lower[j * columns + j] = total > 1e-300 ? total : 1e-300;
      for (int32_t i = j + 1; i < columns; ++i)
        lower[i * columns + j] = links[i * columns + j] / lower[j * columns + j];
      for (int32_t i = j + 1; i < columns; ++i)
        for (int32_t k = j + 1; k < i; ++k) {
          const double more = lower[i * columns + j] * links[k * columns + j];
          links[i * columns + k] += more;
          links[k * columns + i] += more;
        }
    }
    for (int32_t i = 0; i < n * n; ++i) out[i] = 0;
    // inverse of the grounded Laplacian, column by column: all entries are sums of positive ones
    part_.assign(std::size_t(columns), 0.0);
    for (int32_t c = 0; c < m; ++c) {
      for (int32_t i = 0; i < m; ++i) part_[std::size_t(i)] = i == c;
      for (int32_t j = 0; j < m; ++j)
        for (int32_t i = j + 1; i < m; ++i)
          part_[std::size_t(i)] += lower[i * columns + j] * part_[std::size_t(j)];
      for (int32_t j = m - 1; j >= 0; --j) {
        double x = part_[std::size_t(j)] / lower[j * columns + j];
        for (int32_t i = j + 1; i < m; ++i)
          x += lower[i * columns + j] * part_[std::size_t(i)];
        part_[std::size_t(j)] = x;
      }
      for (int32_t i = 0; i < m; ++i)
        out[(rows + column(i)) * n + rows + column(c)] = part_[std::size_t(i)];
    }
    // then the rows: u = R^-1 (r - D w)
    for (int32_t c = 0; c < columns; ++c)
      for (int32_t k = 0; k < rows; ++k) {
        double x = 0;
        for (int32_t l = 0; l < columns; ++l)
          x += d[k * columns + l] * out[(rows + l) * n + rows + c];
        out[k * n + rows + c] = out[(rows + c) * n + k] = -x / sum_[std::size_t(k)];
      }
    for (int32_t k = 0; k < rows; ++k)
      for (int32_t i = 0; i <= k; ++i) {
        double x = 0;
        for (int32_t l = 0; l < columns; ++l)
          x += d[k * columns + l] * out[i * n + rows + l];
        x = ((i == k) - x) / sum_[std::size_t(k)];
        out[k * n + i] = out[i * n + k] = x;
      }
  }

  // A D A' (y, u) = (node, end), with the assembled system; the right side is overwritten.
  void solve_normal(const std::vector<double>& d, std::vector<double>& node,
                    std::vector<double>& end) {
    std::vector<double>& q = flow_;  // of each node's columns
    std::vector<double>& right = right_;
    right.assign(std::size_t(n_unknown_), 0.0);
    q.assign(labels_.size(), 0.0);
    std::vector<double>& held = held_;  // sum over edges of inverse * (end + reference flow)
    held.assign(labels_.size(), 0.0);
    for (std::size_t u = 0; u < nodes_.size(); ++u)
      q[std::size_t(nodes_[u].begin + nodes_[u].reference)] = node[u];
    const auto apply = [&](const Edge& e, auto&& use) {
      const Node &a = nodes_[std::size_t(e.a)], &b = nodes_[std::size_t(e.b)];
      const int32_t n = a.count + b.count;
      const double* inverse = inverses_.data() + e.inverse;
      part_.resize(std::size_t(n));
      for (int32_t k = 0; k < a.count; ++k)
        part_[std::size_t(k)] = end[std::size_t(e.dual_a + k)] + q[std::size_t(a.begin + k)];
      for (int32_t l = 0; l < b.count; ++l)
        part_[std::size_t(a.count + l)] = end[std::size_t(e.dual_b + l)] + q[std::size_t(b.begin + l)];
      // Columns from the inverse, then rows from the columns: so that the large parts of both,
      // which are opposite, carry the same errors.
      const double* cells = d.data() + e.begin;
      sum_.assign(std::size_t(a.count), 0.0);
      for (int32_t k = 0; k < a.count; ++k)
        for (int32_t l = 0; l < b.count; ++l) sum_[std::size_t(k)] += cells[k * b.count + l];
      for (int32_t k = 0; k < a.count; ++k) {
        const double share = part_[std::size_t(k)] / sum_[std::size_t(k)];
        for (int32_t l = 0; l < b.count; ++l)
          part_[std::size_t(a.count + l)] -= cells[k * b.count + l] * share;
      }
      both_.assign(std::size_t(n), 0.0);
      for (int32_t k = a.count; k < n; ++k)
        for (int32_t l = a.count; l < n; ++l)
          both_[std::size_t(k)] += inverse[k * n + l] * part_[std::size_t(l)];
      for (int32_t k = 0; k < a.count; ++k) {
        double x = part_[std::size_t(k)];
        for (int32_t l = 0; l < b.count; ++l)
          x -= cells[k * b.count + l] * both_[std::size_t(a.count + l)];
        both_[std::size_t(k)] = x / sum_[std::size_t(k)];
      }
      for (int32_t k = 0; k < n; ++k) use(a, b, k, both_[std::size_t(k)]);
    };
    for (const Edge& e : edges_)
      apply(e, [&](const Node& a, const Node& b, int32_t k, double x) {
        held[std::size_t(k < a.count ? a.begin + k : b.begin + k - a.count)] += x;
      });
    for (std::size_t u = 0; u < nodes_.size(); ++u) {
      const Node& x = nodes_[u];
      const auto ref = std::size_t(x.begin + x.reference);
      const double base = held[ref] + q[ref] / d[ref];
      for (int32_t k = 0; k < x.count; ++k)
        if (k != x.reference)
          right[std::size_t(place(x, k))] = base - held[std::size_t(x.begin + k)];
    }
    system_.solve(right.data());
    for (const Node& x : nodes_)
      for (int32_t k = 0; k < x.count; ++k) {
        if (k == x.reference) continue;
        const double t = right[std::size_t(place(x, k))];
        q[std::size_t(x.begin + k)] += t;
        q[std::size_t(x.begin + x.reference)] -= t;
      }
    held.assign(labels_.size(), 0.0);
    for (const Edge& e : edges_) {
      solved_.resize(std::size_t(nodes_[std::size_t(e.a)].count + nodes_[std::size_t(e.b)].count));
      apply(e, [&](const Node& a, const Node& b, int32_t k, double x) {
        solved_[std::size_t(k)] = x;
        held[std::size_t(k < a.count ? a.begin + k : b.begin + k - a.count)] += x;
      });
      for (std::size_t k = 0; k < solved_.size(); ++k) end[std::size_t(e.dual_a) + k] = solved_[k];
    }
    for (std::size_t u = 0; u < nodes_.size(); ++u) {
      const auto ref = std::size_t(nodes_[u].begin + nodes_[u].reference);
      node[u] = q[ref] / d[ref] + held[ref];
    }
  }

  // The same, refined while that helps; `out` = A'(y, u), one number per column.
  void refined(const std::vector<double>& d, std::vector<double>& node, std::vector<double>& end,
               std::vector<double>& out) {
    right_node_ = node;
    right_end_ = end;
    rest_node_ = node;
    rest_end_ = end;
    std::fill(node.begin(), node.end(), 0.0);
    std::fill(end.begin(), end.end(), 0.0);
    double before = std::numeric_limits<double>::infinity();
    for (int32_t step = 0;; ++step) {
      solve_normal(d, rest_node_, rest_end_);
      for (std::size_t k = 0; k < node.size(); ++k) node[k] += rest_node_[k];
      for (std::size_t k = 0; k < end.size(); ++k) end[k] += rest_end_[k];
      columns_of(node, end, out);
      scaled_.resize(out.size());
      for (std::size_t k = 0; k < out.size(); ++k) scaled_[k] = d[k] * out[k];
      rows_of(scaled_, rest_node_, rest_end_);
      double worst = 0;
      for (std::size_t k = 0; k < node.size(); ++k) {
        rest_node_[k] = right_node_[k] - rest_node_[k];
        worst = std::max(worst, std::fabs(rest_node_[k]));
      }
      for (std::size_t k = 0; k < end.size(); ++k) {
        rest_end_[k] = right_end_[k] - rest_end_[k];
        worst = std::max(worst, std::fabs(rest_end_[k]));
      }
      if (worst < 1e-12 || worst > 0.5 * before || step == 6) break;
      before = worst;
    }
  }

  // min cost'x over the polytope: x_, the multipliers y_ (nodes) and u_ (ends of edges).
  void interior(double scale, double tolerance) {
    const std::size_t n = cost_.size();
    x_.assign(n, 0.0);
    z_.assign(n, 0.0);
    y_.assign(nodes_.size(), 0.0);
    u_.assign(std::size_t(n_dual_), -scale);
    for (std::size_t u = 0; u < nodes_.size(); ++u) y_[u] = -scale;
    for (const Node& node : nodes_)
      for (int32_t k = 0; k < node.count; ++k) x_[std::size_t(node.begin + k)] = 1.0 / node.count;
    for (const Edge& e : edges_) {
      const int32_t size = nodes_[std::size_t(e.a)].count * nodes_[std::size_t(e.b)].count;
      for (int32_t k = 0; k < size; ++k) x_[std::size_t(e.begin + k)] = 1.0 / size;
      y_[std::size_t(e.a)] -= scale;
      y_[std::size_t(e.b)] -= scale;
    }
    std::vector<double> &d = weight_, &g = shift_, &dz = step_z_, &dx = step_x_, &rc = centre_;
    for (auto* v : {&d, &g, &dz, &dx, &rc}) v->assign(n, 0.0);
    std::vector<double>& rd = slack_;
    rd.assign(n, 0.0);
    std::vector<double> node(nodes_.size()), end(std::size_t(n_dual_), 0.0);
    std::vector<double> lack_node(nodes_.size()), lack_end(std::size_t(n_dual_), 0.0);
    if (n == 0) return;
    columns_of(y_, u_, rd);
    for (std::size_t k = 0; k < n; ++k) z_[k] = cost_[k] - rd[k];
    double before = std::numeric_limits<double>::infinity();
    for (int32_t iteration = 0; iteration < 60; ++iteration) {
      double gap = 0, lack = 0;
      for (std::size_t k = 0; k < n; ++k) gap += x_[k] * z_[k];
      rows_of(x_, lack_node, lack_end);
      for (double& v : lack_node) v = 1 - v, lack = std::max(lack, std::fabs(v));
      for (double& v : lack_end) v = -v, lack = std::max(lack, std::fabs(v));
      if (iteration > 0 && !(lack < 1e-6 && gap < 1e9)) {  // the systems have become too stiff
        x_ = last_x_, z_ = last_z_, y_ = last_y_, u_ = last_u_;
        break;
      }
      if (gap <= tolerance || (iteration > 20 && gap > 0.9 * before)) break;
      before = gap;
      const double mu = gap / double(n);
      columns_of(y_, u_, rd);
      for (std::size_t k = 0; k < n; ++k) {
        rd[k] = cost_[k] - rd[k] - z_[k];
        d[k] = x_[k] / z_[k];
      }
      assemble(d);
      const auto direction = [&]() {
        for (std::size_t k = 0; k < n; ++k) g[k] = d[k] * rd[k] - rc[k] / z_[k];
        rows_of(g, node, end);
        for (std::size_t k = 0; k < node.size(); ++k) node[k] += lack_node[k];
        for (std::size_t k = 0; k < end.size(); ++k) end[k] += lack_end[k];
        refined(d, node, end, dz);
        for (std::size_t k = 0; k < n; ++k) {
          dz[k] = rd[k] - dz[k];
          dx[k] = (rc[k] - x_[k] * dz[k]) / z_[k];
        }
      };
      for (std::size_t k = 0; k < n; ++k) rc[k] = -x_[k] * z_[k];
      direction();
      const double px = longest(x_, dx), pz = longest(z_, dz);
      double aimed = 0;
      for (std::size_t k = 0; k < n; ++k) aimed += (x_[k] + px * dx[k]) * (z_[k] + pz * dz[k]);
      const double ratio = aimed / gap;
      const double centring = std::max(1e-3, ratio * ratio * ratio);
      for (std::size_t k = 0; k < n; ++k)
        rc[k] = centring * mu - x_[k] * z_[k] - dx[k] * dz[k];
      direction();
      const double keep = 0.99;
      const double step_x = std::min(1.0, keep * longest(x_, dx));
      const double step_z = std::min(1.0, keep * longest(z_, dz));
      if (!std::isfinite(step_x) || !std::isfinite(step_z) || step_x + step_z < 1e-8) break;
      last_x_ = x_, last_z_ = z_, last_y_ = y_, last_u_ = u_;
      for (std::size_t k = 0; k < n; ++k) {
        x_[k] += step_x * dx[k];
        z_[k] += step_z * dz[k];
      }
      for (std::size_t k = 0; k < y_.size(); ++k) y_[k] += step_z * node[k];
      for (std::size_t k = 0; k < u_.size(); ++k) u_[k] += step_z * end[k];
    }
  }
  static double longest(const std::vector<double>& x, const std::vector<double>& step) noexcept {
    double most = 1e30;
    for (std::size_t k = 0; k < x.size(); ++k)
      if (x[k] + most * step[k] < 0) most = -x[k] / step[k];
    return std::min(most, 1.0 / 0.99);
  }

  std::vector<Node> nodes_;
  std::vector<Edge> edges_;
  std::vector<int32_t> labels_;  // of the columns of the nodes
  std::vector<double> cost_;     // of the columns: of the nodes, then of the edges
  std::vector<double> x_, z_, y_, u_, inverses_;
  SkylineCholesky system_;
  int32_t n_unknown_ = 0, n_dual_ = 0;

 private:
  std::vector<double> weight_, shift_, step_z_, step_x_, centre_, slack_;
  std::vector<double> sum_, links_, lower_, part_, both_, scaled_, solved_;
  std::vector<double> last_x_, last_z_, last_y_, last_u_;
  std::vector<double> right_node_, right_end_, rest_node_, rest_end_;
  std::vector<double> flow_, right_, held_;
};

}  // namespace pystruct_ext
