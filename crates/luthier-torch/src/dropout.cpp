// Masks for dropout. libtorch draws them on one thread, a Mersenne twister for every element, and lets Intel's library
// help only on Intel's processors: on others the masks of a small transformer take a tenth of a training step.
#include <cstdint>

#include "guarded.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/ops/empty_like.h>

namespace {

// SplitMix64's finaliser: the bits of a counter, well mixed.
uint64_t mixed(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

// One number of the process's own generator decides the whole mask, so it is a function of the seed alone.
uint64_t drawn() {
  auto generator = at::detail::getDefaultCPUGenerator();
  const std::lock_guard<std::mutex> lock(generator.mutex());
  return at::check_generator<at::CPUGeneratorImpl>(generator)->random64();
}

} // namespace

extern "C" {

// Like `input`, 0 with probability `rate` and 1 / (1 - rate) otherwise. `input` is dense, on the CPU, of floats.
char *luthier_dropout_mask(void *input, double rate, void **output) {
  return guarded([&] {
    auto mask = at::empty_like(tensor(input));
    const auto key = drawn();
    // two elements from each 64 bits
    const auto limit = static_cast<uint32_t>(rate * 4294967296.0);
    const auto pairs = (mask.numel() + 1) / 2;
    AT_DISPATCH_FLOATING_TYPES_AND2(at::kBFloat16, at::kHalf, mask.scalar_type(), "dropout_mask", [&] {
      const scalar_t kept(1.0 / (1.0 - rate)), dropped(0.0);
      auto *out = mask.data_ptr<scalar_t>();
      const auto count = mask.numel();
      at::parallel_for(0, pairs, 16384, [&](int64_t begin, int64_t end) {
        for (auto pair = begin; pair < end; ++pair) {
          const auto bits = mixed(key + static_cast<uint64_t>(pair) * 0x9E3779B97F4A7C15ULL);
          out[2 * pair] = static_cast<uint32_t>(bits) < limit ? dropped : kept;
          if (2 * pair + 1 < count)
            out[2 * pair + 1] = static_cast<uint32_t>(bits >> 32) < limit ? dropped : kept;
        }
      });
    });
    *output = new at::Tensor(mask);
  });
}

} // extern "C"
