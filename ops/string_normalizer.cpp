// StringNormalizer-10: texts without stop words, in small or capital letters; one empty text where none is left.
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  const auto action = node.text("case_change_action", "NONE");
  if (action != "NONE" && action != "LOWER" && action != "UPPER")
    return Error{Code::invalid_model,
                 "attribute 'case_change_action' is '" + std::string(action) + "'; expected NONE, LOWER or UPPER"};
  const auto x = node.input(0);
  if (!x.has_rank()) return node.set_output(0, DataType::string);
  if (x.rank() < 1 || x.rank() > 2)
    return Error{Code::shape_mismatch, "the input " + text_of(x.dims()) + "; expected [text] or [1, text]"};
  if (x.rank() == 2) HEED_TRY(node.require_equal(x.dim(0), 1, "the first axis of [1, text]"));
  const auto stop_words = node.texts("stopwords");
  Dims dims(x.dims().begin(), x.dims().end());
  if (stop_words && !stop_words->empty()) dims.back() = node.fresh_symbol("kept");
  return node.set_output(0, DataType::string, dims);
}

}  // namespace

extern const Operator string_normalizer{
    .op_type = "StringNormalizer",
    .versions = {10},
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", {DataType::string}}},
    .attributes = {attribute("case_change_action", "NONE"), attribute("is_case_sensitive", 0),
                   optional("locale", HEED_ATTRIBUTE_STRING), optional("stopwords", HEED_ATTRIBUTE_STRINGS)},
    .infer = infer};

}  // namespace heed::ops
