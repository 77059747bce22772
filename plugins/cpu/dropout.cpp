// Dropout: y = x * mask / (1 - ratio), where the mask is random in training and true elsewhere. The generator is
// numpy's (MT19937, 53 bits a number), so that a seed gives what ONNX's reference gives.
#include <random>

#include "convert.hpp"
#include "move.hpp"

namespace heed::cpu {
namespace {

std::vector<uint8_t> random_mask(int64_t count, double ratio, uint32_t seed) {
  std::mt19937 generator(seed);
  std::vector<uint8_t> mask(static_cast<size_t>(count));
  for (auto& kept : mask) {
    const uint64_t high = generator() >> 5, low = generator() >> 6;
    kept = static_cast<double>(high << 26 | low) * 0x1p-53 >= ratio;
  }
  return mask;
}

Result<void> run(Running& run) {
  const auto x = run.input(0), given_ratio = run.input(1), training = run.input(2);
  HEED_ASSIGN(const auto y, output_like(run));
  for (const auto& input : {given_ratio, training})
    if (input.present() && input.count() != 1)
      return Error{Code::shape_mismatch,
                   "ratio and training_mode have " + std::to_string(input.count()) + " elements; expected one each"};
  const double ratio = given_ratio.present() ? read_element<double>(given_ratio) : 0.5;
  if (!(ratio >= 0 && ratio < 1))
    return Error{Code::invalid_argument, "ratio is " + std::to_string(ratio) + "; expected one in [0, 1)"};
  const bool drops = training.present() && training.data<const uint8_t>()[0] && ratio > 0;
  std::vector<uint8_t> mask;
  if (drops) {
    const auto seed = run.attribute("seed", HEED_ATTRIBUTE_INT);
    mask =
        random_mask(x.count(), ratio, static_cast<uint32_t>(seed ? static_cast<uint64_t>(seed->i) : run.random_seed()));
    dispatch_float(x.element(), [&]<class T>(T) {
      const T scale = static_cast<T>(1 / (1 - ratio));
      run.parallel_for(x.count(), 16384, [&](int64_t begin, int64_t end) {
        RowReader<T> reader(x);
        RowWriter<T> writer(y);
        const T* from = reader.row(begin, end - begin);
        T* to = writer.row(begin, end - begin);
        for (int64_t i = begin; i < end; ++i)
          to[i - begin] = static_cast<T>(mask[static_cast<size_t>(i)]) * from[i - begin] * scale;
        writer.finish();
      });
    });
  } else if (y.c.data != x.c.data) {
    move_tensor(run, x, y);
  }
  if (!run.has_output(1)) return {};
  HEED_ASSIGN(const auto kept, output_like(run, 0, 1));
  if (drops) {
    std::copy(mask.begin(), mask.end(), kept.data<uint8_t>());
  } else {
    dispatch(kept.element(), [&]<class T>(T) {
      const std::vector<T> ones(static_cast<size_t>(kept.count()), T{1});
      write_elements(kept.element(), ones.data(), kept.count(), kept.c.data, 0);
    });
  }
  return {};
}

Result<void> plan(Planning& node) {
  node.in_place(0, 0);
  return {};
}

}  // namespace

extern const CpuKernel dropout{.op_type = "Dropout", .plan = plan, .run = run};

}  // namespace heed::cpu
