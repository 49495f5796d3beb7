// Nested folds of RNA: base i pairs with base partner[i], or with none (-1).
//
//   <w, psi(x, y)> = sum over loops; features in folding/loops.hpp; and one more feature, which
//   scores the whole fold by what is known before: minus its free energy (folding/energies.hpp)
//   in units of 1 / energy_scale, or, in models of earlier versions, <p, psi(x, y)> for weights p
//   Delta(y, y_hat) = false_cost #(pairs of y_hat not in y) + miss_cost #(pairs of y not in y_hat)
//
// Code: the partner of every base. The outputs are the folds whose pairs are allowed (canonical
// and what the user demands), at least three bases apart, with at most 30 free bases in bulges and
// interior loops.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "pystruct_ext/folding/inside.hpp"
#include "pystruct_ext/kernel.hpp"

namespace pystruct_ext {

template <class R>
struct FoldSpace {
  using real = R;
  static constexpr uint32_t kFlags = PSX_EXACT;

  int64_t n = 0;
  const int64_t* offsets = nullptr;      // (n + 1,) bases of sequence i
  const uint8_t* bases = nullptr;        // 0 .. 3, 4 of unknown kind
  const int32_t* partner = nullptr;      // truth
  bool canonical = true;                 // AU, GC and GU pairs only
  double false_cost = 1, miss_cost = 1;
  // Demands, or nullptr: what a base must be; and forced partners, -1 for none.
  enum Demand : uint8_t { kAny, kFree, kPaired, kOpens, kCloses };  // opens: paired with a later base
  const uint8_t* demand = nullptr;
  const int32_t* forced = nullptr;
  const int32_t* energy_tables = nullptr;  // (kEnergySize,) as folding/energies.hpp lists, or nullptr
  int64_t n_energy_tables = 0;
  double energy_scale = 0;
  const R* prior = nullptr;              // (kEnergy,) instead: weights known before, or nullptr
  int64_t n_prior = 0;
  const R* scale = nullptr;              // (kSize,) of the features, or nullptr: ones
  int64_t n_scale = 0;
  folding::Inside<R> inside = folding::choose<R>(detect_isa());

  struct Scratch {
    AlignedBuffer<R> w, sizes, ends, tables, rings, bonus, outer;
    AlignedBuffer<int32_t> hairpin_energy;  // of every length
    AlignedBuffer<uint64_t> known;
    AlignedBuffer<uint8_t> may_pair, may_be_free;
    AlignedBuffer<int32_t> free_right, free_left, region;
    AlignedBuffer<R> extra;  // (len, len) scores of pairs from outside, made at first use
    SparseSink sparse;
    double unit = 0;  // score of one unit of energy
    bool finite = true, has_extra = false;
    explicit Scratch(const FoldSpace& s) {
      int64_t longest = 1;
      for (int64_t i = 0; i < s.n; ++i)
        longest = std::max(longest, s.offsets[i + 1] - s.offsets[i]);
      const std::size_t m = static_cast<std::size_t>(longest);
      const std::size_t plane = (m + 1) * static_cast<std::size_t>(row_stride(longest));
      w.reserve(folding::kSize);
      sizes.reserve(kSizes);
      ends.reserve(folding::kEndSize);
      known.reserve((folding::kKnownRows + 1) * idx(n_words(longest)));
      tables.reserve(kPlanes * plane);
      rings.reserve((3 * folding::kRing + 3) * idx(row_stride(longest)));
      hairpin_energy.reserve(m);
      const folding::Energies e{s.tables(), nullptr, 0};
      for (std::size_t t = 0; t < m; ++t)
        hairpin_energy[t] = e.size(folding::kHairpinE, static_cast<int32_t>(t));
      bonus.reserve(plane);
      outer.reserve(m + 1);
      may_pair.reserve(m * m);
      may_be_free.reserve(m);
      free_right.reserve(m);
      free_left.reserve(m);
      region.reserve(m);
    }
  };

