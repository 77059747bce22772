// HannWindow, HammingWindow and BlackmanWindow-17: a - b cos(2 pi i / n) + c cos(4 pi i / n) for i from 0 on, n being
// the size, or one less where the window is symmetric. Always made of other operators.
#include "checks.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  HEED_TRY(node.require_rank(0, 0));
  HEED_ASSIGN(const DataType type, type_attribute(node, "output_datatype", any_number));
  const auto sizes = node.elements(0);
  const Dim size = sizes && sizes->size() == 1 ? sizes->front() : node.fresh_symbol("window");
  if (size.is_number() && size.number() < 0) return Error{Code::invalid_model, "the size is " + to_string(size)};
  return node.set_output(0, type, Dims{size});
}

#define HEED_WINDOW(name, a, b, c)                                                                        \
  {                                                                                                       \
    .op_type = name, .versions = {17}, .inputs = {{"size", "I"}}, .outputs = {{"output", "T"}},           \
    .types = {{"I", {DataType::i32, DataType::i64}}, {"T", any_number}},                                  \
    .attributes = {attribute("output_datatype", 1), attribute("periodic", 1)},                            \
    .body =                                                                                               \
        "zero = Constant<value_int = 0>(); one = Constant<value_int = 1>(); count = Cast<to = 7>(size);"  \
        "index = Cast<to = 1>(Range(zero, count, one));"                                                  \
        "length = Cast<to = 1>(Sub(count, Sub(one, Constant<value_int = @periodic>())));"                 \
        "turn = Div(Mul(index, Constant<value_float = 6.283185307179586>()), length);"                    \
        "first = Mul(Cos(turn), Constant<value_float = " b                                                \
        ">());"                                                                                           \
        "second = Mul(Cos(Add(turn, turn)), Constant<value_float = " c                                    \
        ">());"                                                                                           \
        "output = Cast<to = @output_datatype>(Add(Sub(Constant<value_float = " a ">(), first), second))", \
    .infer = infer                                                                                        \
  }

}  // namespace

extern const Operator hann_window = HEED_WINDOW("HannWindow", "0.5", "0.5", "0.0");
extern const Operator hamming_window = HEED_WINDOW("HammingWindow", "0.5434782608695652", "0.45652173913043476", "0.0");
extern const Operator blackman_window = HEED_WINDOW("BlackmanWindow", "0.42", "0.5", "0.08");

}  // namespace heed::ops
