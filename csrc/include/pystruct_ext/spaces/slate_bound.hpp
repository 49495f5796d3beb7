// An upper bound on the best slate: what makes the gap of a greedy oracle a certificate.
//
// With K = min(top, k) places whose weights do not increase, S_p the documents at the first p + 1
// places, and place_K = 0, Abel's summation gives for every element e of value v_e, covered to
// f_e(S) = 1 - prod_(d in S) (1 - a_de),
//   sum_p place_p v_e (f_e(S_p) - f_e(S_(p-1))) = v_e sum_p (place_p - place_(p+1)) f_e(S_p),
// and the same for the metric with its own weights rank_p. f_e is monotone and submodular, so that
// a modular function bounds it, in the direction that is needed, for sets of at most K documents:
//   v_e > 0:  f_e(S) <= f_e(T) + sum_(d in S, not in T) a_de prod_(s in T) (1 - a_se), any T
//             (Nemhauser, Wolsey and Fisher 1978);
//   v_e < 0:  f_e(S) >= sum_(d in S) h_d with h_d = f_e(d and those before) - f_e(those before) in
//             any order of all documents (Edmonds 1970), or with h_d = a_de / min(K, #covering e),
//             for f_e is at least the largest degree, hence at least the mean of K.
// The metric, which a loss takes off, is bounded from below as v_e < 0 is. Averages of such bounds
// are bounds. What is left is linear in who stands where,
//   <w, psi> + scale Delta <= scale + place_0 c + sum_p (place_p m_(d_p) - scale rank_p g_(d_p)),
// and is maximised exactly, or bounded by places and by documents.
//
// Which T and which order: those of the slate that maximises the bound so far, averaged over the
// rounds (fictitious play, Brown 1951: each side answers the mean of what the other did), which
// goes to the best bound of this form; the least value seen is returned, any of them is valid.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "pystruct_ext/simd.hpp"

namespace pystruct_ext {

struct SlateBoundScratch {
  AlignedBuffer<double> first, later, modular, met, plain, answer_modular, answer_met, key;
  AlignedBuffer<double> placed, ranked, left, rest, least, kept, unmet, share, factor, best;
  AlignedBuffer<int32_t> covering, order, slate;
  AlignedBuffer<char> taken, in_slate;
  void reserve(std::size_t k, std::size_t elements, std::size_t intents, std::size_t top) {
    for (auto* b : {&first, &later, &modular, &met, &plain, &answer_modular, &answer_met, &key,
                    &placed, &ranked})
      b->reserve(k);
    for (auto* b : {&unmet, &share, &factor}) b->reserve(intents + 1);
    for (auto* b : {&left, &rest, &least, &kept}) b->reserve(elements + 1);
    covering.reserve(elements + 1);
    best.reserve(top + 1);
    taken.reserve(k * (top + 1));
    in_slate.reserve(k);
    order.reserve(k);
    slate.reserve(top + 1);
  }
};

// The bound of one example; `Space` is SlateSpace, loaded.
template <class Space>
class SlateBound {
 public:
  SlateBound(const Space& space, int64_t i, double scale, const double* w, const double* base,
             const double* value, SlateBoundScratch& scratch) noexcept
      : o_(space), i_(i), k_(space.size(i)), n_places_(std::min<int64_t>(space.top, k_)),
        n_elements_(space.n_element_features ? space.element_at[i + 1] - space.element_at[i] : 0),
        n_intents_(scale > 0 ? space.n_intents[i] : 0), scale_(std::max(scale, 0.0)), w_(w),
        base_(base), value_(value), a_(scratch) {}

  double solve() noexcept {
    if (!ordered(o_.place) || !ordered(o_.rank)) return std::numeric_limits<double>::infinity();
    const bool exact_values = !o_.novelty && !o_.n_channels;
    fix();
    start();
    double least = assign(), reached = -std::numeric_limits<double>::infinity();
    if (!n_elements_ && !n_intents_) return least;
    for (int round = 1; round <= kRounds; ++round) {
      if (exact_values) reached = std::max(reached, value_of_slate());
      if (least - reached <= 1e-9 * (1 + std::fabs(least))) break;
      answer(2.0 / (1 + round));
      least = std::min(least, assign());
    }
    return std::max(least, reached);
  }

 private:
  static constexpr int kRounds = 32;

  bool ordered(const double* weight) const noexcept {
    for (int64_t p = 0; p < n_places_; ++p)
      if (!(weight[p] >= 0) || (p && weight[p] > weight[p - 1])) return false;
    return true;
  }
  const double* gain(int64_t d) const noexcept { return o_.gain + o_.intent_at[i_] + d * n_intents_; }
  const double* decay(int64_t d) const noexcept {
    return o_.decay + o_.intent_at[i_] + d * n_intents_;
  }
  int64_t covers_from(int64_t d) const noexcept { return o_.cover_ptr[o_.offsets[i_] + d]; }

