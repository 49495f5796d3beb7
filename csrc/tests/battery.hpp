// What every oracle must keep, seen through the ABI alone.
//
// Outputs come from the oracle itself (the best ones at several w, samples, the k best), so that the
// battery needs to know nothing of a structure. Where k_best gives all outputs of a block, maxima,
// the log-partition and marginals are checked against them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "pystruct_ext/driver.hpp"

namespace battery {

using Code = std::vector<int32_t>;

// Counts checks, prints the first failures of each oracle.
struct Tally {
  int64_t passed = 0, failed = 0;
  std::string where;
  int printed = 0;
  void enter(const std::string& name) {
    where = name;
    printed = 0;
  }
  bool check(bool good, const char* format, ...) __attribute__((format(printf, 3, 4))) {
    good ? ++passed : ++failed;
    if (good || ++printed > 10) return good;
    std::printf("FAILED %s: ", where.c_str());
    va_list args;
    va_start(args, format);
    std::vprintf(format, args);
    va_end(args);
    std::printf("\n");
    return good;
  }
};

inline std::size_t idx(int64_t k) { return static_cast<std::size_t>(k); }

// Numbers of w's type.
class Reals {
 public:
  Reals(uint32_t w_bytes, int64_t n) : wide_(w_bytes == 8) {
    wide_ ? d_.assign(idx(n), 0.0) : f_.assign(idx(n), 0.0f);
  }
  void* data() { return wide_ ? static_cast<void*>(d_.data()) : static_cast<void*>(f_.data()); }
  const void* data() const { return const_cast<Reals*>(this)->data(); }
  int64_t size() const { return static_cast<int64_t>(wide_ ? d_.size() : f_.size()); }
  double operator[](int64_t k) const { return wide_ ? d_[idx(k)] : static_cast<double>(f_[idx(k)]); }
  void set(int64_t k, double v) {
    if (wide_)
      d_[idx(k)] = v;
    else
      f_[idx(k)] = static_cast<float>(v);
  }

 private:
  bool wide_;
  std::vector<double> d_;
  std::vector<float> f_;
};

class Battery {
 public:
  Battery(const psx_oracle* o, Tally& tally, unsigned seed) : o_(o), tally_(tally), rng_(seed) {}

  void run() {
    const bool sizes = tally_.check(o_->n_blocks > 0 && o_->size_psi >= 0, "sizes");
    if (!sizes || !ok(o_->reserve_workers(o_->ctx, 3), "reserve_workers", -1)) return;
    eps_ = o_->w_bytes == 4 ? 2e-4 : 1e-8;
    exact_ = (o_->flags & PSX_EXACT) && !(o_->flags & PSX_UNDERGEN);
    // Zero, small whole numbers (many ties), then Gaussian numbers.
    for (int kind = 0; kind < 5; ++kind) weights_.push_back(draw(kind));
    pool_.resize(idx(o_->n_blocks));
    for (int64_t i = 0; i < o_->n_blocks; ++i)
      if (!collect(i)) return;
    for (const Reals& w : weights_) {
      for (int64_t i = 0; i < o_->n_blocks; ++i) {
        values(w, i);
        differences(w, i);
        parts(w, i);
        queries(w, i);
      }
      batches(w);
    }
    for (int64_t i = 0; i < o_->n_blocks; ++i) {
      codes(i);
      nonfinite(i);
    }
  }

 private:
  Reals draw(int kind) {
    std::normal_distribution<double> normal;
    Reals w(o_->w_bytes, o_->size_psi);
    for (int64_t k = 0; k < w.size(); ++k) {
      const double drawn = normal(rng_);
      // An oracle promises nothing for weights that are to be >= 0 and are not.
      const bool positive = k >= o_->nonnegative[0] && k < o_->nonnegative[1];
      const double g = positive ? std::fabs(drawn) : drawn;
      w.set(k, kind == 0 ? 0.0 : kind == 1 ? std::round(g) : g * std::pow(10.0, kind - 3));
    }
    return w;
  }
  bool ok(int rc, const char* verb, int64_t i) {
    return tally_.check(rc == PSX_OK, "%s of block %lld returns %d", verb,
                        static_cast<long long>(i), rc);
  }
  bool near(double a, double b, double size, const char* what, int64_t i) {
    return tally_.check(std::fabs(a - b) <= eps_ * (1 + size), "block %lld: %s: %.17g against %.17g",
                        static_cast<long long>(i), what, a, b);
  }
  bool that(bool good, const char* what, int64_t i) {
    return tally_.check(good, "block %lld: %s", static_cast<long long>(i), what);
  }

