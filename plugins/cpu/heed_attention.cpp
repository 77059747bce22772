// heed.Attention and heed.RotaryAttention, as ops/heed_attention.cpp states them. The scalar kernel is that formula and
// serves every type and the weights as an output; the vector kernels serve f32, tile by tile (attention_tile.hpp).
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "attention_tile.hpp"
#include "convert.hpp"
#include "ranks.hpp"
#include "rotary.hpp"

namespace heed::cpu {
namespace {

enum {
  query_input,
  key_input,
  value_input,
  mask_input,
  past_key_input,
  past_value_input,
  valid_input,
  sinks_input,
  past_lengths_input,
  total_length_input,
  past_input,
  cos_input,  // of heed.RotaryAttention, with two more behind it
  positions_input = cos_input + 2
};
enum { y_output, present_key_output, present_value_output, weights_output, present_output };

struct Kept {
  float scale, softcap;
  int64_t window, right_window;  // -1: none
  int64_t output_mode;
  bool causal, top_left;
};

Result<void> prepare(Preparing& node) {
  auto* kept = node.keep<Kept>();
  if (kept == nullptr) return Error{Code::out_of_memory, "no memory for attributes"};
  // Longer than any tensor, and far from overflow.
  const auto bounded = [](int64_t window) { return std::clamp<int64_t>(window, -1, int64_t{1} << 48); };
  *kept = {.scale = node.number("scale"),
           .softcap = node.number("softcap"),
           .window = bounded(node.integer("window", -1)),
           .right_window = bounded(node.integer("right_window", -1)),
           .output_mode = node.integer("qk_output_mode"),
           .causal = node.integer("causal") != 0,
           .top_left = node.integer("top_left") != 0};
  return {};
}

// Numbers of keys, one for each batch: i32 or i64, and perhaps strided.
class Lengths {
 public:
  explicit Lengths(TensorView tensor) : tensor_(tensor) {}
  bool present() const { return tensor_.present(); }
  int64_t operator[](int64_t b) const {
    const int64_t at = b * tensor_.stride(0);
    return tensor_.element() == DataType::i64 ? tensor_.data<int64_t>()[at] : tensor_.data<int32_t>()[at];
  }

 private:
  TensorView tensor_;
};

struct Sizes {
  int64_t batch, head, kv_head, query, past, fresh, total, width, value_width;
  Lengths past_lengths;
  int64_t group() const { return head / kv_head; }
  int64_t past_of(int64_t b) const { return past_lengths.present() ? past_lengths[b] : past; }
  int64_t end_of(int64_t b) const { return past_lengths.present() ? std::min(past_lengths[b] + fresh, total) : total; }
};

Sizes sizes_of(const TensorView& query, const TensorView& key, const TensorView& value, const TensorView& past_key,
               int64_t total, Lengths past_lengths) {
  const int64_t past = past_key.present() ? past_key.dim(2) : 0;
  return {query.dim(0), query.dim(1), key.dim(1), query.dim(2), past, key.dim(2), total, query.dim(3), value.dim(3), past_lengths};
}

// Keys (0) or values (1) of what holds both, [2, batch, kv_head, key, channel].
TensorView half_of(TensorView both, int64_t which) {
  both.c.data = both.data<std::byte>() + which * both.stride(0) * static_cast<int64_t>(bits_of(both.element()) / 8);
  ++both.c.dims, ++both.c.strides, --both.c.rank;
  return both;
}

// Keys and values before this step; absent where there are none.
struct Past {
  TensorView key, value;
};
template <class Node>
Past past_of(const Node& node) {
  if (node.has_input(past_input)) return {half_of(node.input(past_input), 0), half_of(node.input(past_input), 1)};
  if (node.has_input(past_key_input)) return {node.input(past_key_input), node.input(past_value_input)};
  return {};
}

// ---- the cache
// ----------------------------------------------------------------------------------------------------------

// [batch, kv_head, *, width] of `from` to positions from at(batch) on in `to`, as far as it reaches.
template <class At>
void copy_positions(const Running& run, const TensorView& from, const TensorView& to, At&& at_of_batch) {
  const auto element_bytes = static_cast<int64_t>(bits_of(from.element()) / 8);
  const int64_t heads = from.dim(1), width = from.dim(3);
  if (from.count() == 0) return;
  const bool rows_whole = (from.stride(3) == 1 && to.stride(3) == 1) || width == 1;
  const bool heads_whole = rows_whole && ((from.stride(2) == width && to.stride(2) == width) || from.dim(2) == 1);
  run.parallel_for(from.dim(0) * heads, std::max<int64_t>(1, 65536 / (from.dim(2) * width)), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t at = at_of_batch(i / heads), count = std::min(from.dim(2), to.dim(2) - at);
      if (count <= 0) continue;
      const auto* source =
          from.data<std::byte>() + (i / heads * from.stride(0) + i % heads * from.stride(1)) * element_bytes;
      auto* target = to.data<std::byte>() +
                     (i / heads * to.stride(0) + i % heads * to.stride(1) + at * to.stride(2)) * element_bytes;
      if (heads_whole) {
        std::memcpy(target, source, static_cast<size_t>(count * width * element_bytes));
        continue;
      }
      for (int64_t row = 0; row < count; ++row) {
        const auto* source_row = source + row * from.stride(2) * element_bytes;
        auto* target_row = target + row * to.stride(2) * element_bytes;
        if (rows_whole) {
          std::memcpy(target_row, source_row, static_cast<size_t>(width * element_bytes));
          continue;
        }
        for (int64_t c = 0; c < width; ++c)
          std::memcpy(target_row + c * to.stride(3) * element_bytes, source_row + c * from.stride(3) * element_bytes,
                      static_cast<size_t>(element_bytes));
      }
    }
  });
}

