// Oracles made of other oracles, over the C ABI: any kernel, also one of somebody else.
//
//   ConstrainedOracle   some parts are forbidden, at training and at prediction
//   CostShiftedOracle   Delta'(y_i, y) = Delta(y_i, y) + sum of the costs of the parts of y
//   ProductOracle       pairs of outputs of one x; psi is laid end to end, Delta and scores add up
//
// The first two need the verb add_scores (and parts) of the inner oracle. Inner oracles and arrays
// belong to the caller and must outlive the object. Batch calls are left to the generic loops.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "pystruct_ext/driver.hpp"

namespace pystruct_ext {

// Forwards every verb that the inner oracle has.
class ForwardingOracle {
 public:
  explicit ForwardingOracle(const psx_oracle* inner) : inner_(inner), oracle_(*inner) {
    oracle_.struct_size = sizeof(psx_oracle);
    oracle_.ctx = this;
    oracle_.argmax_batch = nullptr;
    oracle_.cut_sum = nullptr;
    oracle_.reserve_workers = [](void* c, int n) {
      return in(c)->reserve_workers(in(c)->ctx, n);
    };
    oracle_.code_len = [](void* c, int64_t i) { return in(c)->code_len(in(c)->ctx, i); };
    oracle_.truth = [](void* c, int64_t i) { return in(c)->truth(in(c)->ctx, i); };
    oracle_.load = [](void* c, int k, const void* w, int64_t i) {
      return in(c)->load(in(c)->ctx, k, w, i);
    };
    oracle_.argmax = [](void* c, int k, int64_t i, double scale, int32_t* code) {
      return in(c)->argmax(in(c)->ctx, k, i, scale, code);
    };
    oracle_.score = [](void* c, int k, int64_t i, const int32_t* code, double* out) {
      return in(c)->score(in(c)->ctx, k, i, code, out);
    };
    oracle_.loss = [](void* c, int64_t i, const int32_t* code, double* out) {
      return in(c)->loss(in(c)->ctx, i, code, out);
    };
    oracle_.psi_axpy = [](void* c, int k, int64_t i, const int32_t* y, double a, void* w) {
      return in(c)->psi_axpy(in(c)->ctx, k, i, y, a, w);
    };
    oracle_.psi_diff_axpy = [](void* c, int k, int64_t i, const int32_t* y, const int32_t* z,
                               double a, void* w) {
      return in(c)->psi_diff_axpy(in(c)->ctx, k, i, y, z, a, w);
    };
    oracle_.psi_diff_accumulate = [](void* c, int k, int64_t i, const int32_t* y,
                                     const int32_t* z, double a, double* acc) {
      return in(c)->psi_diff_accumulate(in(c)->ctx, k, i, y, z, a, acc);
    };
    oracle_.psi_diff_sqnorm = [](void* c, int k, int64_t i, const int32_t* y, const int32_t* z,
                                 double* out) {
      return in(c)->psi_diff_sqnorm(in(c)->ctx, k, i, y, z, out);
    };
    oracle_.psi_diff_dot = [](void* c, int k, const void* w, int64_t i, const int32_t* y,
                              const int32_t* z, double* out) {
      return in(c)->psi_diff_dot(in(c)->ctx, k, w, i, y, z, out);
    };
    if (inner->k_best)
      oracle_.k_best = [](void* c, int k, int64_t i, int64_t n, int32_t* codes, double* scores,
                          int64_t* found) {
        return in(c)->k_best(in(c)->ctx, k, i, n, codes, scores, found);
      };
    if (inner->marginals)
      oracle_.marginals = [](void* c, int k, int64_t i, double temperature, double* out,
                             double* log_z) {
        return in(c)->marginals(in(c)->ctx, k, i, temperature, out, log_z);
      };
    if (inner->sample)
      oracle_.sample = [](void* c, int k, int64_t i, double temperature, uint64_t seed, int64_t n,
                          int32_t* codes) {
        return in(c)->sample(in(c)->ctx, k, i, temperature, seed, n, codes);
      };
    if (inner->part_shape)
      oracle_.part_shape = [](void* c, int64_t i, int64_t* shape) {
        return in(c)->part_shape(in(c)->ctx, i, shape);
      };
    if (inner->parts)
      oracle_.parts = [](void* c, int64_t i, const int32_t* code, int64_t* parts, int64_t room) {
        return in(c)->parts(in(c)->ctx, i, code, parts, room);
      };
    if (inner->load_scores)
      oracle_.load_scores = [](void* c, int k, int64_t i, const void* scores) {
        return in(c)->load_scores(in(c)->ctx, k, i, scores);
      };
    if (inner->add_scores)
      oracle_.add_scores = [](void* c, int k, int64_t i, double a, const void* scores) {
        return in(c)->add_scores(in(c)->ctx, k, i, a, scores);
      };
    if (inner->bound)
      oracle_.bound = [](void* c, int k, int64_t i, double scale, double* out) {
        return in(c)->bound(in(c)->ctx, k, i, scale, out);
      };
    if (inner->check_code)
      oracle_.check_code = [](void* c, int64_t i, const int32_t* code, int64_t* range) {
        return in(c)->check_code(in(c)->ctx, i, code, range);
      };
    if (inner->hold)
      oracle_.hold = [](void* c, int64_t i, const int32_t* code, int held) {
        in(c)->hold(in(c)->ctx, i, code, held);
      };
  }
  virtual ~ForwardingOracle() = default;
  ForwardingOracle(const ForwardingOracle&) = delete;
  ForwardingOracle& operator=(const ForwardingOracle&) = delete;
  const psx_oracle* oracle() const noexcept { return &oracle_; }

