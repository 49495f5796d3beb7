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

// Memory in powers of two from large chunks, with free lists: growth of a block's working set
// does not enter the system allocator, and nothing is freed before the solver is.
class Pool {
 public:
  void* allocate(std::size_t bytes) {
    const int c = size_class(bytes);
    if (free_[c]) {
      Node* p = free_[c];
      free_[c] = p->next;
      return p;
    }
    const std::size_t size = std::size_t{1} << c;
    if (size > kChunk) return new_chunk(size);
    if (left_ < size) {
      at_ = static_cast<char*>(new_chunk(kChunk));
      left_ = kChunk;
    }
    void* p = at_;
    at_ += size;
    left_ -= size;
    return p;
  }
  void release(void* p, std::size_t bytes) noexcept {
    const int c = size_class(bytes);
    Node* node = static_cast<Node*>(p);
    node->next = free_[c];
    free_[c] = node;
  }
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  struct Node {
    Node* next;
  };
  static constexpr std::size_t kChunk = std::size_t{1} << 20;
  static int size_class(std::size_t bytes) noexcept {
    int c = 6;
    while ((std::size_t{1} << c) < bytes) ++c;
    return c;
  }
  void* new_chunk(std::size_t size) {
    chunks_.emplace_back(new char[size]);
    bytes_ += size;
    return chunks_.back().get();
  }
  std::vector<std::unique_ptr<char[]>> chunks_;
  Node* free_[64] = {};
  char* at_ = nullptr;
  std::size_t left_ = 0, bytes_ = 0;
};

// The cuts of one block.
struct CutList {
  char* memory = nullptr;
  int32_t size = 0, capacity = 0, code_len = 0;

  static std::size_t bytes(int32_t capacity, int32_t code_len) noexcept {
    const std::size_t c = static_cast<std::size_t>(capacity);
    return c * (2 * sizeof(double) + sizeof(int32_t) + sizeof(int32_t) * code_len) +
           c * (c + 1) / 2 * sizeof(float);
  }
  double* alpha() const noexcept { return reinterpret_cast<double*>(memory); }
  double* loss() const noexcept { return alpha() + capacity; }
  int32_t* last_active() const noexcept { return reinterpret_cast<int32_t*>(loss() + capacity); }
  float* gram() const noexcept { return reinterpret_cast<float*>(last_active() + capacity); }
  int32_t* code(int32_t k) const noexcept {
    return reinterpret_cast<int32_t*>(gram() + static_cast<int64_t>(capacity) * (capacity + 1) / 2) +
           static_cast<int64_t>(k) * code_len;
  }
  static int64_t tri(int64_t k, int64_t l) noexcept {
    return k >= l ? k * (k + 1) / 2 + l : l * (l + 1) / 2 + k;
  }
  // <delta psi_k, delta psi_l>
  double inner(int64_t k, int64_t l) const noexcept {
    return static_cast<double>(gram()[tri(k, l)]);
  }

  int32_t find(const int32_t* c) const noexcept {
    for (int32_t k = 0; k < size; ++k)
      if (std::memcmp(code(k), c, sizeof(int32_t) * static_cast<std::size_t>(code_len)) == 0)
        return k;
    return -1;
  }

  // Makes room for one more cut; may throw std::bad_alloc.
  void grow(Pool& pool) {
    if (size < capacity) return;
    CutList bigger = *this;
    bigger.capacity = capacity ? 2 * capacity : 2;
    bigger.memory = static_cast<char*>(pool.allocate(bytes(bigger.capacity, code_len)));
    for (int32_t k = 0; k < size; ++k) {
      bigger.alpha()[k] = alpha()[k];
      bigger.loss()[k] = loss()[k];
      bigger.last_active()[k] = last_active()[k];
      std::memcpy(bigger.code(k), code(k), sizeof(int32_t) * static_cast<std::size_t>(code_len));
    }
    if (size)
      std::memcpy(bigger.gram(), gram(), sizeof(float) * static_cast<std::size_t>(tri(size, 0)));
    if (memory) pool.release(memory, bytes(capacity, code_len));
    *this = bigger;
  }

  // Removes cut k; the last cut takes its place.
  void remove(int32_t k) noexcept {
    const int32_t last = size - 1;
    if (k != last) {
      alpha()[k] = alpha()[last];
      loss()[k] = loss()[last];
      last_active()[k] = last_active()[last];
      std::memcpy(code(k), code(last), sizeof(int32_t) * static_cast<std::size_t>(code_len));
      float* g = gram();
      g[tri(k, k)] = g[tri(last, last)];
      for (int32_t l = 0; l < last; ++l)
        if (l != k) g[tri(k, l)] = g[tri(last, l)];
    }
    size = last;
  }
};

}  // namespace pystruct_ext
