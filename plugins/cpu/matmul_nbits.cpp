// com.microsoft.MatMulNBits: y [row, n] = sum over k of a [row, k] * (code [n, k] - zero_point) * scale, and the bias;
// heed.FusedMatMulNBits, which does more with its sums.
// The scalar kernel dequantises row after row of b; the vector kernels pack a constant b into panels once, of its own
// codes (3 bits take 4, and 5 to 7 take 8), which few rows read as they are and many rows a block of f32 at a time.
// accuracy_level 4 allows what x86 multiplies fast: a in codes of 8 bits, each block of a row from -127 to 127 by a scale of
// its own, so that each a is off by at most a 254th of the largest of its block.
#include <bit>
#include <cmath>
#include <cstring>

#include "byte_panels.hpp"
#include "convert.hpp"
#include "epilogue.hpp"
#include "gemm_panels.hpp"
#include "half.hpp"
#include "nbit_panels.hpp"
#include "product.hpp"
#include "ranks.hpp"

namespace heed::cpu {
namespace {

enum { a_input, b_input, scales_input, zero_points_input, g_idx_input };
constexpr EpilogueInputs epilogue_inputs{.bias = 5, .residual = 6};

struct Sizes {
  int64_t columns, k_count, block_size, block_count, bits;
  explicit Sizes(const NodeView& node)
      : columns(node.integer("N")),
        k_count(node.integer("K")),
        block_size(node.integer("block_size")),
        block_count(ceil_divide(k_count, block_size)),
        bits(node.integer("bits", 4)) {}
  int64_t row_bytes() const { return block_count * (block_size * bits / 8); }
  int64_t zero_point_row_bytes() const { return ceil_divide(block_count * bits, 8); }
};

// Code `index` of a list of packed ones.
uint32_t code_at(const uint8_t* data, int64_t index, int64_t bits) {
  const int64_t bit = index * bits, shift = bit % 8;
  uint32_t two = data[bit / 8];
  if (shift + bits > 8) two |= uint32_t{data[bit / 8 + 1]} << 8;
  return two >> shift & ((1u << bits) - 1);
}

// The zero point of a block of a column.
float zero_point_at(const TensorView& zero_points, const Sizes& s, int64_t column, int64_t block) {
  if (!zero_points.present()) return static_cast<float>(1 << (s.bits - 1));
  if (zero_points.element() != DataType::u8) return read_element<float>(zero_points, column * s.block_count + block);
  return static_cast<float>(code_at(zero_points.data<uint8_t>() + column * s.zero_point_row_bytes(), block, s.bits));
}

// ---- scalar
// -----------------------------------------------------------------------------------------------------------

Result<void> plan_scalar(Planning& node) { return require_ranks(node); }

Result<void> run_scalar(Running& run) {
  const auto a = run.input(a_input), y = run.output(0), g_idx = run.input(g_idx_input);
  const Sizes s(run);
  const Epilogue epilogue(run, epilogue_inputs);
  const int64_t rows = a.count() / s.k_count;
  if (rows == 0) return {};
  std::vector<float> left(static_cast<size_t>(a.count())), scales(static_cast<size_t>(s.columns * s.block_count));
  read_elements(a.element(), a.c.data, 0, 1, a.count(), left.data());
  read_elements(a.element(), run.input(scales_input).c.data, 0, 1, s.columns * s.block_count, scales.data());
  if (g_idx.present() && g_idx.count() < s.k_count)
    return Error{Code::shape_mismatch, "g_idx has " + std::to_string(g_idx.count()) + " elements; expected " +
                                           std::to_string(s.k_count)};
  if (g_idx.present())
    for (int64_t k = 0; k < s.k_count; ++k)
      if (const int64_t block = g_idx.data<int32_t>()[k]; block < 0 || block >= s.block_count)
        return Error{Code::invalid_argument, "element " + std::to_string(k) + " of g_idx is " + std::to_string(block) +
                                                 "; there are " + std::to_string(s.block_count) + " blocks"};
  run.parallel_for(s.columns, std::max<int64_t>(1, 32768 / (s.k_count * rows)), [&](int64_t begin, int64_t end) {
    std::vector<float> weights(static_cast<size_t>(s.k_count)), zeros(static_cast<size_t>(s.block_count));
    for (int64_t column = begin; column < end; ++column) {
      const auto* codes = run.input(b_input).data<uint8_t>() + column * s.row_bytes();
      for (int64_t block = 0; block < s.block_count; ++block)
        zeros[static_cast<size_t>(block)] = zero_point_at(run.input(zero_points_input), s, column, block);
      for (int64_t k = 0; k < s.k_count; ++k) {
        const int64_t block = g_idx.present() ? g_idx.data<int32_t>()[k] : k / s.block_size;
        weights[static_cast<size_t>(k)] =
            (static_cast<float>(code_at(codes, k, s.bits)) - zeros[static_cast<size_t>(block)]) *
            scales[static_cast<size_t>(column * s.block_count + block)];
      }
      for (int64_t row = 0; row < rows; ++row) {
        float sum = 0;
        for (int64_t k = 0; k < s.k_count; ++k)
          sum += left[static_cast<size_t>(row * s.k_count + k)] * weights[static_cast<size_t>(k)];
        epilogue.finish(&sum, column, row * s.columns + column, 1);
        write_elements(y.element(), &sum, 1, y.c.data, row * s.columns + column);
      }
    }
  });
  return {};
}

// ---- vector
// -----------------------------------------------------------------------------------------------------------

constexpr int64_t few_row_count = 8;
constexpr int64_t most_panels_at_once = 16;  // that many rows meet, a block of k after the other

struct Kept {
  const FusedProgram* epilogue;
  const uint32_t* words;
  const float* scales;
  const float* zero_points;
  int32_t bits;
  int64_t words_of_panel;
};

struct Kernels {
  const PanelKernels* floats;
  const NBitKernels* codes;
  RunFused epilogue;
};
Kernels kernels_of(Isa isa) { return {panel_kernels(isa), nbit_kernels(isa), fused_with(isa)}; }

bool allows_bytes(const NodeView& node) { return node.integer("accuracy_level", 0) == 4; }

template <Isa isa>
Result<void> plan_vector(Planning& node) {
  HEED_TRY(require_isa(node, isa));
  if (isa != base_of(isa) && !allows_bytes(node)) return decline("accuracy_level asks for more than bytes");
  if (nbit_kernels(base_of(isa)) == nullptr) return decline("it is not compiled for " + std::string(name_of(isa)));
  if (node.has_input(g_idx_input)) return decline("g_idx scatters the blocks");
  for (const int32_t input : {b_input, scales_input, zero_points_input})
    if (node.has_input(input) && !node.constant(input))
      return decline("input " + std::to_string(input) + " is no constant");
  return require_ranks(node);
}

Result<void> prepare(Preparing& node, const NBitKernels& kernels) {
  const Sizes s(node);
  auto* kept = node.keep<Kept>();
  const int64_t width = kernels.panel_width, panels = ceil_divide(s.columns, width);
  const int64_t padded = panels * width * s.block_count;
  const int32_t bits = s.bits == 2 ? 2 : s.bits <= 4 ? 4 : 8;
  const int64_t words_of_block = s.block_size * bits / 32;
  const auto floats = [&](int64_t count) {
    return static_cast<float*>(node.keep_bytes(static_cast<size_t>(count) * sizeof(float)));
  };
  const bool has_zero_points = node.has_input(zero_points_input) || bits != s.bits;
  auto* words =
      static_cast<uint32_t*>(node.keep_bytes(static_cast<size_t>(padded * words_of_block) * sizeof(uint32_t)));
  auto* scales = floats(padded);
  auto* zero_points = has_zero_points ? floats(padded) : nullptr;
  if (!kept || !words || !scales || (has_zero_points && !zero_points))
    return Error{Code::out_of_memory, "no memory for packed codes"};
  const TensorView b = *node.constant(b_input), scale = *node.constant(scales_input);
  const TensorView zeros = node.constant(zero_points_input).value_or(TensorView{});
  for (int64_t column = 0; column < s.columns; ++column) {
    const uint8_t* codes = b.data<uint8_t>() + column * s.row_bytes();
    const int64_t panel = column / width, lane = column % width, first_block = panel * s.block_count;
    for (int64_t block = 0; block < s.block_count; ++block) {
      const int64_t at = (first_block + block) * width + lane;
      scales[at] = read_element<float>(scale, column * s.block_count + block);
      if (zero_points) zero_points[at] = zero_point_at(zeros, s, column, block);
    }
    uint32_t* to = words + first_block * words_of_block * width + lane;
    const int64_t word_count = s.block_count * words_of_block, codes_of_word = 32 / bits;
    for (int64_t word = 0; word < word_count; ++word) {
      uint32_t& packed = to[word * width];
      if (bits == s.bits && std::endian::native == std::endian::little) {
        std::memcpy(&packed, codes + word * 4, sizeof packed);
        continue;
      }
      for (int64_t i = 0; i < codes_of_word; ++i)
        packed |= code_at(codes, word * codes_of_word + i, s.bits) << (i * bits);
    }
  }
  HEED_ASSIGN(const FusedProgram* epilogue, prepare_epilogue(node, epilogue_inputs));
  *kept = {epilogue, words, scales, zero_points, bits, s.block_count * words_of_block * width};
  for (const int32_t input : {b_input, scales_input, zero_points_input})
    if (node.has_input(input)) node.replaced(input);
  return {};
}

// In floats: a with zeros behind k, or for many rows as tiles want it, [block of k][row][tile_stride]; the sums of its
// blocks; sums of 16-bit results; and for many rows the panels of a thread.
struct Scratch {
  int64_t a, a_sums, sums, of_thread;
  Scratch(const Kernels& kernels, const Sizes& s, DataType element, int64_t rows) {
    const auto aligned = [](int64_t count) { return ceil_divide(count, 16) * 16; };
    const bool is_few = rows <= few_row_count;
    a = is_few ? aligned(rows * s.block_count * s.block_size) : rows * ceil_divide(s.k_count, k_block(s)) * tile_stride;
    a_sums = is_few ? aligned(rows * s.block_count) : 0;
    sums = is_half(element) && !is_few ? aligned(rows * s.columns) : 0;
    of_thread = is_few ? 0 : 2 * kernels.codes->panel_width * k_block(s);
  }
  static int64_t row_block(const Kernels& kernels, int64_t rows) {
    return std::min<int64_t>(rows, 192 / kernels.floats->tile_rows * kernels.floats->tile_rows);
  }
  // Whole blocks, at most what a tile takes.
  static int64_t k_block(const Sizes& s) { return std::min(s.block_count * s.block_size, tile_k); }
};

Result<void> bind(Binding& node, const Kernels& kernels) {
  const auto a = node.input(a_input);
  const Sizes s(node);
  const Scratch scratch(kernels, s, a.element(), a.count() / s.k_count);
  const int64_t threads = std::max(host->prepare_threads(node.c()), 1);
  node.scratch(static_cast<size_t>(scratch.a + scratch.a_sums + scratch.sums + threads * scratch.of_thread) *
               sizeof(float));
  return {};
}

NBitPanel panel_of(const Kept& kept, const Sizes& s, int64_t width, int64_t panel) {
  const int64_t at = panel * s.block_count * width;
  return {kept.words + panel * kept.words_of_panel,
          kept.scales + at,
          kept.zero_points ? kept.zero_points + at : nullptr,
          s.block_size,
          s.block_count,
          kept.words_of_panel};
}

// Brings sums into y. Those of f32 are finished where they lie, a long stretch at a time; narrower ones before they are
// rounded.
class Sums {
 public:
  Sums(const Running& run, const FusedProgram* program, RunFused loops, int64_t columns)
      : y_(run.output(0)), columns_(columns), epilogue_(run, epilogue_inputs, program, loops) {}
  // n sums of a row, from this column on.
  void put(float* sums, int64_t row, int64_t column, int64_t n) const {
    const int64_t first = row * columns_ + column;
    if (is_half(y_.element())) epilogue_.finish(sums, column, first, n);
    if (y_.data<float>() + first != sums) write_elements(y_.element(), sums, n, y_.c.data, first);
  }
  // All of a row is put, from this column to that.
  void complete(int64_t row, int64_t begin, int64_t end) const {
    const int64_t first = row * columns_ + begin;
    if (!is_half(y_.element())) epilogue_.finish(y_.data<float>() + first, begin, first, end - begin);
  }