void clear_positions(const TensorView& tensor, int64_t begin) {
  const auto element_bytes = static_cast<size_t>(bits_of(tensor.element()) / 8);
  for (int64_t i = 0; i < tensor.dim(0) * tensor.dim(1); ++i)
    for (int64_t row = begin; row < tensor.dim(2); ++row)
      for (int64_t c = 0; c < tensor.dim(3); ++c) {
        const int64_t at = i / tensor.dim(1) * tensor.stride(0) + i % tensor.dim(1) * tensor.stride(1) +
                           row * tensor.stride(2) + c * tensor.stride(3);
        std::memset(tensor.data<std::byte>() + at * static_cast<int64_t>(element_bytes), 0, element_bytes);
      }
}

// The past, in present, and zeros where there is room behind it. Where present is past's own memory, it stays where it lies.
Result<void> keep_past(const Running& run, const TensorView& past, const TensorView& present, const Sizes& sizes) {
  const bool in_place = past.present() && past.count() > 0 && past.c.data == present.c.data;
  if (in_place) {
    for (int32_t axis = 0; axis < 4; ++axis)
      if (past.dim(axis) > 1 && past.stride(axis) != present.stride(axis))
        return Error{Code::invalid_argument, "past and present share memory, but lie in it in different ways"};
  } else {
    if (past.present()) copy_positions(run, past, present, [](int64_t) { return int64_t{0}; });
    if (sizes.past_lengths.present()) clear_positions(present, sizes.past);
  }
  return {};
}

// present = past, then fresh.
Result<void> append(const Running& run, const TensorView& past, const TensorView& fresh, const TensorView& present,
                    const Sizes& sizes) {
  if (!present.present() || present.count() == 0) return {};
  HEED_TRY(keep_past(run, past, present, sizes));
  copy_positions(run, fresh, present, [&](int64_t b) { return sizes.past_of(b); });
  return {};
}

// Keys (or values) of one head: those of the past, then the new ones; or, once they are present, all in one.
struct Source {
  TensorView tensor;
  int64_t count = 0;  // places; of a past with room, sizes.past_of(batch) are taken
};
struct Sources {
  Source parts[2];
};
Sources sources_of(const TensorView& past, const TensorView& fresh, const TensorView& present) {
  if (present.present()) return {{{}, {present, present.dim(2)}}};
  if (past.present()) return {{{past, past.dim(2)}, {fresh, fresh.dim(2)}}};
  return {{{}, {fresh, fresh.dim(2)}}};
}

// ---- what a query may see
// -----------------------------------------------------------------------------------------------

struct Seen {
  int64_t begin, end;
};

struct Visibility {
  const Kept& kept;
  Sizes sizes;
  Lengths valid_lengths;
  TensorView mask;
  int64_t mask_strides[4] = {};  // along [batch, head, query, key]
  int64_t mask_keys = 0;         // keys behind the mask's last one are hidden

  // The keys that query i of batch b may see, the elements of the mask aside.
  Seen seen(int64_t b, int64_t i) const {
    const int64_t end = valid_lengths.present() ? valid_lengths[b] : sizes.end_of(b);
    const int64_t place = i + (kept.top_left ? sizes.past_of(b) : end - sizes.query);
    Seen seen{0, std::min(end, mask_keys)};
    if (kept.causal) seen.end = std::min(seen.end, place + 1);
    if (kept.right_window >= 0) seen.end = std::min(seen.end, place + kept.right_window + 1);
    if (kept.window >= 0) seen.begin = std::max(seen.begin, place - kept.window);
    seen.end = std::max(seen.end, seen.begin);
    return seen;
  }
  int64_t mask_offset(int64_t b, int64_t h, int64_t i) const {
    return b * mask_strides[0] + h * mask_strides[1] + i * mask_strides[2];
  }
};

