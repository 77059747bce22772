// Reading and writing of .npy: a magic, a Python dictionary as text, and the elements.
#include "files/npy.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <vector>

#include "base/mapped_file.hpp"
#include "files/whole_file.hpp"
#include "graph/small_float.hpp"

namespace heed {
namespace {

constexpr std::string_view magic("\x93NUMPY", 6);

Error invalid(std::string message) { return Error{Code::invalid_argument, std::move(message)}; }

struct Header {
  std::string descr;  // "<f4"
  bool is_fortran = false;
  std::vector<int64_t> dims;
  size_t data_offset = 0;
};

// Reads the dictionary: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : text_(text) {}

  Result<Header> parse() {
    Header header;
    bool has_descr = false, has_order = false, has_shape = false;
    HEED_TRY(expect('{'));
    while (!accept('}')) {
      HEED_ASSIGN(const std::string key, quoted());
      HEED_TRY(expect(':'));
      if (key == "descr") {
        if (peek() == '[') return invalid("its elements are records, which no tensor can hold");
        HEED_ASSIGN(header.descr, quoted());
        has_descr = true;
      } else if (key == "fortran_order") {
        HEED_ASSIGN(header.is_fortran, boolean());
        has_order = true;
      } else if (key == "shape") {
        HEED_ASSIGN(header.dims, shape());
        has_shape = true;
      } else {
        return damaged();
      }
      if (!accept(',') && peek() != '}') return damaged();
    }
    if (!has_descr || !has_order || !has_shape) return damaged();
    return header;
  }

 private:
  static Error damaged() { return invalid("its header is damaged: no dictionary of descr, fortran_order and shape"); }

  char peek() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool accept(char c) { return peek() == c && ++at_; }
  Result<void> expect(char c) { return accept(c) ? Result<void>() : Result<void>(damaged()); }

  Result<std::string> quoted() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') return damaged();
    const size_t end = text_.find(quote, at_ + 1);
    if (end == text_.npos) return damaged();
    std::string result(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return result;
  }

  Result<bool> boolean() {
    peek();
    for (const bool value : {true, false}) {
      const std::string_view word = value ? "True" : "False";
      if (text_.substr(at_).starts_with(word)) return at_ += word.size(), value;
    }
    return damaged();
  }

  Result<std::vector<int64_t>> shape() {
    std::vector<int64_t> dims;
    HEED_TRY(expect('('));
    while (!accept(')')) {
      peek();
      int64_t size = 0;
      const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), size);
      if (error != std::errc() || size < 0) return damaged();
      at_ = static_cast<size_t>(end - text_.data());
      if (peek() == 'L') ++at_;  // Python 2 wrote its long integers so
      dims.push_back(size);
      if (!accept(',') && peek() != ')') return damaged();
    }
    return dims;
  }

  std::string_view text_;
  size_t at_ = 0;
};

Result<Header> read_header(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!text.starts_with(magic)) return invalid("no .npy file: it does not begin with \\x93NUMPY");
  const auto byte = [&](size_t at) { return static_cast<uint32_t>(static_cast<uint8_t>(text[at])); };
  const size_t length_bytes = text.size() > 6 && byte(6) >= 2 ? 4 : 2;
  if (text.size() < 8 + length_bytes) return invalid("cut short: its header");
  if (byte(6) < 1 || byte(6) > 3)
    return invalid("its format version is " + std::to_string(byte(6)) + ", expected 1 to 3");
  size_t length = 0;
  for (size_t i = length_bytes; i-- > 0;) length = length << 8 | byte(8 + i);
  const size_t start = 8 + length_bytes;
  if (length > text.size() - start) return invalid("cut short: its header claims " + std::to_string(length) + " bytes");
  HEED_ASSIGN(Header header, HeaderParser(text.substr(start, length)).parse());
  header.data_offset = start + length;
  return header;
}

// How elements stand in the file, and what they become.
struct Layout {
  DataType type = DataType::undefined;  // of the tensor
  size_t element_bytes = 0;             // in the file
  size_t swapped_bytes = 1;             // big-endian: the width that is turned around; 1: none
  char text_kind = 0;                   // 'U' or 'S'
  bool is_widened = false;              // one byte for each 4- or 2-bit element
};

struct NamedType {
  std::string_view descr;  // without byte order
  DataType type;
};

