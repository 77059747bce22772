// RegexFullMatch-20: whether the whole of each text is what a regular expression of RE2 describes.
#include "shapes.hpp"

namespace heed::ops {

extern const Operator regex_full_match{.op_type = "RegexFullMatch",
                                       .versions = {20},
                                       .inputs = {{"X", "T1"}},
                                       .outputs = {{"Y", "T2"}},
                                       .types = {{"T1", {DataType::string}}, {"T2", {DataType::boolean}}},
                                       .attributes = {required("pattern", HEED_ATTRIBUTE_STRING)},
                                       .infer = [](Inference& node) { return like_input(node, DataType::boolean); }};

}  // namespace heed::ops
