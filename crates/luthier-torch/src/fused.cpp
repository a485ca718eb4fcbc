// libtorch's fused CPU/CUDA optimizer kernels, for one flat tensor each: one pass over memory instead of one per term.
#include <cstdlib>
#include <cstring>
#include <exception>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <ATen/ops/_fused_adam.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/_fused_sgd.h>

namespace {

at::Tensor &tensor(void *pointer) { return *static_cast<at::Tensor *>(pointer); }

template <typename F>
char *guarded(F &&body) noexcept {
  try {
    c10::NoGradGuard no_grad;
    body();
    return nullptr;
  } catch (const std::exception &error) {
    return strdup(error.what());
  } catch (...) {
    return strdup("an exception that is not a std::exception");
  }
}

} // namespace

extern "C" {

// `momentum_buffer` is null where momentum is 0.
char *luthier_fused_sgd(void *values, void *grads, void *momentum_buffer, double weight_decay, double momentum,
                        double lr, double dampening, bool nesterov, bool first) {
  return guarded([&] {
    std::vector<at::Tensor> buffers;
    if (momentum_buffer != nullptr)
      buffers.push_back(tensor(momentum_buffer));
    at::_fused_sgd_({tensor(values)}, {tensor(grads)}, buffers, weight_decay, momentum, lr, dampening, nesterov,
                    /*maximize=*/false, first);
  });
}

// `step` counts from 1. `decoupled` picks AdamW.
char *luthier_fused_adam(void *values, void *grads, void *exp_avg, void *exp_avg_sq, double step, double lr,
                         double beta1, double beta2, double weight_decay, double eps, bool decoupled) {
  return guarded([&] {
    auto &value = tensor(values);
    const auto steps = at::full({}, step, value.options());
    std::vector<at::Tensor> none;
    const auto update = [&](auto &&kernel) {
      kernel(at::TensorList({value}), at::TensorList({tensor(grads)}), at::TensorList({tensor(exp_avg)}),
             at::TensorList({tensor(exp_avg_sq)}), at::TensorList(none), at::TensorList({steps}));
    };
    if (decoupled)
      update([&](auto v, auto g, auto m, auto s, auto x, auto t) {
        at::_fused_adamw_(v, g, m, s, x, t, lr, beta1, beta2, weight_decay, eps, /*amsgrad=*/false,
                          /*maximize=*/false);
      });
    else
      update([&](auto v, auto g, auto m, auto s, auto x, auto t) {
        at::_fused_adam_(v, g, m, s, x, t, lr, beta1, beta2, weight_decay, eps, /*amsgrad=*/false,
                         /*maximize=*/false);
      });
  });
}

} // extern "C"