  // -- plain calls, on worker 0 ---------------------------------------------------------------
  int32_t len(int64_t i) const { return o_->code_len(o_->ctx, i); }
  Code truth(int64_t i) const {
    const int32_t* y = o_->truth(o_->ctx, i);
    return y ? Code(y, y + len(i)) : Code();
  }
  bool load(const Reals& w, int64_t i) { return ok(o_->load(o_->ctx, 0, w.data(), i), "load", i); }
  Code argmax(int64_t i, double scale) {
    Code code(idx(len(i)), -77);
    return ok(o_->argmax(o_->ctx, 0, i, scale, code.data()), "argmax", i) ? code : Code();
  }
  double score(int64_t i, const Code& y) {
    double out = std::numeric_limits<double>::quiet_NaN();
    ok(o_->score(o_->ctx, 0, i, y.data(), &out), "score", i);
    return out;
  }
  double loss(int64_t i, const Code& y) {
    double out = std::numeric_limits<double>::quiet_NaN();
    ok(o_->loss(o_->ctx, i, y.data(), &out), "loss", i);
    return out;
  }
  std::vector<double> psi(int64_t i, const Code& y) {
    Reals v(o_->w_bytes, o_->size_psi);
    ok(o_->psi_axpy(o_->ctx, 0, i, y.data(), 1.0, v.data()), "psi_axpy", i);
    std::vector<double> out;
    for (int64_t k = 0; k < v.size(); ++k) out.push_back(v[k]);
    return out;
  }
  // How large the terms of a score are: what rounding is measured against.
  double size_of(const Reals& w, int64_t i, const Code& y) {
    const std::vector<double> p = psi(i, y);
    double sum = 0;
    for (int64_t k = 0; k < w.size(); ++k) sum += std::fabs(w[k] * p[idx(k)]);
    return sum;
  }
  int64_t n_parts(int64_t i) {
    int64_t shape[4] = {0, 0, 0, 0}, n = 1;
    const int dims = o_->part_shape(o_->ctx, i, shape);
    that(dims >= 1 && dims <= 4, "number of dimensions of the parts", i);
    for (int d = 0; d < dims; ++d) {
      that(shape[d] >= 0, "a dimension of the parts", i);
      n *= shape[d];
    }
    return n;
  }
  std::vector<int64_t> parts_of(int64_t i, const Code& y) {
    const int64_t n = o_->parts(o_->ctx, i, y.data(), nullptr, 0);
    std::vector<int64_t> out(idx(std::max<int64_t>(n, 0)));
    that(o_->parts(o_->ctx, i, y.data(), out.data(), n) == n, "the number of parts repeats", i);
    return out;
  }

  // Outputs to compare with: the truth and the best at every w, with and without the loss.
  bool collect(int64_t i) {
    std::set<Code> found;
    const Code y = truth(i);
    if (!that(!y.empty() || len(i) == 0, "there is a truth", i)) return false;
    found.insert(y);
    if (!near(loss(i, y), 0, 0, "loss of the truth", i)) return false;
    for (const Reals& w : weights_)
      for (const double scale : {0.0, 1.0}) {
        if (!load(w, i)) return false;
        const Code code = argmax(i, scale);
        if (!that(static_cast<int32_t>(code.size()) == len(i), "argmax gave a code", i)) return false;
        found.insert(code);
        load(w, i);
        that(argmax(i, scale) == code, "a second argmax gives another code", i);
      }
    if (o_->sample) {
      load(weights_[3], i);
      Code codes(idx(int64_t{8} * len(i)));
      if (ok(o_->sample(o_->ctx, 0, i, 1.0, 11, 8, codes.data()), "sample", i))
        for (int m = 0; m < 8; ++m)
          found.insert(Code(codes.begin() + m * len(i), codes.begin() + (m + 1) * len(i)));
    }
    pool_[idx(i)].assign(found.begin(), found.end());
    for (const Code& z : pool_[idx(i)]) that(loss(i, z) >= 0, "loss is not negative", i);
    return true;
  }

