// From the field list of a kernel to the table of kernel.h.
//
// A kernel ends with its list, once for all uses:
//
//   template <class F>
//   void fields(F& f) {
//     f.size("n", n);
//     f.offsets("offsets", offsets, "n+1", "n_rows");
//     f.array("labels", labels, "n_rows", "0..n_labels-1", kOptional);
//     f.number("n_labels", n_labels, "1..");
//   }
//
// The same function lists the fields (Lister) and fills them (Filler); whatever else it does, such as
// deriving one member from others, happens after the members before it are filled. Shapes and
// ranges are explained in kernel.h; all of them are checked before anything is filled. What they
// cannot say, such as whether a true code is one, a kernel may say itself:
//
//   const char* wrong() const noexcept;  // what is wrong with the fields, or nullptr
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include "pystruct_ext/driver.hpp"
#include "pystruct_ext/kernel.h"

namespace pystruct_ext {

// Whether a field may be left out.
constexpr bool kRequired = false, kOptional = true;

// Whether tables of a * b * c entries can be counted at all: for sizes that follow from hostile
// numbers. Memory for those that can is asked for, and may run out.
inline bool table_fits(int64_t a, int64_t b, int64_t c = 1) noexcept {
  constexpr int64_t kMost = int64_t{1} << 48;
  if (a <= 0 || b <= 0 || c <= 0) return true;
  return a <= kMost / b && a * b <= kMost / c;
}
inline int64_t longest_block(const int64_t* offsets, int64_t n) noexcept {
  int64_t longest = 0;
  for (int64_t i = 0; i < n; ++i) longest = std::max(longest, offsets[i + 1] - offsets[i]);
  return longest;
}

class Lister {
 public:
  explicit Lister(std::size_t real_bytes) : real_bytes_(real_bytes) {}
  template <class T>
  void array(const char* name, const T*&, const char* shape, const char* range,
             bool optional = kRequired) {
    add(name, shape, "", type<T>(), optional ? PSX_OPTIONAL : PSX_ARRAY, sizeof(T), range);
  }
  // An array of the type of w, also where the kernel has only one.
  template <class T>
  void reals(const char* name, const T*&, const char* shape, const char* range,
             bool optional = kRequired) {
    add(name, shape, "", PSX_REAL, optional ? PSX_OPTIONAL : PSX_ARRAY, sizeof(T), range);
  }
  void offsets(const char* name, const int64_t*&, const char* shape, const char* total,
               bool optional = kRequired) {
    add(name, shape, total, PSX_INT64, optional ? PSX_OPTIONAL_OFFSETS : PSX_OFFSETS, sizeof(int64_t),
        "");
  }
  template <class T>
  void number(const char* name, T&, const char* range, bool optional = kRequired) {
    add(name, "", "", std::is_floating_point<T>::value ? PSX_DOUBLE : PSX_INT64,
        optional ? PSX_OPTIONAL_NUMBER : PSX_NUMBER, sizeof(T), range);
  }
  template <class T>
  void size(const char* name, T&) {
    add(name, "", "", PSX_INT64, PSX_SIZE, sizeof(T), "");
  }
  template <class Value>
  void derived(const double*&, int64_t, Value&&) {}

  std::vector<psx_field> list;
  std::vector<const char*> ranges;

 private:
  template <class T>
  psx_type type() const {
    if (std::is_same<T, int32_t>::value) return PSX_INT32;
    if (std::is_same<T, int64_t>::value) return PSX_INT64;
    if (std::is_same<T, uint8_t>::value) return PSX_UINT8;
    if (std::is_same<T, double>::value && real_bytes_ != sizeof(double)) return PSX_DOUBLE;
    // Listed for float: there the type of w and double are told apart.
    if (std::is_same<T, float>::value) return PSX_REAL;
    if (std::is_same<T, double>::value) return PSX_DOUBLE;
    return PSX_RECORD;
  }
  void add(const char* name, const char* shape, const char* total, psx_type t, psx_role role,
           std::size_t bytes, const char* range) {
    list.push_back({name, shape, total, t, role, static_cast<int64_t>(bytes)});
    ranges.push_back(range);
  }
  std::size_t real_bytes_;
};

class Filler {
 public:
  explicit Filler(const psx_value* values) : at_(values) {}
  template <class T>
  void array(const char*, const T*& to, const char*, const char*, bool = kRequired) {
    to = static_cast<const T*>((at_++)->data);
  }
  template <class T>
  void reals(const char*, const T*& to, const char*, const char*, bool = kRequired) {
    to = static_cast<const T*>((at_++)->data);
  }
  void offsets(const char*, const int64_t*& to, const char*, const char*, bool = kRequired) {
    to = static_cast<const int64_t*>((at_++)->data);
  }
  template <class T>
  void number(const char*, T& to, const char*, bool = kRequired) {
    const psx_value& v = *at_++;
    if (!v.given) return;
    to = std::is_floating_point<T>::value ? static_cast<T>(v.number) : static_cast<T>(v.integer);
  }
  template <class T>
  void size(const char*, T& to) {
    to = static_cast<T>((at_++)->integer);
  }
  // An array that the box computes and owns.
  template <class Value>
  void derived(const double*& to, int64_t count, Value&& value) {
    owned.push_back(std::make_unique<std::vector<double>>(static_cast<std::size_t>(count)));
    for (int64_t k = 0; k < count; ++k) (*owned.back())[static_cast<std::size_t>(k)] = value(k);
    to = owned.back()->data();
  }
  std::vector<std::unique_ptr<std::vector<double>>> owned;