constexpr NamedType numpy_types[] = {{"b1", DataType::boolean}, {"i1", DataType::i8},   {"i2", DataType::i16},
                                     {"i4", DataType::i32},     {"i8", DataType::i64},  {"u1", DataType::u8},
                                     {"u2", DataType::u16},     {"u4", DataType::u32},  {"u8", DataType::u64},
                                     {"f2", DataType::f16},     {"f4", DataType::f32},  {"f8", DataType::f64},
                                     {"c8", DataType::c64},     {"c16", DataType::c128}};

Result<Layout> layout_of(const Header& header, std::optional<DataType> expected) {
  const std::string_view descr = header.descr;
  const auto refuse = [&](const std::string& why) {
    return invalid("its elements are '" + header.descr + "': " + why);
  };
  if (descr.size() < 2) return refuse("no type of NumPy");
  const bool is_big = descr[0] == '>';
  const std::string_view kind =
      descr.substr(descr[0] == '<' || descr[0] == '>' || descr[0] == '|' || descr[0] == '=' ? 1 : 0);
  Layout layout;
  for (const NamedType& known : numpy_types) {
    if (known.descr == kind) layout.type = known.type;
  }
  const int32_t expected_bits = expected ? bits_of(*expected) : 0;
  if (layout.type != DataType::undefined) {
    layout.element_bytes = static_cast<size_t>(bits_of(layout.type)) / 8;
    if (is_big) layout.swapped_bytes = is_complex(layout.type) ? layout.element_bytes / 2 : layout.element_bytes;
    if (layout.element_bytes == 1 && expected_bits > 0 && expected_bits < 8)
      layout.type = *expected, layout.is_widened = true;
    return layout;
  }
  if (kind == "V2") {
    layout.type = DataType::bf16, layout.element_bytes = 2;
    return layout;
  }
  if (kind == "V1") {
    if (!expected || expected_bits > 8) {
      return refuse("one byte of a type that NumPy does not know; only an input whose type is known can take it");
    }
    layout.type = *expected, layout.element_bytes = 1, layout.is_widened = expected_bits < 8;
    return layout;
  }
  if (kind[0] == 'U' || kind[0] == 'S') {
    size_t length = 0;
    const auto [end, error] = std::from_chars(kind.data() + 1, kind.data() + kind.size(), length);
    if (error != std::errc() || end != kind.data() + kind.size() || length > (size_t{1} << 40))
      return refuse("no type of NumPy");
    layout.type = DataType::string;
    layout.text_kind = kind[0];
    layout.element_bytes = kind[0] == 'U' ? 4 * length : length;
    layout.swapped_bytes = is_big && kind[0] == 'U' ? 4 : 1;
    return layout;
  }
  return refuse(kind[0] == 'O' ? "Python objects; save strings with dtype=str"
                               : "no tensor can hold them; convert them with .astype first");
}

void append_utf8(std::string& text, uint32_t code) {
  if (code < 0x80) {
    text += static_cast<char>(code);
  } else if (code < 0x800) {
    text += static_cast<char>(0xC0 | code >> 6);
    text += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    text += static_cast<char>(0xE0 | code >> 12);
    text += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    text += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    text += static_cast<char>(0xF0 | (code >> 18 & 0x07));
    text += static_cast<char>(0x80 | (code >> 12 & 0x3F));
    text += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    text += static_cast<char>(0x80 | (code & 0x3F));
  }
}

// The code points of UTF-8; null where it is none.
std::optional<std::vector<uint32_t>> code_points_of(std::string_view text) {
  std::vector<uint32_t> codes;
  for (size_t at = 0; at < text.size();) {
    const auto lead = static_cast<uint8_t>(text[at]);
    const size_t length = lead < 0x80 ? 1 : lead >> 5 == 6 ? 2 : lead >> 4 == 14 ? 3 : lead >> 3 == 30 ? 4 : 0;
    if (length == 0 || at + length > text.size()) return std::nullopt;
    uint32_t code = length == 1 ? lead : lead & (0xFF >> (length + 1));
    for (size_t i = 1; i < length; ++i) {
      const auto next = static_cast<uint8_t>(text[at + i]);
      if (next >> 6 != 2) return std::nullopt;
      code = code << 6 | (next & 0x3F);
    }
    if (code > 0x10FFFF) return std::nullopt;
    codes.push_back(code);
    at += length;
  }
  return codes;
}