  // argmax against the truth and the other outputs.
  void values(const Reals& w, int64_t i) {
    for (const double scale : {0.0, 0.5, 1.0}) {
      if (!load(w, i)) return;
      const Code code = argmax(i, scale);
      const double best = score(i, code) + scale * loss(i, code);
      const double size = size_of(w, i, code) + scale * loss(i, code);
      if (o_->bound) {
        double upper = 0;
        ok(o_->bound(o_->ctx, 0, i, scale, &upper), "bound", i);
        that(upper >= best - eps_ * (1 + size), "bound is below the value of argmax", i);
        for (const Code& z : pool_[idx(i)])
          that(upper >= score(i, z) + scale * loss(i, z) -
                            eps_ * (1 + size + size_of(w, i, z) + loss(i, z)),
               "bound is below the value of an output", i);
      }
      if (!exact_) continue;
      for (const Code& z : pool_[idx(i)]) {
        const double v = score(i, z) + scale * loss(i, z);
        tally_.check(v <= best + eps_ * (1 + size + size_of(w, i, z) + loss(i, z)),
                     "block %lld, scale %g: an output is worth %.17g, argmax %.17g",
                     static_cast<long long>(i), scale, v, best);
      }
    }
  }

  // Outputs are taken; of other codes, those that are can be asked about (under a sanitizer).
  void codes(int64_t i) {
    if (!that(o_->check_code != nullptr, "no check_code", i) || !load(weights_[2], i)) return;
    int64_t range[2];
    for (const Code& z : pool_[idx(i)])
      that(o_->check_code(o_->ctx, i, z.data(), range) < 0, "check_code refuses an output", i);
    const Code& first = pool_[idx(i)].front();
    for (int k = 0; k < 60 && !first.empty(); ++k) {
      Code z = first;
      const int times = std::uniform_int_distribution<int>(1, 3)(rng_);
      for (int t = 0; t < times; ++t)
        z[rng_() % z.size()] = k < 20 ? static_cast<int32_t>(rng_())
                                      : std::uniform_int_distribution<int32_t>(-2, 12)(rng_);
      const int64_t at = o_->check_code(o_->ctx, i, z.data(), range);
      that(at < static_cast<int64_t>(z.size()), "check_code names an entry beyond the code", i);
      if (at >= 0) continue;
      Reals to(o_->w_bytes, o_->size_psi);
      double norm = 0;
      score(i, z);
      loss(i, z);
      ok(o_->psi_axpy(o_->ctx, 0, i, z.data(), 1.0, to.data()), "psi_axpy", i);
      ok(o_->psi_diff_sqnorm(o_->ctx, 0, i, z.data(), first.data(), &norm), "psi_diff_sqnorm", i);
    }
  }