 protected:
  static const psx_oracle* in(void* c) noexcept {
    return static_cast<ForwardingOracle*>(c)->inner_;
  }
  // Entry of block i in arrays of parts laid end to end.
  const void* at(const void* all, const int64_t* offsets, int64_t i) const noexcept {
    return static_cast<const char*>(all) + offsets[i] * oracle_.w_bytes;
  }
  double number(const void* all, int64_t k) const noexcept {
    return oracle_.w_bytes == 4 ? static_cast<double>(static_cast<const float*>(all)[k])
                                : static_cast<const double*>(all)[k];
  }

  const psx_oracle* inner_;
  psx_oracle oracle_;
};

// mask: 0, or PSX_FORBIDDEN, per part, of w's type; block i from offsets[i] on.
class ConstrainedOracle final : public ForwardingOracle {
 public:
  ConstrainedOracle(const psx_oracle* inner, const void* mask, const int64_t* offsets)
      : ForwardingOracle(inner), mask_(mask), offsets_(offsets) {
    oracle_.load = [](void* c, int k, const void* w, int64_t i) {
      const int rc = in(c)->load(in(c)->ctx, k, w, i);
      return rc ? rc : self(c).forbid(k, i);
    };
    if (inner->load_scores)
      oracle_.load_scores = [](void* c, int k, int64_t i, const void* scores) {
        const int rc = in(c)->load_scores(in(c)->ctx, k, i, scores);
        return rc ? rc : self(c).forbid(k, i);
      };
  }

 private:
  static ConstrainedOracle& self(void* c) noexcept { return *static_cast<ConstrainedOracle*>(c); }
  int forbid(int k, int64_t i) const noexcept {
    return inner_->add_scores(inner_->ctx, k, i, 1.0, at(mask_, offsets_, i));
  }
  const void* mask_;
  const int64_t* offsets_;
};

// cost: per part, of w's type, 0 for the parts of the truth; block i from offsets[i] on.
class CostShiftedOracle final : public ForwardingOracle {
 public:
  CostShiftedOracle(const psx_oracle* inner, const void* cost, const int64_t* offsets)
      : ForwardingOracle(inner), cost_(cost), offsets_(offsets) {
    oracle_.argmax = [](void* c, int k, int64_t i, double scale, int32_t* code) {
      return self(c).shifted(k, i, scale, [&](const psx_oracle* o) {
        return o->argmax(o->ctx, k, i, scale, code);
      });
    };
    oracle_.loss = [](void* c, int64_t i, const int32_t* code, double* out) {
      const int rc = in(c)->loss(in(c)->ctx, i, code, out);
      if (rc == PSX_OK) *out += self(c).cost_of(i, code);
      return rc;
    };
    if (inner->bound)
      oracle_.bound = [](void* c, int k, int64_t i, double scale, double* out) {
        return self(c).shifted(k, i, scale, [&](const psx_oracle* o) {
          return o->bound(o->ctx, k, i, scale, out);
        });
      };
  }

