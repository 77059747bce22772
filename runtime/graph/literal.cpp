// Literals of text: their reading as numbers, tensors and attributes.
#include "graph/literal.hpp"

#include <charconv>
#include <cstring>
#include <limits>

#include "graph/small_float.hpp"

namespace heed {
namespace {

std::string_view digits_of(const Literal& literal) {
  std::string_view text = literal.text;
  if (text.starts_with('+')) text.remove_prefix(1);
  return text;
}

template <class Number>
std::optional<Number> read(const Literal& literal) {
  const std::string_view text = digits_of(literal);
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (end != text.data() + text.size() || text.empty()) return std::nullopt;
  if (error == std::errc()) return number;
  if constexpr (std::is_floating_point_v<Number>) {
    if (error == std::errc::result_out_of_range) {  // 1e999 is infinite, 1e-999 is zero
      const bool is_tiny = text.find("e-") != text.npos || text.find("E-") != text.npos;
      const Number magnitude = is_tiny ? Number(0) : std::numeric_limits<Number>::infinity();
      return text.starts_with('-') ? -magnitude : magnitude;
    }
  }
  return std::nullopt;
}

// The bits of a number in a type of at most 64 bits; null where an integer does not fit.
std::optional<uint64_t> encode(DataType type, const Literal& literal) {
  if (literal.kind == LiteralKind::string) return std::nullopt;
  if (is_float(type)) {
    if (type == DataType::f64) {
      const std::optional<double> wide = read<double>(literal);
      if (!wide) return std::nullopt;
      uint64_t bits = 0;
      std::memcpy(&bits, &*wide, sizeof(bits));
      return bits;
    }
    if (type == DataType::f32) {
      const std::optional<float> single = read<float>(literal);
      if (!single) return std::nullopt;
      uint32_t bits = 0;
      std::memcpy(&bits, &*single, sizeof(bits));
      return bits;
    }
    const std::optional<double> value = read<double>(literal);
    return value ? std::optional<uint64_t>(encode_small_float(type, *value)) : std::nullopt;
  }
  const int32_t bits = bits_of(type);
  if (literal.kind != LiteralKind::integer || bits == 0) return std::nullopt;
  if (type == DataType::boolean) {
    const std::optional<int64_t> value = read<int64_t>(literal);
    return value == 0 || value == 1 ? std::optional<uint64_t>(*value) : std::nullopt;
  }
  if (is_unsigned_integer(type)) {
    const std::optional<uint64_t> value = read<uint64_t>(literal);
    return value && (bits == 64 || *value >> bits == 0) ? value : std::nullopt;
  }
  const std::optional<int64_t> value = read<int64_t>(literal);
  const int64_t least = bits == 64 ? INT64_MIN : -(int64_t{1} << (bits - 1));
  const int64_t greatest = bits == 64 ? INT64_MAX : (int64_t{1} << (bits - 1)) - 1;
  if (!value || *value < least || *value > greatest) return std::nullopt;
  return static_cast<uint64_t>(*value);
}

// Puts the low `bits` bits at element `index`; sub-byte elements fill bytes from the low bits up.
void store(std::byte* data, size_t index, int32_t bits, uint64_t value) {
  if (bits >= 8) {
    std::memcpy(data + index * (bits / 8), &value, bits / 8);  // both little-endian
    return;
  }
  const size_t per_byte = 8 / bits;
  const uint64_t mask = (1u << bits) - 1;
  data[index / per_byte] |= static_cast<std::byte>((value & mask) << (bits * (index % per_byte)));
}

constexpr struct {
  std::string_view name;
  int32_t kind;
} attribute_kinds[] = {{"float", HEED_ATTRIBUTE_FLOAT},
                       {"int", HEED_ATTRIBUTE_INT},
                       {"string", HEED_ATTRIBUTE_STRING},
                       {"tensor", HEED_ATTRIBUTE_TENSOR},
                       {"graph", HEED_ATTRIBUTE_GRAPH},
                       {"floats", HEED_ATTRIBUTE_FLOATS},
                       {"ints", HEED_ATTRIBUTE_INTS},
                       {"strings", HEED_ATTRIBUTE_STRINGS},
                       {"tensors", 9},
                       {"graphs", 10},
                       {"sparse_tensor", HEED_ATTRIBUTE_SPARSE_TENSOR},
                       {"type_proto", HEED_ATTRIBUTE_TYPE}};

}  // namespace

bool is_number(const Literal& literal) {
  return literal.kind == LiteralKind::integer ? read<int64_t>(literal) || read<uint64_t>(literal)
                                              : literal.kind == LiteralKind::real && read<double>(literal);
}

std::optional<int64_t> to_integer(const Literal& literal) {
  return literal.kind == LiteralKind::integer ? read<int64_t>(literal) : std::nullopt;
}

Result<Tensor> tensor_of_literals(DataType type, std::vector<int64_t> dims, std::span<const Literal> literals) {
  HEED_ASSIGN(const size_t size_bytes, dense_size_bytes(type, dims));
  Tensor claimed{type, std::move(dims), nullptr, size_bytes, nullptr};
  const size_t parts = is_complex(type) ? 2 : 1;
  const auto count = static_cast<size_t>(claimed.element_count());
  if (literals.size() / parts != count || literals.size() % parts != 0) {
    return Error{Code::invalid_model, to_string(claimed) + " has " + std::to_string(count * parts) + " numbers, met " +
                                          std::to_string(literals.size())};
  }
  const auto misfit = [&](const Literal& literal) {
    return Error{Code::invalid_model, "'" + literal.text + "' is no " + std::string(name_of(type))};
  };
  if (type == DataType::string) {
    std::vector<std::string> texts;
    for (const Literal& literal : literals) {
      if (literal.kind != LiteralKind::string) return misfit(literal);
      texts.push_back(literal.text);
    }
    return Tensor::of_texts(std::move(claimed.dims), std::move(texts));
  }
  const DataType part_type = type == DataType::c64 ? DataType::f32 : type == DataType::c128 ? DataType::f64 : type;
  HEED_ASSIGN(Tensor tensor, Tensor::allocate(type, std::move(claimed.dims)));
  for (size_t i = 0; i < literals.size(); ++i) {
    const std::optional<uint64_t> bits = encode(part_type, literals[i]);
    if (!bits) return misfit(literals[i]);
    store(tensor.writable(), i, bits_of(part_type), *bits);
  }
  return tensor;
}

int32_t attribute_kind_of(std::string_view kind) {
  for (const auto& known : attribute_kinds) {
    if (known.name == kind) return known.kind;
  }
  return HEED_ATTRIBUTE_NONE;
}

std::optional<Attribute> attribute_of_literal(const Literal& literal, std::string_view kind) {
  if (kind.empty())
    kind = literal.kind == LiteralKind::string ? "string" : literal.kind == LiteralKind::real ? "float" : "int";
  if (kind == "string" && literal.kind == LiteralKind::string) return Attribute{literal.text};
  if (literal.kind == LiteralKind::string) return std::nullopt;
  if (kind == "float") {
    if (const std::optional<float> value = read<float>(literal)) return Attribute{*value};
  }
  if (kind == "int") {
    if (const std::optional<int64_t> value = to_integer(literal)) return Attribute{*value};
  }
  return std::nullopt;
}

std::optional<Attribute> attribute_of_literals(std::span<const Literal> literals, std::string_view kind) {
  if (kind.empty()) {
    kind = "ints";
    for (const Literal& literal : literals) {
      if (literal.kind == LiteralKind::string) kind = "strings";
      if (literal.kind == LiteralKind::real) kind = "floats";
    }
  }
  if (kind != "ints" && kind != "floats" && kind != "strings") return std::nullopt;
  std::vector<int64_t> ints;
  std::vector<float> floats;
  std::vector<std::string> strings;
  for (const Literal& literal : literals) {
    const std::optional<Attribute> element = attribute_of_literal(literal, kind.substr(0, kind.size() - 1));
    if (!element) return std::nullopt;
    if (kind == "ints") ints.push_back(std::get<int64_t>(element->content));
    if (kind == "floats") floats.push_back(std::get<float>(element->content));
    if (kind == "strings") strings.push_back(std::get<std::string>(element->content));
  }
  if (kind == "ints") return Attribute{std::move(ints)};
  if (kind == "floats") return Attribute{std::move(floats)};
  return Attribute{std::move(strings)};
}

}  // namespace heed
