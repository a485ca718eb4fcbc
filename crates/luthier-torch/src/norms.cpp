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

// Numbers that are added up in single precision before they join the sum in double: sixteen chains of 64 each.
constexpr std::int64_t BLOCK = 1024;
constexpr std::int64_t LANES = 16;
// Elements below which a second thread costs more than it does.
constexpr std::int64_t GRAIN = 1 << 16;

// Σ value(i)² for begin ≤ i < end.
template <typename F>
double squares(std::int64_t begin, std::int64_t end, F &&value) {
  double sum = 0;
  for (std::int64_t block = begin; block < end; block += BLOCK) {
    const auto stop = std::min(end, block + BLOCK);
    float lanes[LANES] = {};
    std::int64_t i = block;
    for (; i + LANES <= stop; i += LANES)
      for (std::int64_t lane = 0; lane < LANES; ++lane) {
        const float x = value(i + lane);
        lanes[lane] += x * x;
      }
    for (; i < stop; ++i) {
      const float x = value(i);
      lanes[0] += x * x;
    }
    for (const float lane : lanes)
      sum += lane;
  }
  return sum;
}

// √Σ value(i)² of each slice, on all threads where one is long.
template <typename F>
void norms_of(const std::int64_t *offsets, const std::int64_t *lengths, std::size_t count, double *norms, F &&value) {
  for (std::size_t at = 0; at < count; ++at) {
    const auto begin = offsets[at], length = lengths[at];
    double sum = 0;
    if (length <= GRAIN) {
      sum = squares(begin, begin + length, value);
    } else {
      // parts of one size whatever the number of threads, so that the sum is the same
      const auto parts = (length + GRAIN - 1) / GRAIN;
      std::vector<double> sums(parts);
      at::parallel_for(0, parts, 1, [&](std::int64_t first, std::int64_t last) {
        for (auto part = first; part < last; ++part)
          sums[part] = squares(begin + part * GRAIN, begin + std::min(length, (part + 1) * GRAIN), value);
      });
      for (const auto one : sums)
        sum += one;
    }
    norms[at] = std::sqrt(sum);
  }
}

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
      norms_of(offsets, lengths, count, norms, [=](std::int64_t i) { return to[i] = from[i]; });
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
      norms_of(offsets, lengths, count, norms, [=](std::int64_t i) { return a[i] - b[i]; });
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
        norms_of(&offset, &length, 1, norms + at, [=](std::int64_t i) { return values[i]; });
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