  // Parts of Scratch::sizes.
  enum SizeTable : int {
    kHairpinSizes = 0,
    kBulgeSizes = kHairpinSizes + folding::kLoopRow,
    kBulgeBack = kBulgeSizes + (folding::kMaxLoop + 1) * folding::kLanes,
    kThinSizes = kBulgeBack + folding::kLoopRow,
    kThinBack = kThinSizes + (folding::kMaxLoop + 1) * folding::kLanes,
    kSmallSizes = kThinBack + folding::kLoopRow,
    kInteriorSizes = kSmallSizes + folding::kSmall * folding::kSmall,
    kSizes = kInteriorSizes + (folding::kMaxLoop + 1) * folding::kLoopRow
  };
  static constexpr int kPlanes = 5;
  static int64_t n_words(int64_t length) noexcept { return (length + 63) / 64; }
  const int32_t* tables() const noexcept {
    return energy_tables ? energy_tables : folding::kNoEnergies;
  }
  folding::Energies energies(int64_t i) const noexcept {
    return {tables(), bases + offsets[i], code_len(i)};
  }
  // Room to both sides of a row: vectors run over its end, and one entry lies before its start.
  static int64_t row_stride(int64_t length) noexcept { return (length + 16 + 15) / 16 * 16; }
  static std::size_t idx(int64_t k) noexcept { return static_cast<std::size_t>(k); }

  int64_t n_blocks() const noexcept { return n; }
  int64_t size_psi() const noexcept { return folding::kSize; }
  int32_t code_len(int64_t i) const noexcept {
    return static_cast<int32_t>(offsets[i + 1] - offsets[i]);
  }
  const int32_t* truth(int64_t i) const noexcept {
    return partner ? partner + offsets[i] : nullptr;
  }
  // Partners of each other, and nested: what the walk over loops relies on.
  CodeFault check_code(int64_t i, const int32_t* y) const noexcept {
    const int32_t len = code_len(i);
    const CodeFault fault = entries_in(y, 0, len, -1, len - 1);
    if (fault.at >= 0) return fault;
    for (int32_t a = 0; a < len; ++a)
      if (y[a] >= 0 && (y[a] == a || y[y[a]] != a)) return {a, 0, -1};
    for (int32_t a = 0; a < len; ++a)
      for (int32_t t = a + 1; t < y[a];) {
        if (y[t] >= 0 && (y[t] < t || y[t] > y[a])) return {t, 0, -1};
        t = y[t] < 0 ? t + 1 : y[t] + 1;
      }
    return {};
  }
  folding::Loops loops(int64_t i) const noexcept { return {bases + offsets[i], code_len(i)}; }

  // What one unit of feature k adds to the score.
  R own(const R* w, int32_t k) const noexcept { return scale ? w[k] * scale[k] : w[k]; }

  void load(const R* w, int64_t i, Scratch& s) const noexcept {
    using namespace folding;
    const R none = -std::numeric_limits<R>::infinity();
    R check = 0;
    for (int32_t k = 0; k < kSize; ++k) check += w[k] * R(0);
    s.has_extra = false;
    // From here on a prior of weights is part of them.
    for (int32_t k = 0; k < kEnergy; ++k)
      s.w[idx(k)] = prior ? own(w, k) + own(w, kEnergy) * prior[k] : own(w, k);
    s.unit = energy_tables ? -1e-2 * energy_scale * static_cast<double>(own(w, kEnergy)) : 0.0;
    s.finite = check == 0;
    w = s.w.data();
    const R unit = static_cast<R>(s.unit);
    const Energies e = energies(i);
    const auto cost = [&](int32_t energy) { return unit * static_cast<R>(energy); };
    // Sums over sizes once: interior_size() costs up to sixty additions.
    R length[kMaxLoop + 1] = {0}, asymmetry[kMaxLoop + 1] = {0}, symmetric[kMaxLoop + 1] = {0};
    R hairpin = 0, bulge = 0;
    R* to = s.sizes.data();
    std::fill(to, to + kSizes, none);
    to[kHairpinSizes] = 0;
    for (int32_t t = 1; t <= kMaxLoop; ++t) {
      to[kHairpinSizes + t] = hairpin += w[kHairpinLength + t];
      bulge += w[kBulgeLength + t];
      const R size = bulge + cost(e.size(kBulgeE, t));
      if (t >= 2) to[kBulgeBack + kMaxLoop - t] = size;
      std::fill_n(to + kBulgeSizes + t * kLanes, kLanes, size);
      length[t] = length[t - 1] + (t >= 2 ? w[kInteriorLength + t] : R(0));
      asymmetry[t] = asymmetry[t - 1] + w[kAsymmetry + t];
      symmetric[t] = symmetric[t - 1] + (t <= kMaxLoop / 2 ? w[kSymmetric + t] : R(0));
    }
    for (int32_t a = 1; a < kMaxLoop; ++a)
      for (int32_t c = 1; a + c <= kMaxLoop; ++c) {
        R v = length[a + c] + (a == c ? symmetric[a] : asymmetry[a < c ? c - a : a - c]);
        if (a <= 4 && c <= 4) v += w[kExplicit + 5 * std::min(a, c) + std::max(a, c)];
        if (a + c <= 4 ? a < 3 && c < 3 : a + c == 5 && a > 1 && c > 1) {
          to[kSmallSizes + a * kSmall + c] =
              a + c == 5 ? v + cost(e.t[kInteriorE + 5] + e.t[kNinioE]) : v;
          continue;
        }
        v += cost(e.size(kInteriorE, a + c) + e.asymmetry(a, c));
        if (a == 1) {
          to[kThinBack + kMaxLoop - c] = v;
          std::fill_n(to + kThinSizes + c * kLanes, kLanes, v);
        } else if (c > 1) {
          to[kInteriorSizes + a * kLoopRow + kMaxLoop - a - c] = v;
        }
      }
    score_ends(w, tables(), unit, s.ends.data());
    constrain(i, s);
  }