 private:
  static CostShiftedOracle& self(void* c) noexcept { return *static_cast<CostShiftedOracle*>(c); }
  template <class Work>
  int shifted(int k, int64_t i, double scale, Work&& work) const noexcept {
    if (scale == 0) return work(inner_);
    const void* cost = at(cost_, offsets_, i);
    int rc = inner_->add_scores(inner_->ctx, k, i, scale, cost);
    if (rc == PSX_OK) rc = work(inner_);
    const int back = inner_->add_scores(inner_->ctx, k, i, -scale, cost);
    return rc ? rc : back;
  }
  double cost_of(int64_t i, const int32_t* code) const noexcept {
    // An output has few parts; more than fit are asked for again.
    constexpr int64_t kRoom = 512;
    int64_t few[kRoom];
    int64_t n = inner_->parts(inner_->ctx, i, code, few, kRoom);
    double sum = 0;
    if (n <= kRoom) {
      for (int64_t p = 0; p < n; ++p) sum += number(cost_, offsets_[i] + few[p]);
      return sum;
    }
    try {
      std::vector<int64_t> many(static_cast<std::size_t>(n));
      inner_->parts(inner_->ctx, i, code, many.data(), n);
      for (const int64_t p : many) sum += number(cost_, offsets_[i] + p);
    } catch (...) {
      return std::numeric_limits<double>::quiet_NaN();
    }
    return sum;
  }
  const void* cost_;
  const int64_t* offsets_;
};

// Codes, weights and parts of the first oracle, then those of the second.
class ProductOracle {
 public:
  ProductOracle(const psx_oracle* a, const psx_oracle* b) : a_(a), b_(b), oracle_() {
    const uint32_t both = a->flags & b->flags, either = a->flags | b->flags;
    oracle_.struct_size = sizeof(psx_oracle);
    oracle_.abi_version = PSX_ABI_VERSION;
    oracle_.flags = (both & (PSX_EXACT | PSX_THREADSAFE)) |
                    (either & (PSX_NEEDS_GIL | PSX_UNDERGEN | PSX_OVERGEN));
    oracle_.w_bytes = a->w_bytes;
    oracle_.ctx = this;
    oracle_.n_blocks = a->n_blocks;
    oracle_.size_psi = a->size_psi + b->size_psi;
    // The binder sees to it that at most one of them has any.
    const bool first = a->nonnegative[1] > a->nonnegative[0];
    for (int k = 0; k < 2; ++k)
      oracle_.nonnegative[k] = first ? a->nonnegative[k] : a->size_psi + b->nonnegative[k];
    keep_truths();
    set_required();
    if (a->part_shape && b->part_shape) set_parts();
    if (a->k_best && b->k_best) set_queries();
    if ((either & PSX_UNDERGEN) && has_bound(a) && has_bound(b))
      oracle_.bound = [](void* c, int k, int64_t i, double scale, double* out) {
        ProductOracle& s = self(c);
        double x = 0, y = 0;
        int rc = s.bound_of(s.a_, k, i, scale, &x);
        if (rc == PSX_OK) rc = s.bound_of(s.b_, k, i, scale, &y);
        *out = x + y;
        return rc;
      };
    if (a->check_code && b->check_code)
      oracle_.check_code = [](void* c, int64_t i, const int32_t* code, int64_t* range) {
        const ProductOracle& s = self(c);
        const int64_t at = s.a_->check_code(s.a_->ctx, i, code, range);
        if (at >= 0) return at;
        const int64_t other = s.b_->check_code(s.b_->ctx, i, code + s.first(i), range);
        return other < 0 ? other : s.first(i) + other;
      };
    if (a->hold || b->hold)
      oracle_.hold = [](void* c, int64_t i, const int32_t* code, int held) {
        self(c).each(i, code, [&](const psx_oracle* o, const int32_t* y, int) {
          if (o->hold) o->hold(o->ctx, i, y, held);
          return static_cast<int>(PSX_OK);
        });
      };
  }
  ProductOracle(const ProductOracle&) = delete;
  ProductOracle& operator=(const ProductOracle&) = delete;
  const psx_oracle* oracle() const noexcept { return &oracle_; }