Result<Visibility> visibility_of(const Running& run, const Kept& kept, const Sizes& sizes) {
  Visibility v{.kept = kept,
               .sizes = sizes,
               .valid_lengths = Lengths(run.input(valid_input)),
               .mask = run.input(mask_input),
               .mask_keys = sizes.total};
  if (v.mask.present()) {
    const int32_t rank = v.mask.rank();
    for (int32_t axis = 0; axis < rank; ++axis)
      v.mask_strides[4 - rank + axis] = v.mask.dim(axis) == 1 && axis + 1 < rank ? 0 : v.mask.stride(axis);
    if (rank > 0) v.mask_keys = std::min(v.mask.dim(-1), sizes.total);
  }
  for (int64_t b = 0; v.valid_lengths.present() && b < sizes.batch; ++b)
    if (const int64_t length = v.valid_lengths[b]; length < 0 || length > sizes.end_of(b))
      return Error{Code::invalid_argument, "valid_lengths[" + std::to_string(b) + "] is " + std::to_string(length) +
                                               "; there are " + std::to_string(sizes.end_of(b)) + " keys"};
  return v;
}

float scale_of(const Kept& kept, const Sizes& sizes) {
  return kept.scale != 0 ? kept.scale
                         : static_cast<float>(1 / std::sqrt(static_cast<double>(std::max<int64_t>(sizes.width, 1))));
}

// ---- scalar
// -------------------------------------------------------------------------------------------------------------

template <class T>
struct ScalarRow {
  const Running& run;
  const Kept& kept;
  const Sizes& sizes;
  const Visibility& visibility;
  const TensorView& query;
  const Sources& keys;
  const Sources& values;
  const TensorView& weights;
  T scale;       // of the score
  T side_scale;  // of query and of key: 16-bit types only, else 1

  // Row `j` of keys or values as numbers.
  void read_row(const Sources& sources, int64_t b, int64_t g, int64_t j, std::vector<T>& row) const {
    const int64_t past = std::min(sources.parts[0].count, sizes.past_of(b));
    const auto& t = sources.parts[j < past ? 0 : 1].tensor;
    if (j >= past) j -= past;
    read_elements(t.element(), t.c.data, b * t.stride(0) + g * t.stride(1) + j * t.stride(2), t.stride(3), t.dim(3),
                  row.data());
  }

  void compute(int64_t b, int64_t h, int64_t i) const {
    constexpr T minus_infinity = -std::numeric_limits<T>::infinity();
    const auto y = run.output(y_output);
    const int64_t g = h / sizes.group(), mode = weights.present() ? kept.output_mode : -1;
    const auto width = static_cast<size_t>(sizes.width), value_width = static_cast<size_t>(sizes.value_width);
    const auto [begin, end] = visibility.seen(b, i);
    const auto weights_row = [&](const std::vector<T>& row) {
      write_elements(weights.element(), row.data(), sizes.total, weights.c.data,
                     b * weights.stride(0) + h * weights.stride(1) + i * weights.stride(2), weights.stride(3));
    };

    std::vector<T> q(width), k(width), v(value_width), sum(value_width);
    std::vector<T> score(static_cast<size_t>(sizes.total), minus_infinity);
    read_elements(query.element(), query.c.data, b * query.stride(0) + h * query.stride(1) + i * query.stride(2),
                  query.stride(3), sizes.width, q.data());
    // The scores before the mask are asked for of hidden keys too.
    const bool all = mode == 0 || mode == 1;
    const int64_t there = sizes.end_of(b);
    if (all) std::fill(score.begin() + there, score.end(), T{0});
    for (int64_t j = all ? 0 : begin; j < (all ? there : end); ++j) {
      read_row(keys, b, g, j, k);
      T dot = 0;
      for (size_t c = 0; c < width; ++c) dot += (q[c] * side_scale) * (k[c] * side_scale);
      score[static_cast<size_t>(j)] = dot * scale;
    }
    if (mode == 0) weights_row(score);
    if (kept.softcap > 0)
      for (auto& s : score)
        if (s != minus_infinity) s = static_cast<T>(kept.softcap) * std::tanh(s / static_cast<T>(kept.softcap));
    if (mode == 1) weights_row(score);

    for (int64_t j = 0; j < sizes.total; ++j) {
      T& s = score[static_cast<size_t>(j)];
      if (j < begin || j >= end) {
        s = minus_infinity;
      } else if (visibility.mask.present()) {
        const T added =
            read_element<T>(visibility.mask, visibility.mask_offset(b, h, i) + j * visibility.mask_strides[3]);
        if (visibility.mask.element() == DataType::boolean ? added == 0 : added == minus_infinity)
          s = minus_infinity;
        else if (visibility.mask.element() != DataType::boolean)
          s += added;
      }
    }
    if (mode == 2) weights_row(score);

    const auto sinks = run.input(sinks_input);
    const T sink = sinks.present() ? static_cast<T>(sinks.data<float>()[h * sinks.stride(0)]) : minus_infinity;
    T greatest = sink, total = 0;
    for (const T s : score) greatest = std::max(greatest, s);
    // Where nothing is seen every weight is 0.
    if (greatest == minus_infinity) greatest = 0;
    for (T& s : score) total += s = std::exp(s - greatest);
    total += std::exp(sink - greatest);
    if (total != 0)
      for (T& s : score) s /= total;
    if (mode == 3) weights_row(score);

    for (int64_t j = begin; j < end; ++j) {
      if (score[static_cast<size_t>(j)] == 0) continue;
      read_row(values, b, g, j, v);
      for (size_t c = 0; c < value_width; ++c) sum[c] += score[static_cast<size_t>(j)] * v[c];
    }
    write_elements(y.element(), sum.data(), sizes.value_width, y.c.data,
                   b * y.stride(0) + h * y.stride(1) + i * y.stride(2), y.stride(3));
  }
};