  // Which pairs are allowed, and where bases may stay free.
  void constrain(int64_t i, Scratch& s) const noexcept {
    const int32_t len = code_len(i);
    const uint8_t* x = bases + offsets[i];
    const uint8_t* d = demand ? demand + offsets[i] : nullptr;
    const int32_t* f = forced ? forced + offsets[i] : nullptr;
    // Bases inside the same innermost forced pair may pair with each other.
    if (f) {
      int32_t now = -1;
      for (int32_t t = 0; t < len; ++t) {
        if (f[t] >= 0 && f[t] < t) now = s.region[idx(f[t])];
        s.region[idx(t)] = now;
        if (f[t] > t) now = t;
      }
    }
    for (int32_t a = 0; a < len; ++a) {
      uint8_t* row = s.may_pair.data() + int64_t{a} * len;
      for (int32_t b = 0; b < len; ++b) {
        // A C G U: AU = 3, CG = 3, GU = 5 as sums; AC = 1, AG = CC = 2, AA = 0, GG = 4, UU = 6.
        const int32_t sum = x[a] + x[b];
        row[b] = b - a >= folding::kMinPair && (!canonical || sum == 3 || sum == 5) &&
                 x[a] < folding::kUnknown && x[b] < folding::kUnknown;
      }
      if (d && (d[a] == kFree || d[a] == kCloses)) std::fill(row, row + len, uint8_t{0});
    }
    for (int32_t t = 0; t < len; ++t) s.may_be_free[idx(t)] = !d || d[t] <= kFree;
    if (d)
      for (int32_t b = 0; b < len; ++b)
        if (d[b] == kFree || d[b] == kOpens)
          for (int32_t a = 0; a < b; ++a) s.may_pair[idx(int64_t{a} * len + b)] = 0;
    if (f)
      for (int32_t a = 0; a < len; ++a) {
        uint8_t* row = s.may_pair.data() + int64_t{a} * len;
        for (int32_t b = a + 1; b < len; ++b) {
          if (f[a] == b) {
            row[b] = 1;  // the user's word, also for pairs that are not canonical
          } else if (f[a] >= 0 || f[b] >= 0 || s.region[idx(a)] != s.region[idx(b)]) {
            row[b] = 0;
          }
        }
        if (f[a] >= 0) s.may_be_free[idx(a)] = 0;
      }
    for (int32_t t = 0; t < len; ++t)
      s.free_left[idx(t)] = t > 0 && s.may_be_free[idx(t - 1)] ? s.free_left[idx(t - 1)] + 1 : 0;
    for (int32_t t = len - 1; t >= 0; --t)
      s.free_right[idx(t)] =
          t + 1 < len && s.may_be_free[idx(t + 1)] ? s.free_right[idx(t + 1)] + 1 : 0;
  }

