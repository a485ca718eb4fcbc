// What k-means does besides products: the least of each row, and sums of rows by cluster. On libtorch's own threads,
// which would be in the way of others: they wait for work by turning.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "guarded.h"

#include <ATen/Parallel.h>

// the compiler makes a version for each kind of processor, and the right one is picked when the program starts
#if defined(__x86_64__) && defined(__gnu_linux__)
#define FOR_EVERY_PROCESSOR __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EVERY_PROCESSOR
#endif

// Products of whole numbers, [rows, columns], and what they were made of: rows and −2 c in fp32, `width` numbers each, and
// their scales; ‖c‖² of each column, and how far a row's products may be off.
struct LuthierRough {
  const int32_t *products;
  const float *rows;
  const float *turned;
  const float *row_scales;
  const float *column_scales;
  const float *lengths;
  const float *slack;
  std::size_t width;
};

namespace {

constexpr int64_t kLanes = 16;
// Vectors that are worked on in turns: a minimum takes some cycles, and none of these waits for another.
constexpr int64_t kChains = 4;
constexpr int64_t kStride = kLanes * kChains;
constexpr float kInfinity = std::numeric_limits<float>::infinity();
// Values of a row that are made exact one by one, before all that could matter are.
constexpr int kRounds = 8;

// Sixteen numbers at once, on whatever the processor has; both compilers that build libtorch know the extension.
typedef float Lanes __attribute__((vector_size(kLanes * sizeof(float))));

// Where the first is, is only looked for where that matters.
struct Least {
  float first, second;
  int64_t place = -1;
};

// The two least of a's two and b's two; numbers or sixteen of them.
template <typename T> void merge(T &first, T &second, const T &other_first, const T &other_second) {
  const T greater = first < other_first ? other_first : first;
  const T lesser = second < other_second ? second : other_second;
  second = greater < lesser ? greater : lesser;
  first = first < other_first ? first : other_first;
}

// The first place at which a number stands that is one of `values`.
FOR_EVERY_PROCESSOR int64_t place_of(float wanted, const float *values, int64_t count) {
  int64_t at = 0;
  const auto skip = [&](int64_t size) {
    for (; at + size <= count; at += size) {
      int here = 0;
      for (int64_t offset = 0; offset < size; ++offset)
        here |= values[at + offset] == wanted;
      if (here)
        return;
    }
  };
  skip(kStride);
  skip(kLanes);
  while (at + 1 < count && values[at] != wanted)
    ++at;
  return at;
}

// The two least of a row.
FOR_EVERY_PROCESSOR Least least(const float *values, int64_t count) {
  Lanes first[kChains], second[kChains];
  for (int64_t chain = 0; chain < kChains; ++chain)
    first[chain] = second[chain] = Lanes{} + kInfinity;
  const Lanes nothing = Lanes{} + kInfinity;
  int64_t at = 0;
  for (; at + kStride <= count; at += kStride)
    for (int64_t chain = 0; chain < kChains; ++chain) {
      Lanes value;
      std::memcpy(&value, values + at + chain * kLanes, sizeof value);
      merge(first[chain], second[chain], value, nothing);
    }
  for (int64_t chain = 1; chain < kChains; ++chain)
    merge(first[0], second[0], first[chain], second[chain]);
  float firsts[kLanes], seconds[kLanes];
  std::memcpy(firsts, &first[0], sizeof firsts);
  std::memcpy(seconds, &second[0], sizeof seconds);
  for (int64_t half = kLanes / 2; half > 0; half /= 2)
    for (int64_t lane = 0; lane < half; ++lane)
      merge(firsts[lane], seconds[lane], firsts[lane + half], seconds[lane + half]);
  Least found{firsts[0], seconds[0]};
  for (; at < count; ++at)
    merge(found.first, found.second, values[at], kInfinity);
  return found;
}

// Bounds below a row's values, from rough products: ‖c‖² − 2 x·c for each, less what it may be off.
FOR_EVERY_PROCESSOR void bounds(const int32_t *products, const float *scales, const float *lengths, float scale,
                                float slack, int64_t count, float *lower) {
  for (int64_t place = 0; place < count; ++place)
    lower[place] = scale * scales[place] * static_cast<float>(products[place]) + (lengths[place] - slack);
}

// The sum of the lanes, by halves; writes over them.
inline float total(float *lanes) {
  for (int64_t half = kLanes / 2; half > 0; half /= 2)
    for (int64_t lane = 0; lane < half; ++lane)
      lanes[lane] += lanes[lane + half];
  return lanes[0];
}

// A row as whole numbers from −127 to 127 times a scale; says how long what is lost is.
FOR_EVERY_PROCESSOR float quantise(const float *row, int64_t width, int8_t *whole, float *scale) {
  const int64_t even = width / kLanes * kLanes;
  float tops[kLanes] = {};
  for (int64_t at = 0; at < even; at += kLanes)
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const float size = std::fabs(row[at + lane]);
      tops[lane] = size > tops[lane] ? size : tops[lane];
    }
  for (int64_t at = even; at < width; ++at)
    tops[0] = std::max(tops[0], std::fabs(row[at]));
  const float most = *std::max_element(tops, tops + kLanes);
  // of what is not finite nothing can be told
  if (!(most <= std::numeric_limits<float>::max())) {
    std::fill(whole, whole + width, 0);
    *scale = 0;
    return kInfinity;
  }
  *scale = most / 127;
  // of a row of nothing, or of next to nothing, nothing is kept
  const float turns = *scale > std::numeric_limits<float>::min() ? 1 / *scale : 0;
  float sums[kLanes] = {};
  const auto one = [&](int64_t at, int64_t lane) {
    float near = std::rint(row[at] * turns);
    near = near == near ? near : 0;
    whole[at] = static_cast<int8_t>(near);
    const float lost = row[at] - near * *scale;
    sums[lane] += lost * lost;
  };
  for (int64_t at = 0; at < even; at += kLanes)
    for (int64_t lane = 0; lane < kLanes; ++lane)
      one(at + lane, lane);
  for (int64_t at = even; at < width; ++at)
    one(at, 0);
  return std::sqrt(total(sums));
}

