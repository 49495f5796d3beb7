// From the field list of a kernel to the table of kernel.h.
//
// A kernel ends with its list, once for all uses:
//
//   template <class F>
//   void fields(F& f) {
//     f.size("n", n);
//     f.offsets("offsets", offsets, "n+1", "n_rows");
//     f.array("labels", labels, "n_rows", kOptional);
//     f.number("n_labels", n_labels);
//   }
//
// The same function lists the fields (Lister) and fills them (Filler); whatever else it does, such as
// deriving one member from others, happens after the members before it are filled.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>
#include <vector>

#include "pystruct_ext/driver.hpp"
#include "pystruct_ext/kernel.h"

namespace pystruct_ext {

// Whether a field may be left out.
constexpr bool kRequired = false, kOptional = true;

class Lister {
 public:
  explicit Lister(std::size_t real_bytes) : real_bytes_(real_bytes) {}
  template <class T>
  void array(const char* name, const T*&, const char* shape, bool optional = kRequired) {
    add(name, shape, "", type<T>(), optional ? PSX_OPTIONAL : PSX_ARRAY, sizeof(T));
  }
  // An array of the type of w, also where the kernel has only one.
  template <class T>
  void reals(const char* name, const T*&, const char* shape, bool optional = kRequired) {
    add(name, shape, "", PSX_REAL, optional ? PSX_OPTIONAL : PSX_ARRAY, sizeof(T));
  }
  void offsets(const char* name, const int64_t*&, const char* shape, const char* total,
               bool optional = kRequired) {
    add(name, shape, total, PSX_INT64, optional ? PSX_OPTIONAL_OFFSETS : PSX_OFFSETS, sizeof(int64_t));
  }
  template <class T>
  void number(const char* name, T&, bool optional = kRequired) {
    add(name, "", "", std::is_floating_point<T>::value ? PSX_DOUBLE : PSX_INT64,
        optional ? PSX_OPTIONAL_NUMBER : PSX_NUMBER, sizeof(T));
  }
  template <class T>
  void size(const char* name, T&) {
    add(name, "", "", PSX_INT64, PSX_SIZE, sizeof(T));
  }
  template <class Value>
  void derived(const double*&, int64_t, Value&&) {}

  std::vector<psx_field> list;

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
           std::size_t bytes) {
    list.push_back({name, shape, total, t, role, static_cast<int64_t>(bytes)});
  }
  std::size_t real_bytes_;
};

class Filler {
 public:
  explicit Filler(const psx_value* values) : at_(values) {}
  template <class T>
  void array(const char*, const T*& to, const char*, bool = kRequired) {
    to = static_cast<const T*>((at_++)->data);
  }
  template <class T>
  void reals(const char*, const T*& to, const char*, bool = kRequired) {
    to = static_cast<const T*>((at_++)->data);
  }
  void offsets(const char*, const int64_t*& to, const char*, const char*, bool = kRequired) {
    to = static_cast<const int64_t*>((at_++)->data);
  }
  template <class T>
  void number(const char*, T& to, bool = kRequired) {
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
};

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
    return new KernelBox(space, filler);
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
  static const std::vector<psx_field> fields = [] {
    First space;
    Lister lister(sizeof(typename First::real));
    space.fields(lister);
    return lister.list;
  }();
  static const psx_kernel table = {
      sizeof(psx_kernel),
      PSX_ABI_VERSION,
      name,
      (uint32_t{sizeof(typename Variants::Space::real)} | ...),
      static_cast<int32_t>(fields.size()),
      fields.data(),
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
      [](void* box) { delete static_cast<AnyBox*>(box); }};
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