 private:
  const psx_value* at_;
};

struct AnyBox {
  virtual ~AnyBox() = default;
  virtual const psx_oracle* oracle() const noexcept = 0;
  const char* wrong = nullptr;
};

namespace detail {
template <class Space, class = void>
struct WrongOf {
  static const char* of(const Space&) noexcept { return nullptr; }
};
template <class Space>
struct WrongOf<Space, decltype(void(std::declval<const Space&>().wrong()))> {
  static const char* of(const Space& space) noexcept { return space.wrong(); }
};
}  // namespace detail

template <class Space, class Queries>
struct KernelBox final : AnyBox {
  std::vector<std::unique_ptr<std::vector<double>>> owned;
  OracleBox<Space, Queries> box;
  KernelBox(const Space& space, Filler& filler) : owned(std::move(filler.owned)), box(space) {}
  const psx_oracle* oracle() const noexcept override { return box.oracle(); }
  static AnyBox* make(const psx_value* values) {
    Space space;
    Filler filler(values);
    space.fields(filler);
    AnyBox* box = new KernelBox(space, filler);
    box->wrong = detail::WrongOf<Space>::of(space);
    return box;
  }
};

namespace detail {
template <class Space, class Queries>
bool make_if(uint32_t w_bytes, const psx_value* values, void*& out) {
  if (w_bytes != sizeof(typename Space::real)) return false;
  out = KernelBox<Space, Queries>::make(values);
  return true;
}
template <class First, class...>
struct FirstOf {
  using type = First;
};
}  // namespace detail

// What goes with a kernel: the space, and what answers queries about all of its outputs.
template <class Space_, class Queries_ = NoQueries>
struct With {
  using Space = Space_;
  using Queries = Queries_;
};

// The table of a kernel, for each of its types of w: kernel_table<With<S<float>>, With<S<double>>>.
template <class... Variants>
const psx_kernel* kernel_table(const char* name) {
  using First = typename detail::FirstOf<Variants...>::type::Space;
  static const Lister listed = [] {
    First space;
    Lister lister(sizeof(typename First::real));
    space.fields(lister);
    return lister;
  }();
  static const psx_kernel table = {
      sizeof(psx_kernel),
      PSX_ABI_VERSION,
      name,
      (uint32_t{sizeof(typename Variants::Space::real)} | ...),
      static_cast<int32_t>(listed.list.size()),
      listed.list.data(),
      [](uint32_t w_bytes, const psx_value* values) -> void* {
        void* out = nullptr;
        try {
          (detail::make_if<typename Variants::Space, typename Variants::Queries>(w_bytes, values,
                                                                                out) ||
           ...);
        } catch (...) {
          return nullptr;
        }
        return out;
      },
      [](void* box) { return static_cast<AnyBox*>(box)->oracle(); },
      [](void* box) { delete static_cast<AnyBox*>(box); },
      listed.ranges.data(),
      [](void* box) { return static_cast<AnyBox*>(box)->wrong; }};
  return &table;
}

// A function that returns the table, for a library that is loaded by its path.
#if defined(_MSC_VER)
#define PSX_EXPORT __declspec(dllexport)
#else
#define PSX_EXPORT __attribute__((visibility("default")))
#endif
#define PSX_EXPORT_KERNEL(function, name, ...)              \
  extern "C" PSX_EXPORT const psx_kernel* function(void) {  \
    return ::pystruct_ext::kernel_table<__VA_ARGS__>(name); \
  }

}  // namespace pystruct_ext
