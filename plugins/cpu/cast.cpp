// Cast, CastLike: each element through the wide type of its source into the target's. Texts are read and written in
// plain or scientific notation; "INF", "-INF" and "NaN" stand for what they say.
#include <charconv>
#include <cmath>

#include "walk.hpp"

namespace heed::cpu {
namespace {

constexpr int64_t piece = 512;

Narrowing narrowing_of(const Running& run) {
  const auto mode = run.text("round_mode", "up");
  return {run.integer("saturate", 1) != 0 ? Overflow::saturate : Overflow::keep, mode == "down" ? ScaleRounding::down
                                                                                 : mode == "nearest"
                                                                                     ? ScaleRounding::nearest
                                                                                     : ScaleRounding::up};
}

std::string text_of(double value, bool is_single) {
  if (value != value) return "NaN";
  if (std::isinf(value)) return value > 0 ? "INF" : "-INF";
  char buffer[64];
  const double size = std::abs(value);
  const bool plain = value == 0 || (size >= 1e-5 && size < 1e16);
  const auto format = plain ? std::chars_format::fixed : std::chars_format::scientific;
  const auto end = is_single ? std::to_chars(buffer, std::end(buffer), static_cast<float>(value), format)
                             : std::to_chars(buffer, std::end(buffer), value, format);
  return {buffer, end.ptr};
}

void to_texts(const Running& run, const TensorView& in, const TensorView& out) {
  dispatch(in.element(), [&]<class T>(T) {
    for (int64_t i = 0; i < in.count(); ++i) {
      const T value = read_element<T>(in, i);
      const auto text = [&] {
        if constexpr (std::is_floating_point_v<T>) return text_of(value, std::is_same_v<T, float>);
        return std::to_string(value);
      }();
      out.data<heed_text>()[i] = run.store_text(0, text);
    }
  });
}

Result<double> number_in(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  const auto end = text.find_last_not_of(" \t\r\n");
  auto digits = begin == text.npos ? std::string_view() : text.substr(begin, end - begin + 1);
  if (!digits.empty() && digits[0] == '+') digits.remove_prefix(1);
  double value = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);  // also reads inf and nan
  if (digits.empty() || read.ptr != digits.data() + digits.size() || read.ec == std::errc::invalid_argument)
    return Error{Code::invalid_argument, "'" + std::string(text.substr(0, 64)) + "' is no number"};
  if (read.ec == std::errc::result_out_of_range) value = std::strtod(std::string(digits).c_str(), nullptr);
  return value;
}

Result<void> from_texts(const TensorView& in, const TensorView& out, Narrowing narrowing) {
  for (int64_t i = 0; i < in.count(); ++i) {
    const auto text = from_c(in.data<heed_text>()[i]);
    int64_t integer = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), integer);
    if (read.ec == std::errc() && read.ptr == text.data() + text.size() && !is_float(out.element())) {
      write_elements(out.element(), &integer, 1, out.c.data, i, 1, narrowing);
      continue;
    }
    HEED_ASSIGN(const double value, number_in(text));
    write_elements(out.element(), &value, 1, out.c.data, i, 1, narrowing);
  }
  return {};
}

// Complex numbers are pairs of floats.
DataType part_of(DataType type) {
  return type == DataType::c64 ? DataType::f32 : type == DataType::c128 ? DataType::f64 : type;
}

template <class T>
void convert(DataType from, const void* source, int64_t first, int64_t step, DataType to, void* target,
             int64_t target_first, int64_t n, Narrowing narrowing) {
  T buffer[piece];
  for (int64_t done = 0; done < n; done += piece) {
    const int64_t now = std::min(piece, n - done);
    read_elements(from, source, first + done * step, step, now, buffer);
    write_elements(to, buffer, now, target, target_first + done, 1, narrowing);
  }
}

Result<void> run(Running& run) {
  HEED_ASSIGN(const auto out, output_like(run));
  const auto in = run.input(0);
  const auto narrowing = narrowing_of(run);
  if (in.element() == DataType::string && out.element() == DataType::string) {
    for (int64_t i = 0; i < in.count(); ++i)
      out.data<heed_text>()[i] = run.store_text(0, from_c(in.data<heed_text>()[i]));
    return {};
  }
  if (out.element() == DataType::string) return to_texts(run, in, out), Result<void>();
  if (in.element() == DataType::string) return from_texts(in, out, narrowing);

  const DataType from = part_of(in.element()), to = part_of(out.element());
  const int64_t parts = is_complex(in.element()) ? 2 : 1;
  dispatch(from, [&]<class T>(T) {
    // Packed neighbours share a byte: one thread writes them all.
    if (is_packed(to) || parts == 2)
      return convert<T>(from, in.c.data, 0, 1, to, out.c.data, 0, in.count() * parts, narrowing);
    const std::array strides{broadcast_strides(in, out.dims())};
    walk(run, out.dims(), strides, [&](int64_t first, const int64_t* firsts, const int64_t* steps, int64_t n) {
      convert<T>(from, in.c.data, firsts[0], steps[0], to, out.c.data, first, n, narrowing);
    });
  });
  return {};
}

Result<void> plan(Planning& node) {
  const auto plain = [](TypeView type) { return bits_of(type.element()) >= 8 && !is_complex(type.element()); };
  if (plain(node.input(0)) && plain(node.output(0))) node.take_strided(0);
  return {};
}

}  // namespace

extern const CpuKernel cast{.op_type = "Cast", .plan = plan, .run = run};
extern const CpuKernel cast_like{.op_type = "CastLike", .plan = plan, .run = run};

}  // namespace heed::cpu
