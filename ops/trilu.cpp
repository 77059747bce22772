// Trilu-14: keeps the upper (upper = 1) or lower triangle of the last two axes, shifted by k, and zeroes the rest.
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  if (node.input(0).has_rank() && node.input(0).rank() < 2)
    return Error{Code::shape_mismatch, "the input has rank " + std::to_string(node.input(0).rank()) +
                                           "; expected a matrix or a stack of them"};
  return like_input(node);
}

}  // namespace

extern const Operator trilu{.op_type = "Trilu",
                            .versions = {14},
                            .inputs = {{"input", "T"}, {"k", "I", HEED_OPTIONAL_PARAMETER}},
                            .outputs = {{"output", "T"}},
                            .types = {{"T", any_type}, {"I", {DataType::i64}}},
                            .attributes = {attribute("upper", 1)},
                            .infer = infer};

}  // namespace heed::ops