// What is attended to, and by whom.
struct Ready {
  Sizes sizes;
  TensorView query;
  Sources keys, values;
  TensorView weights;
};

Result<Sizes> sizes_of(const Running& run) {
  const auto key = run.input(key_input), past_key = past_of(run).key, total_length = run.input(total_length_input);
  const int64_t past = past_key.present() ? past_key.dim(2) : 0;
  const bool keeps = run.has_output(present_key_output) || run.has_output(present_value_output) ||
                     run.has_output(weights_output) || run.has_output(present_output);
  const int64_t total = keeps && total_length.present() ? std::max(past, total_length.integers().front()) : past + key.dim(2);
  const Sizes sizes = sizes_of(run.input(query_input), key, run.input(value_input), past_key, total, Lengths(run.input(past_lengths_input)));
  for (int64_t b = 0; sizes.past_lengths.present() && b < sizes.batch; ++b)
    if (const int64_t length = sizes.past_lengths[b]; length < 0 || length > past)
      return Error{Code::invalid_argument, "past_lengths[" + std::to_string(b) + "] is " + std::to_string(length) +
                                               "; the past has room for " + std::to_string(past) + " keys"};
  return sizes;
}

// An output that is asked for; made here where its size was told by data alone.
Result<TensorView> made_output(const Running& run, int32_t output, const std::vector<int64_t>& dims) {
  if (!run.has_output(output)) return TensorView{};
  const auto there = run.output(output);
  return there.c.data != nullptr ? Result<TensorView>(there) : run.allocate(output, dims);
}

// ---- rotary embedding
// ---------------------------------------------------------------------------------------------------

// Bytes of scratch for turned queries, and for new keys where no cache takes them; others lie behind them.
size_t turned_bytes(int64_t query_count, int64_t key_count, DataType element) {
  const size_t bytes = static_cast<size_t>(query_count + key_count) * bits_of(element) / 8;
  return (bytes + 63) / 64 * 64;
}

size_t turned_bytes(const Running& run) {
  const auto query = run.input(query_input), key = run.input(key_input);
  return run.input(cos_input).present() ? turned_bytes(query.count(), key.count(), query.element()) : 0;
}

size_t turned_bytes(const Binding& node) {
  if (!node.has_input(cos_input)) return 0;
  const auto query = node.input(query_input), key = node.input(key_input);
  return turned_bytes(query.count(), key.count(), query.element());
}

Result<void> bind_scalar(Binding& node) {
  node.scratch(turned_bytes(node));
  return {};
}

Heads heads_of(const TensorView& t) { return {t, t.stride(0), t.stride(1), t.stride(2), t.stride(3)}; }

// Dense [batch, head, sequence, channel] in scratch, with the strides of it.
struct Turned {
  TensorView tensor;
  int64_t strides[4];
};

