// heed.ExpertMatMul: y[row, choice, n] = sum over k of x[row, (choice,) k] * weights[expert, n, k] + bias[expert, n],
// in f32. Of the experts that somebody chose alone; a row of weights is widened once for all who chose it.
#include "indices.hpp"
#include "normalization.hpp"
#include "ranks.hpp"

namespace heed::cpu {
namespace {

enum { x_input, weights_input, experts_input, bias_input, scales_input, zero_points_input };

// Rows of weights as f32, whatever they are stored as.
class Weights {
 public:
  explicit Weights(const Running& run)
      : weights_(run.input(weights_input)),
        scales_(run.input(scales_input)),
        zero_points_(run.input(zero_points_input)),
        elements_(weights_),
        columns_(weights_.dim(1)),
        inner_(run.input(x_input).dim(-1)),
        bits_(static_cast<int>(run.integer("bits"))),
        block_size_(run.integer("block_size")),
        row_(static_cast<size_t>(inner_)) {
    if (block_size_ == 0) block_size_ = std::max<int64_t>(inner_, 1), is_whole_ = true;
  }

  const float* row(int64_t expert, int64_t column) {
    const int64_t line = expert * columns_ + column;
    if (bits_ == 0) return elements_.row(line * inner_, inner_);
    const DataType code = bits_ == 2 ? DataType::u2 : bits_ == 4 ? DataType::u4 : DataType::u8;
    read_elements(code, weights_.c.data, line * inner_, 1, inner_, row_.data());
    const int64_t block_count = (inner_ + block_size_ - 1) / block_size_;
    for (int64_t block = 0; block < block_count; ++block) {
      const float scale = read_element<float>(scales_, line * block_count + block);
      float zero = static_cast<float>(1 << (bits_ - 1));
      if (zero_points_.present()) {
        // Those of a row begin at a byte: of all columns of an expert, or of the blocks of one.
        const int64_t in_row = is_whole_ ? columns_ : block_count,
                      codes_in_row = (in_row * bits_ + 7) / 8 * (8 / bits_);
        const int64_t at = is_whole_ ? expert * codes_in_row + column : line * codes_in_row + block;
        read_elements(code, zero_points_.c.data, at, 1, 1, &zero);
      }
      const int64_t end = std::min(inner_, (block + 1) * block_size_);
      for (int64_t k = block * block_size_; k < end; ++k)
        row_[static_cast<size_t>(k)] = (row_[static_cast<size_t>(k)] - zero) * scale;
    }
    return row_.data();
  }

 private:
  TensorView weights_, scales_, zero_points_;
  RowReader<float> elements_;
  int64_t columns_, inner_;
  int bits_;
  int64_t block_size_;
  bool is_whole_ = false;
  std::vector<float> row_;
};

Result<void> run(Running& run) {
  const auto x = run.input(x_input), weights = run.input(weights_input), bias = run.input(bias_input),
             y = run.output(0);
  const int64_t expert_count = weights.dim(0), columns = weights.dim(1), inner = x.dim(-1), choices = y.dim(1);
  if (y.count() == 0) return {};
  const auto experts = run.input(experts_input).integers();
  std::vector<std::vector<int64_t>> places(static_cast<size_t>(expert_count));  // by expert: who chose it
  for (size_t place = 0; place < experts.size(); ++place) {
    if (experts[place] < 0 || experts[place] >= expert_count)
      return Error{Code::invalid_argument, "choice " + std::to_string(place) + " is of expert " +
                                               std::to_string(experts[place]) + "; there are " +
                                               std::to_string(expert_count)};
    places[static_cast<size_t>(experts[place])].push_back(static_cast<int64_t>(place));
  }
  std::vector<int64_t> chosen;
  for (int64_t expert = 0; expert < expert_count; ++expert)
    if (!places[static_cast<size_t>(expert)].empty()) chosen.push_back(expert);

  std::vector<float> wide;  // x, where it is not f32
  if (x.element() != DataType::f32) {
    wide.resize(static_cast<size_t>(x.count()));
    read_elements(x.element(), x.c.data, 0, 1, x.count(), wide.data());
  }
  const float* rows = wide.empty() ? x.data<float>() : wide.data();
  const int64_t lines = static_cast<int64_t>(chosen.size()) * columns;
  run.parallel_for(lines, std::max<int64_t>(1, 8192 / std::max<int64_t>(inner, 1)), [&](int64_t begin, int64_t end) {
    Weights weight_rows(run);
    for (int64_t line = begin; line < end; ++line) {
      const int64_t expert = chosen[static_cast<size_t>(line / columns)], column = line % columns;
      const float* w = weight_rows.row(expert, column);
      const float shift = bias.present() ? read_element<float>(bias, expert * columns + column) : 0;
      for (const int64_t place : places[static_cast<size_t>(expert)]) {
        const float* from = rows + (x.rank() == 2 ? place / choices : place) * inner;
        const float value = sum<float>(inner, [&](int64_t k) { return from[k] * w[k]; }) + shift;
        write_elements(y.element(), &value, 1, y.c.data, place * columns + column);
      }
    }
  });
  return {};
}

Result<void> plan(Planning& node) { return require_ranks(node); }

}  // namespace

extern const CpuKernel heed_expert_matmul{.domain = "heed", .op_type = "ExpertMatMul", .plan = plan, .run = run};

}  // namespace heed::cpu
