// libtorch's fused CPU/CUDA optimizer kernels over lists of tensors: one pass over memory instead of one per term.
#include <cmath>
#include <vector>

#include "guarded.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_fused_adam.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>

namespace {

// Handles that share what the caller's stand for.
std::vector<at::Tensor> list(void *const *pointers, std::size_t count) {
  std::vector<at::Tensor> tensors;
  tensors.reserve(count);
  for (std::size_t i = 0; i < count; ++i)
    tensors.push_back(*static_cast<at::Tensor *>(pointers[i]));
  return tensors;
}

} // namespace

extern "C" {

// All lists have `count` tensors; `momentum_buffers` is null where momentum is 0.
char *luthier_fused_sgd(void *const *values, void *const *grads, void *const *momentum_buffers, std::size_t count,
                        double weight_decay, double momentum, double lr, double dampening, bool nesterov, bool first) {
  return guarded([&] {
    c10::NoGradGuard no_grad;
    const auto buffers = momentum_buffers == nullptr ? std::vector<at::Tensor>() : list(momentum_buffers, count);
    at::_fused_sgd_(list(values, count), list(grads, count), buffers, weight_decay, momentum, lr, dampening, nesterov,
                    /*maximize=*/false, first);
  });
}

// `step` counts from 1. `decoupled` picks AdamW.
char *luthier_fused_adam(void *const *values, void *const *grads, void *const *exp_avgs, void *const *exp_avg_sqs,
                         std::size_t count, double step, double lr, double beta1, double beta2, double weight_decay,
                         double eps, bool decoupled) {
  return guarded([&] {
    c10::NoGradGuard no_grad;
    const auto v = list(values, count), g = list(grads, count), m = list(exp_avgs, count), s = list(exp_avg_sqs, count);
    if (count == 0)
      return;
    const std::vector<at::Tensor> none, steps(count, at::full({}, step, v[0].options()));
    if (decoupled)
      at::_fused_adamw_(v, g, m, s, none, steps, lr, beta1, beta2, weight_decay, eps, /*amsgrad=*/false,
                        /*maximize=*/false);
    else
      at::_fused_adam_(v, g, m, s, none, steps, lr, beta1, beta2, weight_decay, eps, /*amsgrad=*/false,
                       /*maximize=*/false);
  });
}

// L2 norm of all tensors together, added up in double precision.
char *luthier_norm(void *const *tensors, std::size_t count, double *norm) {
  return guarded([&] {
    c10::NoGradGuard no_grad;
    double square = 0;
    if (count > 0)
      for (const auto &one : at::_foreach_norm(list(tensors, count))) {
        const auto value = one.item<double>();
        square += value * value;
      }
    *norm = std::sqrt(square);
  });
}

char *luthier_scale(void *const *tensors, std::size_t count, double factor) {
  return guarded([&] {
    c10::NoGradGuard no_grad;
    if (count > 0)
      at::_foreach_mul_(list(tensors, count), factor);
  });
}

} // extern "C"