 private:
  TensorView y_;
  int64_t columns_;
  Epilogue epilogue_;
};

void multiply_few(const Running& run, const Kernels& kernels, const Sizes& s, int64_t rows, const Scratch& scratch) {
  const auto a = run.input(a_input);
  const auto& kept = *run.kept<Kept>();
  const Sums y(run, kept.epilogue, kernels.epilogue, s.columns);
  const int64_t width = kernels.codes->panel_width, panels = ceil_divide(s.columns, width);
  const int64_t padded = s.block_count * s.block_size;
  float* const left = run.scratch<float>();
  float* const a_sums = left + scratch.a;
  for (int64_t row = 0; row < rows; ++row) {
    float* to = left + row * padded;
    read_elements(a.element(), a.c.data, row * s.k_count, 1, s.k_count, to);
    std::fill(to + s.k_count, to + padded, 0.0f);
    for (int64_t block = 0; block < s.block_count; ++block) {
      float sum = 0;
      for (int64_t k = 0; k < s.block_size; ++k) sum += to[block * s.block_size + k];
      a_sums[row * s.block_count + block] = sum;
    }
    const int64_t codes_of_word = 32 / kept.bits;
    float scales[16];
    for (int64_t i = 0; i < codes_of_word; ++i) scales[i] = a_scale(kept.bits, i);
    for (int64_t k = 0; k < padded; k += codes_of_word)
      for (int64_t i = 0; i < codes_of_word; ++i) to[k + i] *= scales[i];
  }
  run.parallel_for(panels, std::max<int64_t>(1, 32768 / (width * s.k_count * rows)), [&](int64_t begin, int64_t end) {
    alignas(64) float sums[4 * 64];
    for (int64_t row = 0; row < rows; row += kernels.codes->most_sums) {
      const int64_t now = std::min<int64_t>(kernels.codes->most_sums, rows - row);
      const int64_t panels_now = kernels.codes->most_sums / now;
      for (int64_t panel = begin; panel < end; panel += panels_now) {
        const int64_t count = std::min(panels_now, end - panel), column = panel * width;
        kernels.codes->few_rows(panel_of(kept, s, width, panel), kept.bits, left + row * padded, padded,
                                a_sums + row * s.block_count, s.block_count, now, count, sums);
        for (int64_t r = 0; r < now; ++r)
          y.put(sums + r * count * width, row + r, column, std::min(count * width, s.columns - column));
      }
    }
    for (int64_t row = 0; row < rows; ++row) y.complete(row, begin * width, std::min(end * width, s.columns));
  });
}

void multiply_many(const Running& run, const Kernels& kernels, const Sizes& s, int64_t rows, const Scratch& scratch) {
  const auto a = run.input(a_input), y = run.output(0);
  const auto& kept = *run.kept<Kept>();
  const int64_t width = kernels.codes->panel_width, panels = ceil_divide(s.columns, width);
  const int64_t row_block = Scratch::row_block(kernels, rows), k_block = Scratch::k_block(s);
  const Sums results(run, kept.epilogue, kernels.epilogue, s.columns);
  float* const left = run.scratch<float>();
  float* const sums = is_half(y.element()) ? left + scratch.a : y.data<float>();
  float* const of_threads = left + scratch.a + scratch.sums;
  const auto left_at = [&](int64_t row, int64_t k) { return left + (k / k_block * rows + row) * tile_stride; };
  run.parallel_for(rows, std::max<int64_t>(1, 65536 / s.k_count), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      for (int64_t k = 0; k < s.k_count; k += k_block)
        read_elements(a.element(), a.c.data, row * s.k_count + k, 1, std::min(k_block, s.k_count - k), left_at(row, k));
  });
  const int64_t threads = std::max(host->prepare_threads(run.c()), 1);
  // As many for each thread, and some to even out what else they do.
  const int64_t rounds = std::max<int64_t>(4, ceil_divide(panels, most_panels_at_once * run.thread_count()));
  const int64_t tasks = std::min(panels, rounds * run.thread_count());
  const auto multiply = [&](int64_t task, int64_t thread) {
    float* const two_panels = of_threads + thread * scratch.of_thread;
    const int64_t first = panels * task / tasks, count = panels * (task + 1) / tasks - first;
    const int64_t column = first * width, columns = std::min(count * width, s.columns - column);
    for (int64_t row = 0; row < rows; row += row_block)
      for (int64_t k = 0; k < s.k_count; k += k_block) {
        // A block may be longer than a tile: the tile's part of it is a block of its own.
        NBitPanel panel = panel_of(kept, s, width, first);
        panel.words += k * kept.bits / 32 * width;
        panel.scales += k / s.block_size * width;
        if (panel.zero_points) panel.zero_points += k / s.block_size * width;
        panel.block_size = std::min(s.block_size, k_block);
        kernels.codes->tiles(panel, kept.bits,
                             {.a = left_at(row, k),
                              .row_count = std::min(row_block, rows - row),
                              .k_count = std::min(k_block, s.k_count - k),
                              .b = nullptr,
                              .panel_stride = k_block * width,
                              .panel_begin = 0,
                              .panel_end = count,
                              .column_count = columns,
                              .y = sums + row * s.columns + column,
                              .y_row_stride = s.columns,
                              .y_column_stride = 1,
                              .accumulate = k > 0},
                             two_panels);
      }
    for (int64_t row = 0; row < rows; ++row) {
      results.put(sums + row * s.columns + column, row, column, columns);
      results.complete(row, column, column + columns);
    }
  };
  if (run.thread_count() > threads) {  // scratch was bound for fewer
    for (int64_t task = 0; task < tasks; ++task) multiply(task, 0);
    return;
  }
  run.parallel_for(tasks, 1, [&](int64_t begin, int64_t end, int32_t thread) {
    for (int64_t task = begin; task < end; ++task) multiply(task, thread);
  });
}

Result<void> run_vector(Running& run, const Kernels& kernels) {
  const auto a = run.input(a_input);
  const Sizes s(run);
  const int64_t rows = a.count() / s.k_count;
  if (rows == 0) return {};
  const Scratch scratch(kernels, s, a.element(), rows);
  (rows <= few_row_count ? multiply_few : multiply_many)(run, kernels, s, rows, scratch);
  return {};
}

// ---- bytes
// ------------------------------------------------------------------------------------------------------------

struct KeptBytes {
  const FusedProgram* epilogue;
  const uint8_t* codes;
  const float* scales;
  const float* zero_points;
  int32_t bits;
  int64_t panel_bytes;
};

Result<void> prepare_bytes(Preparing& node, const BytePanelKernels& kernels) {
  const Sizes s(node);
  auto* kept = node.keep<KeptBytes>();
  const int64_t width = kernels.panel_width, panels = ceil_divide(s.columns, width);
  const int32_t bits = s.bits <= 4 ? 4 : 8;
  const int64_t k_count = s.block_count * s.block_size, panel_bytes = width * k_count * bits / 8;
  const int64_t padded = panels * width * s.block_count;
  const auto floats = [&](int64_t count) {
    return static_cast<float*>(node.keep_bytes(static_cast<size_t>(count) * sizeof(float)));
  };
  auto* codes = static_cast<uint8_t*>(node.keep_bytes(static_cast<size_t>(panels * panel_bytes)));
  auto *scales = floats(padded), *zero_points = floats(padded);
  if (!kept || !codes || !scales || !zero_points)
    return Error{Code::out_of_memory, "no memory for packed codes"};
  const TensorView b = *node.constant(b_input), scale = *node.constant(scales_input);
  const TensorView zeros = node.constant(zero_points_input).value_or(TensorView{});
  for (int64_t column = 0; column < s.columns; ++column) {
    const uint8_t* from = b.data<uint8_t>() + column * s.row_bytes();
    const int64_t panel = column / width, lane = column % width;
    for (int64_t block = 0; block < s.block_count; ++block) {
      const int64_t at = (panel * s.block_count + block) * width + lane;
      scales[at] = read_element<float>(scale, column * s.block_count + block);
      zero_points[at] = zero_point_at(zeros, s, column, block);
    }
    uint8_t* to = codes + panel * panel_bytes;
    for (int64_t k = 0; k < k_count; ++k) {
      const uint32_t code = code_at(from, k, s.bits);
      if (bits == 8)
        to[(k / 4 * width + lane) * 4 + k % 4] = static_cast<uint8_t>(code);
      else
        to[(k / 8 * width + lane) * 4 + k % 4] |= static_cast<uint8_t>(code << (k % 8 < 4 ? 0 : 4));
    }
  }
  HEED_ASSIGN(const FusedProgram* epilogue, prepare_epilogue(node, epilogue_inputs));
  *kept = {epilogue, codes, scales, zero_points, bits, panel_bytes};
  for (const int32_t input : {b_input, scales_input, zero_points_input})
    if (node.has_input(input)) node.replaced(input);
  return {};
}

// Rows of a in codes; then of each block of them the scale and the sum.
struct BytesScratch {
  int64_t stride, scales, sums, size;
  BytesScratch(const Sizes& s, int64_t rows) : stride(packed_row_bytes(s.block_count * s.block_size)) {
    const auto numbers = ceil_divide(rows * s.block_count, 16) * 16 * static_cast<int64_t>(sizeof(float));
    scales = rows * stride;
    sums = scales + numbers;
    size = sums + numbers;
  }
};

Result<void> bind_bytes(Binding& node) {
  const Sizes s(node);
  node.scratch(static_cast<size_t>(BytesScratch(s, node.input(a_input).count() / s.k_count).size));
  return {};
}

// A block of a row as codes, raised by 128; gives their scale, and the sum of what they were before.
struct QuantizedBlock {
  float scale, sum;
};
QuantizedBlock quantize_block(const float* a, int64_t count, uint8_t* codes) {
  constexpr int64_t lanes = 16;
  float largest[lanes] = {};
  for (int64_t i = 0; i < count; i += lanes)
    for (int64_t lane = 0; lane < lanes; ++lane) {
      const float size = std::fabs(a[i + lane]);
      largest[lane] = size > largest[lane] ? size : largest[lane];
    }
  const float most = *std::max_element(largest, largest + lanes), by = most > 0 ? 127 / most : 0;
  int32_t sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    constexpr float shift = 12582912;  // 1.5 * 2^23: what is added and taken away leaves the nearest integer
    const auto code = static_cast<int32_t>(a[i] * by + shift - shift);
    codes[i] = static_cast<uint8_t>(code + 128);
    sum += code;
  }
  return {most / 127, static_cast<float>(sum)};
}