 private:
  static ProductOracle& self(void* c) noexcept { return *static_cast<ProductOracle*>(c); }
  static bool has_bound(const psx_oracle* o) noexcept { return o->bound || (o->flags & PSX_EXACT); }
  int32_t first(int64_t i) const noexcept { return a_->code_len(a_->ctx, i); }
  const void* second(const void* w) const noexcept {
    return static_cast<const char*>(w) + a_->size_psi * a_->w_bytes;
  }
  void* second(void* w) const noexcept {
    return static_cast<char*>(w) + a_->size_psi * a_->w_bytes;
  }
  static int64_t count(const psx_oracle* o, int64_t i) noexcept {
    int64_t shape[4] = {1, 1, 1, 1}, n = 1;
    const int dims = o->part_shape(o->ctx, i, shape);
    for (int d = 0; d < dims; ++d) n *= shape[d];
    return n;
  }
  // f(oracle, its part of a code) for both.
  template <class F>
  int each(int64_t i, const int32_t* code, F&& f) const noexcept {
    const int rc = f(a_, code, 0);
    return rc ? rc : f(b_, code + first(i), 1);
  }

  // Truths end to end; an oracle without truth (of prediction) leaves none.
  void keep_truths() {
    const int64_t n = oracle_.n_blocks;
    offsets_.assign(static_cast<std::size_t>(n) + 1, 0);
    for (int64_t i = 0; i < n; ++i) {
      const int32_t la = first(i), lb = b_->code_len(b_->ctx, i);
      const int32_t *ya = a_->truth(a_->ctx, i), *yb = b_->truth(b_->ctx, i);
      if (!ya || !yb) {
        truths_.clear();
        return;
      }
      truths_.insert(truths_.end(), ya, ya + la);
      truths_.insert(truths_.end(), yb, yb + lb);
      offsets_[static_cast<std::size_t>(i) + 1] = static_cast<int64_t>(truths_.size());
    }
  }

  int bound_of(const psx_oracle* o, int k, int64_t i, double scale, double* out) const noexcept {
    if (o->bound) return o->bound(o->ctx, k, i, scale, out);
    try {
      std::vector<int32_t> code(static_cast<std::size_t>(o->code_len(o->ctx, i)));
      double loss = 0;
      int rc = o->argmax(o->ctx, k, i, scale, code.data());
      if (rc == PSX_OK) rc = o->score(o->ctx, k, i, code.data(), out);
      if (rc == PSX_OK && scale != 0) rc = o->loss(o->ctx, i, code.data(), &loss);
      *out += scale * loss;
      return rc;
    } catch (...) {
      return PSX_NOMEM;
    }
  }