  void differences(const Reals& w, int64_t i) {
    if (!load(w, i)) return;
    const std::vector<Code>& pool = pool_[idx(i)];
    const std::size_t m = std::min<std::size_t>(pool.size(), 5);
    for (std::size_t a = 0; a < m; ++a)
      for (std::size_t b = 0; b < m; ++b) {
        const Code &y = pool[a], &z = pool[b];
        const double size = size_of(w, i, y) + size_of(w, i, z);
        double dot = 0, norm = 0;
        ok(o_->psi_diff_dot(o_->ctx, 0, w.data(), i, y.data(), z.data(), &dot), "psi_diff_dot", i);
        near(dot, score(i, y) - score(i, z), size, "psi_diff_dot against score", i);
        const std::vector<double> p = psi(i, y), q = psi(i, z);
        std::vector<double> acc(idx(o_->size_psi), 0.5);
        ok(o_->psi_diff_accumulate(o_->ctx, 0, i, y.data(), z.data(), 2.0, acc.data()),
           "psi_diff_accumulate", i);
        Reals v(w);
        ok(o_->psi_diff_axpy(o_->ctx, 0, i, y.data(), z.data(), 0.5, v.data()), "psi_diff_axpy", i);
        double along = 0, square = 0, large = 0, off = 0, moved = 0;
        for (int64_t k = 0; k < w.size(); ++k) {
          const double d = (acc[idx(k)] - 0.5) / 2;
          const double most = std::fabs(p[idx(k)]) + std::fabs(q[idx(k)]);
          along += d * w[k];
          square += d * d;
          large += most * most;
          off = std::max(off, std::fabs(d - (p[idx(k)] - q[idx(k)])) / (1 + most));
          moved = std::max(moved, std::fabs(v[k] - w[k] - 0.5 * d) / (1 + most + std::fabs(w[k])));
        }
        near(along, dot, size, "<w, psi_diff_accumulate> against psi_diff_dot", i);
        that(off <= eps_, "psi_diff_accumulate against psi_axpy", i);
        that(moved <= eps_, "psi_diff_axpy against psi_diff_accumulate", i);
        ok(o_->psi_diff_sqnorm(o_->ctx, 0, i, y.data(), z.data(), &norm), "psi_diff_sqnorm", i);
        near(norm, square, large, "psi_diff_sqnorm", i);
      }
  }

  void parts(const Reals& w, int64_t i) {
    if (!o_->part_shape) return;
    const int64_t n = n_parts(i);
    std::normal_distribution<double> normal;
    Reals extra(o_->w_bytes, n);
    for (int64_t p = 0; p < n; ++p) extra.set(p, normal(rng_));
    const std::vector<Code>& pool = pool_[idx(i)];
    std::vector<double> sum(pool.size()), size(pool.size());
    if (o_->parts)
      for (std::size_t m = 0; m < pool.size(); ++m) {
        const std::vector<int64_t> parts = parts_of(i, pool[m]);
        std::set<int64_t> distinct(parts.begin(), parts.end());
        that(distinct.size() == parts.size(), "parts are distinct", i);
        if (!that(parts.empty() || (*distinct.begin() >= 0 && *distinct.rbegin() < n),
                  "a part is out of range", i))
          return;
        if (parts.size() > 1) {
          int64_t first[2] = {-5, -5};
          const int64_t count = o_->parts(o_->ctx, i, pool[m].data(), first, 1);
          that(count == static_cast<int64_t>(parts.size()) && first[0] == parts[0] && first[1] == -5,
               "parts keeps to its room", i);
        }
        for (const int64_t p : parts) {
          sum[m] += extra[p];
          size[m] += std::fabs(extra[p]);
        }
      }
    if (o_->add_scores && o_->parts && load(w, i)) {
      std::vector<double> before;
      for (const Code& y : pool) before.push_back(score(i, y));
      ok(o_->add_scores(o_->ctx, 0, i, 0.5, extra.data()), "add_scores", i);
      for (std::size_t m = 0; m < pool.size(); ++m)
        near(score(i, pool[m]), before[m] + 0.5 * sum[m], size_of(w, i, pool[m]) + size[m],
             "score after add_scores", i);
      best_of_pool(w, i, 1.0, size, "argmax after add_scores");
      load(w, i);
      for (std::size_t m = 0; m < pool.size(); ++m)
        that(score(i, pool[m]) == before[m], "load forgets added scores", i);
    }
    if (o_->load_scores && o_->parts) {
      const Reals none(o_->w_bytes, o_->size_psi);
      const auto given = [&] {
        ok(o_->load_scores(o_->ctx, 0, i, extra.data()), "load_scores", i);
        for (std::size_t m = 0; m < pool.size(); ++m)
          near(score(i, pool[m]), sum[m], size[m], "score after load_scores", i);
        best_of_pool(none, i, 0.0, size, "argmax after load_scores");
        return argmax(i, 1.0);
      };
      const Code first = given();
      load(w, i);
      that(given() == first, "the same scores give the same output", i);
    }
  }
  void best_of_pool(const Reals& w, int64_t i, double scale, const std::vector<double>& size,
                    const char* what) {
    const Code code = argmax(i, scale);
    if (!exact_ || code.empty()) return;
    const double best = score(i, code) + scale * loss(i, code);
    const std::vector<Code>& pool = pool_[idx(i)];
    for (std::size_t m = 0; m < pool.size(); ++m) {
      const double v = score(i, pool[m]) + scale * loss(i, pool[m]);
      const double room = 1 + size[m] + size_of(w, i, pool[m]) + std::fabs(best) + std::fabs(v);
      that(v <= best + eps_ * room, what, i);
    }
  }