  // What a document brings at the first place and at a later one beside elements and metric.
  void fix() noexcept {
    const double* w_r = w_ + o_.relation_begin();
    const double fresh = o_.novelty ? w_[o_.novelty_at()] : 0;
    for (int64_t d = 0; d < k_; ++d) {
      double one = base_[d], more = base_[d];
      if (o_.novelty) {
        double all = 0;
        for (int64_t t = covers_from(d); t < covers_from(d + 1); ++t) all += o_.degree[t];
        if (all > 0) one += fresh, more += std::max(fresh, 0.0);
      }
      for (int64_t h = 0; k_ > 1 && h < o_.n_channels; ++h) {
        const double* r = o_.relations + o_.relation_at[i_] + d * k_ * o_.n_channels + h;
        double low = std::numeric_limits<double>::infinity(), high = -low;
        for (int64_t s = 0; s < k_; ++s) {
          if (s == d) continue;
          low = std::min(low, r[s * o_.n_channels]);
          high = std::max(high, r[s * o_.n_channels]);
        }
        // maximum >= mean >= minimum, all within low .. high: the best corner of that.
        double v = (w_r[3 * h] + w_r[3 * h + 1] + w_r[3 * h + 2]) * low, best = v;
        for (int64_t q = 0; q < 3; ++q) {
          v += w_r[3 * h + q] * (high - low);
          best = std::max(best, v);
        }
        more += best;
      }
      a_.first[static_cast<std::size_t>(d)] = one;
      a_.later[static_cast<std::size_t>(d)] = more;
    }
  }

  // T empty, equal shares.
  void start() noexcept {
    double* modular = a_.modular.data();
    double* met = a_.met.data();
    int32_t* covering = a_.covering.data();
    std::fill(covering, covering + n_elements_, 0);
    for (int64_t t = covers_from(0); n_elements_ && t < covers_from(k_); ++t) ++covering[o_.cover[t]];
    constant_ = 0;
    std::fill(modular, modular + k_, 0.0);
    std::fill(met, met + k_, 0.0);
    for (auto* b : {&a_.plain, &a_.placed, &a_.ranked}) std::fill(b->data(), b->data() + k_, 0.0);
    for (int64_t t = 0; t < n_intents_; ++t) start_intent(t);
    for (int64_t d = 0; d < k_; ++d) {
      for (int64_t t = covers_from(d); n_elements_ && t < covers_from(d + 1); ++t)
        modular[d] += value_[o_.cover[t]] * o_.degree[t] * equal_share(o_.cover[t]);
      for (int64_t t = 0; t < n_intents_; ++t) met[d] += a_.factor[t] * a_.share[t] * decay(d)[t];
    }
  }
  double equal_share(int32_t e) const noexcept {
    if (value_[e] >= 0) return 1;
    return 1 / static_cast<double>(std::min<int64_t>(n_places_, a_.covering[e]));
  }
  // Where something decays, gain >= factor decay, so that the intent's part of the metric is at
  // least factor times what the decays cover; where nothing does, the gains just add up.
  void start_intent(int64_t t) noexcept {
    double factor = std::numeric_limits<double>::infinity(), low = factor, high = 0;
    int64_t n = 0;
    for (int64_t d = 0; d < k_; ++d) {
      const double b = decay(d)[t];
      if (b <= 0) continue;
      ++n;
      factor = std::min(factor, gain(d)[t] / b);
      low = std::min(low, b);
      high = std::max(high, b);
    }
    if (n == 0)
      for (int64_t d = 0; d < k_; ++d) a_.plain[d] += gain(d)[t];
    const double m = static_cast<double>(std::min(n, n_places_));
    a_.factor[t] = n ? factor : 0;
    // Equal decays cover the less per document the more are taken.
    a_.share[t] = n == 0 ? 0 : low == high ? (1 - std::pow(1 - low, m)) / (m * low) : 1 / m;
  }