  void set_required() noexcept {
    oracle_.reserve_workers = [](void* c, int n) {
      ProductOracle& s = self(c);
      const int rc = s.a_->reserve_workers(s.a_->ctx, n);
      return rc ? rc : s.b_->reserve_workers(s.b_->ctx, n);
    };
    oracle_.code_len = [](void* c, int64_t i) {
      return self(c).first(i) + self(c).b_->code_len(self(c).b_->ctx, i);
    };
    oracle_.truth = [](void* c, int64_t i) -> const int32_t* {
      ProductOracle& s = self(c);
      return s.truths_.empty() ? nullptr
                               : s.truths_.data() + s.offsets_[static_cast<std::size_t>(i)];
    };
    oracle_.load = [](void* c, int k, const void* w, int64_t i) {
      ProductOracle& s = self(c);
      const int rc = s.a_->load(s.a_->ctx, k, w, i);
      return rc ? rc : s.b_->load(s.b_->ctx, k, s.second(w), i);
    };
    oracle_.argmax = [](void* c, int k, int64_t i, double scale, int32_t* code) {
      ProductOracle& s = self(c);
      const int rc = s.a_->argmax(s.a_->ctx, k, i, scale, code);
      return rc ? rc : s.b_->argmax(s.b_->ctx, k, i, scale, code + s.first(i));
    };
    oracle_.score = [](void* c, int k, int64_t i, const int32_t* code, double* out) {
      *out = 0;
      return self(c).each(i, code, [&](const psx_oracle* o, const int32_t* y, int) {
        double v = 0;
        const int rc = o->score(o->ctx, k, i, y, &v);
        *out += v;
        return rc;
      });
    };
    oracle_.loss = [](void* c, int64_t i, const int32_t* code, double* out) {
      *out = 0;
      return self(c).each(i, code, [&](const psx_oracle* o, const int32_t* y, int) {
        double v = 0;
        const int rc = o->loss(o->ctx, i, y, &v);
        *out += v;
        return rc;
      });
    };
    oracle_.psi_axpy = [](void* c, int k, int64_t i, const int32_t* y, double a, void* w) {
      return self(c).each(i, y, [&](const psx_oracle* o, const int32_t* p, int which) {
        return o->psi_axpy(o->ctx, k, i, p, a, which ? self(c).second(w) : w);
      });
    };
    oracle_.psi_diff_axpy = [](void* c, int k, int64_t i, const int32_t* y, const int32_t* z,
                               double a, void* w) {
      // Python may raise: before the weights of the first oracle have moved.
      const psx_oracle* b = self(c).b_;
      if (b->flags & PSX_NEEDS_GIL) {
        const int32_t la = self(c).first(i);
        double norm = 0;
        const int rc = b->psi_diff_sqnorm(b->ctx, k, i, y + la, z + la, &norm);
        if (rc) return rc;
      }
      return self(c).each(i, y, [&](const psx_oracle* o, const int32_t* p, int which) {
        const int32_t* q = which ? z + self(c).first(i) : z;
        return o->psi_diff_axpy(o->ctx, k, i, p, q, a, which ? self(c).second(w) : w);
      });
    };
    oracle_.psi_diff_accumulate = [](void* c, int k, int64_t i, const int32_t* y,
                                     const int32_t* z, double a, double* acc) {
      return self(c).each(i, y, [&](const psx_oracle* o, const int32_t* p, int which) {
        const int32_t* q = which ? z + self(c).first(i) : z;
        return o->psi_diff_accumulate(o->ctx, k, i, p, q, a,
                                      which ? acc + self(c).a_->size_psi : acc);
      });
    };
    oracle_.psi_diff_sqnorm = [](void* c, int k, int64_t i, const int32_t* y, const int32_t* z,
                                 double* out) {
      *out = 0;
      return self(c).each(i, y, [&](const psx_oracle* o, const int32_t* p, int which) {
        double v = 0;
        const int rc =
            o->psi_diff_sqnorm(o->ctx, k, i, p, which ? z + self(c).first(i) : z, &v);
        *out += v;
        return rc;
      });
    };
    oracle_.psi_diff_dot = [](void* c, int k, const void* w, int64_t i, const int32_t* y,
                              const int32_t* z, double* out) {
      *out = 0;
      return self(c).each(i, y, [&](const psx_oracle* o, const int32_t* p, int which) {
        double v = 0;
        const int rc = o->psi_diff_dot(o->ctx, k, which ? self(c).second(w) : w, i, p,
                                       which ? z + self(c).first(i) : z, &v);
        *out += v;
        return rc;
      });
    };
  }

  void set_parts() noexcept {
    oracle_.part_shape = [](void* c, int64_t i, int64_t* shape) {
      shape[0] = count(self(c).a_, i) + count(self(c).b_, i);
      return 1;
    };
    if (a_->parts && b_->parts)
      oracle_.parts = [](void* c, int64_t i, const int32_t* code, int64_t* parts, int64_t room) {
        ProductOracle& s = self(c);
        const int64_t n = s.a_->parts(s.a_->ctx, i, code, parts, room);
        const int64_t left = std::max<int64_t>(0, room - n);
        const int64_t m =
            s.b_->parts(s.b_->ctx, i, code + s.first(i), left ? parts + n : nullptr, left);
        const int64_t shift = count(s.a_, i);
        for (int64_t p = 0; p < std::min(m, left); ++p) parts[n + p] += shift;
        return n + m;
      };
    if (!a_->add_scores || !b_->add_scores) return;
    oracle_.add_scores = [](void* c, int k, int64_t i, double a, const void* scores) {
      ProductOracle& s = self(c);
      const void* more = static_cast<const char*>(scores) + count(s.a_, i) * s.a_->w_bytes;
      const int rc = s.a_->add_scores(s.a_->ctx, k, i, a, scores);
      return rc ? rc : s.b_->add_scores(s.b_->ctx, k, i, a, more);
    };
    if (!a_->load_scores || !b_->load_scores) return;
    oracle_.load_scores = [](void* c, int k, int64_t i, const void* scores) {
      ProductOracle& s = self(c);
      const void* more = static_cast<const char*>(scores) + count(s.a_, i) * s.a_->w_bytes;
      const int rc = s.a_->load_scores(s.a_->ctx, k, i, scores);
      return rc ? rc : s.b_->load_scores(s.b_->ctx, k, i, more);
    };
  }