FOR_EVERY_PROCESSOR float dot(const float *a, const float *b, int64_t count) {
  float sums[kLanes] = {};
  const int64_t whole = count / kLanes * kLanes;
  for (int64_t at = 0; at < whole; at += kLanes)
    for (int64_t lane = 0; lane < kLanes; ++lane)
      sums[lane] += a[at + lane] * b[at + lane];
  float sum = total(sums);
  for (int64_t at = whole; at < count; ++at)
    sum += a[at] * b[at];
  return sum;
}

FOR_EVERY_PROCESSOR void add(double *sums, const float *values, double sign, int64_t begin, int64_t end) {
  for (int64_t column = begin; column < end; ++column)
    sums[column] += sign * values[column];
}

// The values of one row: all of them, or bounds below them that are made exact where it matters.
class Values {
public:
  Values(float *all, const LuthierRough *rough, int64_t columns)
      : all_(all), rough_(rough), columns_(columns), lower_(rough ? (columns + kStride - 1) / kStride * kStride : 0, kInfinity),
        is_exact_(rough ? columns : 0) {}

  void row(int64_t row) {
    row_ = row;
    if (rough_ == nullptr) {
      values_ = all_ + row * columns_;
      return;
    }
    values_ = lower_.data();
    computed_ += exact_.size();
    for (const auto place : exact_)
      is_exact_[place] = 0;
    exact_.clear();
    bounds(rough_->products + row * columns_, rough_->column_scales, rough_->lengths, rough_->row_scales[row],
           rough_->slack[row], columns_, values_);
  }

  // The value itself.
  float exact(int64_t place) {
    settle(place);
    return values_[place];
  }

  // How many values were made exact.
  uint64_t computed() const { return computed_ + exact_.size(); }

  void leave_out(int64_t place) { values_[place] = kInfinity; }