std::string text_at(const std::byte* element, const Layout& layout) {
  std::string text;
  if (layout.text_kind == 'S') {
    text.assign(reinterpret_cast<const char*>(element), layout.element_bytes);
    text.resize(text.find_last_not_of('\0') + 1);
    return text;
  }
  size_t count = layout.element_bytes / 4;
  std::vector<uint32_t> codes(count);
  if (count > 0) std::memcpy(codes.data(), element, layout.element_bytes);
  while (count > 0 && codes[count - 1] == 0) --count;
  for (size_t i = 0; i < count; ++i)
    append_utf8(text, layout.swapped_bytes == 4 ? __builtin_bswap32(codes[i]) : codes[i]);
  return text;
}

// The position in the file's order of the element at each row-major position, in turn.
class FileOrder {
 public:
  FileOrder(const std::vector<int64_t>& dims, bool is_fortran)
      : dims_(dims), index_(dims.size(), 0), strides_(dims.size(), 1) {
    size_t stride = 1;
    for (size_t i = 0; i < dims.size(); ++i) {
      const size_t axis = is_fortran ? i : dims.size() - 1 - i;
      strides_[axis] = stride;
      stride *= static_cast<size_t>(dims[axis]);
    }
  }

  size_t position() const { return position_; }
  void advance() {
    for (size_t axis = dims_.size(); axis-- > 0;) {
      position_ += strides_[axis];
      if (++index_[axis] < dims_[axis]) return;
      position_ -= strides_[axis] * static_cast<size_t>(dims_[axis]);
      index_[axis] = 0;
    }
  }

 private:
  const std::vector<int64_t>& dims_;
  std::vector<int64_t> index_;
  std::vector<size_t> strides_;
  size_t position_ = 0;
};

Result<Tensor> convert(const std::byte* data, const Header& header, const Layout& layout, size_t count) {
  FileOrder order(header.dims, header.is_fortran);
  if (layout.type == DataType::string) {
    std::vector<std::string> texts;
    for (size_t i = 0; i < count; ++i, order.advance()) {
      texts.push_back(text_at(data + order.position() * layout.element_bytes, layout));
    }
    return Tensor::of_texts(header.dims, std::move(texts));
  }
  HEED_ASSIGN(Tensor tensor, Tensor::allocate(layout.type, header.dims));
  const size_t width = layout.element_bytes;
  const auto bits = static_cast<size_t>(bits_of(layout.type));
  for (size_t i = 0; i < count; ++i, order.advance()) {
    const std::byte* element = data + order.position() * width;
    if (layout.is_widened) {
      const auto value = static_cast<uint8_t>(static_cast<uint8_t>(*element) & ((1u << bits) - 1));
      tensor.writable()[i * bits / 8] |= static_cast<std::byte>(value << (i * bits % 8));
      continue;
    }
    std::byte* to = tensor.writable() + i * width;
    std::memcpy(to, element, width);
    for (size_t part = 0; layout.swapped_bytes > 1 && part < width; part += layout.swapped_bytes) {
      std::reverse(to + part, to + part + layout.swapped_bytes);
    }
  }
  return tensor;
}

std::string header_text(const std::string& descr, const std::vector<int64_t>& dims) {
  std::string shape = "(";
  for (size_t axis = 0; axis < dims.size(); ++axis) shape += (axis ? ", " : "") + std::to_string(dims[axis]);
  if (dims.size() == 1) shape += ",";
  std::string dictionary = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + "), }";
  // Spaces until the elements begin at a multiple of 64 bytes.
  const bool is_long = dictionary.size() + 1 + 10 + 64 > 65535;
  const size_t prefix_bytes = is_long ? 12 : 10;
  dictionary.append(63 - (prefix_bytes + dictionary.size()) % 64, ' ');
  dictionary += '\n';
  std::string text(magic);
  text += is_long ? '\x02' : '\x01';
  text += '\0';
  for (size_t i = 0; i < prefix_bytes - 8; ++i) text += static_cast<char>(dictionary.size() >> (8 * i));
  return text + dictionary;
}

std::string texts_bytes(const Tensor& tensor) {
  std::vector<std::vector<uint32_t>> all_codes;
  size_t longest = 0, longest_bytes = 0;
  bool is_utf8 = true;
  for (const heed_text& text : tensor.texts()) {
    longest_bytes = std::max(longest_bytes, text.size);
    std::optional<std::vector<uint32_t>> codes = code_points_of({text.data, text.size});
    is_utf8 = is_utf8 && codes;
    if (!is_utf8) continue;
    longest = std::max(longest, codes->size());
    all_codes.push_back(std::move(*codes));
  }
  if (!is_utf8) {
    std::string bytes = header_text("|S" + std::to_string(longest_bytes), tensor.dims);
    for (const heed_text& text : tensor.texts())
      bytes.append(text.data, text.size).append(longest_bytes - text.size, '\0');
    return bytes;
  }
  std::string bytes = header_text("<U" + std::to_string(longest), tensor.dims);
  for (std::vector<uint32_t>& codes : all_codes) {
    codes.resize(longest, 0);
    bytes.append(reinterpret_cast<const char*>(codes.data()), longest * sizeof(uint32_t));
  }
  return bytes;
}