  void queries(const Reals& w, int64_t i) {
    constexpr int64_t kMost = 400;
    if (!load(w, i)) return;
    const Code code = argmax(i, 0.0);
    const double best = score(i, code), size = size_of(w, i, code);
    std::vector<Code> all;
    std::vector<double> scores(idx(kMost));
    if (o_->k_best) {
      const int32_t n = len(i);
      Code codes(idx(kMost * n));
      int64_t found = 0;
      if (ok(o_->k_best(o_->ctx, 0, i, kMost, codes.data(), scores.data(), &found), "k_best", i) &&
          that(found >= 1 && found <= kMost, "k_best finds something", i)) {
        for (int64_t m = 0; m < found; ++m)
          all.emplace_back(codes.begin() + m * n, codes.begin() + (m + 1) * n);
        if (exact_) near(scores[0], best, size, "k_best against argmax", i);
        for (int64_t m = 0; m < found; ++m) {
          if (m) that(scores[idx(m)] <= scores[idx(m - 1)], "k_best is sorted", i);
          near(score(i, all[idx(m)]), scores[idx(m)], size + size_of(w, i, all[idx(m)]),
               "score of one of the k best", i);
        }
        that(std::set<Code>(all.begin(), all.end()).size() == idx(found), "k_best is distinct", i);
        int64_t few = 0;
        Code three(idx(3 * n));
        double top[3];
        ok(o_->k_best(o_->ctx, 0, i, 3, three.data(), top, &few), "k_best", i);
        that(few == std::min<int64_t>(3, found), "fewer of the k best are as many", i);
        for (int64_t m = 0; m < few; ++m) that(top[m] == scores[idx(m)], "fewer of the k best", i);
      }
      if (found < kMost && !all.empty()) enumerated(w, i, all);
      else all.clear();
    }
    for (const double temperature : {1.0, 3.0}) marginals(w, i, temperature, best, size, all, scores);
    if (o_->sample) samples(w, i);
  }
  // All outputs of the block are known.
  void enumerated(const Reals& w, int64_t i, const std::vector<Code>& all) {
    const std::set<Code> known(all.begin(), all.end());
    for (const Code& y : pool_[idx(i)])
      that(known.count(y) || score(i, y) < 0.1 * PSX_FORBIDDEN, "k_best misses an output", i);
    if (!exact_) return;
    const Code code = argmax(i, 1.0);
    const double best = score(i, code) + loss(i, code);
    for (const Code& z : all)
      that(score(i, z) + loss(i, z) <=
               best + eps_ * (1 + size_of(w, i, z) + size_of(w, i, code) + loss(i, z)),
           "an enumerated output is better than argmax", i);
  }
  void marginals(const Reals& w, int64_t i, double t, double best, double size,
                 const std::vector<Code>& all, const std::vector<double>& scores) {
    if (!o_->marginals || !o_->part_shape) return;
    const int64_t n = n_parts(i);
    std::vector<double> p(idx(n), -5.0);
    double log_z = 0, alone = 0;
    if (!ok(o_->marginals(o_->ctx, 0, i, t, p.data(), &log_z), "marginals", i)) return;
    ok(o_->marginals(o_->ctx, 0, i, t, nullptr, &alone), "log-partition", i);
    near(alone, log_z, size / t + std::fabs(log_z), "log-partition alone", i);
    that(log_z >= best / t - eps_ * (1 + size / t), "log-partition against the best score", i);
    double low = 0, high = 0;
    for (const double v : p) {
      that(std::isfinite(v), "a marginal is not finite", i);
      low = std::min(low, v);
      high = std::max(high, v);
    }
    const double room = eps_ * (1 + size / t);
    that(low >= -room && high <= 1 + room, "marginals are probabilities", i);
    if (all.empty() || !o_->parts) return;
    double sum = 0, spread = size;
    for (std::size_t m = 0; m < all.size(); ++m) sum += std::exp((scores[m] - scores[0]) / t);
    std::vector<double> expected(idx(n), 0.0);
    for (std::size_t m = 0; m < all.size(); ++m) {
      spread = std::max(spread, size_of(w, i, all[m]));
      for (const int64_t part : parts_of(i, all[m]))
        expected[idx(part)] += std::exp((scores[m] - scores[0]) / t) / sum;
    }
    near(log_z, scores[0] / t + std::log(sum), spread / t, "log-partition of all outputs", i);
    for (int64_t k = 0; k < n; ++k)
      near(p[idx(k)], expected[idx(k)], spread / t, "marginal of all outputs", i);
  }
  void samples(const Reals& w, int64_t i) {
    constexpr int64_t kCount = 20;
    const int32_t n = len(i);
    Code a(idx(kCount * n)), b(a.size());
    if (!ok(o_->sample(o_->ctx, 0, i, 2.0, 5, kCount, a.data()), "sample", i)) return;
    load(w, i);
    ok(o_->sample(o_->ctx, 0, i, 2.0, 5, kCount, b.data()), "sample", i);
    that(a == b, "the same seed gives the same samples", i);
    for (int64_t m = 0; m < kCount; ++m) {
      const Code y(a.begin() + m * n, a.begin() + (m + 1) * n);
      that(score(i, y) > 0.1 * PSX_FORBIDDEN, "a sample is a possible output", i);
      if (!o_->parts || !o_->part_shape) continue;
      const int64_t room = n_parts(i);
      for (const int64_t p : parts_of(i, y)) that(p >= 0 && p < room, "a part of a sample", i);
    }
  }

