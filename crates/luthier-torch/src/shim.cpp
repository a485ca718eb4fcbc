// What tch 0.26 lacks: autocast off CUDA, channels_last, setting .grad, thread counts that report errors.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "guarded.h"

#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/Tensor.h>

namespace {

// The numbers are the Rust side's: 0 CPU, 1 CUDA, 2 MPS.
at::DeviceType device_type(int32_t device) {
  switch (device) {
  case 0:
    return at::kCPU;
  case 1:
    return at::kCUDA;
  default:
    return at::kMPS;
  }
}

} // namespace

extern "C" {

void luthier_free(char *message) { std::free(message); }

// Enters an autocast region on this thread and says what was set before. The formats are the Rust side's: 0 none,
// 1 bf16, 2 fp16.
char *luthier_autocast_enter(int32_t device, int32_t format, bool *enabled_before, int8_t *dtype_before) {
  return guarded([&] {
    const auto type = device_type(device);
    *enabled_before = at::autocast::is_autocast_enabled(type);
    *dtype_before = static_cast<int8_t>(at::autocast::get_autocast_dtype(type));
    at::autocast::set_autocast_enabled(type, format != 0);
    if (format != 0)
      at::autocast::set_autocast_dtype(type, format == 2 ? at::kHalf : at::kBFloat16);
    at::autocast::increment_nesting();
  });
}

// Leaves it. The outermost region drops the cache of cast weights: the next update changes them.
char *luthier_autocast_leave(int32_t device, bool enabled_before, int8_t dtype_before) {
  return guarded([&] {
    const auto type = device_type(device);
    if (at::autocast::decrement_nesting() == 0)
      at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(type, enabled_before);
    at::autocast::set_autocast_dtype(type, static_cast<at::ScalarType>(dtype_before));
  });
}

int32_t luthier_autocast_format(int32_t device) {
  const auto type = device_type(device);
  if (!at::autocast::is_autocast_enabled(type))
    return 0;
  return at::autocast::get_autocast_dtype(type) == at::kHalf ? 2 : 1;
}

char *luthier_channels_last(void *input, void **output) {
  return guarded([&] { *output = new at::Tensor(tensor(input).contiguous(at::MemoryFormat::ChannelsLast)); });
}

// A null gradient clears it.
char *luthier_set_grad(void *variable, void *grad) {
  return guarded([&] {
    auto &slot = tensor(variable).mutable_grad();
    if (grad == nullptr)
      slot.reset();
    else
      slot = tensor(grad);
  });
}

char *luthier_set_interop_threads(int32_t count) {
  return guarded([&] { at::set_num_interop_threads(count); });
}

char *luthier_set_threads(int32_t count) {
  return guarded([&] { at::set_num_threads(count); });
}

// How many threads loops of this library run on: those of libtorch, if both were built with the same OpenMP.
char *luthier_loop_threads(int32_t *count) {
  return guarded([&] {
    const auto most = at::get_num_threads();
    std::vector<char> seen(most, 0);
    at::parallel_for(0, most, 1, [&](int64_t, int64_t) { seen[at::get_thread_num()] = 1; });
    *count = static_cast<int32_t>(std::count(seen.begin(), seen.end(), 1));
  });
}

} // extern "C"
