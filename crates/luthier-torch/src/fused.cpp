// libtorch's fused CPU/CUDA optimizer kernels over lists of tensors: one pass over memory instead of one per term.
#include <cmath>
#include <vector>

#include "guarded.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_addcmul.h>
#include <ATen/ops/_foreach_div.h>
#include <ATen/ops/_foreach_lerp.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_foreach_sqrt.h>
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

// factor · ‖values‖ / ‖changes‖ of each tensor, 1 where either norm is 0 or the tensor is spared: one vector, on their
// device, so that nothing waits for it.
at::Tensor trust(const std::vector<at::Tensor> &values, const at::Tensor &changes, const bool *adapt, double factor) {
  const auto norms = at::stack(at::_foreach_norm(values));
  auto ratios = at::where((norms > 0).logical_and(changes > 0), norms / changes * factor, 1.0);
  const auto adapts = at::from_blob(const_cast<bool *>(adapt), {norms.size(0)}, at::kBool);
  return ratios.masked_fill_(adapts.logical_not().to(ratios.device()), 1.0);
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

// LAMB (You et al. 2020, algorithm 2, φ the identity). `adapt` says which tensors have a trust ratio; `ratios` takes
// them all as one new tensor.
char *luthier_fused_lamb(void *const *values, void *const *grads, void *const *exp_avgs, void *const *exp_avg_sqs,
                         const bool *adapt, std::size_t count, double step, double lr, double beta1, double beta2,
                         double weight_decay, double eps, void **ratios) {
  return guarded([&] {
    c10::NoGradGuard no_grad;
    const auto v = list(values, count), g = list(grads, count), m = list(exp_avgs, count), s = list(exp_avg_sqs, count);
    at::_foreach_lerp_(m, g, 1 - beta1);
    at::_foreach_mul_(s, beta2);
    at::_foreach_addcmul_(s, g, g, 1 - beta2);
    auto changes = at::_foreach_sqrt(s);
    at::_foreach_mul_(changes, 1 / std::sqrt(1 - std::pow(beta2, step)));
    at::_foreach_add_(changes, eps);
    changes = at::_foreach_div(m, changes);
    at::_foreach_mul_(changes, 1 / (1 - std::pow(beta1, step)));
    if (weight_decay != 0)
      at::_foreach_add_(changes, v, weight_decay);
    auto found = trust(v, at::stack(at::_foreach_norm(changes)), adapt, 1.0);
    at::_foreach_mul_(changes, found.unbind());
    at::_foreach_add_(v, changes, -lr);
    *ratios = new at::Tensor(std::move(found));
  });
}

// LARS (You et al. 2017, algorithm 1): the rate is part of what the momentum remembers. `momentum_buffers` is null where
// momentum is 0. The weight decay is added to the gradients in place.
char *luthier_fused_lars(void *const *values, void *const *grads, void *const *momentum_buffers, const bool *adapt,
                         std::size_t count, double lr, double momentum, double weight_decay, double coefficient,
                         void **ratios) {
  return guarded([&] {
    c10::NoGradGuard no_grad;
    const auto v = list(values, count), g = list(grads, count);
    auto sizes = at::stack(at::_foreach_norm(g));
    // ‖gradient‖ + decay · ‖w‖, not the norm of the sum
    if (weight_decay != 0) {
      sizes = sizes + at::stack(at::_foreach_norm(v)) * weight_decay;
      at::_foreach_add_(g, v, weight_decay);
    }
    auto found = trust(v, sizes, adapt, coefficient);
    at::_foreach_mul_(g, (found * lr).unbind());
    if (momentum_buffers == nullptr) {
      at::_foreach_add_(v, g, -1);
    } else {
      const auto b = list(momentum_buffers, count);
      at::_foreach_mul_(b, momentum);
      at::_foreach_add_(b, g);
      at::_foreach_add_(v, b, -1);
    }
    *ratios = new at::Tensor(std::move(found));
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

char *luthier_lerp(void *const *tensors, void *const *ends, std::size_t count, double weight) {
  return guarded([&] {
    c10::NoGradGuard no_grad;
    if (count > 0)
      at::_foreach_lerp_(list(tensors, count), list(ends, count), weight);
  });
}

} // extern "C"