Result<void> run_bytes(Running& run, const BytePanelKernels& kernels, RunFused loops) {
  const auto a = run.input(a_input);
  const Sizes s(run);
  const int64_t rows = a.count() / s.k_count, padded = s.block_count * s.block_size;
  if (rows == 0) return {};
  const auto& kept = *run.kept<KeptBytes>();
  const Sums y(run, kept.epilogue, loops, s.columns);
  const BytesScratch scratch(s, rows);
  auto* const codes = run.scratch<uint8_t>();
  auto* const scales = reinterpret_cast<float*>(codes + scratch.scales);
  auto* const sums = reinterpret_cast<float*>(codes + scratch.sums);
  run.parallel_for(rows, std::max<int64_t>(1, 16384 / s.k_count), [&](int64_t begin, int64_t end) {
    std::vector<float> row_of_a(static_cast<size_t>(padded));
    for (int64_t row = begin; row < end; ++row) {
      read_elements(a.element(), a.c.data, row * s.k_count, 1, s.k_count, row_of_a.data());
      for (int64_t block = 0; block < s.block_count; ++block) {
        const int64_t at = row * s.block_count + block;
        const int64_t k = block * s.block_size;
        const auto [scale, sum] = quantize_block(row_of_a.data() + k, s.block_size, codes + row * scratch.stride + k);
        scales[at] = scale;
        sums[at] = sum;
      }
      pack_row(kernels, true, 128, padded, kept.bits == 8 ? 255 : 15, codes + row * scratch.stride);
    }
  });
  const int64_t width = kernels.panel_width, panels = ceil_divide(s.columns, width);
  constexpr int64_t row_block = 64;  // that meet panel after panel
  run.parallel_for(panels, std::max<int64_t>(1, 65536 / (width * s.k_count * rows)), [&](int64_t begin, int64_t end) {
    alignas(64) float products[8 * 32];
    for (int64_t first = 0; first < rows; first += row_block) {
      const int64_t last = std::min(rows, first + row_block);
      for (int64_t panel = begin; panel < end; ++panel) {
        const int64_t at = panel * s.block_count * width, column = panel * width, n = std::min(width, s.columns - column);
        const ByteCodePanel of_b{kept.codes + panel * kept.panel_bytes, kept.scales + at, kept.zero_points + at, s.block_size,
                                 s.block_count};
        for (int64_t row = first; row < last; row += kernels.most_rows) {
          const int64_t now = std::min<int64_t>(kernels.most_rows, last - row), block = row * s.block_count;
          const QuantizedRows left{codes + row * scratch.stride, scratch.stride, scales + block, sums + block,
                                   s.block_count};
          kernels.multiply_codes(of_b, kept.bits, left, now, products);
          for (int64_t r = 0; r < now; ++r) y.put(products + r * width, row + r, column, n);
        }
      }
      for (int64_t row = first; row < last; ++row) y.complete(row, begin * width, std::min(end * width, s.columns));
    }
  });
  return {};
}

