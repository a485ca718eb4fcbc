// Several processes as one group: libtorch's TCPStore, ProcessGroupGloo and the gradient reducer of its DDP.
#define USE_C10D_GLOO
#include <atomic>
#include <chrono>
#include <cstdint>

#include "guarded.h"

#include <c10/util/Logging.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <torch/csrc/distributed/c10d/default_comm_hooks.hpp>
#include <torch/csrc/distributed/c10d/reducer.hpp>

C10_DECLARE_int(caffe2_log_level);

using std::chrono::milliseconds;

namespace {

using StorePtr = c10::intrusive_ptr<c10d::TCPStore>;

struct Group {
  c10::intrusive_ptr<c10d::ProcessGroup> all;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo;
};

int64_t now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// What was exchanged in one backward pass.
struct Traffic {
  std::atomic<int64_t> buckets{0}, bytes{0}, busy{0}, last_launch{0};
};

// Sums the buckets over the ranks: the loss has its true denominator already, so there is nothing to divide by.
class SumHook : public c10d::CppCommHookInterface<c10::intrusive_ptr<c10d::ProcessGroup>> {
public:
  SumHook(const c10::intrusive_ptr<c10d::ProcessGroup> &group, std::shared_ptr<Traffic> traffic)
      : CppCommHookInterface(group), traffic_(std::move(traffic)) {}

  c10::intrusive_ptr<c10::ivalue::Future> runHook(c10d::GradBucket &bucket) override {
    const auto began = now();
    traffic_->buckets += 1;
    traffic_->bytes += static_cast<int64_t>(bucket.getBuffer().nbytes());
    traffic_->last_launch = began;
    std::vector<at::Tensor> tensors{bucket.getBufferRef()};
    auto future = state_->allreduce(tensors)->getFuture();
    future->addCallback([traffic = traffic_, began](c10::ivalue::Future &) { traffic->busy += now() - began; },
                        /*uses_future=*/false);
    return future;
  }

private:
  std::shared_ptr<Traffic> traffic_;
};

struct Reducing {
  std::shared_ptr<Traffic> traffic;
  std::unique_ptr<c10d::Reducer> reducer;
};

StorePtr &store(void *pointer) { return *static_cast<StorePtr *>(pointer); }
Group &group(void *pointer) { return *static_cast<Group *>(pointer); }
Reducing &reducing(void *pointer) { return *static_cast<Reducing *>(pointer); }

// A sum over the ranks as a function of what each has: as every rank's loss depends on the sum, so do all their gradients
// come back to it.
struct SumOver : torch::autograd::Function<SumOver> {
  using Gloo = c10::intrusive_ptr<c10d::ProcessGroupGloo>;

  static at::Tensor sum(const Gloo &gloo, const at::Tensor &own) {
    std::vector<at::Tensor> all{own.to(at::kCPU, /*non_blocking=*/false, /*copy=*/true).contiguous()};
    gloo->allreduce(all)->wait();
    return all[0].to(own.device());
  }

  static at::Tensor forward(torch::autograd::AutogradContext *context, const at::Tensor &own, const Gloo &gloo) {
    // the group lives as long as what has to be summed on the way back
    context->saved_data["gloo"] = c10::IValue::make_capsule(gloo);
    return sum(gloo, own);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext *context,
                                                 torch::autograd::variable_list grads) {
    const auto gloo = c10::static_intrusive_pointer_cast<c10d::ProcessGroupGloo>(
        context->saved_data["gloo"].toCapsule());
    return {sum(gloo, grads[0]), at::Tensor()};
  }
};

std::vector<at::Tensor> tensors(void *const *list, size_t count) {
  std::vector<at::Tensor> all;
  all.reserve(count);
  for (size_t at = 0; at < count; at++)
    all.push_back(tensor(list[at]));
  return all;
}

} // namespace

