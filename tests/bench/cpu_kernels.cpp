// The CPU's vector kernels standing alone, each against a ceiling measured in the same run: sums of products against
// multiply-adds that touch no memory, decoded tokens against eight streams that are only read.
//   cpu_kernels [THREADS]
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "../ops/kernel_run.hpp"
#include "plugins/cpu/isa.hpp"
#include "plugins/cpu/vector_targets.hpp"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tests/bench/cpu_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

// clang-format off: it does not know HWY_UNROLL.
HWY_BEFORE_NAMESPACE();
namespace ceiling::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;
constexpr int independent = HWY_TARGET == HWY_AVX2 ? 12 : 24;

// `rounds` times `independent` multiply-adds of whole vectors; gives the operations.
double multiply_adds(int64_t rounds, float* sink) {
  const hn::ScalableTag<float> d;
  hn::VFromD<decltype(d)> sums[independent];
  const auto by = hn::Set(d, 0.999f), more = hn::Set(d, 0.001f);
  HWY_UNROLL(24) for (int i = 0; i < independent; ++i) sums[i] = hn::Set(d, static_cast<float>(i));
  for (int64_t round = 0; round < rounds; ++round)
    HWY_UNROLL(24) for (int i = 0; i < independent; ++i) sums[i] = hn::MulAdd(sums[i], by, more);
  for (int i = 1; i < independent; ++i) sums[0] = hn::Add(sums[0], sums[i]);
  hn::StoreU(sums[0], d, sink);
  return 2.0 * static_cast<double>(rounds) * independent * static_cast<double>(hn::Lanes(d));
}

// Reads count floats as eight streams.
void read_streams(const float* from, int64_t count, float* sink) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t stretch = count / 8 / lanes * lanes;
  hn::VFromD<decltype(d)> sums[8];
  HWY_UNROLL(8) for (int s = 0; s < 8; ++s) sums[s] = hn::Zero(d);
  for (int64_t i = 0; i < stretch; i += lanes)
    HWY_UNROLL(8) for (int s = 0; s < 8; ++s) sums[s] = hn::Add(sums[s], hn::LoadU(d, from + s * stretch + i));
  for (int s = 1; s < 8; ++s) sums[0] = hn::Add(sums[0], sums[s]);
  hn::StoreU(sums[0], d, sink);
}

}  // namespace ceiling::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
// clang-format on