uint32_t pattern_at(const Tensor& tensor, size_t index) {
  const auto bits = static_cast<size_t>(bits_of(tensor.type));
  uint32_t pattern = 0;
  if (bits >= 8) {
    std::memcpy(&pattern, tensor.data + index * (bits / 8), bits / 8);
    return pattern;
  }
  return (static_cast<uint32_t>(tensor.data[index * bits / 8]) >> (index * bits % 8)) & ((1u << bits) - 1);
}

std::string widened_bytes(const Tensor& tensor) {
  const auto count = static_cast<size_t>(tensor.element_count());
  const auto bits = static_cast<size_t>(bits_of(tensor.type));
  std::string bytes = header_text(is_float(tensor.type)            ? "<f4"
                                  : is_signed_integer(tensor.type) ? "|i1"
                                                                   : "|u1",
                                  tensor.dims);
  for (size_t i = 0; i < count; ++i) {
    const uint32_t pattern = pattern_at(tensor, i);
    if (is_float(tensor.type)) {
      const float value = decode_small_float(tensor.type, pattern);
      bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
    } else {
      const bool is_negative = is_signed_integer(tensor.type) && pattern >> (bits - 1) != 0;
      bytes += static_cast<char>(is_negative ? pattern | ~0u << bits : pattern);
    }
  }
  return bytes;
}

}  // namespace

Result<Tensor> parse_npy(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                         std::optional<DataType> expected) {
  HEED_ASSIGN(const Header header, read_header(bytes));
  HEED_ASSIGN(const Layout layout, layout_of(header, expected));
  // Bounds the count as bytes, so that nothing below overflows.
  HEED_ASSIGN(const size_t count, dense_size_bytes(DataType::u8, header.dims));
  size_t file_bytes = 0;
  const std::span<const std::byte> data = bytes.subspan(header.data_offset);
  if (__builtin_mul_overflow(count, layout.element_bytes, &file_bytes) || file_bytes > data.size() ||
      (layout.element_bytes == 0 && count > (size_t{1} << 24))) {
    return invalid("cut short: '" + header.descr + "' " + to_string(header.dims) + " needs " +
                   std::to_string(layout.element_bytes) + " bytes for each of " + std::to_string(count) +
                   " elements, it has " + std::to_string(data.size()));
  }
  const auto bits = static_cast<size_t>(bits_of(layout.type));
  const bool is_plain = layout.type != DataType::string && !layout.is_widened && layout.swapped_bytes == 1 &&
                        (!header.is_fortran || header.dims.size() < 2);
  const bool is_aligned = bits >= 8 && reinterpret_cast<uintptr_t>(data.data()) % std::min<size_t>(bits / 8, 8) == 0;
  if (is_plain && is_aligned && owner) {
    return Tensor{layout.type, header.dims, count ? data.data() : nullptr, file_bytes, std::move(owner)};
  }
  return convert(data.data(), header, layout, count);
}

Result<Tensor> read_npy(const std::filesystem::path& path, std::optional<DataType> expected) {
  HEED_ASSIGN(MappedFile file, MappedFile::open(path.string()));
  auto owner = std::make_shared<MappedFile>(file);
  Result<Tensor> tensor = parse_npy(file.bytes(), std::move(owner), expected);
  if (!tensor) return std::move(tensor).error().within(path.string());
  return tensor;
}

std::string npy_bytes(const Tensor& tensor) {
  if (tensor.type == DataType::string) return texts_bytes(tensor);
  for (const NamedType& known : numpy_types) {
    if (known.type != tensor.type) continue;
    const std::string order = bits_of(tensor.type) == 8 ? "|" : "<";
    std::string bytes = header_text(order + std::string(known.descr), tensor.dims);
    return bytes.append(reinterpret_cast<const char*>(tensor.data), tensor.size_bytes);
  }
  return widened_bytes(tensor);
}

Result<void> write_npy(const std::filesystem::path& path, const Tensor& tensor) {
  return write_whole_file(path, {npy_bytes(tensor)});
}

}  // namespace heed