  // The best bound against the slates so far, each document with the mean weight of its places;
  // the mean bound moves a step towards it.
  void answer(double step) noexcept {
    watch(step);
    for (auto* out : {a_.answer_modular.data(), a_.answer_met.data()}) std::fill(out, out + k_, 0.0);
    double constant = 0;
    if (n_elements_) constant = answer_elements();
    if (n_intents_) answer_intents();
    constant_ += step * (constant - constant_);
    for (int64_t d = 0; d < k_; ++d) {
      a_.modular[d] += step * (a_.answer_modular[d] - a_.modular[d]);
      a_.met[d] += step * (a_.answer_met[d] - a_.met[d]);
    }
  }
  void watch(double step) noexcept {
    for (int64_t d = 0; d < k_; ++d) {
      a_.placed[d] *= 1 - step;
      a_.ranked[d] *= 1 - step;
    }
    for (int64_t p = 0; p < n_places_; ++p) {
      a_.placed[a_.slate[p]] += step * o_.place[p];
      a_.ranked[a_.slate[p]] += step * o_.rank[p];
    }
  }
  // Documents that stand high come first. v_e < 0: in that order. v_e > 0: T are the first of them,
  // as many as give the least value.
  double answer_elements() noexcept {
    const double* placed = a_.placed.data();
    double* out = a_.answer_modular.data();
    double *left = a_.left.data(), *rest = a_.rest.data(), *least = a_.least.data();
    double* kept = a_.kept.data();  // left, behind T
    int32_t* first = a_.covering.data();  // how many documents are T
    std::fill(rest, rest + n_elements_, 0.0);
    for (int64_t d = 0; d < k_; ++d)
      for (int64_t t = covers_from(d); t < covers_from(d + 1); ++t)
        rest[o_.cover[t]] += o_.degree[t] * placed[d];
    for (int64_t e = 0; e < n_elements_; ++e) {
      left[e] = kept[e] = 1;
      least[e] = rest[e];
      first[e] = 0;
    }
    const int32_t* order = sorted([placed](int32_t p, int32_t q) { return placed[p] > placed[q]; });
    for (int64_t r = 0; r < k_; ++r) {
      const int64_t d = order[r];
      for (int64_t t = covers_from(d); t < covers_from(d + 1); ++t) {
        const int32_t e = o_.cover[t];
        if (value_[e] < 0) out[d] += value_[e] * o_.degree[t] * left[e];
        left[e] *= 1 - o_.degree[t];
        rest[e] -= o_.degree[t] * placed[d];
        const double v = o_.place[0] * (1 - left[e]) + left[e] * rest[e];
        if (v < least[e]) {
          least[e] = v;
          kept[e] = left[e];
          first[e] = static_cast<int32_t>(r + 1);
        }
      }
    }
    for (int64_t r = 0; r < k_; ++r) {
      const int64_t d = order[r];
      for (int64_t t = covers_from(d); t < covers_from(d + 1); ++t) {
        const int32_t e = o_.cover[t];
        if (value_[e] >= 0 && r >= first[e]) out[d] += value_[e] * o_.degree[t] * kept[e];
      }
    }
    double constant = 0;
    for (int64_t e = 0; e < n_elements_; ++e)
      if (value_[e] >= 0) constant += value_[e] * (1 - kept[e]);
    return constant;
  }
  void answer_intents() noexcept {
    const double* ranked = a_.ranked.data();
    double* unmet = a_.unmet.data();
    std::fill(unmet, unmet + n_intents_, 1.0);
    const int32_t* order = sorted([ranked](int32_t p, int32_t q) { return ranked[p] > ranked[q]; });
    for (int64_t r = 0; r < k_; ++r)
      for (int64_t t = 0; t < n_intents_; ++t) {
        const double b = decay(order[r])[t];
        a_.answer_met[order[r]] += a_.factor[t] * b * unmet[t];
        unmet[t] *= 1 - b;
      }
  }

  // What the slate is worth (without relations and novelty).
  double value_of_slate() noexcept {
    double* left = a_.left.data();
    double* unmet = a_.unmet.data();
    std::fill(left, left + n_elements_, 1.0);
    std::fill(unmet, unmet + n_intents_, 1.0);
    double score = 0, met = 0;
    for (int64_t p = 0; p < n_places_; ++p) {
      const int64_t d = a_.slate[p];
      double mine = base_[d], gained = 0;
      for (int64_t t = covers_from(d); n_elements_ && t < covers_from(d + 1); ++t) {
        mine += value_[o_.cover[t]] * o_.degree[t] * left[o_.cover[t]];
        left[o_.cover[t]] *= 1 - o_.degree[t];
      }
      for (int64_t t = 0; t < n_intents_; ++t) {
        gained += gain(d)[t] * unmet[t];
        unmet[t] *= 1 - decay(d)[t];
      }
      score += o_.place[p] * mine;
      met += o_.rank[p] * gained;
    }
    return score + scale_ * (n_intents_ ? std::max(0.0, 1 - met / o_.ideal[i_]) : 1);
  }

  // The maximum of the mean over slates, or a bound of it; the slate that reaches (or nearly
  // reaches) it.
  double assign() noexcept {
    double* cost = a_.key.data();
    for (int64_t d = 0; d < k_; ++d)
      cost[d] = n_intents_ ? (a_.met[d] + a_.plain[d]) / o_.ideal[i_] : 0;
    keep_loss_positive(cost);
    const bool equal_places = o_.place[0] == o_.place[n_places_ - 1];
    bool plain_first = true, same_weights = true;
    for (int64_t d = 0; d < k_; ++d) plain_first = plain_first && a_.first[d] == a_.later[d];
    for (int64_t p = 0; p < n_places_; ++p) same_weights = same_weights && o_.place[p] == o_.rank[p];
    const double constant = scale_ + o_.place[0] * constant_;
    if (equal_places && plain_first) return constant + by_cost(cost);
    if (same_weights || !n_intents_) return constant + by_worth(cost);
    return constant + by_place(cost);
  }
  double later(int64_t d) const noexcept { return a_.later[d] + a_.modular[d]; }