// Turns queries, and new keys to where the cache has them.
Result<void> turn_inputs(const Running& run, const Sizes& sizes, const TensorView& present_key, Turned& query, Turned& key) {
  HEED_ASSIGN(const Rotary rotary, rotary_of(run, cos_input, sizes.batch, sizes.query));
  auto* room = run.scratch<std::byte>();
  const auto in_scratch = [&](const TensorView& x, Turned& turned) {
    int64_t stride = 1;
    for (int32_t axis = 3; axis >= 0; stride *= x.dim(axis--)) turned.strides[axis] = stride;
    turned.tensor = x;
    turned.tensor.c.data = room;
    turned.tensor.c.strides = turned.strides;
    room += static_cast<size_t>(x.count()) * bits_of(x.element()) / 8;
  };
  const auto q = run.input(query_input), k = run.input(key_input);
  in_scratch(q, query);
  HEED_TRY(turn(run, rotary, {sizes.batch, sizes.head, sizes.width}, heads_of(q), heads_of(query.tensor)));
  const HeadCounts key_heads{sizes.batch, sizes.kv_head, sizes.width};
  if (!present_key.present()) {
    in_scratch(k, key);
    return turn(run, rotary, key_heads, heads_of(k), heads_of(key.tensor));
  }
  HEED_TRY(keep_past(run, past_of(run).key, present_key, sizes));
  std::vector<int64_t> begins;
  for (int64_t b = 0; b < sizes.batch; ++b) begins.push_back(sizes.past_of(b));
  return turn(run, rotary, key_heads, heads_of(k), heads_of(present_key), begins, present_key.dim(2));
}

// Appends to the cache and says where queries, keys and values then lie; what is turned lies in `turned`.
Result<Ready> make_present(const Running& run, std::array<Turned, 2>& turned) {
  auto query = run.input(query_input), key = run.input(key_input);
  const auto value = run.input(value_input);
  const auto [past_key, past_value] = past_of(run);
  HEED_ASSIGN(const Sizes sizes, sizes_of(run));
  HEED_ASSIGN(auto present_key,
              made_output(run, present_key_output, {sizes.batch, sizes.kv_head, sizes.total, sizes.width}));
  HEED_ASSIGN(auto present_value,
              made_output(run, present_value_output, {sizes.batch, sizes.kv_head, sizes.total, sizes.value_width}));
  HEED_ASSIGN(const auto present,
              made_output(run, present_output, {2, sizes.batch, sizes.kv_head, sizes.total, sizes.width}));
  if (present.present()) present_key = half_of(present, 0), present_value = half_of(present, 1);
  HEED_ASSIGN(const auto weights,
              made_output(run, weights_output, {sizes.batch, sizes.head, sizes.query, sizes.total}));
  if (run.input(cos_input).present()) {
    HEED_TRY(turn_inputs(run, sizes, present_key, turned[0], turned[1]));
    query = turned[0].tensor, key = turned[1].tensor;
  } else {
    HEED_TRY(append(run, past_key, key, present_key, sizes));
  }
  HEED_TRY(append(run, past_value, value, present_value, sizes));
  return Ready{sizes, query, sources_of(past_key, key, present_key), sources_of(past_value, value, present_value), weights};
}

Result<void> attend_scalar(const Running& run, const Ready& ready) {
  const auto& kept = *run.kept<Kept>();
  const Sizes& sizes = ready.sizes;
  const int64_t rows = sizes.batch * sizes.head * sizes.query;
  if (rows == 0) return {};
  HEED_ASSIGN(const Visibility visibility, visibility_of(run, kept, sizes));
  const DataType element = run.input(query_input).element();
  dispatch_float(element, [&]<class T>(T) {
    const T scale = kept.scale != 0 || element != DataType::f64
                        ? static_cast<T>(scale_of(kept, sizes))
                        : 1 / std::sqrt(static_cast<T>(std::max<int64_t>(sizes.width, 1)));
    const bool narrow = (element == DataType::f16 || element == DataType::bf16) && scale > 0;
    const ScalarRow<T> row{run,
                           kept,
                           sizes,
                           visibility,
                           ready.query,
                           ready.keys,
                           ready.values,
                           ready.weights,
                           narrow ? T{1} : scale,
                           narrow ? std::sqrt(scale) : T{1}};
    const int64_t cost = (sizes.total + 1) * (sizes.width + sizes.value_width + 1);
    run.parallel_for(rows, std::max<int64_t>(1, 65536 / cost), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r)
        row.compute(r / sizes.query / sizes.head, r / sizes.query % sizes.head, r % sizes.query);
    });
  });
  return {};
}

Result<void> run_scalar(Running& run) {
  std::array<Turned, 2> turned{};
  HEED_ASSIGN(const Ready ready, make_present(run, turned));
  return attend_scalar(run, ready);
}

Result<void> plan_scalar(Planning& node) {
  HEED_TRY(require_ranks(node));
  for (int32_t input = query_input; input <= past_input; ++input)
    if (input != total_length_input && node.has_input(input)) node.take_strided(input);
  for (int32_t input = cos_input; input < positions_input; ++input)
    if (node.has_input(input)) node.take_strided(input);
  for (const int32_t output : {y_output, present_key_output, present_value_output, present_output})
    if (node.has_output(output)) node.give_strided(output);
  return {};
}

// ---- vector
// -------------------------------------------------------------------------------------------------------------

