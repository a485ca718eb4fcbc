// oneDNN's linear layer over a weight that is laid out for it once, instead of at every call.
//
// libtorch has these operators for its own compiler and declares no C++ function for them: they are called by name.
// A libtorch without oneDNN has no kernel behind the names; the call then throws, and the caller does without.
#include <optional>
#include <string_view>

#include "guarded.h"

#include <ATen/core/List.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/GradMode.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

namespace {

// no gradient comes out of these, and no autocast has to look at them: types are as wanted
struct Plain {
  c10::NoGradGuard no_grad;
  c10::impl::ExcludeDispatchKeyGuard no_autocast{c10::autocast_dispatch_keyset};
};

using Reorder = at::Tensor(const at::Tensor &, std::optional<int64_t>);
using Scalars = c10::List<std::optional<at::Scalar>>;
using Linear = at::Tensor(const at::Tensor &, const at::Tensor &, const std::optional<at::Tensor> &, std::string_view,
                          Scalars, std::optional<std::string_view>);

} // namespace

extern "C" {

// `weight` is [out, in]; `rows` is how many rows products will have, about.
char *luthier_pack_linear(void *weight, int64_t rows, void **output) {
  return guarded([&] {
    const Plain plain;
    static const auto op = c10::Dispatcher::singleton()
                               .findSchemaOrThrow("mkldnn::_reorder_linear_weight", "")
                               .typed<Reorder>();
    *output = new at::Tensor(op.call(tensor(weight), rows));
  });
}

// `then` is 0 for nothing, 1 for GELU, 2 for GELU by tanh. `bias` may be null.
char *luthier_packed_linear(void *input, void *weight, void *bias, int32_t then, void **output) {
  return guarded([&] {
    const Plain plain;
    static const auto op =
        c10::Dispatcher::singleton().findSchemaOrThrow("mkldnn::_linear_pointwise", "").typed<Linear>();
    std::optional<at::Tensor> shift;
    if (bias != nullptr)
      shift = tensor(bias);
    *output = new at::Tensor(op.call(tensor(input), tensor(weight), shift, then == 0 ? "none" : "gelu",
                                     Scalars(), then == 2 ? "tanh" : "none"));
  });
}

} // extern "C"
