// What the door of Python spaces remembers: the joint feature vector and the loss of each output.
//
// Everything a solver asks about an output that was seen before is answered from here, without a
// Python object being touched: a visit of a block asks for some ten inner products, and ten walks
// through lists and reference counts cost more than the decoder of a small space.
//
// A vector stays until its memory is needed. Those of the truths and of cuts that a solver holds are
// never given up; of the others the one that was let go first makes room. What does not fit at all
// lives as long as its block is asked about.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <deque>
#include <limits>
#include <new>
#include <utility>
#include <vector>

namespace pystruct_ext {

// A copy of one psi in one piece of memory: its nonzero entries, or all of them where that is smaller.
struct Psi {
  static constexpr int32_t kEnd = std::numeric_limits<int32_t>::max();  // behind the last index

  int64_t n;             // entries kept
  int32_t users;         // the store, and whoever works with it while user code runs
  bool dense;            // entry k is number k, and there is no index
  int64_t cost;          // bytes that it counts for

  double* value() noexcept { return reinterpret_cast<double*>(this + 1); }
  const double* value() const noexcept { return reinterpret_cast<const double*>(this + 1); }
  int32_t* index() noexcept { return reinterpret_cast<int32_t*>(value() + n + 1); }
  const int32_t* index() const noexcept { return reinterpret_cast<const int32_t*>(value() + n + 1); }

  double dot(const double* w) const noexcept {
    const double* v = value();
    double total = 0;
    if (dense) {
      for (int64_t k = 0; k < n; ++k) total += w[k] * v[k];
    } else {
      const int32_t* j = index();
      for (int64_t k = 0; k < n; ++k) total += w[j[k]] * v[k];
    }
    return total;
  }
  void add_to(double* w, double a) const noexcept {
    const double* v = value();
    if (dense) {
      for (int64_t k = 0; k < n; ++k) w[k] += a * v[k];
    } else {
      const int32_t* j = index();
      for (int64_t k = 0; k < n; ++k) w[j[k]] += a * v[k];
    }
  }
};

// to += a (p - q) if there is a `to`; the squared norm of p - q. Entry by entry: what both have
// cancels exactly.
inline double psi_difference(const Psi* p, const Psi* q, double a, double* to) noexcept {
  const double *x = p->value(), *y = q->value();
  double total = 0;
  if (p->dense && q->dense) {
    for (int64_t k = 0; k < p->n; ++k) {
      const double v = x[k] - y[k];
      if (to) to[k] += a * v;
      total += v * v;
    }
    return total;
  }
  if (p->dense || q->dense) {
    int64_t k = 0;  // of the sparse one
    const int64_t d = p->dense ? p->n : q->n;
    const Psi* sparse = p->dense ? q : p;
    for (int64_t j = 0; j < d; ++j) {
      const double other = k < sparse->n && sparse->index()[k] == j ? sparse->value()[k++] : 0.0;
      const double v = p->dense ? x[j] - other : other - y[j];
      if (to) to[j] += a * v;
      total += v * v;
    }
    return total;
  }
  // Without branches on the data: which of the two comes next cannot be predicted. Each list ends
  // with an index beyond all others and a value of 0.
  const int32_t *i = p->index(), *k = q->index();
  for (;;) {
    const int32_t at = *i, other = *k, here = at < other ? at : other;
    if (here == Psi::kEnd) return total;
    const double left = *x, right = *y;
    const double v = (at == here ? left : 0.0) - (other == here ? right : 0.0);
    x += at == here;
    i += at == here;
    y += other == here;
    k += other == here;
    if (to) to[here] += a * v;
    total += v * v;
  }
}

// Not thread-safe: the door asks with the GIL held. Code 0 is the truth where `has_truth`.
class PsiStore {
 public:
  // What a kept vector costs beside its entries: a head, a slot, a place in the queue.
  static constexpr int64_t kOverhead = 250;
  static constexpr std::size_t kPassing = 64;  // vectors that are kept for the time of a visit

  PsiStore(int64_t n_blocks, int64_t size_psi, int64_t budget, bool has_truth)
      : d_(size_psi), budget_(budget), has_truth_(has_truth),
        blocks_(static_cast<std::size_t>(n_blocks)) {}
  ~PsiStore() {
    for (auto& row : blocks_)
      for (Slot& s : row) drop(s);
  }
  PsiStore(const PsiStore&) = delete;
  PsiStore& operator=(const PsiStore&) = delete;

  // NULL if it has to be asked for.
  const Psi* find(int64_t i, int32_t code) const noexcept {
    const Slot* s = seen(i, code);
    return s ? s->psi : nullptr;
  }
  // NaN if it has to be asked for.
  double loss(int64_t i, int32_t code) const noexcept {
    const Slot* s = seen(i, code);
    return s ? s->loss : std::numeric_limits<double>::quiet_NaN();
  }
  void put_loss(int64_t i, int32_t code, double loss) { slot(i, code).loss = loss; }