// Multiplications below which a thread costs more than it brings; tuned as those of MatMul.
constexpr int64_t serial_cost = 48 * 1024;
// A long past of few rows is shared out by its keys too; that depends on the sizes alone, as the bits of the result
// must.
constexpr int64_t long_keys = 4096, keys_of_task = 1024, few_tiles = 16;

// Rows that share a head of keys: query * group of them, cut into tiles; each tile against ranges of the keys.
struct Split {
  int64_t rows, tiles_of_head, tiles, ranges;
  size_t tile_floats, found_floats;  // scratch: of one thread; of what one task found, where there are several ranges
};

Split split_of(const Sizes& sizes) {
  Split s{};
  s.rows = sizes.query * sizes.group();
  s.tiles_of_head = (s.rows + tile_queries - 1) / tile_queries;
  s.tiles = sizes.batch * sizes.kv_head * s.tiles_of_head;
  s.ranges = s.tiles <= few_tiles && sizes.total >= long_keys ? (sizes.total + keys_of_task - 1) / keys_of_task : 1;
  const auto rows = static_cast<size_t>(std::min(s.rows, tile_queries));
  s.found_floats = rows * static_cast<size_t>(padded(sizes.value_width)) + 2 * static_cast<size_t>(tile_queries);
  s.tile_floats = rows * static_cast<size_t>(padded(sizes.width) + tile_keys + tile_padding) + s.found_floats;
  return s;
}

size_t scratch_floats(const Split& s, int64_t threads) {
  return static_cast<size_t>(threads) * s.tile_floats +
         (s.ranges > 1 ? static_cast<size_t>(s.tiles * s.ranges) * s.found_floats : 0);
}

Result<void> bind_vector(Binding& node) {
  const auto query = node.input(query_input);
  const auto key = node.input(key_input), past_key = past_of(node).key;
  int64_t total = key.dim(2) + (past_key.present() ? past_key.dim(2) : 0);
  for (const int32_t present : {present_key_output, present_value_output, present_output})
    if (node.has_output(present)) total = node.output(present).dim(-2);
  const Sizes sizes = sizes_of(query, key, node.input(value_input), past_key, total, Lengths({}));
  const size_t turned = turned_bytes(node);
  node.scratch(turned);
  if (query.count() == 0 || sizes.kv_head == 0) return {};
  node.scratch(turned + scratch_floats(split_of(sizes), std::max(host->prepare_threads(node.c()), 1)) * sizeof(float));
  return {};
}

// Where a task's result lies in scratch.
struct Found {
  float *sums, *greatest, *total;
};
Found found_in(float* scratch, int64_t rows, const Sizes& sizes) {
  float* greatest = scratch + rows * padded(sizes.value_width);
  return {scratch, greatest, greatest + tile_queries};
}

class VectorAttention {
 public:
  VectorAttention(const Running& run, const Ready& ready, const Visibility& visibility, Attend attend)
      : run_(run),
        keys_(ready.keys),
        values_(ready.values),
        sizes_(ready.sizes),
        visibility_(visibility),
        attend_(attend),
        split_(split_of(ready.sizes)),
        query_(ready.query),
        y_(run.output(y_output)),
        sinks_(run.input(sinks_input)),
        scale_(scale_of(visibility.kept, ready.sizes)) {}

  void compute() {
    const int64_t threads = std::max(host->prepare_threads(run_.c()), 1);
    const int64_t tasks = split_.tiles * split_.ranges;
    const int64_t cost =
        sizes_.batch * sizes_.head * sizes_.query * (sizes_.total + 1) * (sizes_.width + sizes_.value_width + 1);
    float* const scratch = run_.scratch<float>() + turned_bytes(run_) / sizeof(float);
    float* const found = scratch + static_cast<size_t>(threads) * split_.tile_floats;
    const auto one = [&](int64_t task, int64_t thread) {
      float* tile_scratch = scratch + static_cast<size_t>(thread) * split_.tile_floats;
      attend(task / split_.ranges, task % split_.ranges, tile_scratch,
             split_.ranges > 1 ? found + static_cast<size_t>(task) * split_.found_floats : nullptr);
    };
    if (cost < serial_cost || run_.thread_count() > threads || threads == 1) {
      for (int64_t task = 0; task < tasks; ++task) one(task, 0);
    } else {
      run_.parallel_for(tasks, std::max<int64_t>(1, serial_cost / 2 / (cost / tasks + 1)),
                        [&](int64_t begin, int64_t end, int32_t thread) {
                          for (int64_t task = begin; task < end; ++task) one(task, thread);
                        });
    }
    if (split_.ranges == 1) return;
    for (int64_t tile = 0; tile < split_.tiles; ++tile)
      merge(tile, found + static_cast<size_t>(tile * split_.ranges) * split_.found_floats);
  }