extern "C" {

// Rank 0 keeps the store; with more than 0 workers, waits until so many are there.
char *luthier_store_new(const char *host, uint16_t port, bool serves, size_t workers, int64_t timeout_ms, void **out) {
  return guarded([&] {
    // c10d logs every failed attempt with a backtrace of its own; what comes of it is thrown anyway
    if (std::getenv("TORCH_CPP_LOG_LEVEL") == nullptr)
      FLAGS_caffe2_log_level = 3;
    c10d::TCPStoreOptions options;
    options.port = port;
    options.isServer = serves;
    options.numWorkers = workers;
    options.timeout = milliseconds(timeout_ms);
    *out = new StorePtr(c10::make_intrusive<c10d::TCPStore>(std::string(host), options));
  });
}

void luthier_store_free(void *pointer) { delete static_cast<StorePtr *>(pointer); }

char *luthier_store_set(void *pointer, const char *key, const uint8_t *bytes, size_t length) {
  return guarded([&] { store(pointer)->set(key, std::vector<uint8_t>(bytes, bytes + length)); });
}

// Waits for the key. The bytes are the caller's, who gives them to luthier_free.
char *luthier_store_get(void *pointer, const char *key, int64_t timeout_ms, uint8_t **bytes, size_t *length) {
  return guarded([&] {
    store(pointer)->wait({key}, milliseconds(timeout_ms));
    const auto found = store(pointer)->get(key);
    *bytes = static_cast<uint8_t *>(std::malloc(found.size() + 1));
    if (*bytes == nullptr)
      throw std::bad_alloc();
    if (!found.empty())
      std::memcpy(*bytes, found.data(), found.size());
    *length = found.size();
  });
}

// `address` is this rank's own, the one that the others reach it at.
char *luthier_group_new(void *at, const char *address, int32_t rank, int32_t size, int64_t timeout_ms, void **out) {
  return guarded([&] {
    auto options = c10d::ProcessGroupGloo::Options::create(milliseconds(timeout_ms));
    options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname(address));
    auto gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(store(at), rank, size, options);
    auto all = c10::make_intrusive<c10d::ProcessGroup>(store(at), rank, size);
    all->setBackend(c10::DeviceType::CPU, c10d::ProcessGroup::BackendType::GLOO, gloo);
    all->setDefaultBackend(c10d::ProcessGroup::BackendType::GLOO);
    *out = new Group{std::move(all), std::move(gloo)};
  });
}

void luthier_group_free(void *pointer) {
  char *thrown = guarded([&] { delete static_cast<Group *>(pointer); });
  std::free(thrown);
}

char *luthier_group_broadcast(void *pointer, void *value, int64_t root) {
  return guarded([&] {
    c10d::BroadcastOptions options;
    options.rootRank = root;
    std::vector<at::Tensor> all{tensor(value)};
    group(pointer).gloo->broadcast(all, options)->wait();
  });
}

char *luthier_group_sum(void *pointer, void *value) {
  return guarded([&] {
    std::vector<at::Tensor> all{tensor(value)};
    group(pointer).gloo->allreduce(all)->wait();
  });
}

char *luthier_group_sum_of(void *pointer, void *value, void **out) {
  return guarded([&] { *out = new at::Tensor(SumOver::apply(tensor(value), group(pointer).gloo)); });
}

char *luthier_group_barrier(void *pointer) {
  return guarded([&] { group(pointer).gloo->barrier()->wait(); });
}

char *luthier_reducer_new(void *at, void *const *params, size_t count, int64_t bucket_bytes, void **out) {
  return guarded([&] {
    const auto all = tensors(params, count);
    auto [buckets, limits] = c10d::compute_bucket_assignment_by_size(
        all, {std::min<size_t>(c10d::kDefaultFirstBucketBytes, bucket_bytes), static_cast<size_t>(bucket_bytes)});
    // the last layers' gradients are there first
    std::reverse(buckets.begin(), buckets.end());
    auto made = std::make_unique<Reducing>();
    made->traffic = std::make_shared<Traffic>();
    made->reducer = std::make_unique<c10d::Reducer>(
        all, buckets, group(at).all, std::vector<bool>(count, false), bucket_bytes,
        /*find_unused_parameters=*/true, /*gradient_as_bucket_view=*/false,
        std::unordered_map<size_t, std::string>{}, c10d::kDefaultFirstBucketBytes,
        /*skip_all_reduce_unused_params=*/false, /*use_python_reducer=*/false, std::vector<int64_t>{});
    made->reducer->register_comm_hook(std::make_unique<SumHook>(group(at).all, made->traffic));
    *out = made.release();
  });
}

void luthier_reducer_free(void *pointer) {
  char *thrown = guarded([&] { delete static_cast<Reducing *>(pointer); });
  std::free(thrown);
}

// Forgets which parameters backward passes went through that were not to be exchanged here.
char *luthier_reducer_begin(void *pointer) {
  return guarded([&] { reducing(pointer).reducer->reset_state(); });
}

// The next backward pass, from `output`, is exchanged.
char *luthier_reducer_prepare(void *pointer, void *output) {
  return guarded([&] {
    auto &traffic = *reducing(pointer).traffic;
    traffic.buckets = traffic.bytes = traffic.busy = traffic.last_launch = 0;
    reducing(pointer).reducer->prepare_for_backward({tensor(output)});
  });
}

// To be called right after the backward pass: `waited` is what went by since the last bucket was full.
void luthier_reducer_traffic(void *pointer, int64_t *buckets, int64_t *bytes, int64_t *busy, int64_t *waited) {
  const auto &traffic = *reducing(pointer).traffic;
  *waited = now() - traffic.last_launch;
  *buckets = traffic.buckets;
  *bytes = traffic.bytes;
  *busy = traffic.busy;
}

} // extern "C"
