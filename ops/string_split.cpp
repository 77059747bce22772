// StringSplit-20: each text cut at its delimiters, or at white space where there is none, into a new last axis that is
// as long as the most pieces of one; and how many pieces each has.
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  if (node.has_attribute("maxsplit") && node.integer("maxsplit") < 0)
    return Error{Code::invalid_model,
                 "attribute 'maxsplit' is " + std::to_string(node.integer("maxsplit")) + "; expected 0 or more"};
  const auto x = node.input(0);
  if (!x.has_rank()) {
    HEED_TRY(node.set_output(1, DataType::i64));
    return node.set_output(0, DataType::string);
  }
  Dims pieces(x.dims().begin(), x.dims().end());
  pieces.push_back(node.fresh_symbol("pieces"));
  HEED_TRY(node.set_output(1, DataType::i64, x.dims()));
  return node.set_output(0, DataType::string, pieces);
}

}  // namespace

extern const Operator string_split{
    .op_type = "StringSplit",
    .versions = {20},
    .inputs = {{"X", "T1"}},
    .outputs = {{"Y", "T2"}, {"Z", "T3"}},
    .types = {{"T1", {DataType::string}}, {"T2", {DataType::string}}, {"T3", {DataType::i64}}},
    .attributes = {attribute("delimiter", ""), optional("maxsplit", HEED_ATTRIBUTE_INT)},
    .infer = infer};

}  // namespace heed::ops
