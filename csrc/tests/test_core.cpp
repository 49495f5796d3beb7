// Native unit tests of the headers: plain asserts that print and count, no framework.
#include <cstdio>
#include <random>

#include "pystruct_ext/block_solver.hpp"
#include "pystruct_ext/online.hpp"
#include "pystruct_ext/qp.hpp"
#include "pystruct_ext/spaces/chain.hpp"
#include "pystruct_ext/spaces/chain_tools.hpp"
#include "pystruct_ext/spaces/multiclass.hpp"
#include "pystruct_ext/working_set.hpp"

using namespace pystruct_ext;

static int checks = 0, failures = 0;
#define CHECK(cond)                                                     \
  do {                                                                  \
    ++checks;                                                           \
    if (!(cond)) {                                                      \
      ++failures;                                                       \
      std::printf("FAILED %s:%d: %s\n", __FILE__, __LINE__, #cond);     \
    }                                                                   \
  } while (0)

static bool near(double a, double b, double eps = 1e-9) {
  return std::fabs(a - b) <= eps * (1 + std::fabs(a) + std::fabs(b));
}

// A random chain problem that owns its arrays.
template <class R>
struct ChainProblem {
  std::vector<R> values, cost, trans_mask, edge_mask;
  std::vector<int64_t> offsets{0}, indptr;
  std::vector<int32_t> labels, indices;
  std::vector<double> sqnorm;
  std::vector<R> w;
  ChainSpace<R> space;

  ChainProblem(unsigned seed, int n, int K, int d, bool sparse) {
    std::mt19937 rng(seed);
    std::uniform_int_distribution<int> small(-2, 2), length(1, 5), label(0, K - 1);
    const int stride = (K + 7) / 8 * 8;
    for (int i = 0; i < n; ++i) {
      const int T = length(rng);
      for (int t = 0; t < T; ++t) labels.push_back(label(rng));
      offsets.push_back(offsets.back() + T);
    }
    const int64_t rows = offsets.back();
    if (sparse) {
      indptr.push_back(0);
      for (int64_t r = 0; r < rows; ++r) {
        for (int k = 0; k < 3; ++k) {
          indices.push_back(static_cast<int32_t>(rng() % static_cast<unsigned>(d)));
          values.push_back(static_cast<R>(small(rng)));
        }
        indptr.push_back(static_cast<int64_t>(indices.size()));
      }
    } else {
      for (int64_t k = 0; k < rows * d; ++k) values.push_back(static_cast<R>(small(rng)));
    }
    const R inf = std::numeric_limits<R>::infinity();
    cost.assign(static_cast<std::size_t>(K * stride), 0);
    trans_mask.assign(cost.size(), -inf);
    edge_mask.assign(static_cast<std::size_t>(stride), -inf);
    for (int a = 0; a < K; ++a) {
      edge_mask[static_cast<std::size_t>(a)] = 0;
      for (int b = 0; b < K; ++b) {
        cost[static_cast<std::size_t>(a * stride + b)] = a != b;
        trans_mask[static_cast<std::size_t>(a * stride + b)] = 0;
      }
    }
    space.rows.indptr = sparse ? indptr.data() : nullptr;
    space.rows.indices = sparse ? indices.data() : nullptr;
    space.rows.values = values.data();
    space.rows.n_features = d;
    space.n = n;
    space.offsets = offsets.data();
    space.labels = labels.data();
    space.n_labels = K;
    space.stride = stride;
    space.cost = cost.data();
    space.transition_mask = trans_mask.data();
    space.start_mask = space.end_mask = edge_mask.data();
    space.n_state = int64_t{d} * stride;
    for (int64_t r = 0; r < rows; ++r) sqnorm.push_back(space.rows.sqnorm(r));
    space.row_sqnorm = sqnorm.data();
    w.assign(static_cast<std::size_t>(space.size_psi()), 0);
    for (int f = 0; f < d + K + 2; ++f)
      for (int k = 0; k < K; ++k)
        w[static_cast<std::size_t>(f * stride + k)] = static_cast<R>(small(rng));
  }

  // Best value and smallest maximiser by enumeration.
  double enumerate(int64_t i, double scale, std::vector<int32_t>* best) {
    typename ChainSpace<R>::Scratch s(space);
    space.prepare(w.data(), s);
    space.load(w.data(), i, s);
    const int T = space.code_len(i), K = space.n_labels;
    std::vector<int32_t> y(static_cast<std::size_t>(T), 0);
    double top = -1e300;
    for (;;) {
      const double v = space.score(i, s, y.data()) + scale * space.loss(i, y.data());
      if (v > top) {
        top = v;
        *best = y;
      }
      int t = T - 1;
      while (t >= 0 && ++y[static_cast<std::size_t>(t)] == K) y[static_cast<std::size_t>(t--)] = 0;
      if (t < 0) return top;
    }
  }
};

template <class R>
static void test_chain() {
  for (unsigned seed = 0; seed < 30; ++seed)
    for (const bool sparse : {false, true})
      for (const Isa isa : {Isa::kBaseline, Isa::kAvx2, Isa::kAvx512}) {
        if (static_cast<int>(isa) > static_cast<int>(detect_isa())) continue;
        ChainProblem<R> p(seed, 4, 2 + static_cast<int>(seed % 3), 3, sparse);
        p.space.kernels = chain::Kernels<R>(isa);
        typename ChainSpace<R>::Scratch s(p.space);
        for (int64_t i = 0; i < 4; ++i)
          for (const double scale : {0.0, 1.0}) {
            std::vector<int32_t> best, code(static_cast<std::size_t>(p.space.code_len(i)));
            const double top = p.enumerate(i, scale, &best);
            p.space.prepare(p.w.data(), s);
            p.space.load(p.w.data(), i, s);
            CHECK(near(p.space.argmax(i, scale, s, code.data()), top));
            CHECK(code == best);
            SparseSink sink;
            p.space.psi_diff(i, p.space.truth(i), code.data(), 1.0, sink);
            CHECK(near(sink.sqnorm(),
                       p.space.psi_diff_sqnorm(i, p.space.truth(i), code.data(), s)));
            if (scale == 0) {
              std::vector<int32_t> codes(code.size() * 3);
              double scores[3];
              CHECK(chain_k_best(p.space, s, i, 3, codes.data(), scores) >= 2);
              CHECK(near(scores[0], top) && scores[0] >= scores[1]);
            }
          }
      }
}

static void test_qp() {
  std::mt19937 rng(1);
  std::normal_distribution<double> normal;
  for (int round = 0; round < 200; ++round) {
    const int m = 2 + round % 4;
    std::vector<double> A(static_cast<std::size_t>(m * 3)), G(static_cast<std::size_t>(m * m)), b;
    for (double& a : A) a = normal(rng);
    for (int k = 0; k < m; ++k) b.push_back(normal(rng));
    for (int k = 0; k < m; ++k)
      for (int l = 0; l < m; ++l)
        for (int j = 0; j < 3; ++j)
          G[static_cast<std::size_t>(k * m + l)] +=
              A[static_cast<std::size_t>(k * 3 + j)] * A[static_cast<std::size_t>(l * 3 + j)];
    std::vector<double> alpha(static_cast<std::size_t>(m), 0), grad = b;
    alpha[0] = 1;
    for (int k = 0; k < m; ++k) grad[static_cast<std::size_t>(k)] -= G[static_cast<std::size_t>(k * m)];
    const auto value = [&](const std::vector<double>& a) {
      double v = 0;
      for (int k = 0; k < m; ++k) {
        v += a[static_cast<std::size_t>(k)] * b[static_cast<std::size_t>(k)];
        for (int l = 0; l < m; ++l)
          v -= 0.5 * a[static_cast<std::size_t>(k)] * a[static_cast<std::size_t>(l)] *
               G[static_cast<std::size_t>(k * m + l)];
      }
      return v;
    };
    const double before = value(alpha);
    const auto report = simplex_qp(
        m, alpha.data(), grad.data(),
        [&](int64_t k, int64_t l) { return G[static_cast<std::size_t>(k * m + l)]; }, 1.0, 1e-10,
        100000);
    double sum = 0;
    for (const double a : alpha) {
      CHECK(a >= 0);
      sum += a;
    }
    CHECK(near(sum, 1));
    CHECK(report.violation <= 1e-9);
    const double best = value(alpha);
    CHECK(near(best - before, report.increase, 1e-7));
    // No random point of the simplex is better.
    for (int trial = 0; trial < 50; ++trial) {
      std::vector<double> a;
      double total = 0;
      for (int k = 0; k < m; ++k) a.push_back(-std::log((rng() % 1000 + 1) / 1001.0));
      for (const double v : a) total += v;
      for (double& v : a) v /= total;
      CHECK(value(a) <= best + 1e-8);
    }
  }
}

static void test_working_set() {
  std::mt19937 rng(2);
  Pool pool;
  CutList cuts;
  cuts.code_len = 5;
  std::vector<std::vector<int32_t>> model;
  int32_t buffer[5];
  for (int step = 0; step < 3000; ++step) {
    if (model.size() < 20 && rng() % 3) {
      std::vector<int32_t> code;
      const unsigned range = step > 2000 ? 100000 : 200;  // widens codes late
      for (int t = 0; t < 5; ++t) code.push_back(static_cast<int32_t>(rng() % range) - (step > 2500));
      const int32_t k = cuts.append(pool, code.data(), step);
      for (int32_t l = 0; l <= k; ++l)
        cuts.gram()[CutList::tri(k, l)] =
            static_cast<float>(code[0] % 10 + (l < k ? model[static_cast<std::size_t>(l)][0] % 10
                                                     : code[0] % 10));
      model.push_back(code);
    } else if (!model.empty()) {
      const std::size_t k = rng() % model.size();
      cuts.remove(static_cast<int32_t>(k));
      model[k] = model.back();
      model.pop_back();
    }
    CHECK(cuts.size == static_cast<int32_t>(model.size()));
    for (std::size_t k = 0; k < model.size(); ++k) {
      const int32_t* code = cuts.code(static_cast<int32_t>(k), buffer);
      CHECK(std::equal(model[k].begin(), model[k].end(), code));
      CHECK(cuts.find(model[k].data()) >= 0);
      for (std::size_t l = 0; l <= k; ++l)
        CHECK(cuts.inner(static_cast<int64_t>(k), static_cast<int64_t>(l)) ==
              static_cast<float>(model[k][0] % 10 + model[l][0] % 10));
    }
  }
}

static void test_solver() {
  for (unsigned seed = 0; seed < 10; ++seed) {
    ChainProblem<double> p(seed, 12, 3, 4, seed % 2);
    OracleBox<ChainSpace<double>> box(p.space);
    std::vector<int64_t> ids;
    for (int64_t i = 0; i < 12; ++i) ids.push_back(i);
    std::vector<double> weight(12, 1.0), w(p.w.size(), 0.0);
    const double C = 0.3;
    BlockSolver solver(box.oracle(), C, ids.data(), weight.data(), 12, false);
    double last = 0;
    for (int epoch = 0; epoch < 300; ++epoch) {
      CHECK(solver.run(ids.data(), 12, BlockSolver::kOracle, w.data()) == PSX_OK);
      const double dual = C * solver.loss_mass - 0.5 * sqnorm_of(box.oracle(), w.data());
      CHECK(dual >= last - 1e-7);
      last = dual;
    }
    double one = 0, three = 0;
    CHECK(solver.hinge_sum(w.data(), 0, 12, 1, &one) == PSX_OK);
    CHECK(solver.hinge_sum(w.data(), 0, 12, 3, &three) == PSX_OK);
    CHECK(one == three);
    const double primal = 0.5 * sqnorm_of(box.oracle(), w.data()) + C * one;
    CHECK(primal >= last - 1e-6);
    CHECK(primal - last <= 1e-2 * primal);
    std::vector<double> again(w);
    CHECK(solver.recompute(again.data()) == PSX_OK);
    for (std::size_t j = 0; j < w.size(); ++j) CHECK(near(again[j], w[j], 1e-6));
    CHECK(solver.n_weak_cuts == 0);

    OnlineSolver online(box.oracle(), 1.0 / (C * 12), ids.data(), weight.data(), 12,
                        OnlineSolver::kSubgradient);
    std::vector<double> u(w.size(), 0.0), v(w.size(), 0.0);
    for (int epoch = 0; epoch < 20; ++epoch)
      CHECK(online.run(ids.data(), 12, u.data(), v.data()) == PSX_OK);
    CHECK(online.steps == 240);
  }
}

static void test_nonfinite() {
  ChainProblem<float> p(3, 3, 3, 4, true);
  OracleBox<ChainSpace<float>> box(p.space);
  p.w[5] = std::numeric_limits<float>::quiet_NaN();
  for (float& x : p.w) x = std::numeric_limits<float>::quiet_NaN();
  int64_t failed = -1;
  std::vector<int64_t> ids{0, 1, 2};
  double loss = 0, hinge = 0;
  CHECK(oracle_cut_sum(box.oracle(), p.w.data(), ids.data(), nullptr, 3, 2, nullptr, &loss, &hinge,
                       &failed) == PSX_NONFINITE);
  CHECK(failed >= 0);
}

int main() {
  test_chain<float>();
  test_chain<double>();
  test_qp();
  test_working_set();
  test_solver();
  test_nonfinite();
  std::printf("%d passed, %d failed\n", checks - failures, failures);
  return failures != 0;
}
