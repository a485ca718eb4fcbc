// Norms of every tensor at a look: one pass over memory each, and no call into libtorch for each tensor.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "guarded.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/ops/_foreach_norm.h>
#include <c10/core/GradMode.h>

namespace {

constexpr std::int64_t LANES = 16;
// Numbers that each lane adds up in single precision before they join the sum in double.
constexpr std::int64_t CHAIN = 64;
// Elements below which a second thread costs more than it does, and that fit into a core's cache.
constexpr std::int64_t GRAIN = 1 << 16;

// Sixteen numbers at once, on whatever the processor has; both compilers that build libtorch know the extension.
typedef float Lanes __attribute__((vector_size(LANES * sizeof(float))));

Lanes load(const float *from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}

// What norms are taken of: values, or what they have changed by.
struct Values {
  const float *now;
  Lanes lanes(std::int64_t i) const { return load(now + i); }
  float one(std::int64_t i) const { return now[i]; }
};
struct Changes {
  const float *now, *before;
  Lanes lanes(std::int64_t i) const { return load(now + i) - load(before + i); }
  float one(std::int64_t i) const { return now[i] - before[i]; }
};

// The sum of squares of the numbers from begin to end.
template <typename Of>
double squares(std::int64_t begin, std::int64_t end, const Of &of) {
  double sum = 0;
  auto i = begin;
  while (i + LANES <= end) {
    Lanes chain = {};
    for (std::int64_t link = 0; link < CHAIN && i + LANES <= end; ++link, i += LANES) {
      const Lanes x = of.lanes(i);
      chain += x * x;
    }
    for (std::int64_t lane = 0; lane < LANES; ++lane)
      sum += chain[lane];
  }
  for (; i < end; ++i)
    sum += static_cast<double>(of.one(i)) * of.one(i);
  return sum;
}

// The norm of each slice, on all threads where one is long. `first` is called with each part before it is read.
template <typename Of, typename First>
void norms_of(const std::int64_t *offsets, const std::int64_t *lengths, std::size_t count, double *norms, const Of &of,
              First &&first) {
  for (std::size_t at = 0; at < count; ++at) {
    const auto begin = offsets[at], length = lengths[at];
    // parts of one size whatever the number of threads, so that the sum is the same
    const auto parts = (length + GRAIN - 1) / GRAIN;
    std::vector<double> sums(parts);
    const auto work = [&](std::int64_t from, std::int64_t to) {
      for (auto part = from; part < to; ++part) {
        const auto start = begin + part * GRAIN, stop = begin + std::min(length, (part + 1) * GRAIN);
        first(start, stop);
        sums[part] = squares(start, stop, of);
      }
    };
    if (parts > 1)
      at::parallel_for(0, parts, 1, work);
    else
      work(0, parts);
    double sum = 0;
    for (const auto one : sums)
      sum += one;
    norms[at] = std::sqrt(sum);
  }
}

constexpr auto nothing = [](std::int64_t, std::int64_t) {};

// The same where memory is not this processor's.
void norms_there(const at::Tensor &flat, const std::int64_t *offsets, const std::int64_t *lengths, std::size_t count, double *norms) {
  std::vector<at::Tensor> slices;
  for (std::size_t at = 0; at < count; ++at)
    slices.push_back(flat.narrow(0, offsets[at], lengths[at]));
  if (count == 0)
    return;
  const auto all = at::stack(at::_foreach_norm(slices)).to(at::kCPU, at::kDouble).contiguous();
  std::copy_n(all.const_data_ptr<double>(), count, norms);
}

bool is_plain(const at::Tensor &tensor) {
  return tensor.device().is_cpu() && tensor.scalar_type() == at::kFloat && tensor.is_contiguous();
}

} // namespace

extern "C" {

// Copies `flat` to `before`, of the same length, and takes the norm of each slice.
char *luthier_kept_norms(void *flat, void *before, const std::int64_t *offsets, const std::int64_t *lengths, std::size_t count,
                         double *norms) {
  return guarded([&] {
    c10::NoGradGuard no_grad;
    const auto &now = tensor(flat);
    auto &kept = tensor(before);
    if (is_plain(now) && is_plain(kept)) {
      const float *from = now.const_data_ptr<float>();
      float *to = kept.mutable_data_ptr<float>();
      norms_of(offsets, lengths, count, norms, Values{from}, [=](std::int64_t start, std::int64_t stop) {
        std::copy(from + start, from + stop, to + start);
      });
    } else {
      kept.copy_(now);
      norms_there(now, offsets, lengths, count, norms);
    }
  });
}

// The norm of what each slice has changed by since `before`.
char *luthier_change_norms(void *flat, void *before, const std::int64_t *offsets, const std::int64_t *lengths,
                           std::size_t count, double *norms) {
  return guarded([&] {
    c10::NoGradGuard no_grad;
    const auto &now = tensor(flat), &kept = tensor(before);
    if (is_plain(now) && is_plain(kept)) {
      const float *a = now.const_data_ptr<float>(), *b = kept.const_data_ptr<float>();
      norms_of(offsets, lengths, count, norms, Changes{a, b}, nothing);
    } else {
      norms_there(now - kept, offsets, lengths, count, norms);
    }
  });
}

// The norm of each tensor, which may lie anyhow as long as it has no gaps.
char *luthier_norms(void *const *tensors, std::size_t count, double *norms) {
  return guarded([&] {
    c10::NoGradGuard no_grad;
    std::vector<at::Tensor> others;
    std::vector<std::size_t> places;
    for (std::size_t at = 0; at < count; ++at) {
      const auto &one = tensor(tensors[at]);
      if (one.device().is_cpu() && one.scalar_type() == at::kFloat && one.is_non_overlapping_and_dense()) {
        const float *values = one.const_data_ptr<float>();
        const std::int64_t offset = 0, length = one.numel();
        norms_of(&offset, &length, 1, norms + at, Values{values}, nothing);
      } else {
        others.push_back(one);
        places.push_back(at);
      }
    }
    if (others.empty())
      return;
    const auto all = at::stack(at::_foreach_norm(others)).to(at::kCPU, at::kDouble).contiguous();
    for (std::size_t at = 0; at < places.size(); ++at)
      norms[places[at]] = all.const_data_ptr<double>()[at];
  });
}
}
