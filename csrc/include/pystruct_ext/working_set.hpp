// Working sets: the cuts of every block, a few bytes each.
//
// A cut is an output code with its dual variable and loss; its feature vector is never stored. A
// block keeps, in one piece of pooled memory, alpha, loss, the inner products of its cuts (float,
// triangular: they cost m sqnorms when a cut enters and make every later step within the block
// free of feature access), and the codes. The truth is an implicit plane of loss 0 and zero vector
// that holds the rest of the block's mass.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

namespace pystruct_ext {

// Memory in multiples of 64 bytes from large chunks, with free lists: growth of a block's working
// set does not enter the system allocator, and nothing is freed before the solver is.
class Pool {
 public:
  void* allocate(std::size_t bytes) {
    const std::size_t c = units(bytes);
    if (c >= kClasses) return new_chunk(c * kUnit);
    if (free_[c]) {
      Node* p = free_[c];
      free_[c] = p->next;
      return p;
    }
    if (left_ < c * kUnit) {
      at_ = static_cast<char*>(new_chunk(kChunk));
      left_ = kChunk;
    }
    void* p = at_;
    at_ += c * kUnit;
    left_ -= c * kUnit;
    return p;
  }
  void release(void* p, std::size_t bytes) noexcept {
    const std::size_t c = units(bytes);
    if (c >= kClasses) return;  // kept in chunks_ until the end: rare, and large only once
    Node* node = static_cast<Node*>(p);
    node->next = free_[c];
    free_[c] = node;
  }
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  struct Node {
    Node* next;
  };
  static constexpr std::size_t kUnit = 64, kClasses = 512, kChunk = std::size_t{1} << 20;
  static std::size_t units(std::size_t bytes) noexcept { return (bytes + kUnit - 1) / kUnit; }
  void* new_chunk(std::size_t size) {
    chunks_.emplace_back(new char[size]);
    bytes_ += size;
    return chunks_.back().get();
  }
  std::vector<std::unique_ptr<char[]>> chunks_;
  Node* free_[kClasses] = {};
  char* at_ = nullptr;
  std::size_t left_ = 0, bytes_ = 0;
};

// The cuts of one block. Codes are kept in one byte per entry as long as all of them fit (labels,
// heads of short sentences, small permutations), in four otherwise.
struct CutList {
  char* memory = nullptr;
  int32_t size = 0, capacity = 0, code_len = 0, width = 1;

  std::size_t bytes(int32_t cap) const noexcept {
    const std::size_t c = static_cast<std::size_t>(cap);
    return c * (2 * sizeof(double) + sizeof(int32_t)) + c * (c + 1) / 2 * sizeof(float) +
           c * static_cast<std::size_t>(width) * static_cast<std::size_t>(code_len);
  }
  double* alpha() const noexcept { return reinterpret_cast<double*>(memory); }
  double* loss() const noexcept { return alpha() + capacity; }
  int32_t* last_active() const noexcept { return reinterpret_cast<int32_t*>(loss() + capacity); }
  float* gram() const noexcept { return reinterpret_cast<float*>(last_active() + capacity); }
  static int64_t tri(int64_t k, int64_t l) noexcept {
    return k >= l ? k * (k + 1) / 2 + l : l * (l + 1) / 2 + k;
  }
  // <delta psi_k, delta psi_l>
  double inner(int64_t k, int64_t l) const noexcept {
    return static_cast<double>(gram()[tri(k, l)]);
  }

  // Code k; `buffer` (code_len) is used where codes are stored narrow.
  const int32_t* code(int32_t k, int32_t* buffer) const noexcept {
    const char* at = raw_code(k);
    if (width == 4) return reinterpret_cast<const int32_t*>(at);
    const uint8_t* narrow = reinterpret_cast<const uint8_t*>(at);
    for (int32_t t = 0; t < code_len; ++t) buffer[t] = narrow[t];
    return buffer;
  }
  bool fits(const int32_t* c) const noexcept {
    uint32_t all = 0;
    for (int32_t t = 0; t < code_len; ++t) all |= static_cast<uint32_t>(c[t]);
    return all < 256;
  }
  int32_t find(const int32_t* c) const noexcept {
    for (int32_t k = 0; k < size; ++k) {
      const char* at = raw_code(k);
      bool equal = true;
      if (width == 4) {
        equal = std::memcmp(at, c, sizeof(int32_t) * static_cast<std::size_t>(code_len)) == 0;
      } else {
        const uint8_t* narrow = reinterpret_cast<const uint8_t*>(at);
        for (int32_t t = 0; t < code_len && equal; ++t) equal = narrow[t] == c[t];
      }
      if (equal) return k;
    }
    return -1;
  }

  // Appends a cut without mass; its row of inner products is the caller's to fill. May throw
  // std::bad_alloc.
  int32_t append(Pool& pool, const int32_t* c, double cut_loss) {
    const bool widen = width == 1 && !fits(c);
    if (size == capacity || widen) grow(pool, widen ? 4 : width);
    const int32_t k = size++;
    alpha()[k] = 0;
    loss()[k] = cut_loss;
    last_active()[k] = 0;
    put(k, c);
    return k;
  }

  // Removes cut k; the last cut takes its place.
  void remove(int32_t k) noexcept {
    const int32_t last = size - 1;
    if (k != last) {
      alpha()[k] = alpha()[last];
      loss()[k] = loss()[last];
      last_active()[k] = last_active()[last];
      std::memcpy(raw_code(k), raw_code(last), stride());
      float* g = gram();
      g[tri(k, k)] = g[tri(last, last)];
      for (int32_t l = 0; l < last; ++l)
        if (l != k) g[tri(k, l)] = g[tri(last, l)];
    }
    size = last;
  }

 private:
  std::size_t stride() const noexcept {
    return static_cast<std::size_t>(width) * static_cast<std::size_t>(code_len);
  }
  char* raw_code(int32_t k) const noexcept {
    char* codes = reinterpret_cast<char*>(gram() + static_cast<int64_t>(capacity) *
                                                       (capacity + 1) / 2);
    return codes + static_cast<std::size_t>(k) * stride();
  }
  void put(int32_t k, const int32_t* c) noexcept {
    char* at = raw_code(k);
    if (width == 4) {
      std::memcpy(at, c, stride());
      return;
    }
    for (int32_t t = 0; t < code_len; ++t) at[t] = static_cast<char>(c[t]);
  }
  // Small steps: most blocks hold a handful of cuts, and the pool takes back what is outgrown.
  void grow(Pool& pool, int32_t new_width) {
    CutList bigger = *this;
    bigger.width = new_width;
    if (size == capacity)
      bigger.capacity = capacity < 8 ? capacity + 2 : capacity + capacity / 2;
    bigger.memory = static_cast<char*>(pool.allocate(bigger.bytes(bigger.capacity)));
    for (int32_t k = 0; k < size; ++k) {
      bigger.alpha()[k] = alpha()[k];
      bigger.loss()[k] = loss()[k];
      bigger.last_active()[k] = last_active()[k];
      if (width == new_width) {
        std::memcpy(bigger.raw_code(k), raw_code(k), stride());
      } else {
        int32_t* wide = reinterpret_cast<int32_t*>(bigger.raw_code(k));
        code(k, wide);
      }
    }
    if (size)
      std::memcpy(bigger.gram(), gram(), sizeof(float) * static_cast<std::size_t>(tri(size, 0)));
    if (memory) pool.release(memory, bytes(capacity));
    *this = bigger;
  }
};

}  // namespace pystruct_ext
