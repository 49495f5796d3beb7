// The battery over every kernel of the package, and over combinations of them.
//
// Usage: test_kernels PROBLEM...   kernel_list.inc and the problem files: write_problems.py DIR
#include <cstdio>
#include <exception>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "kernel_list.inc"

#include "battery.hpp"
#include "problem_file.hpp"
#include "pystruct_ext/combinators.hpp"

using battery::Problem;
using battery::Reals;
using battery::Tally;

// A kernel bound to a problem.
class Bound {
 public:
  Bound(const psx_kernel* kernel, const Problem& p)
      : kernel_(kernel),
        box_(kernel->create(static_cast<uint32_t>(p.w_bytes),
                            battery::values_of(kernel, p).data())) {
    if (!box_) throw std::runtime_error(p.name + ": the kernel cannot be bound");
  }
  ~Bound() { kernel_->destroy(box_); }
  Bound(const Bound&) = delete;
  Bound& operator=(const Bound&) = delete;
  const psx_oracle* oracle() const { return kernel_->oracle(box_); }

 private:
  const psx_kernel* kernel_;
  void* box_;
};

// One number per part of every block: `random` but for the parts of the truth, which have 0.
template <class Draw>
static Reals per_part(const psx_oracle* o, std::vector<int64_t>& offsets, Draw&& random) {
  offsets.assign(1, 0);
  for (int64_t i = 0; i < o->n_blocks; ++i) {
    int64_t shape[4] = {1, 1, 1, 1}, n = 1;
    const int dims = o->part_shape(o->ctx, i, shape);
    for (int d = 0; d < dims; ++d) n *= shape[d];
    offsets.push_back(offsets.back() + n);
  }
  Reals out(o->w_bytes, offsets.back());
  for (int64_t k = 0; k < out.size(); ++k) out.set(k, random());
  for (int64_t i = 0; i < o->n_blocks; ++i) {
    const int32_t* y = o->truth(o->ctx, i);
    std::vector<int64_t> parts(
        static_cast<std::size_t>(o->parts(o->ctx, i, y, nullptr, 0)));
    o->parts(o->ctx, i, y, parts.data(), static_cast<int64_t>(parts.size()));
    for (const int64_t p : parts) out.set(offsets[static_cast<std::size_t>(i)] + p, 0.0);
  }
  return out;
}

static void run_all(const psx_kernel* kernel, const Problem& p, Tally& tally) {
  const std::string name = p.name + (p.w_bytes == 4 ? " float" : " double");
  // Scratch belongs to the oracle: a product of two needs two of them.
  const Bound bound(kernel, p), other(kernel, p);
  const psx_oracle* o = bound.oracle();
  tally.enter(name);
  battery::run(o, tally, 1);
  if (o->part_shape && o->parts && o->add_scores) {
    std::mt19937 rng(7);
    std::vector<int64_t> offsets;
    const Reals mask = per_part(o, offsets, [&] { return rng() % 10 < 3 ? PSX_FORBIDDEN : 0.0; });
    const pystruct_ext::ConstrainedOracle constrained(o, mask.data(), offsets.data());
    tally.enter(name + ", constrained");
    battery::run(constrained.oracle(), tally, 2);
    const Reals cost = per_part(o, offsets, [&] { return 0.25 * static_cast<double>(rng() % 9); });
    const pystruct_ext::CostShiftedOracle shifted(o, cost.data(), offsets.data());
    tally.enter(name + ", cost shifted");
    battery::run(shifted.oracle(), tally, 3);
  }
  // A product of two oracles with signs is refused: it would have two ranges of them.
  if (o->nonnegative[1] > o->nonnegative[0]) return;
  const pystruct_ext::ProductOracle product(o, other.oracle());
  tally.enter(name + ", product");
  battery::run(product.oracle(), tally, 4);
}

int main(int argc, char** argv) {
  std::map<std::string, const psx_kernel*> kernels;
  for (const psx_kernel* kernel : all_kernels()) kernels[kernel->name] = kernel;
  Tally tally;
  std::map<std::string, int> problems;
  std::map<std::string, uint32_t> w_bytes;
  for (int k = 1; k < argc; ++k) {
    tally.enter(argv[k]);
    try {
      const Problem p = battery::ProblemFile(argv[k]).read();
      const auto found = kernels.find(p.kernel);
      if (!tally.check(found != kernels.end(), "no kernel %s", p.kernel.c_str())) continue;
      ++problems[p.kernel];
      w_bytes[p.kernel] |= static_cast<uint32_t>(p.w_bytes);
      run_all(found->second, p, tally);
    } catch (const std::exception& e) {
      tally.check(false, "%s", e.what());
    }
  }
  for (const auto& [name, kernel] : kernels) {
    tally.enter(name);
    tally.check(w_bytes[name] == kernel->w_bytes, "no problem for this kernel, or not in each type of w");
    std::printf("kernel %s: %d problems\n", name.c_str(), problems[name]);
  }
  std::printf("%lld passed, %lld failed\n", static_cast<long long>(tally.passed),
              static_cast<long long>(tally.failed));
  return tally.failed != 0;
}