#if HWY_ONCE
namespace {

using namespace heed;
using namespace heed::test;

struct Ceiling {
  const char* isa;
  double (*multiply_adds)(int64_t, float*);
  void (*read_streams)(const float*, int64_t, float*);
};

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// The least time of a call, over rounds of at least 5 ms.
template <class Function>
double least_seconds(Function&& function) {
  double least = 1e9;
  int64_t calls = 1;
  for (int round = 0; round < 9;) {
    const double begin = seconds();
    for (int64_t i = 0; i < calls; ++i) function();
    const double took = seconds() - begin;
    if (took < 5e-3) {
      calls *= 2;
      continue;
    }
    least = std::min(least, took / static_cast<double>(calls));
    ++round;
  }
  return least;
}

struct Shape {
  int64_t rows, k_count, columns;
};

// Weights of 16, 8 and 4 bits: what is read of them a second, for a decoded token and for a prompt.
void bench_narrow(const std::string& isa, ThreadPool& pool) {
  std::printf("  %-38s %10s %9s %8s %8s\n", "Products of narrow weights", "us", "GFLOP/s", "", "GB/s");
  for (const Shape shape : {Shape{1, 4096, 4096}, {128, 2048, 2048}}) {
    const int64_t rows = shape.rows, k_count = shape.k_count, columns = shape.columns;
    const auto bytes = [](DataType type, std::vector<int64_t> dims) {
      Laid laid = room(type, std::move(dims));
      std::memset(laid.data(), 0x35, static_cast<size_t>(laid.count()) * laid.element_bytes());
      return laid;
    };
    const auto run = [&](const std::string& what, const std::string& call, std::vector<Laid> inputs, DataType type,
                         int64_t weight_bytes) {
      auto ready = ReadyKernel::make(isa, call, std::move(inputs), {room(type, {rows, columns})}, &pool);
      if (!ready) return std::printf("  %s\n", ready.error().message.c_str()), void();
      const double took = least_seconds([&] { (*ready)->run().value(); });
      const auto name = what + ", [" + std::to_string(rows) + ", " + std::to_string(k_count) + "] x [" +
                        std::to_string(k_count) + ", " + std::to_string(columns) + "]";
      std::printf("  %-38s %10.2f %9.1f %8s %8.1f\n", name.c_str(), took * 1e6,
                  2e-9 * static_cast<double>(rows * k_count * columns) / took, "",
                  1e-9 * static_cast<double>(weight_bytes) / took);
    };
    const int64_t weights = k_count * columns, blocks = k_count / 32;
    for (const DataType type : {DataType::f16, DataType::bf16})
      run(std::string(name_of(type)), "MatMul", {bytes(type, {rows, k_count}), constant(bytes(type, {k_count, columns}))},
          type, 2 * weights);
    run("i8", "MatMulInteger", {bytes(DataType::u8, {rows, k_count}), constant(bytes(DataType::i8, {k_count, columns}))},
        DataType::i32, weights);
    const std::string sizes = "<K = " + std::to_string(k_count) + ", N = " + std::to_string(columns) + ", block_size = 32";
    for (const int64_t bits : {4, 8})
      run(std::to_string(bits) + " bits", "com.microsoft.MatMulNBits" + sizes + ", bits = " + std::to_string(bits) + ">",
          {laid(noise({rows, k_count}, 1)), constant(bytes(DataType::u8, {columns, blocks, 4 * bits})),
           constant(laid(noise({columns, blocks}, 2)))},
          DataType::f32, weights * bits / 8 + 4 * columns * blocks);
  }
}

void bench(const Ceiling& ceiling, ThreadPool& pool) {
  float sink[64];
  constexpr int64_t rounds = 20000;
  const int threads = pool.thread_count();
  double operations = 0;
  const double alone = least_seconds([&] { operations = ceiling.multiply_adds(rounds, sink); });
  const double peak = threads * operations / alone * 1e-9;
  std::printf("\n%s, %d threads: %.0f GFLOP/s without memory\n", ceiling.isa, threads, peak);

  std::printf("  %-38s %10s %9s %9s %8s %9s\n", "MatMul, b constant", "us", "GFLOP/s", "of peak", "GB/s", "of reads");
  for (const Shape shape : {Shape{1, 64, 32},
                            {1, 64, 64},
                            {1, 64, 172},
                            {1, 172, 64},
                            {1, 64, 512},
                            {1, 192, 192},
                            {1, 192, 576},
                            {1, 192, 768},
                            {1, 768, 192},
                            {1, 192, 1024},
                            {1, 1024, 4096},
                            {1, 4096, 4096},
                            {4, 192, 768},
                            {8, 192, 768},
                            {8, 1024, 4096},
                            {16, 192, 768},
                            {128, 192, 768},
                            {512, 512, 512},
                            {1024, 1024, 1024}}) {
    const Laid b = constant(laid(noise({shape.k_count, shape.columns}, 1)));
    auto ready = ReadyKernel::make(ceiling.isa, "MatMul", {laid(noise({shape.rows, shape.k_count}, 2)), b},
                                   {room(DataType::f32, {shape.rows, shape.columns})}, &pool);
    if (!ready) return std::printf("  %s\n", ready.error().message.c_str()), void();
    const double took = least_seconds([&] { (*ready)->run().value(); });
    const double bytes = static_cast<double>(shape.k_count * shape.columns) * sizeof(float);
    const double flops = 2.0 * static_cast<double>(shape.rows * shape.k_count * shape.columns);
    const auto* weights = reinterpret_cast<const float*>(b.data());
    const double read = least_seconds([&] {
      if (bytes < 1 << 18) return ceiling.read_streams(weights, shape.k_count * shape.columns, sink);
      pool.parallel_for(threads, 1, [&](int64_t begin, int64_t end) {
        const int64_t part = shape.k_count * shape.columns / threads;
        for (int64_t i = begin; i < end; ++i) {
          float own[64];
          ceiling.read_streams(weights + i * part, part, own);
        }
      });
    });
    const auto name = "[" + std::to_string(shape.rows) + ", " + std::to_string(shape.k_count) + "] x [" +
                      std::to_string(shape.k_count) + ", " + std::to_string(shape.columns) + "]";
    std::printf("  %-38s %10.2f %9.1f %8.0f%% %8.1f %8.0f%%\n", name.c_str(), took * 1e6, flops / took * 1e-9,
                100 * flops / took * 1e-9 / peak, bytes / took * 1e-9, 100 * read / took);
  }

  bench_narrow(ceiling.isa, pool);

  std::printf("  %-38s %10s %9s %9s %8s\n", "Attention, the past in place", "us", "GFLOP/s", "of peak", "GB/s");
  struct Heads {
    int64_t head, kv_head, query, total, width;
  };
  for (const Heads h : {Heads{8, 4, 1, 64, 8},
                        {8, 4, 1, 512, 8},
                        {6, 6, 1, 64, 32},
                        {6, 6, 1, 512, 32},
                        {4, 4, 1, 512, 40},
                        {32, 8, 1, 4096, 128},
                        {6, 6, 128, 128, 32},
                        {8, 8, 512, 512, 64}}) {
    const Laid keys = room(DataType::f32, {1, h.kv_head, h.total, h.width}), values = keys;
    const auto past = [&](const Laid& cache) {
      Laid first = laid(noise(cache.dims, 3));
      first.dims[2] -= h.query;
      return first;
    };
    const Laid past_key = past(keys), past_value = past(values);
    const auto whole = [&](Laid laid) { return laid.dims[2] = h.total, laid; };
    const Laid fresh = laid(noise({1, h.kv_head, h.query, h.width}, 4));
    const bool has_past = h.total > h.query;
    std::vector<Laid> inputs{laid(noise({1, h.head, h.query, h.width}, 5)), fresh, fresh};
    if (has_past) inputs.insert(inputs.end(), {Laid{}, past_key, past_value});
    std::vector<Laid> outputs{room(DataType::f32, {1, h.head, h.query, h.width})};
    if (has_past) outputs.insert(outputs.end(), {whole(past_key), whole(past_value)});
    auto ready = ReadyKernel::make(ceiling.isa, "heed.Attention<causal = 1>", inputs, outputs, &pool);
    if (!ready) return std::printf("  %s\n", ready.error().message.c_str()), void();
    const double took = least_seconds([&] { (*ready)->run().value(); });
    const double seen = h.query > 1 ? static_cast<double>(h.query * (h.query + 1) / 2) : static_cast<double>(h.total);
    const double flops = 4.0 * static_cast<double>(h.head * h.width) * seen;
    const double bytes = 2.0 * static_cast<double>(h.kv_head * h.total * h.width) * sizeof(float);
    const auto name = std::to_string(h.head) + " heads of " + std::to_string(h.kv_head) + " x " +
                      std::to_string(h.width) + ", " + std::to_string(h.query) + " queries, " +
                      std::to_string(h.total) + " keys";
    std::printf("  %-38s %10.2f %9.1f %8.0f%% %8.1f\n", name.c_str(), took * 1e6, flops / took * 1e-9,
                100 * flops / took * 1e-9 / peak, bytes / took * 1e-9);
  }
}

}  // namespace

int main(int argc, char** argv) {
  ThreadPool pool(argc > 1 ? std::atoi(argv[1]) : ThreadPool::default_thread_count());
#if HWY_TARGETS & HWY_AVX2
  if (heed::cpu::machine_has(heed::cpu::Isa::avx2))
    bench({"avx2", ceiling::N_AVX2::multiply_adds, ceiling::N_AVX2::read_streams}, pool);
#endif
#if HWY_TARGETS & HWY_AVX3
  if (heed::cpu::machine_has(heed::cpu::Isa::avx512))
    bench({"avx512", ceiling::N_AVX3::multiply_adds, ceiling::N_AVX3::read_streams}, pool);
#endif
#if HWY_TARGETS & HWY_NEON
  if (heed::cpu::machine_has(heed::cpu::Isa::neon))
    bench({"neon", ceiling::N_NEON::multiply_adds, ceiling::N_NEON::read_streams}, pool);
#endif
  for (const heed::cpu::Isa isa : heed::cpu::every_isa) {
    if (isa == base_of(isa) || !machine_has(isa)) continue;
    const std::string name(name_of(isa));
    std::printf("\n%s\n", name.c_str());
    bench_narrow(name, pool);
  }
}
#endif
