// What k-means does besides products: the least of each row, and sums of rows by cluster. On libtorch's own threads,
// which would be in the way of others: they wait for work by turning.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>

#include "guarded.h"

#include <ATen/Parallel.h>

// the compiler makes a version for each kind of processor, and the right one is picked when the program starts
#if defined(__x86_64__) && defined(__gnu_linux__)
#define FOR_EVERY_PROCESSOR __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EVERY_PROCESSOR
#endif

namespace {

constexpr int64_t kLanes = 16;

struct Least {
  float first = std::numeric_limits<float>::infinity();
  float second = std::numeric_limits<float>::infinity();
  int64_t place = 0;
};

// The two least of a row and where the first is; of equals, the first.
FOR_EVERY_PROCESSOR Least least(const float *values, int64_t count) {
  float first[kLanes], second[kLanes];
  int32_t places[kLanes];
  for (int64_t lane = 0; lane < kLanes; ++lane) {
    first[lane] = second[lane] = std::numeric_limits<float>::infinity();
    places[lane] = 0;
  }
  const int64_t whole = count / kLanes;
  for (int64_t chunk = 0; chunk < whole; ++chunk)
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const float value = values[chunk * kLanes + lane];
      const bool less = value < first[lane];
      const float other = less ? first[lane] : value;
      second[lane] = other < second[lane] ? other : second[lane];
      first[lane] = less ? value : first[lane];
      places[lane] = less ? static_cast<int32_t>(chunk) : places[lane];
    }
  Least found;
  const auto take = [&](float value, int64_t place) {
    if (value < found.first || (value == found.first && place < found.place)) {
      found.second = std::min(found.second, found.first);
      found.first = value;
      found.place = place;
    } else {
      found.second = std::min(found.second, value);
    }
  };
  for (int64_t lane = 0; lane < kLanes; ++lane) {
    take(first[lane], places[lane] * kLanes + lane);
    found.second = std::min(found.second, second[lane]);
  }
  for (int64_t place = whole * kLanes; place < count; ++place)
    take(values[place], place);
  return found;
}

} // namespace

extern "C" {

// `values` is [rows, columns]. `centres` says which centre each column is, null for all of them
// in order; then every row is assigned anew. Otherwise `place_of` says where each centre's column is, −1 for those that
// did not move; `first` is the value of a row's centre, `second` a bound below those of all others. `again` is set for
// rows that these cannot tell. Says how many assignments changed. Writes over `values`.
char *luthier_nearest(float *all, const uint32_t *centres, const int32_t *place_of,
                      std::size_t rows, std::size_t columns, uint32_t *assignment, float *first, float *second,
                      uint8_t *again, uint64_t *changed) {
  return guarded([&] {
    std::atomic<uint64_t> total{0};
    const auto width = static_cast<int64_t>(columns);
    at::parallel_for(0, static_cast<int64_t>(rows), 64, [&](int64_t begin, int64_t end) {
      uint64_t mine = 0;
      for (int64_t row = begin; row < end; ++row) {
        float *values = all + row * width;
        again[row] = 0;
        if (centres == nullptr) {
          const auto found = least(values, width);
          mine += assignment[row] != static_cast<uint32_t>(found.place);
          assignment[row] = static_cast<uint32_t>(found.place);
          first[row] = found.first;
          second[row] = found.second;
          continue;
        }
        const auto own = place_of[assignment[row]];
        const float before = own < 0 ? first[row] : values[own];
        if (own >= 0)
          values[own] = std::numeric_limits<float>::infinity();
        const auto found = least(values, width);
        // its centre moved, and one that did not may be closer now
        if (own >= 0 && std::min(before, found.first) > second[row]) {
          again[row] = 1;
          continue;
        }
        second[row] = std::min(second[row], std::min(std::max(before, found.first), found.second));
        first[row] = std::min(before, found.first);
        if (found.first < before) {
          assignment[row] = centres[found.place];
          ++mine;
        }
      }
      total += mine;
    });
    *changed = total;
  });
}

// Adds rows to the sums of their clusters. Threads share the columns: the sums are the same for any number of them.
char *luthier_cluster_sums(const float *rows, const uint32_t *assignment, std::size_t count, std::size_t width,
                           double *sums) {
  return guarded([&] {
    at::parallel_for(0, static_cast<int64_t>(width), 64, [&](int64_t begin, int64_t end) {
      for (std::size_t row = 0; row < count; ++row) {
        double *sum = sums + assignment[row] * width;
        const float *values = rows + row * width;
        for (int64_t column = begin; column < end; ++column)
          sum[column] += values[column];
      }
    });
  });
}

} // extern "C"