  folding::Chart<R> chart(int64_t i, double loss_scale, Scratch& s) const noexcept {
    const int32_t len = code_len(i);
    const int64_t st = row_stride(len), plane = (len + 1) * st;
    const bool bonus = loss_scale != 0 || s.has_extra;
    if (loss_scale != 0) {
      const int32_t* y = partner + offsets[i];
      for (int32_t a = 0; a < len; ++a)
        for (int32_t b = a + 1; b < len; ++b)
          s.bonus[idx(a * st + b)] =
              static_cast<R>(loss_scale * (y[a] == b ? -miss_cost : false_cost));
    }
    if (s.has_extra)
      for (int32_t a = 0; a < len; ++a)
        for (int32_t b = a + 1; b < len; ++b) {
          const R v = s.extra[idx(int64_t{a} * len + b)];
          R& to = s.bonus[idx(a * st + b)];
          to = loss_scale != 0 ? to + v : v;
        }
    const R none = -std::numeric_limits<R>::infinity();
    R *t = s.tables.data(), *ring = s.rings.data(), *to = s.sizes.data();
    const int64_t ring_size = folding::kRing * st;
    // The row below the last is read by the first bases of a row, and never reached.
    for (int k = 0; k < kPlanes; ++k)
      std::fill(t + k * plane + len * st, t + (k + 1) * plane, none);
    std::fill(ring, ring + 3 * ring_size, none);
    const int64_t words = n_words(len);
    std::fill(s.known.data(), s.known.data() + folding::kKnownRows * words, uint64_t{0});
    const folding::Sizes<R> sizes{to + kHairpinSizes,  s.hairpin_energy.data(), to + kBulgeSizes,
                                  to + kBulgeBack,     to + kThinSizes,         to + kThinBack,
                                  to + kInteriorSizes, to + kSmallSizes};
    return {loops(i),
            energies(i),
            static_cast<R>(s.unit),
            st,
            s.w.data(),
            s.w[folding::kMultiUnpaired] +
                static_cast<R>(s.unit * tables()[folding::kMultiBaseE]),
            sizes,
            s.ends.data(),
            s.may_pair.data(),
            s.may_be_free.data(),
            s.free_right.data(),
            s.free_left.data(),
            bonus ? s.bonus.data() : nullptr,
            t,
            t + plane,
            t + 2 * plane,
            t + 3 * plane,
            t + 4 * plane,
            ring,
            ring + ring_size,
            ring + 2 * ring_size,
            ring + 3 * ring_size,
            ring + 3 * ring_size + st,
            ring + 3 * ring_size + 2 * st,
            words,
            s.known.data(),
            s.outer.data()};
  }

  double n_pairs(int64_t i) const noexcept {
    const int32_t* y = partner + offsets[i];
    double count = 0;
    for (int32_t a = 0; a < code_len(i); ++a) count += y[a] > a;
    return count;
  }

  double argmax(int64_t i, double loss_scale, Scratch& s, int32_t* code) const noexcept {
    if (!s.finite) return std::numeric_limits<double>::quiet_NaN();
    const folding::Chart<R> c = chart(i, loss_scale, s);
    const double value = static_cast<double>(inside(c));
    if (!std::isfinite(value)) return value;
    folding::Backtrace<R>{c, code}.run();
    return value + (loss_scale != 0 ? loss_scale * miss_cost * n_pairs(i) : 0.0);
  }

  double score(int64_t i, const Scratch& s, const int32_t* y) const noexcept {
    double sum = 0;
    loops(i).fold(y, [&](int32_t j) { sum += static_cast<double>(s.w[idx(j)]); });
    if (energy_tables) sum += s.unit * static_cast<double>(energies(i).fold(y));
    if (s.has_extra)
      each_part(i, y, [&](int64_t part) { sum += static_cast<double>(s.extra[idx(part)]); });
    return sum;
  }

  double loss(int64_t i, const int32_t* z) const noexcept {
    const int32_t* y = partner + offsets[i];
    double sum = 0;
    for (int32_t a = 0; a < code_len(i); ++a) {
      if (z[a] > a && y[a] != z[a]) sum += false_cost;
      if (y[a] > a && y[a] != z[a]) sum += miss_cost;
    }
    return sum;
  }

  template <class Sink>
  void psi(int64_t i, const int32_t* y, double a, Sink& sink) const noexcept {
    double known = 0;
    loops(i).fold(y, [&](int32_t j) {
      sink(j, scale ? a * static_cast<double>(scale[j]) : a);
      if (prior) known += static_cast<double>(prior[j]);
    });
    if (energy_tables)
      known = -1e-2 * energy_scale * static_cast<double>(energies(i).fold(y));
    if (scale) known *= static_cast<double>(scale[folding::kEnergy]);
    if (energy_tables || prior) sink(folding::kEnergy, a * known);
  }