  // Delta is 0, not negative, for a slate better than the ideal: no slate may lose more than 1.
  void keep_loss_positive(double* cost) noexcept {
    int32_t* order = sorted([cost](int32_t p, int32_t q) { return cost[p] > cost[q]; });
    double most = 0;
    for (int64_t p = 0; p < n_places_; ++p) most += o_.rank[p] * cost[order[p]];
    for (int64_t d = 0; most > 1 && d < k_; ++d) cost[d] /= most;
  }
  template <class Before>
  int32_t* sorted(Before before) noexcept {
    int32_t* order = a_.order.data();
    for (int64_t d = 0; d < k_; ++d) order[d] = static_cast<int32_t>(d);
    std::sort(order, order + k_, [before](int32_t p, int32_t q) {
      return before(p, q) || (!before(q, p) && p < q);
    });
    return order;
  }

  // Equal places: the set counts, and within it the dearest stand last; exact.
  double by_cost(const double* cost) noexcept {
    const int32_t* order = sorted([cost](int32_t p, int32_t q) { return cost[p] < cost[q]; });
    const int64_t n = n_places_;
    double* best = a_.best.data();
    char* taken = a_.taken.data();
    std::fill(best, best + n + 1, -std::numeric_limits<double>::infinity());
    best[0] = 0;
    for (int64_t t = 0; t < k_; ++t) {
      const int32_t d = order[t];
      const double mine = o_.place[0] * later(d), pay = scale_ * cost[d];
      for (int64_t p = n; p > 0; --p) {
        const double v = best[p - 1] + mine - o_.rank[p - 1] * pay;
        taken[t * (n + 1) + p] = v > best[p];
        if (v > best[p]) best[p] = v;
      }
    }
    int64_t p = n;
    for (int64_t t = k_; p > 0; --t)
      if (taken[(t - 1) * (n + 1) + p]) a_.slate[--p] = order[t - 1];
    return best[n];
  }

  // Places count alike for score and metric: sorted by worth, for every first document; exact.
  double by_worth(const double* cost) noexcept {
    const auto worth = [&](int32_t d) { return later(d) - scale_ * cost[d]; };
    const int32_t* order = sorted([&](int32_t p, int32_t q) { return worth(p) > worth(q); });
    double found = -std::numeric_limits<double>::infinity();
    int32_t leader = 0;
    for (int32_t d = 0; d < k_; ++d) {
      double v = o_.place[0] * (a_.first[d] + a_.modular[d] - scale_ * cost[d]);
      for (int64_t p = 1, t = 0; p < n_places_; ++t)
        if (order[t] != d) v += o_.place[p++] * worth(order[t]);
      if (v > found) {
        found = v;
        leader = d;
      }
    }
    a_.slate[0] = leader;
    for (int64_t p = 1, t = 0; p < n_places_; ++t)
      if (order[t] != leader) a_.slate[p++] = order[t];
    return found;
  }

  // The rest: the best document of every place, or the best places of the best documents.
  double by_place(const double* cost) noexcept {
    double* best = a_.answer_modular.data();  // free until the next answer
    char* used = a_.in_slate.data();
    std::fill(best, best + k_, -std::numeric_limits<double>::infinity());
    std::fill(used, used + k_, char{0});
    double columns = 0, rows = 0;
    for (int64_t p = 0; p < n_places_; ++p) {
      double most = -std::numeric_limits<double>::infinity(), most_free = most;
      for (int64_t d = 0; d < k_; ++d) {
        const double m = p ? later(d) : a_.first[d] + a_.modular[d];
        const double v = o_.place[p] * m - scale_ * o_.rank[p] * cost[d];
        best[d] = std::max(best[d], v);
        most = std::max(most, v);
        if (!used[d] && v > most_free) {
          most_free = v;
          a_.slate[p] = static_cast<int32_t>(d);
        }
      }
      used[a_.slate[p]] = 1;
      columns += most;
    }
    const int32_t* order = sorted([best](int32_t p, int32_t q) { return best[p] > best[q]; });
    for (int64_t p = 0; p < n_places_; ++p) rows += best[order[p]];
    return std::min(columns, rows);
  }

  const Space& o_;
  int64_t i_, k_, n_places_, n_elements_, n_intents_;
  double scale_, constant_ = 0;
  const double *w_, *base_, *value_;
  SlateBoundScratch& a_;
};

}  // namespace pystruct_ext
