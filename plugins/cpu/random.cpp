// RandomUniform, RandomNormal and their -Like forms, Bernoulli, Multinomial. The generator is Philox4x32-10 (Salmon et al.,
// "Parallel Random Numbers: As Easy as 1, 2, 3", 2011): the numbers of an element depend on the seed and its index
// alone, so any number of threads gives the same. Element i takes words of block i / 2; normal numbers come from pairs
// by Box and Muller.
#include <bit>
#include <cmath>
#include <numbers>

#include "walk.hpp"

namespace heed::cpu {
namespace {

struct Words {
  uint32_t word[4];
};

Words philox(uint64_t seed, uint64_t counter) {
  Words x{{static_cast<uint32_t>(counter), static_cast<uint32_t>(counter >> 32), 0, 0}};
  auto key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53} * x.word[0], product1 = uint64_t{0xCD9E8D57} * x.word[2];
    x = {{static_cast<uint32_t>(product1 >> 32) ^ x.word[1] ^ key0, static_cast<uint32_t>(product1),
          static_cast<uint32_t>(product0 >> 32) ^ x.word[3] ^ key1, static_cast<uint32_t>(product0)}};
    key0 += 0x9E3779B9;
    key1 += 0xBB67AE85;
  }
  return x;
}

// 53 bits of two words, in [0, 1).
double unit(uint32_t high, uint32_t low) { return static_cast<double>((uint64_t{high} << 32 | low) >> 11) * 0x1p-53; }

struct Uniform {
  static constexpr const char *first = "low", *second = "high";
  static void pair(const Words& words, double low, double high, double* to) {
    to[0] = low + (high - low) * unit(words.word[0], words.word[1]);
    to[1] = low + (high - low) * unit(words.word[2], words.word[3]);
  }
};
struct Normal {
  static constexpr const char *first = "mean", *second = "scale";
  static void pair(const Words& words, double mean, double scale, double* to) {
    const double radius = std::sqrt(-2 * std::log(1 - unit(words.word[0], words.word[1])));
    const double angle = 2 * std::numbers::pi * unit(words.word[2], words.word[3]);
    to[0] = mean + scale * radius * std::cos(angle);
    to[1] = mean + scale * radius * std::sin(angle);
  }
};

uint64_t seed_of(const Running& run) {
  const auto given = run.attribute("seed", HEED_ATTRIBUTE_FLOAT);
  return given ? std::bit_cast<uint32_t>(given->f) : run.random_seed();
}

template <class Distribution>
Result<void> run(Running& run) {
  const auto known = run.output(0);
  HEED_ASSIGN(const auto out, known.c.rank >= 0 ? Result<TensorView>(known) : run.allocate(0, run.input(0).dims()));
  const uint64_t seed = seed_of(run);
  const double a = run.number(Distribution::first), b = run.number(Distribution::second);
  run.parallel_for((out.count() + 1) / 2, 4096, [&](int64_t begin, int64_t end) {
    RowWriter<double> writer(out);
    const int64_t n = std::min(2 * end, out.count()) - 2 * begin;
    double* to = writer.row(2 * begin, n);
    for (int64_t i = 0; i < n; i += 2) {
      double pair[2];
      Distribution::pair(philox(seed, static_cast<uint64_t>(begin + i / 2)), a, b, pair);
      to[i] = pair[0];
      if (i + 1 < n) to[i + 1] = pair[1];
    }
    writer.finish();
  });
  return {};
}

// y = u < p: never where p is 0, always where it is 1.
Result<void> run_bernoulli(Running& run) {
  const auto in = run.input(0);
  HEED_ASSIGN(const auto out, run.allocate(0, in.dims()));
  const uint64_t seed = seed_of(run);
  run.parallel_for((out.count() + 1) / 2, 4096, [&](int64_t begin, int64_t end) {
    RowReader<double> reader(in);
    RowWriter<double> writer(out);
    const int64_t n = std::min(2 * end, out.count()) - 2 * begin;
    const double* p = reader.row(2 * begin, n);
    double* y = writer.row(2 * begin, n);
    for (int64_t i = 0; i < n; i += 2) {
      double pair[2];
      Uniform::pair(philox(seed, static_cast<uint64_t>(begin + i / 2)), 0, 1, pair);
      y[i] = pair[0] < p[i];
      if (i + 1 < n) y[i + 1] = pair[1] < p[i + 1];
    }
    writer.finish();
  });
  return {};
}

// The place in a row where the running sum of exp(x - greatest) passes u times all of it.
Result<void> run_multinomial(Running& run) {
  const auto in = run.input(0);
  HEED_TRY(check_rank(run, 0, 2));
  const int64_t class_count = in.dim(1), sample_count = run.integer("sample_size");
  HEED_ASSIGN(const auto out, run.allocate(0, std::array{in.dim(0), sample_count}));
  if (out.count() == 0) return {};
  if (class_count == 0) return Error{Code::shape_mismatch, "a row of no outcomes has none to draw"};
  const uint64_t seed = seed_of(run);
  run.parallel_for(in.dim(0), std::max<int64_t>(1, 4096 / (class_count + sample_count)),
                   [&](int64_t begin, int64_t end) {
                     RowReader<double> reader(in);
                     RowWriter<int64_t> writer(out);
                     std::vector<double> sums(static_cast<size_t>(class_count));
                     for (int64_t row = begin; row < end; ++row) {
                       const double* x = reader.row(row * class_count, class_count);
                       const double greatest = *std::max_element(x, x + class_count);
                       double sum = 0;
                       for (size_t i = 0; i < sums.size(); ++i) sums[i] = sum += std::exp(x[i] - greatest);
                       int64_t* y = writer.row(row * sample_count, sample_count);
                       for (int64_t i = 0; i < sample_count; ++i) {
                         double pair[2];
                         Uniform::pair(philox(seed, static_cast<uint64_t>(row * sample_count + i)), 0, sum, pair);
                         const auto found = std::upper_bound(sums.begin(), sums.end(), pair[0]);
                         y[i] = std::min<int64_t>(found - sums.begin(), class_count - 1);
                       }
                       writer.finish();
                     }
                   });
  return {};
}

}  // namespace

extern const CpuKernel random_normal{.op_type = "RandomNormal", .run = run<Normal>};
extern const CpuKernel random_normal_like{.op_type = "RandomNormalLike", .run = run<Normal>};
extern const CpuKernel random_uniform{.op_type = "RandomUniform", .run = run<Uniform>};
extern const CpuKernel random_uniform_like{.op_type = "RandomUniformLike", .run = run<Uniform>};
extern const CpuKernel bernoulli{.op_type = "Bernoulli", .run = run_bernoulli};
extern const CpuKernel multinomial{.op_type = "Multinomial", .run = run_multinomial};

}  // namespace heed::cpu