// ----

template <Isa isa>
const BytePanelKernels* bytes_for(const NodeView& node) {
  return allows_bytes(node) ? byte_panel_kernels(isa) : nullptr;
}

CpuKernel scalar_kernel(std::string_view domain, std::string_view op_type) {
  return {.domain = domain, .op_type = op_type, .plan = plan_scalar, .run = run_scalar};
}

template <Isa isa, int32_t score>
CpuKernel vector_kernel(std::string_view domain, std::string_view op_type) {
  return {.domain = domain,
          .op_type = op_type,
          .name = name_of(isa),
          .score = score,
          .plan = plan_vector<isa>,
          .prepare =
              [](Preparing& node) {
                const auto* bytes = bytes_for<isa>(node);
                return bytes ? prepare_bytes(node, *bytes) : prepare(node, *nbit_kernels(isa));
              },
          .bind = [](Binding& node) { return bytes_for<isa>(node) ? bind_bytes(node) : bind(node, kernels_of(isa)); },
          .run =
              [](Running& run) {
                const auto* bytes = bytes_for<isa>(run);
                return bytes ? run_bytes(run, *bytes, fused_with(base_of(isa))) : run_vector(run, kernels_of(isa));
              }};
}

}  // namespace

#define HEED_NBITS_KERNELS(name, ...)                                                         \
  extern const CpuKernel name = scalar_kernel(__VA_ARGS__);                                   \
  extern const CpuKernel name##_neon = vector_kernel<Isa::neon, 5>(__VA_ARGS__);              \
  extern const CpuKernel name##_avx2 = vector_kernel<Isa::avx2, 10>(__VA_ARGS__);             \
  extern const CpuKernel name##_avx_vnni = vector_kernel<Isa::avx_vnni, 15>(__VA_ARGS__);     \
  extern const CpuKernel name##_avx512 = vector_kernel<Isa::avx512, 20>(__VA_ARGS__);         \
  extern const CpuKernel name##_avx512_vnni = vector_kernel<Isa::avx512_vnni, 30>(__VA_ARGS__)
HEED_NBITS_KERNELS(matmul_nbits, "com.microsoft", "MatMulNBits");
HEED_NBITS_KERNELS(fused_matmul_nbits, "heed", "FusedMatMulNBits");

}  // namespace heed::cpu
