// What products do with their sums: y = activation(scale * sum + bias) + residual, or, where they are gated, times the
// residual. As a program in blocks of f32, or number after number, in f32 or f64.
#pragma once

#include "fused_activation.hpp"
#include "heed/plugin.hpp"

namespace heed::cpu {

// Which inputs of a node are its bias, [column] or one number, and its residual, which is as large as y.
struct EpilogueInputs {
  int32_t bias, residual;
};

// The program of a node's attributes and inputs, owned by its Model; null where there is nothing to do.
Result<const FusedProgram*> prepare_epilogue(Preparing& node, EpilogueInputs inputs);

// What a run does with sums. y, and the residual with it, is dense.
class Epilogue {
 public:
  // Number after number.
  Epilogue(const Running& run, EpilogueInputs inputs);
  // By what prepare_epilogue gave and the loops of an instruction set; without loops number after number.
  Epilogue(const Running& run, EpilogueInputs inputs, const FusedProgram* program, RunFused loops);

  bool does_nothing() const { return !is_there_; }
  // n sums that follow each other in a row, of columns from `column` on, of y's elements from `index` on. T: float, double.
  template <class T>
  void finish(T* sums, int64_t column, int64_t index, int64_t n) const;

 private:
  void run_program(float* sums, int64_t column, int64_t index, int64_t n) const;

  bool is_there_;
  TensorView bias_, residual_;
  const FusedProgram* program_ = nullptr;  // null: number after number
  RunFused loops_ = nullptr;
  float scale_ = 1;
  Activation activation_ = Activation::none;
  bool gated_ = false;
};

}  // namespace heed::cpu