  // Batches against single calls, bitwise, and sums over blocks.
  void batches(const Reals& w) {
    // More blocks than fit in a chunk, so that threads share them.
    std::vector<int64_t> ids, offsets{0};
    std::vector<double> weight;
    for (int64_t k = 0; k < std::max<int64_t>(50, o_->n_blocks); ++k) {
      ids.push_back(k % o_->n_blocks);
      offsets.push_back(offsets.back() + len(ids.back()));
      weight.push_back(0.25 * static_cast<double>(k % 4));
    }
    const auto n = static_cast<int64_t>(ids.size());
    Code single(idx(offsets.back()));
    std::vector<double> scores, losses, margins;
    double hinge = 0, delta = 0, size = 0;
    std::vector<double> psi_sum(idx(o_->size_psi), 0.0);
    for (int64_t k = 0; k < n; ++k) {
      const int64_t i = ids[idx(k)];
      if (!load(w, i)) return;
      const Code y = truth(i), code = argmax(i, 1.0);
      std::copy(code.begin(), code.end(), single.begin() + offsets[idx(k)]);
      scores.push_back(score(i, code));
      losses.push_back(loss(i, code));
      margins.push_back(score(i, y) - scores.back());
      const double h = losses.back() - margins.back();
      size += size_of(w, i, y) + size_of(w, i, code) + losses.back();
      if (exact_) that(h >= -eps_ * (1 + size), "a hinge is negative", i);
      if (h <= 0) continue;
      hinge += weight[idx(k)] * h;
      delta += weight[idx(k)] * losses.back();
      ok(o_->psi_diff_accumulate(o_->ctx, 0, i, y.data(), code.data(), weight[idx(k)],
                                 psi_sum.data()),
         "psi_diff_accumulate", i);
    }
    double before[3] = {0, 0, 0};
    std::vector<double> dpsi_before;
    for (const int threads : {1, 3}) {
      Code codes(single.size(), -9);
      std::vector<double> s(idx(n)), l(idx(n)), m(idx(n));
      int64_t failed = -1;
      const pystruct_ext::BatchOut out{codes.data(), offsets.data(), s.data(), l.data(), m.data()};
      ok(pystruct_ext::oracle_argmax_batch(o_, w.data(), ids.data(), n, 1.0, threads, out, &failed),
         "argmax_batch", failed);
      that(codes == single, "argmax_batch gives other codes", -1);
      that(s == scores && l == losses && m == margins, "argmax_batch gives other numbers", -1);
      std::vector<double> dpsi(idx(o_->size_psi), 0.0);
      double loss_sum = 0, hinge_sum = 0, upper = 0, lower = 0;
      ok(pystruct_ext::oracle_cut_sum(o_, w.data(), ids.data(), weight.data(), n, threads,
                                      dpsi.data(), &loss_sum, &hinge_sum, &failed),
         "cut_sum", failed);
      near(hinge_sum, hinge, size, "hinge of cut_sum", -1);
      near(loss_sum, delta, size, "loss of cut_sum", -1);
      double off = 0;
      for (std::size_t k = 0; k < dpsi.size(); ++k)
        off = std::max(off, std::fabs(dpsi[k] - psi_sum[k]) / (1 + std::fabs(psi_sum[k])));
      that(off <= eps_, "dpsi of cut_sum", -1);
      ok(pystruct_ext::oracle_hinge_sum(o_, w.data(), ids.data(), weight.data(), n, threads, &upper,
                                        &lower, &failed),
         "hinge_sum", failed);
      near(lower, hinge, size, "hinges that hinge_sum found", -1);
      that(upper >= hinge - eps_ * (1 + size), "hinge_sum is below the hinges", -1);
      if (!o_->bound) near(upper, hinge, size, "hinge_sum", -1);
      if (threads > 1)
        that(before[0] == loss_sum && before[1] == hinge_sum && before[2] == upper &&
                 dpsi_before == dpsi,
             "sums differ between 1 and 3 threads", -1);
      before[0] = loss_sum, before[1] = hinge_sum, before[2] = upper;
      dpsi_before = dpsi;
    }
  }

