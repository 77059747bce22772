// Of com.microsoft what is ONNX's own operator by another name: Pad, Range, Trilu. Always made of those.
#include "heed/plugin.hpp"

namespace heed::ops {
namespace {

constexpr std::string_view domain = "com.microsoft";

}  // namespace

extern const Operator com_microsoft_pad{
    .domain = domain,
    .op_type = "Pad",
    .inputs = {{"data", "T"}, {"pads", "P"}, {"value", "T", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"output", "T"}},
    .types = {{"T", any_float}, {"P", {DataType::i64}}},
    .attributes = {attribute("mode", "constant")},
    .body = "list = Constant<value_ints = [-1]>(); output = Pad<mode = @mode>(data, Reshape(pads, list), value)"};

extern const Operator com_microsoft_range{
    .domain = domain,
    .op_type = "Range",
    .inputs = {{"start", "T"}, {"limit", "T"}, {"delta", "T", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", any_number}},
    .body = "Y = Range(start, limit, delta)"};

extern const Operator com_microsoft_trilu{.domain = domain,
                                          .op_type = "Trilu",
                                          .inputs = {{"X", "T"}, {"k", "I", HEED_OPTIONAL_PARAMETER}},
                                          .outputs = {{"Y", "T"}},
                                          .types = {{"T", any_type}, {"I", {DataType::i64}}},
                                          .attributes = {attribute("upper", 1)},
                                          .body = "Y = Trilu<upper = @upper>(X, k)"};

}  // namespace heed::ops