 private:
  struct Place {
    int64_t batch, kv_head, first_row, row_count;
  };
  Place place_of(int64_t tile) const {
    const int64_t head = tile / split_.tiles_of_head, first = tile % split_.tiles_of_head * tile_queries;
    return {head / sizes_.kv_head, head % sizes_.kv_head, first, std::min(tile_queries, split_.rows - first)};
  }
  // Neighbouring rows are the heads of one query: they see the same keys.
  int64_t query_of(int64_t row) const { return row / sizes_.group(); }
  int64_t head_of(const Place& place, int64_t row) const {
    return place.kv_head * sizes_.group() + row % sizes_.group();
  }

  void attend(int64_t tile_index, int64_t range, float* scratch, float* found) {
    const Place place = place_of(tile_index);
    const int64_t query_stride = padded(sizes_.width), most_rows = std::min(split_.rows, tile_queries);
    AttentionTile tile;
    tile.row_count = place.row_count;
    tile.width = sizes_.width;
    tile.value_width = sizes_.value_width;
    tile.softcap = visibility_.kept.softcap;
    tile.key_begin = split_.ranges == 1 ? 0 : range * keys_of_task;
    tile.key_end = split_.ranges == 1 ? sizes_.total : std::min(sizes_.total, (range + 1) * keys_of_task);
    tile.mask_stride = visibility_.mask_strides[3];
    for (int part = 0; part < 2; ++part) {
      const Source &key = keys_.parts[part], &value = values_.parts[part];
      tile.runs[part] = {};
      if (key.count == 0) continue;
      const int64_t past = sizes_.past_of(place.batch);
      const auto at = [&](const TensorView& t) {
        return t.data<float>() + place.batch * t.stride(0) + place.kv_head * t.stride(1);
      };
      tile.runs[part] = {at(key.tensor), key.tensor.stride(2), at(value.tensor), value.tensor.stride(2),
                         part == 0 ? past : key.count};
    }
    float* const query = scratch;
    tile.query = query;
    tile.scores = query + most_rows * query_stride;
    const Found result =
        found_in(found ? found : tile.scores + most_rows * (tile_keys + tile_padding), most_rows, sizes_);
    tile.sums = result.sums, tile.greatest = result.greatest, tile.total = result.total;
    for (int64_t r = 0; r < place.row_count; ++r) {
      const int64_t row = place.first_row + r, i = query_of(row), h = head_of(place, row);
      const Seen seen = visibility_.seen(place.batch, i);
      tile.seen_begin[r] = seen.begin;
      tile.seen_end[r] = seen.end;
      tile.added[r] = nullptr;
      tile.allowed[r] = nullptr;
      if (visibility_.mask.present()) {
        const int64_t offset = visibility_.mask_offset(place.batch, h, i);
        if (visibility_.mask.element() == DataType::boolean)
          tile.allowed[r] = visibility_.mask.data<uint8_t>() + offset;
        else
          tile.added[r] = visibility_.mask.data<float>() + offset;
      }
      const float* from =
          query_.data<float>() + place.batch * query_.stride(0) + h * query_.stride(1) + i * query_.stride(2);
      float* to = query + r * query_stride;
      for (int64_t c = 0; c < sizes_.width; ++c) to[c] = from[c * query_.stride(3)] * scale_;
      std::fill(to + sizes_.width, to + query_stride, 0.0f);
    }
    attend_(tile);
    if (found == nullptr) write(place, result);
  }

  // What the ranges of one tile found becomes one, in the first's place.
  void merge(int64_t tile, float* found) {
    const Place place = place_of(tile);
    const int64_t most_rows = std::min(split_.rows, tile_queries), stride = padded(sizes_.value_width);
    const Found first = found_in(found, most_rows, sizes_);
    for (int64_t range = 1; range < split_.ranges; ++range) {
      const Found next = found_in(found + static_cast<size_t>(range) * split_.found_floats, most_rows, sizes_);
      for (int64_t r = 0; r < place.row_count; ++r) {
        const float greatest = std::max(first.greatest[r], next.greatest[r]);
        if (greatest == -std::numeric_limits<float>::infinity()) {
          // Nothing is seen, or what is seen is no number.
          first.total[r] += next.total[r];
          continue;
        }
        const float ours = std::exp(first.greatest[r] - greatest), theirs = std::exp(next.greatest[r] - greatest);
        for (int64_t c = 0; c < sizes_.value_width; ++c)
          first.sums[r * stride + c] = first.sums[r * stride + c] * ours + next.sums[r * stride + c] * theirs;
        first.total[r] = first.total[r] * ours + next.total[r] * theirs;
        first.greatest[r] = greatest;
      }
    }
    write(place, first);
  }

