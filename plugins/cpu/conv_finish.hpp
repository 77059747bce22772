// What heed.FusedConv does with its sums: y = activation(sum + bias + residual), or, where the residual comes last,
// activation(sum + bias) + residual. As bounds, as a program in blocks of f32, or number after number.
#pragma once

#include <limits>

#include "fused_activation.hpp"
#include "heed/plugin.hpp"

namespace heed::cpu {

enum { conv_x, conv_w, conv_bias, conv_residual };  // inputs; Conv has the first three

// y = min(max(sum + bias + residual, low), high), NaN staying NaN.
struct ConvBounds {
  float low, high;
};
inline constexpr ConvBounds no_bounds{-std::numeric_limits<float>::infinity(), std::numeric_limits<float>::infinity()};
// Of a node that does no more than this; Conv is one.
std::optional<ConvBounds> conv_bounds(const NodeView& node);

// What a node does that has no such bounds, with f32 sums that have their bias. Owned by its Model.
Result<const FusedProgram*> prepare_conv_program(Preparing& node);

// Runs it over n sums that follow each other; `residual` lies as they do, null: there is none.
void run_conv_program(const FusedProgram& program, RunFused loops, float* sums, const float* residual, int64_t n);

// Number after number. T: float, double.
class ConvFinisher {
 public:
  explicit ConvFinisher(const NodeView& node);
  // `residual`: null where there is none.
  template <class T>
  void operator()(T* sums, const T* residual, int64_t n) const {
    for (int64_t i = 0; i < n; ++i) {
      T s = sums[i];
      if (residual && !residual_last_) s += residual[i];
      s = activated(activation_, s, static_cast<T>(alpha_), static_cast<T>(beta_));
      if (residual && residual_last_) s += residual[i];
      sums[i] = s;
    }
  }

 private:
  Activation activation_;
  float alpha_, beta_;
  bool residual_last_;
};

}  // namespace heed::cpu
