// Constants as text writes them, and what they become: elements of tensors, values of attributes.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "graph/graph.hpp"

namespace heed {

enum class LiteralKind : int32_t { integer, real, string };

struct Literal {
  LiteralKind kind;
  std::string text;  // "-12", "1e-5", "inf"; of a string its bytes, without quotes
};

// Whether the text reads as a number of its kind.
bool is_number(const Literal& literal);
std::optional<int64_t> to_integer(const Literal& literal);

// A dense tensor of as many literals as it has elements; two for each element of a complex tensor.
Result<Tensor> tensor_of_literals(DataType type, std::vector<int64_t> dims, std::span<const Literal> literals);

// HEED_ATTRIBUTE_FLOAT of "float", ...; HEED_ATTRIBUTE_NONE of other words.
int32_t attribute_kind_of(std::string_view kind);

// By the kind ("float", "ints"), or by the literals where that is empty; null where they do not fit it.
std::optional<Attribute> attribute_of_literal(const Literal& literal, std::string_view kind);
std::optional<Attribute> attribute_of_literals(std::span<const Literal> literals, std::string_view kind);

}  // namespace heed