  // Parts: the pair (a, b), a < b, at a * len + b.
  int part_shape(int64_t i, int64_t* shape) const noexcept {
    shape[0] = shape[1] = code_len(i);
    return 2;
  }
  template <class F>
  void each_part(int64_t i, const int32_t* y, F&& f) const noexcept {
    const int64_t len = code_len(i);
    for (int32_t a = 0; a < len; ++a)
      if (y[a] > a) f(a * len + y[a]);
  }
  void clear(int64_t i, Scratch& s) const noexcept {
    const R zero[folding::kSize] = {};
    load(zero, i, s);
  }
  void add_parts(int64_t i, double a, const R* scores, Scratch& s) const {
    const int64_t len = code_len(i);
    s.extra.reserve(idx(len * len));
    if (!s.has_extra) std::fill(s.extra.data(), s.extra.data() + len * len, R(0));
    R check = 0;
    for (int64_t p = 0; p < len; ++p)
      for (int64_t q = p + 1; q < len; ++q) {
        const R v = static_cast<R>(a) * scores[p * len + q];
        s.extra[idx(p * len + q)] += v;
        check += v * R(0);
      }
    s.has_extra = true;
    s.finite = s.finite && check == 0;
  }

  template <class F>
  void fields(F& f) {
    f.size("n", n);
    f.offsets("offsets", offsets, "n+1", "n_bases");
    f.array("bases", bases, "n_bases", "0..4");
    f.array("partner", partner, "n_bases", "-1..#offsets-1", kOptional);
    f.number("canonical", canonical, "0..1");
    f.number("false_cost", false_cost, "0..");
    f.number("miss_cost", miss_cost, "0..");
    f.array("demand", demand, "n_bases", "0..4", kOptional);
    f.array("forced", forced, "n_bases", "-1..#offsets-1", kOptional);
    f.array("energy_tables", energy_tables, "n_energy_tables", "-2147483647..2147483647",
            kOptional);
    f.size("n_energy_tables", n_energy_tables);
    f.number("energy_scale", energy_scale, "0..", kOptional);
    f.array("prior", prior, "n_prior", "finite", kOptional);
    f.size("n_prior", n_prior);
    f.array("scale", scale, "n_scale", "finite", kOptional);
    f.size("n_scale", n_scale);
  }
  const char* wrong() const noexcept {
    const int64_t longest = longest_block(offsets, n);
    if (!table_fits(longest + 1, row_stride(longest), kPlanes))
      return "the tables of the longest sequence are too large";
    if (const char* fault = wrong_energies()) return fault;
    if (prior && n_prior != folding::kEnergy) return "prior has another length than expected";
    if (scale && n_scale != folding::kSize) return "scale has another length than expected";
    for (int64_t i = 0; i < n; ++i) {
      if (partner && !mutual(partner + offsets[i], code_len(i)))
        return "partner: base i must be the partner of its partner, not of itself";
      if (partner && !nested(partner + offsets[i], code_len(i))) return "partner: pairs cross";
      if (forced && !mutual(forced + offsets[i], code_len(i)))
        return "forced: base i must be the partner of its partner, not of itself";
    }
    return nullptr;
  }
  const char* wrong_energies() const noexcept {
    using namespace folding;
    if (!energy_tables) return nullptr;
    if (n_energy_tables != kEnergySize) return "energy_tables has another length than expected";
    if (prior) return "prior: there are energy_tables, too";
    for (int32_t k = 0; k < kEnergySize; ++k)
      if (k < kLogarithmE && std::abs(energy_tables[k]) > kHighestEnergy)
        return "energy_tables holds energies beyond 100000 kcal/mol";
    if (energy_tables[kLogarithmE] < 0) return "energy_tables: the logarithm's factor is negative";
    return nullptr;
  }
  static bool mutual(const int32_t* y, int32_t len) noexcept {
    for (int32_t a = 0; a < len; ++a)
      if (y[a] >= 0 && (y[a] == a || y[y[a]] != a)) return false;
    return true;
  }
  // Of mutual partners, in one sweep: the pairs closed last are those opened last.
  static bool nested(const int32_t* y, int32_t len) noexcept {
    for (int32_t a = 0; a < len; ++a)
      for (int32_t t = a + 1; t < y[a];) {
        if (y[t] >= 0 && (y[t] < a || y[t] > y[a])) return false;
        t = y[t] > t ? y[t] + 1 : t + 1;
      }
    return true;
  }
};

}  // namespace pystruct_ext
