// Which of the optional members a kernel has; driver.hpp says what they are for.
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

namespace pystruct_ext {

namespace detail {
struct NullSink {
  void operator()(int64_t, double) const noexcept {}
};
struct NullPart {
  void operator()(int64_t) const noexcept {}
};
template <class S>
using Scratch = typename S::Scratch;
template <class S>
using Real = typename S::real;

#define PSX_HAS(name, ...)                                  \
  template <class S, class = void>                          \
  struct name : std::false_type {};                         \
  template <class S>                                        \
  struct name<S, std::void_t<decltype(__VA_ARGS__)>> : std::true_type {};
PSX_HAS(HasPrepare, std::declval<const S&>().prepare(static_cast<const Real<S>*>(nullptr),
                                                     std::declval<Scratch<S>&>()))
PSX_HAS(HasPsiDiff, std::declval<const S&>().psi_diff(int64_t{}, static_cast<const int32_t*>(nullptr),
                                                      static_cast<const int32_t*>(nullptr), 1.0,
                                                      std::declval<NullSink&>()))
PSX_HAS(HasSqnorm, std::declval<const S&>().psi_diff_sqnorm(
                       int64_t{}, static_cast<const int32_t*>(nullptr),
                       static_cast<const int32_t*>(nullptr), std::declval<Scratch<S>&>()))
PSX_HAS(HasBound, std::declval<const S&>().bound(int64_t{}, 1.0, std::declval<Scratch<S>&>()))
PSX_HAS(HasNonnegative,
        std::declval<const S&>().nonnegative(static_cast<int64_t*>(nullptr)))
PSX_HAS(HasExactness, std::declval<const S&>().exactness())
PSX_HAS(HasParts, std::declval<const S&>().each_part(int64_t{}, static_cast<const int32_t*>(nullptr),
                                                     NullPart{}))
PSX_HAS(HasAddParts, std::declval<const S&>().add_parts(int64_t{}, 1.0,
                                                        static_cast<const Real<S>*>(nullptr),
                                                        std::declval<Scratch<S>&>()))
PSX_HAS(HasCheckCode,
        std::declval<const S&>().check_code(int64_t{}, static_cast<const int32_t*>(nullptr)))
// Of queries: there are structures whose best outputs can be listed, but whose sum has no formula.
PSX_HAS(HasMarginals, &S::marginals)
#undef PSX_HAS
}  // namespace detail

}  // namespace pystruct_ext