  // Copies v, (size_psi,); the copy is valid until the next call of `put` or `hold`, unless retained.
  const Psi* put(int64_t i, int32_t code, const double* v) {
    if (passing_block_ != i || passing_.size() >= kPassing) pass();
    passing_block_ = i;
    Psi* p = copy(v);
    try {
      Slot& s = slot(i, code);
      drop(s);
      if (make_room(p->cost)) {
        if (!pinned(s, code)) enqueue(s, i, code);
        s.kept = true;
        bytes_ += p->cost;
      } else {
        passing_.push_back(code);
      }
      s.psi = p;
    } catch (...) {
      release(p);
      throw;
    }
    return p;
  }

  // A solver holds an output, or lets it go.
  void hold(int64_t i, int32_t code, bool held) {
    Slot& s = slot(i, code);
    s.holds += held ? 1 : -1;
    if (s.holds < 0) s.holds = 0;
    if (held && s.psi && !s.kept && make_room(s.psi->cost)) {
      s.kept = true;
      bytes_ += s.psi->cost;
    }
    if (s.kept && !pinned(s, code)) enqueue(s, i, code);
  }

  static void retain(const Psi* p) noexcept { ++const_cast<Psi*>(p)->users; }
  static void release(const Psi* p) noexcept {
    Psi* q = const_cast<Psi*>(p);
    if (--q->users == 0) ::operator delete(q);
  }
  int64_t bytes() const noexcept { return bytes_; }

 private:
  struct Slot {
    Psi* psi = nullptr;
    double loss = std::numeric_limits<double>::quiet_NaN();
    int32_t holds = 0;
    bool kept = false;    // counted, and given up only for another
    bool queued = false;  // in idle_
  };

  const Slot* seen(int64_t i, int32_t code) const noexcept {
    const auto& row = blocks_[static_cast<std::size_t>(i)];
    return static_cast<std::size_t>(code) < row.size() ? &row[static_cast<std::size_t>(code)]
                                                       : nullptr;
  }
  Slot& slot(int64_t i, int32_t code) {
    auto& row = blocks_[static_cast<std::size_t>(i)];
    if (row.size() <= static_cast<std::size_t>(code)) row.resize(static_cast<std::size_t>(code) + 1);
    return row[static_cast<std::size_t>(code)];
  }
  bool pinned(const Slot& s, int32_t code) const noexcept {
    return s.holds > 0 || (code == 0 && has_truth_);
  }
  void drop(Slot& s) noexcept {
    if (!s.psi) return;
    if (s.kept) bytes_ -= s.psi->cost;
    release(s.psi);
    s.psi = nullptr;
    s.kept = false;
  }
  void enqueue(Slot& s, int64_t i, int32_t code) {
    if (s.queued) return;
    idle_.emplace_back(i, code);
    s.queued = true;
  }
  bool make_room(int64_t cost) {
    while (bytes_ + cost > budget_ && !idle_.empty()) {
      const auto [i, code] = idle_.front();
      idle_.pop_front();
      Slot& s = slot(i, code);
      s.queued = false;
      if (s.kept && !pinned(s, code)) drop(s);
    }
    return bytes_ + cost <= budget_;
  }
  // The visit is over.
  void pass() noexcept {
    for (int32_t code : passing_) {
      Slot& s = blocks_[static_cast<std::size_t>(passing_block_)][static_cast<std::size_t>(code)];
      if (!s.kept) drop(s);
    }
    passing_.clear();
  }
  Psi* copy(const double* v) {
    const bool countable = d_ < std::numeric_limits<int32_t>::max();
    int64_t nonzero = 0;
    if (countable) {
      where_.resize(static_cast<std::size_t>(d_) + 1);
      int32_t* where = where_.data();
      for (int64_t j = 0; j < d_; ++j) {
        where[nonzero] = static_cast<int32_t>(j);
        nonzero += v[j] != 0;
      }
    }
    const bool dense = !countable || 3 * nonzero > 2 * d_;
    const int64_t n = dense ? d_ : nonzero, size = n * (dense ? 8 : 12);
    Psi* p = static_cast<Psi*>(::operator new(sizeof(Psi) + static_cast<std::size_t>(size) + 16));
    p->n = n;
    p->users = 1;
    p->dense = dense;
    p->cost = kOverhead + size;
    if (dense) {
      std::memcpy(p->value(), v, sizeof(double) * static_cast<std::size_t>(n));
      return p;
    }
    for (int64_t k = 0; k < n; ++k) p->value()[k] = v[where_[static_cast<std::size_t>(k)]];
    p->value()[n] = 0;
    std::memcpy(p->index(), where_.data(), sizeof(int32_t) * static_cast<std::size_t>(n));
    p->index()[n] = Psi::kEnd;
    return p;
  }

  int64_t d_, budget_, bytes_ = 0;
  bool has_truth_;
  std::vector<std::vector<Slot>> blocks_;
  std::deque<std::pair<int64_t, int32_t>> idle_;  // kept, but nobody's; the oldest first
  std::vector<int32_t> passing_;                  // of passing_block_, and not kept
  int64_t passing_block_ = -1;
  std::vector<int32_t> where_;  // the nonzero entries of what is being copied
};

}  // namespace pystruct_ext
