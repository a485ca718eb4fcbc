// No function of the shim lets an exception out: it returns a null pointer, or what() in memory that luthier_free
// releases.
#pragma once
#include <cstdlib>
#include <cstring>
#include <exception>

#include <ATen/core/Tensor.h>

inline at::Tensor &tensor(void *pointer) { return *static_cast<at::Tensor *>(pointer); }

template <typename F>
char *guarded(F &&body) noexcept {
  try {
    body();
    return nullptr;
  } catch (const std::exception &error) {
    return strdup(error.what());
  } catch (...) {
    return strdup("an exception that is not a std::exception");
  }
}