  void write(const Place& place, const Found& found) {
    for (int64_t r = 0; r < place.row_count; ++r) {
      const int64_t row = place.first_row + r, h = head_of(place, row);
      float total = found.total[r], factor = 1;
      if (sinks_.present()) {
        const float sink = sinks_.data<float>()[h * sinks_.stride(0)], greatest = std::max(sink, found.greatest[r]);
        if (greatest != -std::numeric_limits<float>::infinity()) {
          factor = std::exp(found.greatest[r] - greatest);
          total = total * factor + std::exp(sink - greatest);
        }
      }
      const float by = total == 0 ? 0 : factor / total;
      const float* from = found.sums + r * padded(sizes_.value_width);
      float* to = y_.data<float>() + place.batch * y_.stride(0) + h * y_.stride(1) + query_of(row) * y_.stride(2);
      for (int64_t c = 0; c < sizes_.value_width; ++c) to[c * y_.stride(3)] = from[c] * by;
    }
  }

  const Running& run_;
  const Sources& keys_;
  const Sources& values_;
  const Sizes& sizes_;
  const Visibility& visibility_;
  Attend attend_;
  Split split_;
  TensorView query_, y_, sinks_;
  float scale_;
};

// Vectors are read of channels that lie side by side, and of keys that lie in as many parts as their values.
bool fits_vectors(const Ready& ready) {
  for (const Sources* sources : {&ready.keys, &ready.values})
    for (const Source& part : sources->parts)
      if (part.count > 0 && part.tensor.stride(3) != 1 && part.tensor.dim(3) > 1) return false;
  return ready.keys.parts[0].count == ready.values.parts[0].count;
}

Result<void> run_vector(Running& run, Attend attend) {
  std::array<Turned, 2> turned{};
  HEED_ASSIGN(const Ready ready, make_present(run, turned));
  if (ready.sizes.batch * ready.sizes.head * ready.sizes.query == 0) return {};
  if (!fits_vectors(ready)) return attend_scalar(run, ready);
  HEED_ASSIGN(const Visibility visibility, visibility_of(run, *run.kept<Kept>(), ready.sizes));
  VectorAttention(run, ready, visibility, attend).compute();
  return {};
}

template <Isa isa>
Result<void> plan_vector(Planning& node) {
  HEED_TRY(require_isa(node, isa));
  for (const int32_t input : {query_input, value_input})
    if (node.input(input).element() != DataType::f32)
      return decline("elements are " + std::string(name_of(node.input(input).element())) + ", not f32");
  if (node.has_input(mask_input)) {
    const DataType mask = node.input(mask_input).element();
    if (mask != DataType::f32 && mask != DataType::boolean) return decline("the mask is " + std::string(name_of(mask)));
  }
  if (node.has_output(weights_output)) return decline("the attention weights are asked for");
  if (node.has_input(total_length_input) && !node.elements(total_length_input))
    return decline("how long the caches become only the run tells");
  if (attend_with(isa) == nullptr) return decline("it is not compiled for " + std::string(name_of(isa)));
  return plan_scalar(node);
}

template <Isa isa, int32_t score>
CpuKernel vector_kernel(std::string_view op_type) {
  return {.domain = "heed",
          .op_type = op_type,
          .name = name_of(isa),
          .score = score,
          .plan = plan_vector<isa>,
          .prepare = prepare,
          .bind = bind_vector,
          .run = [](Running& run) { return run_vector(run, attend_with(isa)); }};
}

}  // namespace

extern const CpuKernel heed_attention{.domain = "heed",
                                      .op_type = "Attention",
                                      .plan = plan_scalar,
                                      .prepare = prepare,
                                      .run = run_scalar};
extern const CpuKernel heed_attention_neon = vector_kernel<Isa::neon, 5>("Attention");
extern const CpuKernel heed_attention_avx2 = vector_kernel<Isa::avx2, 10>("Attention");
extern const CpuKernel heed_attention_avx512 = vector_kernel<Isa::avx512, 20>("Attention");
extern const CpuKernel heed_rotary_attention{.domain = "heed",
                                             .op_type = "RotaryAttention",
                                             .plan = plan_scalar,
                                             .prepare = prepare,
                                             .bind = bind_scalar,
                                             .run = run_scalar};
extern const CpuKernel heed_rotary_attention_neon = vector_kernel<Isa::neon, 5>("RotaryAttention");
extern const CpuKernel heed_rotary_attention_avx2 = vector_kernel<Isa::avx2, 10>("RotaryAttention");
extern const CpuKernel heed_rotary_attention_avx512 = vector_kernel<Isa::avx512, 20>("RotaryAttention");

}  // namespace heed::cpu
