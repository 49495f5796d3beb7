// Fixed-width vectors and run-time choice of the instruction set.
//
// Design. Wheels are built for the oldest CPU of a platform, so the hot loops are compiled three
// times and chosen at run time. The loops are written once, as always-inline templates over the
// vector width, and wrapped in functions that carry a target attribute; there is no second
// translation unit, hence no risk that the linker picks an AVX-512 copy of a shared template.
// Compilers without target attributes or vector types get the plain loops.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#if defined(__GNUC__) || defined(__clang__)
#define PSX_INLINE inline __attribute__((always_inline))
#define PSX_PREFETCH(p) __builtin_prefetch(p)
#else
#define PSX_INLINE inline
#define PSX_PREFETCH(p) ((void)0)
#endif

#if (defined(__GNUC__) || defined(__clang__)) && defined(__x86_64__)
#define PSX_X86_DISPATCH 1
#define PSX_TARGET_AVX2 __attribute__((target("avx2,fma")))
#define PSX_TARGET_AVX512 __attribute__((target("avx512f,avx512vl,avx512bw,avx512dq,fma")))
#else
#define PSX_X86_DISPATCH 0
#define PSX_TARGET_AVX2
#define PSX_TARGET_AVX512
#endif


namespace pystruct_ext {

enum class Isa : int { kBaseline = 0, kAvx2 = 1, kAvx512 = 2 };

// The best instruction set of this CPU; the environment variable PSX_ISA=baseline|avx2 lowers it
// (for tests: every level must give a correct result on one machine).
inline Isa detect_isa() noexcept {
#if PSX_X86_DISPATCH
  Isa isa = Isa::kBaseline;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) isa = Isa::kAvx2;
  if (isa == Isa::kAvx2 && __builtin_cpu_supports("avx512f") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq"))
    isa = Isa::kAvx512;
  if (const char* wanted = std::getenv("PSX_ISA")) {
    if (std::strcmp(wanted, "baseline") == 0) isa = Isa::kBaseline;
    if (std::strcmp(wanted, "avx2") == 0 && isa == Isa::kAvx512) isa = Isa::kAvx2;
  }
  return isa;
#else
  return Isa::kBaseline;
#endif
}

// A vector of kWidth lanes; kWidth is a template constant, so that arrays of Vec live in registers.
#if defined(__GNUC__) || defined(__clang__)
template <class real, int kWidth>
struct Vec {
  typedef real type __attribute__((vector_size(kWidth * sizeof(real)), aligned(sizeof(real))));
  // Same bits without the relaxed alignment: what arithmetic works on.
  typedef real reg __attribute__((vector_size(kWidth * sizeof(real))));
  reg v;
  static PSX_INLINE Vec load(const real* p) {
    Vec r;
    r.v = *reinterpret_cast<const type*>(p);
    return r;
  }
  static PSX_INLINE Vec splat(real x) {
    Vec r;
    r.v = x - reg{};
    return r;
  }
  PSX_INLINE void store(real* p) const { *reinterpret_cast<type*>(p) = v; }
  PSX_INLINE Vec operator+(Vec o) const { return Vec{v + o.v}; }
  PSX_INLINE Vec operator*(Vec o) const { return Vec{v * o.v}; }
  static PSX_INLINE Vec max(Vec a, Vec b) { return Vec{a.v > b.v ? a.v : b.v}; }
};
#else
template <class real, int kWidth>
struct Vec {
  real v[kWidth];
  static PSX_INLINE Vec load(const real* p) {
    Vec r;
    for (int k = 0; k < kWidth; ++k) r.v[k] = p[k];
    return r;
  }
  static PSX_INLINE Vec splat(real x) {
    Vec r;
    for (int k = 0; k < kWidth; ++k) r.v[k] = x;
    return r;
  }
  PSX_INLINE void store(real* p) const {
    for (int k = 0; k < kWidth; ++k) p[k] = v[k];
  }
  PSX_INLINE Vec operator+(Vec o) const {
    Vec r;
    for (int k = 0; k < kWidth; ++k) r.v[k] = v[k] + o.v[k];
    return r;
  }
  PSX_INLINE Vec operator*(Vec o) const {
    Vec r;
    for (int k = 0; k < kWidth; ++k) r.v[k] = v[k] * o.v[k];
    return r;
  }
  static PSX_INLINE Vec max(Vec a, Vec b) {
    Vec r;
    for (int k = 0; k < kWidth; ++k) r.v[k] = a.v[k] > b.v[k] ? a.v[k] : b.v[k];
    return r;
  }
};
#endif

// 64-byte aligned growable buffer without initialisation; only `reserve` allocates.
template <class T>
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  AlignedBuffer(const AlignedBuffer&) = delete;
  AlignedBuffer& operator=(const AlignedBuffer&) = delete;
  AlignedBuffer(AlignedBuffer&& o) noexcept : p_(o.p_), n_(o.n_) {
    o.p_ = nullptr;
    o.n_ = 0;
  }
  ~AlignedBuffer() { release(); }
  void reserve(std::size_t n) {
    if (n <= n_) return;
    release();
    p_ = static_cast<T*>(::operator new(n * sizeof(T) + 64, std::align_val_t(64)));
    n_ = n;
  }
  void swap(AlignedBuffer& o) noexcept {
    std::swap(p_, o.p_);
    std::swap(n_, o.n_);
  }
  T* data() noexcept { return p_; }
  const T* data() const noexcept { return p_; }
  T& operator[](std::size_t k) noexcept { return p_[k]; }
  const T& operator[](std::size_t k) const noexcept { return p_[k]; }
  std::size_t capacity() const noexcept { return n_; }

 private:
  void release() {
    if (p_) ::operator delete(p_, std::align_val_t(64));
    p_ = nullptr;
    n_ = 0;
  }
  T* p_ = nullptr;
  std::size_t n_ = 0;
};

}  // namespace pystruct_ext