  // The two outputs are independent given w.
  void set_queries() noexcept {
    oracle_.k_best = [](void* c, int k, int64_t i, int64_t n, int32_t* codes, double* scores,
                        int64_t* found) {
      try {
        return self(c).best_pairs(k, i, n, codes, scores, found);
      } catch (...) {
        return static_cast<int>(PSX_NOMEM);
      }
    };
    if (a_->marginals && b_->marginals && oracle_.part_shape)
      oracle_.marginals = [](void* c, int k, int64_t i, double temperature, double* out,
                             double* log_z) {
        ProductOracle& s = self(c);
        double x = 0, y = 0;
        int rc = s.a_->marginals(s.a_->ctx, k, i, temperature, out, &x);
        if (rc == PSX_OK)
          rc = s.b_->marginals(s.b_->ctx, k, i, temperature,
                               out ? out + count(s.a_, i) : nullptr, &y);
        *log_z = x + y;
        return rc;
      };
    if (a_->sample && b_->sample)
      oracle_.sample = [](void* c, int k, int64_t i, double temperature, uint64_t seed, int64_t n,
                          int32_t* codes) {
        try {
          return self(c).sample_pairs(k, i, temperature, seed, n, codes);
        } catch (...) {
          return static_cast<int>(PSX_NOMEM);
        }
      };
  }

  int best_pairs(int worker, int64_t i, int64_t k, int32_t* codes, double* scores,
                 int64_t* found) const {
    const int64_t la = first(i), lb = b_->code_len(b_->ctx, i);
    std::vector<int32_t> ca(static_cast<std::size_t>(k * la)), cb(static_cast<std::size_t>(k * lb));
    std::vector<double> sa(static_cast<std::size_t>(k)), sb(sa);
    int64_t na = 0, nb = 0;
    int rc = a_->k_best(a_->ctx, worker, i, k, ca.data(), sa.data(), &na);
    if (rc == PSX_OK) rc = b_->k_best(b_->ctx, worker, i, k, cb.data(), sb.data(), &nb);
    if (rc) return rc;
    // Pair (p, q) is among the k best only if (p + 1) (q + 1) <= k.
    std::vector<std::pair<int64_t, int64_t>> pairs;
    for (int64_t p = 0; p < na; ++p)
      for (int64_t q = 0; q < nb && (p + 1) * (q + 1) <= k; ++q) pairs.push_back({p, q});
    const auto sum = [&](const std::pair<int64_t, int64_t>& x) {
      return sa[static_cast<std::size_t>(x.first)] + sb[static_cast<std::size_t>(x.second)];
    };
    std::stable_sort(pairs.begin(), pairs.end(),
                     [&](const auto& x, const auto& y) { return sum(x) > sum(y); });
    *found = std::min<int64_t>(k, static_cast<int64_t>(pairs.size()));
    for (int64_t m = 0; m < *found; ++m) {
      const auto& [p, q] = pairs[static_cast<std::size_t>(m)];
      scores[m] = sum(pairs[static_cast<std::size_t>(m)]);
      std::copy(ca.begin() + p * la, ca.begin() + (p + 1) * la, codes + m * (la + lb));
      std::copy(cb.begin() + q * lb, cb.begin() + (q + 1) * lb, codes + m * (la + lb) + la);
    }
    return PSX_OK;
  }

  int sample_pairs(int worker, int64_t i, double temperature, uint64_t seed, int64_t n,
                   int32_t* codes) const {
    const int64_t la = first(i), lb = b_->code_len(b_->ctx, i);
    std::vector<int32_t> ca(static_cast<std::size_t>(n * la)), cb(static_cast<std::size_t>(n * lb));
    int rc = a_->sample(a_->ctx, worker, i, temperature, seed, n, ca.data());
    // Another stream: the two draws are independent.
    if (rc == PSX_OK)
      rc = b_->sample(b_->ctx, worker, i, temperature, seed ^ 0xD1B54A32D192ED03ull, n, cb.data());
    for (int64_t m = 0; m < n && rc == PSX_OK; ++m) {
      std::copy(ca.begin() + m * la, ca.begin() + (m + 1) * la, codes + m * (la + lb));
      std::copy(cb.begin() + m * lb, cb.begin() + (m + 1) * lb, codes + m * (la + lb) + la);
    }
    return rc;
  }

  const psx_oracle *a_, *b_;
  psx_oracle oracle_;
  std::vector<int32_t> truths_;
  std::vector<int64_t> offsets_;
};

}  // namespace pystruct_ext