  // A w that is not finite is an error, not an output, and no call may go astray.
  void nonfinite(int64_t i) {
    const double bad[] = {std::numeric_limits<double>::quiet_NaN(),
                          std::numeric_limits<double>::infinity()};
    bool depends = false;
    for (const Code& y : pool_[idx(i)]) {
      const std::vector<double> p = psi(i, y);
      depends |= std::any_of(p.begin(), p.end(), [](double v) { return v != 0; });
    }
    for (const double value : bad)
      for (int kind = 0; kind < 4; ++kind) {
        Reals w(weights_[3]);
        for (int64_t k = 0; k < w.size(); ++k)
          if (kind == 0 || rng_() % 8 == 0) w.set(k, value);
        Code code(idx(len(i)));
        o_->load(o_->ctx, 0, w.data(), i);
        const int rc = o_->argmax(o_->ctx, 0, i, 1.0, code.data());
        that(rc == PSX_OK || rc == PSX_NONFINITE, "status for a w that is not finite", i);
        if (kind == 0 && depends && value != value)
          that(rc == PSX_NONFINITE, "a w of NaN gives an output", i);
        ask_all(i);
      }
    // And all is as before.
    if (load(weights_[3], i)) that(argmax(i, 0.0).size() == idx(len(i)), "argmax after NaN", i);
  }
  void ask_all(int64_t i) {
    const auto fine = [&](int rc) {
      that(rc == PSX_OK || rc == PSX_NONFINITE, "status of a query after a bad w", i);
    };
    Code codes(idx(int64_t{4} * len(i)));
    double scores[4], log_z = 0;
    int64_t found = 0;
    if (o_->k_best) fine(o_->k_best(o_->ctx, 0, i, 4, codes.data(), scores, &found));
    if (o_->sample) fine(o_->sample(o_->ctx, 0, i, 1.0, 3, 4, codes.data()));
    if (o_->marginals && o_->part_shape) {
      std::vector<double> p(idx(n_parts(i)));
      fine(o_->marginals(o_->ctx, 0, i, 1.0, p.data(), &log_z));
    }
  }

  const psx_oracle* o_;
  Tally& tally_;
  std::mt19937 rng_;
  double eps_ = 0;
  bool exact_ = false;
  std::vector<Reals> weights_;
  std::vector<std::vector<Code>> pool_;
};

inline void run(const psx_oracle* o, Tally& tally, unsigned seed) { Battery(o, tally, seed).run(); }

}  // namespace battery