  // The two least; if the first is below `limit`, it is exact, and its place (of equals, the first) is told.
  Least least_below(float limit) {
    for (int round = 0;; ++round) {
      // of many that lie as close, one after the other would be a look through the row for each
      if (round == kRounds)
        settle_below(limit);
      auto found = least(values_, rough_ ? static_cast<int64_t>(lower_.size()) : columns_);
      if (found.first >= limit)
        return found;
      found.place = place_of(found.first, values_, columns_);
      if (!settle(found.place))
        return found;
      found.first = values_[found.place];
      // still the least, as it mostly is
      if (found.first <= found.second)
        return found;
    }
  }

private:
  // Makes a value exact that was a bound; says whether it was one.
  bool settle(int64_t place) {
    if (rough_ == nullptr || is_exact_[place])
      return false;
    is_exact_[place] = 1;
    exact_.push_back(place);
    const auto width = static_cast<int64_t>(rough_->width);
    values_[place] =
        rough_->lengths[place] + dot(rough_->rows + row_ * width, rough_->turned + place * width, width);
    return true;
  }

  // Makes all values exact that could be the least below `limit`.
  void settle_below(float limit) {
    for (int64_t place = 0; place < columns_; ++place)
      if (values_[place] < limit) {
        settle(place);
        limit = std::min(limit, values_[place]);
      }
  }

  float *all_;
  const LuthierRough *rough_;
  int64_t columns_;
  // filled up with infinities
  std::vector<float> lower_;
  // by place, and the places of this row
  std::vector<uint8_t> is_exact_;
  std::vector<int64_t> exact_;
  uint64_t computed_ = 0;
  float *values_ = nullptr;
  int64_t row_ = 0;
};

} // namespace

extern "C" {

// `values` is [rows, columns]; with `rough` it is null, and values are looked for from rough products. `centres` says which
// centre each column is, null for all of them in order; then every row is assigned anew. Otherwise `place_of` says where
// each centre's column is, −1 for those that did not move; `first` is the value of a row's centre, `second` a bound below
// those of all others. `again` is set for rows that these cannot tell. Says how many assignments changed, and how many
// values were computed anew. Writes over `values`.
char *luthier_nearest(float *all, const LuthierRough *rough, const uint32_t *centres, const int32_t *place_of,
                      std::size_t rows, std::size_t columns, uint32_t *assignment, float *first, float *second,
                      uint8_t *again, uint64_t *changed, uint64_t *computed) {
  return guarded([&] {
    std::atomic<uint64_t> total{0}, exact{0};
    const auto width = static_cast<int64_t>(columns);
    at::parallel_for(0, static_cast<int64_t>(rows), 64, [&](int64_t begin, int64_t end) {
      uint64_t mine = 0;
      Values values(all, rough, width);
      for (int64_t row = begin; row < end; ++row) {
        values.row(row);
        again[row] = 0;
        if (centres == nullptr) {
          const auto found = values.least_below(kInfinity);
          mine += assignment[row] != static_cast<uint32_t>(found.place);
          assignment[row] = static_cast<uint32_t>(found.place);
          first[row] = found.first;
          second[row] = found.second;
          continue;
        }
        const auto own = place_of[assignment[row]];
        const float before = own < 0 ? first[row] : values.exact(own);
        if (own >= 0)
          values.leave_out(own);
        const auto found = values.least_below(before);
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
      exact += values.computed();
    });
    *changed = total;
    *computed = exact;
  });
}

// Rows of `width` numbers as whole numbers and a scale each, and how long what each lost by it is.
char *luthier_quantise(const float *rows, std::size_t count, std::size_t width, int8_t *whole, float *scales, float *lost) {
  return guarded([&] {
    at::parallel_for(0, static_cast<int64_t>(count), 64, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row)
        lost[row] = quantise(rows + row * width, width, whole + row * width, scales + row);
    });
  });
}

// Takes rows out of the sums of the clusters they were in, of which there are `clusters` (any other number is none), and
// adds them to those they are in now. Threads share the columns: the sums are the same for any number of them.
char *luthier_cluster_sums(const float *rows, const uint32_t *from, const uint32_t *to, std::size_t count,
                           std::size_t width, std::size_t clusters, double *sums) {
  return guarded([&] {
    at::parallel_for(0, static_cast<int64_t>(width), 64, [&](int64_t begin, int64_t end) {
      for (std::size_t row = 0; row < count; ++row) {
        if (from[row] == to[row])
          continue;
        const float *values = rows + row * width;
        add(sums + to[row] * width, values, 1.0, begin, end);
        if (from[row] < clusters)
          add(sums + from[row] * width, values, -1.0, begin, end);
      }
    });
  });
}

} // extern "C"
