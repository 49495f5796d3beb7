// Random small slate problems: the bound against the maximum over all slates.
//
//   slate_bound_check MODEL CASES SEED
//
// prints the number of violations, of cases where the bound is tight to 1e-6, the sum of
// (bound - maximum) over that of (maximum - minimum), and the largest violation.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "pystruct_ext/spaces/slate.hpp"

using pystruct_ext::DotSink;
using pystruct_ext::SlateSpace;

namespace {

std::mt19937_64 rng;
double uniform() { return std::uniform_real_distribution<double>(0, 1)(rng); }
double normal() { return std::normal_distribution<double>()(rng); }
int whole(int low, int high) { return std::uniform_int_distribution<int>(low, high)(rng); }

struct Problem {
  std::vector<int64_t> offsets, relation_at, cover_ptr, element_at, intent_at;
  std::vector<int32_t> cover, n_intents;
  std::vector<double> x, relations, degree, element_x, gain, decay, ideal, place, rank, w;
  SlateSpace s;
};

// model: coverage (elements, equal places), mixture (elements), sequential (relations, novelty), all
void make(Problem& p, const char* model, int k, int top, int elements, int intents) {
  const bool is_coverage = !std::strcmp(model, "coverage"), mixture = !std::strcmp(model, "mixture");
  const bool all = !std::strcmp(model, "all");
  const bool soft = whole(0, 1), ties = whole(0, 1);
  SlateSpace& s = p.s;
  s.n = 1;
  s.n_features = 1;
  s.n_channels = is_coverage || mixture ? 0 : whole(0, 2);
  s.novelty = !(is_coverage || mixture) && whole(0, 1);
  s.n_element_features = is_coverage || mixture || all ? 2 : 0;
  s.top = top;
  p.offsets = {0, k};
  p.x.resize(k);
  for (double& v : p.x) v = ties ? whole(-1, 1) : normal();
  p.relation_at = {0, k * k * s.n_channels};
  p.relations.resize(k * k * s.n_channels + 1);
  for (double& v : p.relations) v = ties ? whole(-1, 1) * 0.5 : normal();
  p.cover_ptr = {0};
  for (int d = 0; d < k; ++d) {
    for (int e = 0; e < elements; ++e)
      if (uniform() < 0.4) {
        p.cover.push_back(e);
        p.degree.push_back(soft ? std::max(0.01, uniform()) : 1.0);
      }
    p.cover_ptr.push_back(static_cast<int64_t>(p.cover.size()));
  }
  p.cover.push_back(0);
  p.degree.push_back(0);
  p.element_at = {0, elements};
  p.element_x.resize(2 * elements);
  for (double& v : p.element_x) v = ties ? whole(-1, 1) : normal();
  p.intent_at = {0, k * intents};
  p.n_intents = {intents};
  const int metric = whole(0, 4);
  const double alpha = whole(0, 1) ? 0.5 : uniform();
  p.gain.assign(k * intents + 1, 0.0);
  p.decay.assign(k * intents + 1, 0.0);
  for (int t = 0; t < intents; ++t) {
    const double share = uniform();
    for (int d = 0; d < k; ++d) {
      const double relevant = uniform() < 0.5, stop = relevant * uniform();
      double& g = p.gain[d * intents + t];
      double& b = p.decay[d * intents + t];
      switch (metric) {
        case 0: g = share * relevant, b = alpha * relevant; break;
        case 1: g = share * relevant, b = relevant; break;
        case 2: g = share * stop, b = stop; break;
        case 3: g = uniform() * relevant, b = 0; break;
        default: g = uniform() < 0.3 ? 0 : uniform(), b = uniform() < 0.3 ? 0 : uniform();
      }
    }
  }
  p.place.resize(top);
  p.rank.resize(top);
  const int ranks = whole(0, 2);
  for (int t = 0; t < top; ++t) {
    p.place[t] = is_coverage ? 1.0 : 1 / std::log2(t + 2.0);
    p.rank[t] = ranks == 0 ? 1.0 : ranks == 1 ? 1 / std::log2(t + 2.0) : 1 / (t + 1.0);
  }
  p.ideal = {1.0};
  s.offsets = p.offsets.data();
  s.x = p.x.data();
  s.relation_at = p.relation_at.data();
  s.relations = p.relations.data();
  s.cover_ptr = p.cover_ptr.data();
  s.cover = p.cover.data();
  s.degree = p.degree.data();
  s.element_at = p.element_at.data();
  s.element_x = p.element_x.data();
  s.intent_at = p.intent_at.data();
  s.n_intents = p.n_intents.data();
  s.gain = p.gain.data();
  s.decay = p.decay.data();
  s.ideal = p.ideal.data();
  s.place = p.place.data();
  s.rank = p.rank.data();
  s.max_rows = k;
  s.max_elements = elements;
  s.max_intents = intents;
  p.w.resize(s.size_psi());
  const double size = std::pow(10.0, whole(-1, 1));
  for (double& v : p.w) v = ties ? whole(-1, 1) : size * normal();
}

// Calls visit(slate) for every ordered choice of n documents.
template <class Visit>
void slates(int k, int n, std::vector<int32_t>& slate, int p, Visit&& visit) {
  if (p == n) return visit();
  for (int32_t d = 0; d < k; ++d) {
    bool free = true;
    for (int q = 0; q < p; ++q) free = free && slate[q] != d;
    if (!free) continue;
    slate[p] = d;
    slates(k, n, slate, p + 1, visit);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const long cases = std::atol(argv[2]);
  rng.seed(static_cast<uint64_t>(std::atol(argv[3])));
  long low = 0, tight = 0;
  double excess = 0, spread = 0, worst = 0;
  for (long c = 0; c < cases; ++c) {
    const int k = whole(1, 5), top = whole(1, 4), n = k < top ? k : top;
    Problem p;
    make(p, argv[1], k, top, whole(1, 5), whole(1, 4));
    std::vector<int32_t> slate(top, -1), code(top, -1);
    // The ideal of a greedy truth may be less than the best.
    double truth = 0;
    p.ideal[0] = 1e6;  // so that the loss is not cut off at 0
    slates(k, n, slate, 0, [&] { truth = std::max(truth, 1e6 * (1 - p.s.loss(0, slate.data()))); });
    p.ideal[0] = truth > 1e-3 ? truth * (whole(0, 3) ? 1.0 : 0.5 + 0.5 * uniform()) : 1.0;
    const int scales = whole(0, 2);
    const double scale = scales == 0 ? 0.0 : scales == 1 ? 1.0 : 3 * uniform();
    SlateSpace::Scratch scratch(p.s);
    p.s.prepare(p.w.data(), scratch);
    p.s.load(p.w.data(), 0, scratch);
    double most = -1e300, least = 1e300;
    slates(k, n, slate, 0, [&] {
      DotSink<double> sink{p.w.data()};
      p.s.psi(0, slate.data(), 1.0, sink);
      const double v = sink.sum + scale * p.s.loss(0, slate.data());
      most = std::max(most, v);
      least = std::min(least, v);
    });
    p.s.argmax(0, scale, scratch, code.data());
    const double bound = p.s.bound(0, scale, scratch), again = p.s.bound(0, scale, scratch);
    const double tol = 1e-9 * (1 + std::fabs(most));
    if (!(bound >= most - tol) || !std::isfinite(bound) || bound != again) {
      ++low;
      worst = std::max(worst, most - bound);
    }
    tight += bound <= most + 1e-6 * (1 + std::fabs(most));
    excess += bound - most;
    spread += most - least;
  }
  std::printf("%ld %ld %.6f %.3e\n", low, tight, excess / spread, worst);
  return 0;
}
