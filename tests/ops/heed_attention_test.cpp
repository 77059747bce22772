// heed.Attention: who sees whom, by hand; every type; the weights. Caches in place, strides and threads:
// heed_attention_memory_test.cpp.
#include <catch2/catch.hpp>
#include <cmath>
#include <map>

#include "cases.hpp"
#include "kernel_run.hpp"

namespace heed::test {
namespace {

// With queries of zeros all keys weigh the same: y is the mean of the numbers of those that are seen, value j being j.
Case seen(std::string what, int64_t keys, std::vector<std::vector<int64_t>> visible, std::string attributes,
          Tensors more = {}) {
  const auto queries = static_cast<int64_t>(visible.size());
  std::vector<double> positions, means;
  for (int64_t j = 0; j < keys; ++j) positions.push_back(static_cast<double>(j));
  for (const auto& row : visible) {
    double sum = 0;
    for (const int64_t j : row) sum += static_cast<double>(j);
    means.push_back(row.empty() ? 0 : sum / static_cast<double>(row.size()));
  }
  Tensors inputs{f32({1, 1, queries, 2}, std::vector<double>(static_cast<size_t>(queries) * 2)),
                 random({1, 1, keys, 2}), f32({1, 1, keys, 1}, positions)};
  inputs.insert(inputs.end(), more.begin(), more.end());
  return {std::move(what), std::move(inputs), {f32({1, 1, queries, 1}, means)}, 1e-6, std::move(attributes)};
}

// The formula in f64 for one head and no mask, with its weights (mode 3), the scale being 1 / sqrt(width).
Tensors plain(const Tensors& in) {
  const auto q = values_of(in[0]), k = values_of(in[1]), v = values_of(in[2]);
  const int64_t heads = in[0].dims[0] * in[0].dims[1], queries = in[0].dims[2], width = in[0].dims[3],
                keys = in[1].dims[2];
  const int64_t value_width = in[2].dims[3];
  const auto at = [](const std::vector<double>& list, int64_t index) { return list[static_cast<size_t>(index)]; };
  std::vector<double> y, weights;
  for (int64_t h = 0; h < heads; ++h)
    for (int64_t i = 0; i < queries; ++i) {
      std::vector<double> score;
      double greatest = -infinity, sum = 0;
      for (int64_t j = 0; j < keys; ++j) {
        double dot = 0;
        for (int64_t c = 0; c < width; ++c)
          dot += at(q, (h * queries + i) * width + c) * at(k, (h * keys + j) * width + c);
        score.push_back(dot / std::sqrt(static_cast<double>(width)));
        greatest = std::max(greatest, score.back());
      }
      for (double& s : score) sum += s = std::exp(s - greatest);
      for (const double s : score) weights.push_back(s / sum);
      for (int64_t c = 0; c < value_width; ++c) {
        double all = 0;
        for (int64_t j = 0; j < keys; ++j) all += at(score, j) / sum * at(v, (h * keys + j) * value_width + c);
        y.push_back(all);
      }
    }
  return {numbers(in[0].type, {in[0].dims[0], in[0].dims[1], queries, value_width}, y), absent(), absent(),
          numbers(in[0].type, {in[0].dims[0], in[0].dims[1], queries, keys}, weights)};
}
Tensors without_weights(const Tensors& in) { return {plain(in)[0]}; }

Case typed(const char* what, DataType type, double tolerance) {
  return by(without_weights, what,
            {random({2, 2, 3, 9}, -1, 1, type), random({2, 2, 5, 9}, -1, 1, type), random({2, 2, 5, 7}, -1, 1, type)},
            tolerance);
}

const Tensor none = absent();

const std::vector<Case> cases = {
    seen("all", 3, {{0, 1, 2}, {0, 1, 2}}, ""),
    seen("causal, square", 3, {{0}, {0, 1}, {0, 1, 2}}, "causal = 1"),
    seen("causal, bottom right", 4, {{0, 1, 2}, {0, 1, 2, 3}}, "causal = 1"),
    seen("causal, top left", 4, {{0}, {0, 1}}, "causal = 1, top_left = 1"),
    seen("causal, rows that see nothing are zeros", 2, {{}, {}, {0}, {0, 1}}, "causal = 1"),
    seen("a window of one to the left", 4, {{0}, {0, 1}, {1, 2}, {2, 3}}, "causal = 1, window = 1"),
    seen("a window to both sides", 4, {{0, 1}, {0, 1, 2}, {1, 2, 3}, {2, 3}}, "window = 1, right_window = 1"),
    seen("a boolean mask", 3, {{0, 2}, {}}, "", {boolean({2, 3}, {1, 0, 1, 0, 0, 0})}),
    seen("an added mask", 3, {{0, 2}, {}}, "", {f32({1, 1, 2, 3}, {0, -infinity, 0, -infinity, -infinity, -infinity})}),
    seen("a mask shorter than the keys", 4, {{1}}, "", {boolean({2}, {0, 1})}),
    seen("the lowest finite number does not hide", 3, {{0, 1, 2}}, "",
         {f32({1, 3}, {std::numeric_limits<float>::lowest(), std::numeric_limits<float>::lowest(),
                       std::numeric_limits<float>::lowest()})}),
    seen("valid lengths", 4, {{0, 1, 2}, {0, 1, 2}}, "", {none, none, none, i64({1}, {3})}),
    seen("valid lengths, causal: bottom right of what is valid", 4, {{0, 1}, {0, 1, 2}}, "causal = 1",
         {none, none, none, i64({1}, {3})}),
    {"a sink as heavy as the only key takes half",
     {f32({1, 1, 1, 1}, {0}), f32({1, 1, 1, 1}, {5}), f32({1, 1, 1, 2}, {4, 8}), none, none, none, none, f32({1}, {0})},
     {f32({1, 1, 1, 2}, {2, 4})},
     1e-6},
    {"softcap: 2 tanh(4 / 2) against 0",
     {f32({1, 1, 1, 1}, {4}), f32({1, 1, 2, 1}, {1, 0}), f32({1, 1, 2, 1}, {1, 0})},
     {f32({1, 1, 1, 1}, {1 / (1 + std::exp(-2 * std::tanh(2.0)))})},
     1e-6,
     "softcap = 2.0"},
    {"grouped heads repeat: 0, 0, 1, 1",
     {f32({1, 4, 1, 1}, {0, 0, 0, 0}), f32({1, 2, 1, 1}, {1, 1}), f32({1, 2, 1, 1}, {10, 20})},
     {f32({1, 4, 1, 1}, {10, 10, 20, 20})},
     1e-6},
    {"a past comes first, and comes out with the new keys behind it",
     {f32({1, 1, 1, 1}, {0}), f32({1, 1, 1, 1}, {3}), f32({1, 1, 1, 1}, {30}), none, f32({1, 1, 2, 1}, {1, 2}),
      f32({1, 1, 2, 1}, {10, 20})},
     {f32({1, 1, 1, 1}, {20}), f32({1, 1, 3, 1}, {1, 2, 3}), f32({1, 1, 3, 1}, {10, 20, 30})},
     1e-6,
     "causal = 1"},
    {"a past of nothing",
     {f32({1, 1, 1, 1}, {0}), f32({1, 1, 1, 1}, {3}), f32({1, 1, 1, 1}, {30}), none, f32({1, 1, 0, 1}, {}),
      f32({1, 1, 0, 1}, {})},
     {f32({1, 1, 1, 1}, {30}), f32({1, 1, 1, 1}, {3}), f32({1, 1, 1, 1}, {30})},
     1e-6},
    {"a past with room for one more: two keys are there, and the new one comes right behind them",
     {f32({1, 1, 1, 1}, {0}), f32({1, 1, 1, 1}, {3}), f32({1, 1, 1, 1}, {30}), none, f32({1, 1, 3, 1}, {1, 2, 9}),
      f32({1, 1, 3, 1}, {10, 20, 90}), none, none, i64({1}, {2}), i64({1}, {3})},
     {f32({1, 1, 1, 1}, {20}), f32({1, 1, 3, 1}, {1, 2, 3}), f32({1, 1, 3, 1}, {10, 20, 30})},
     1e-6,
     "causal = 1"},
    {"rooms of different lengths grow: what is behind the new keys stays, or is zero",
     {f32({2, 1, 1, 1}, {0, 0}), f32({2, 1, 1, 1}, {3, 4}), f32({2, 1, 1, 1}, {30, 40}), none,
      f32({2, 1, 2, 1}, {1, 2, 5, 6}), f32({2, 1, 2, 1}, {10, 20, 50, 60}), none, none, i32({2}, {2, 0}), i32({}, {4})},
     {f32({2, 1, 1, 1}, {20, 40}), f32({2, 1, 4, 1}, {1, 2, 3, 0, 4, 6, 0, 0}),
      f32({2, 1, 4, 1}, {10, 20, 30, 0, 40, 60, 0, 0})},
     1e-6},
    {"a room without a total length grows by the new keys",
     {f32({1, 1, 1, 1}, {0}), f32({1, 1, 1, 1}, {3}), f32({1, 1, 1, 1}, {30}), none, f32({1, 1, 1, 1}, {9}),
      f32({1, 1, 1, 1}, {90}), none, none, i64({1}, {0})},
     {f32({1, 1, 1, 1}, {30}), f32({1, 1, 2, 1}, {3, 0}), f32({1, 1, 2, 1}, {30, 0})},
     1e-6},
    {"a past of keys and values in one comes out with both the new ones behind it",
     {f32({1, 1, 1, 1}, {0}), f32({1, 1, 1, 1}, {3}), f32({1, 1, 1, 1}, {30}), none, none, none, none, none, none, none,
      f32({2, 1, 1, 2, 1}, {1, 2, 10, 20})},
     {f32({1, 1, 1, 1}, {20}), none, none, none, f32({2, 1, 1, 3, 1}, {1, 2, 3, 10, 20, 30})},
     1e-6,
     "causal = 1"},
    {"keys and values in one, with room of different lengths that grows",
     {f32({2, 1, 1, 1}, {0, 0}), f32({2, 1, 1, 1}, {3, 4}), f32({2, 1, 1, 1}, {30, 40}), none, none, none, none, none,
      i32({2}, {2, 0}), i32({}, {4}), f32({2, 2, 1, 2, 1}, {1, 2, 5, 6, 10, 20, 50, 60})},
     {f32({2, 1, 1, 1}, {20, 40}), none, none, none,
      f32({2, 2, 1, 4, 1}, {1, 2, 3, 0, 4, 6, 0, 0, 10, 20, 30, 0, 40, 60, 0, 0})},
     1e-6},
    {"no past, and keys and values come out in one",
     {f32({1, 1, 1, 1}, {0}), f32({1, 1, 2, 1}, {3, 4}), f32({1, 1, 2, 1}, {30, 40})},
     {f32({1, 1, 1, 1}, {35}), none, none, none, f32({2, 1, 1, 2, 1}, {3, 4, 30, 40})},
     1e-6},
    {"a padded prompt into rooms, causal: queries stand behind their pasts, and padding sees what is valid",
     {f32({2, 1, 2, 1}, {0, 0, 0, 0}), f32({2, 1, 2, 1}, {1, 2, 3, 4}), f32({2, 1, 2, 1}, {10, 20, 30, 40}), none,
      f32({2, 1, 3, 1}, {7, 7, 7, 7, 7, 7}), f32({2, 1, 3, 1}, {70, 71, 72, 70, 71, 72}), i32({2}, {1, 3}), none,
      i32({2}, {0, 1})},
     {f32({2, 1, 2, 1}, {10, 10, 50, 140 / 3.0})},
     1e-6,
     "causal = 1, top_left = 1"},
    {"weights where a past has room: places without a key weigh nothing",
     {f32({1, 1, 1, 1}, {1}), f32({1, 1, 1, 1}, {0}), f32({1, 1, 1, 1}, {30}), none, f32({1, 1, 2, 1}, {0, 9}),
      f32({1, 1, 2, 1}, {10, 90}), none, none, i64({1}, {1}), i64({1}, {4})},
     {f32({1, 1, 1, 1}, {20}), none, none, f32({1, 1, 1, 4}, {0.5, 0.5, 0, 0})},
     1e-6,
     "qk_output_mode = 3"},
    {"the scores before the softmax, hidden ones too (mode 0)",
     {f32({1, 1, 2, 1}, {1, 2}), f32({1, 1, 2, 1}, {3, 4}), f32({1, 1, 2, 1}, {1, 1})},
     {f32({1, 1, 2, 1}, {1, 1}), none, none, f32({1, 1, 2, 2}, {3, 4, 6, 8})},
     1e-6,
     "causal = 1, qk_output_mode = 0"},
    {"the scores with the mask (mode 2)",
     {f32({1, 1, 2, 1}, {1, 2}), f32({1, 1, 2, 1}, {3, 4}), f32({1, 1, 2, 1}, {1, 1})},
     {f32({1, 1, 2, 1}, {1, 1}), none, none, f32({1, 1, 2, 2}, {3, -infinity, 6, 8})},
     1e-6,
     "causal = 1, qk_output_mode = 2"},
    by(plain, "the weights (mode 3)", {random({2, 3, 4, 8}), random({2, 3, 11, 8}), random({2, 3, 11, 6})}, 2e-6,
       "qk_output_mode = 3"),
    typed("f32", DataType::f32, 2e-6),
    typed("f64", DataType::f64, 1e-12),
    typed("f16", DataType::f16, 2e-3),
    typed("bf16", DataType::bf16, 1e-2),
    by(without_weights, "a decoded token", {random({1, 6, 1, 32}), random({1, 6, 201, 32}), random({1, 6, 201, 32})},
       2e-6),
    by(without_weights, "a prompt", {random({1, 3, 67, 24}), random({1, 3, 67, 24}), random({1, 3, 67, 24})}, 2e-6),
    by(without_weights, "a prompt, f16",
       {random({1, 3, 37, 24}, -1, 1, DataType::f16), random({1, 3, 37, 24}, -1, 1, DataType::f16),
        random({1, 3, 37, 24}, -1, 1, DataType::f16)},
       2e-3),
};

// ---- Vulkan against the CPU ------------------------------------------------------------------------------------------------

enum class Mask { none, boolean, added };

// One row: sizes that tell which way the GPU goes, and what else attention is told.
struct GpuRow {
  std::string what;
  int64_t batch = 1, head = 2, kv_head = 2, query = 1, past = -1, fresh = 1, width = 8, value_width = 8;
  std::string attributes = "";
  Mask mask = Mask::none;
  std::vector<int64_t> mask_dims = {};
  std::vector<double> valid = {};
  bool sinks = false;
  std::vector<double> lengths = {};  // of the past
  int64_t total = 0;                 // told by total_length
  bool presents = false, weights = false;
  bool sequence_first = false;  // query, key, value and y lie as [batch, sequence, head, width]
  DataType mask_type = DataType::undefined;  // of an added mask; undefined: the queries'
};

std::string text_of(DataType type, const std::vector<int64_t>& dims) {
  const char* element = type == DataType::f16    ? "float16"
                        : type == DataType::bf16 ? "bfloat16"
                        : type == DataType::f64  ? "double"
                        : type == DataType::i64  ? "int64"
                        : type == DataType::i32  ? "int32"
                        : type == DataType::f32  ? "float"
                                                 : "bool";
  std::string text = element;
  for (size_t axis = 0; axis < dims.size(); ++axis) text += (axis ? ", " : "[") + std::to_string(dims[axis]);
  return text + "]";
}

// A third of the keys hidden, and all of the first row where there are several.
Tensor mask_of(const GpuRow& row, DataType type) {
  auto values = values_of(random(row.mask_dims));
  const auto keys = static_cast<size_t>(row.mask_dims.back());
  for (size_t i = 0; i < values.size(); ++i) {
    const bool hidden = i % 3 == 1 || (values.size() > keys && i < keys);
    if (row.mask == Mask::boolean)
      values[i] = hidden ? 0 : 1;
    else if (hidden)
      values[i] = -infinity;
  }
  return numbers(row.mask == Mask::boolean ? DataType::boolean : type, row.mask_dims, values);
}

// On the device that is here, or on a lesser one.
void check_gpu_row(const GpuRow& row, DataType type, double tolerance,
                   std::vector<std::pair<std::string, std::string>> lessening = {}) {
  const auto swapped = [&](std::vector<int64_t> dims) {
    if (row.sequence_first) std::swap(dims[1], dims[2]);
    return dims;
  };
  Tensors inputs;
  std::string declared, arguments, before;
  const auto add = [&](const std::string& name, std::optional<Tensor> tensor, bool turned = false) {
    arguments += (arguments.empty() ? "" : ", ") + (tensor ? (turned ? "t_" : "") + name : "\"\"");
    if (!tensor) return;
    declared += (declared.empty() ? "" : ", ") + text_of(tensor->type, tensor->dims) + " " + name;
    if (turned) before += "    t_" + name + " = Transpose<perm = [0, 2, 1, 3]>(" + name + ")\n";
    inputs.push_back(*std::move(tensor));
  };
  const auto some = [&](std::vector<int64_t> dims) { return random(std::move(dims), -1, 1, type); };
  add("query", some(swapped({row.batch, row.head, row.query, row.width})), row.sequence_first);
  add("key", some(swapped({row.batch, row.kv_head, row.fresh, row.width})), row.sequence_first);
  add("value", some(swapped({row.batch, row.kv_head, row.fresh, row.value_width})), row.sequence_first);
  add("mask", row.mask == Mask::none ? std::nullopt
                                     : std::optional(mask_of(row, row.mask_type == DataType::undefined ? type : row.mask_type)));
  add("past_key", row.past < 0 ? std::nullopt : std::optional(some({row.batch, row.kv_head, row.past, row.width})));
  add("past_value",
      row.past < 0 ? std::nullopt : std::optional(some({row.batch, row.kv_head, row.past, row.value_width})));
  const DataType length_type = row.lengths.empty() ? DataType::i64 : DataType::i32;
  add("valid", row.valid.empty() ? std::nullopt : std::optional(numbers(length_type, {row.batch}, row.valid)));
  add("sinks", row.sinks ? std::optional(random({row.head})) : std::nullopt);
  add("lengths", row.lengths.empty() ? std::nullopt : std::optional(numbers(length_type, {row.batch}, row.lengths)));
  if (row.total > 0) {
    before += "    total = Constant<value_int = " + std::to_string(row.total) + ">()\n";
    arguments += ", total";
  }

  const int64_t keys = row.total > 0 ? std::max(row.past, row.total) : std::max<int64_t>(row.past, 0) + row.fresh;
  const std::string results = row.weights ? "a, present_key, present_value, weights" : row.presents ? "a, present_key, present_value" : "a";
  std::string outputs = text_of(type, swapped({row.batch, row.head, row.query, row.value_width})) + " y";
  if (row.presents || row.weights)
    outputs += ", " + text_of(type, {row.batch, row.kv_head, keys, row.width}) + " present_key, " +
               text_of(type, {row.batch, row.kv_head, keys, row.value_width}) + " present_value";
  if (row.weights) outputs += ", " + text_of(type, {row.batch, row.head, row.query, keys}) + " weights";
  INFO(row.what);
  check_on_vulkan("attend (" + declared + ") => (" + outputs + ") {\n" + before + "    " + results + " = heed.Attention" +
                      (row.attributes.empty() ? "" : "<" + row.attributes + ">") + "(" + arguments + ")\n    y = " +
                      (row.sequence_first ? "Transpose<perm = [0, 2, 1, 3]>(a)" : "Identity(a)") + "\n  }",
                  inputs, tolerance, std::move(lessening));
}

// Few rows, and those long enough that their keys are split; tiles of rows, one and several, split too.
const std::vector<GpuRow> gpu_rows = {
    {.what = "a token after 76", .past = 76},
    {.what = "a token, no past", .past = 0},
    {.what = "a token, a past of one, cache", .past = 1, .presents = true},
    {.what = "8 heads of a group, cache", .head = 8, .kv_head = 1, .past = 61, .presents = true},
    {.what = "7 heads of a group, widths 80 and 37", .batch = 2, .head = 14, .past = 131, .width = 80, .value_width = 37},
    {.what = "5 queries of 3 heads of a group", .head = 6, .query = 5, .past = 37, .fresh = 5, .width = 19, .value_width = 8,
     .attributes = "causal = 1"},
    {.what = "width 128, 4 heads of a group", .head = 8, .past = 67, .width = 128, .value_width = 128, .presents = true},
    {.what = "width 256", .head = 4, .past = 41, .width = 256, .value_width = 256},
    {.what = "latent: 576 and 512", .head = 2, .kv_head = 1, .past = 19, .width = 576, .value_width = 512},
    {.what = "a long past, split", .batch = 2, .head = 4, .past = 1030, .width = 16, .value_width = 24, .presents = true},
    {.what = "a long past, split, window, sinks, mask", .past = 2111, .attributes = "causal = 1, window = 1100",
     .mask = Mask::boolean, .mask_dims = {2112}, .sinks = true},
    {.what = "a long past of which one split sees nothing", .past = 1200, .mask = Mask::added, .mask_dims = {1, 700}},
    {.what = "a token into rooms", .batch = 3, .head = 6, .past = 83, .width = 24, .value_width = 17, .valid = {1, 41, 83},
     .lengths = {0, 40, 82}, .total = 83, .presents = true},
    {.what = "a token into a long room, split, window", .batch = 2, .past = 1400, .attributes = "causal = 1, window = 700",
     .lengths = {1399, 3}, .total = 1400},
    {.what = "a padded prompt into rooms", .batch = 2, .head = 4, .query = 35, .past = 67, .fresh = 35,
     .attributes = "causal = 1, top_left = 1", .valid = {35, 40}, .lengths = {0, 19}, .total = 67, .presents = true},
    {.what = "prompts behind pasts that grow, weights", .batch = 2, .query = 19, .past = 21, .fresh = 19,
     .attributes = "causal = 1, qk_output_mode = 0", .lengths = {21, 3}, .weights = true},
    {.what = "a prompt", .query = 67, .fresh = 67, .width = 64, .value_width = 64, .attributes = "causal = 1"},
    {.what = "a prompt, cache", .batch = 2, .head = 6, .query = 37, .past = 0, .fresh = 37, .width = 24, .value_width = 33,
     .attributes = "causal = 1", .presents = true},
    {.what = "a prompt behind a past, cache, sequence first", .head = 6, .query = 19, .past = 29, .fresh = 19, .width = 16,
     .value_width = 16, .attributes = "causal = 1", .presents = true, .sequence_first = true},
    {.what = "a prompt, window", .query = 131, .fresh = 131, .attributes = "causal = 1, window = 9"},
    {.what = "a window to both sides", .query = 71, .fresh = 71, .attributes = "window = 9, right_window = 21"},
    {.what = "top left", .query = 23, .past = 7, .fresh = 31, .attributes = "causal = 1, top_left = 1"},
    {.what = "more queries than keys: rows that see nothing", .query = 41, .fresh = 5, .attributes = "causal = 1"},
    {.what = "softcap and scale", .query = 19, .fresh = 23, .attributes = "softcap = 0.5, scale = 3.0"},
    {.what = "tiles of width 128", .query = 33, .fresh = 65, .width = 128, .value_width = 128, .attributes = "causal = 1"},
    {.what = "tiles of width 256", .head = 1, .kv_head = 1, .query = 18, .fresh = 33, .width = 256, .value_width = 200},
    {.what = "tiles of latent width", .head = 20, .kv_head = 1, .past = 35, .width = 576, .value_width = 512},
    {.what = "tiles, split", .head = 32, .kv_head = 1, .past = 700, .width = 16, .value_width = 16, .sinks = true},
    {.what = "a mask for each score", .batch = 2, .query = 19, .past = 3, .fresh = 37, .mask = Mask::added,
     .mask_dims = {2, 2, 19, 40}},
    {.what = "a mask for each batch", .batch = 3, .query = 21, .fresh = 35, .mask = Mask::boolean, .mask_dims = {3, 1, 1, 35}},
    {.what = "a mask for each head", .head = 4, .kv_head = 2, .query = 21, .fresh = 35, .mask = Mask::boolean,
     .mask_dims = {4, 1, 35}},
    {.what = "a mask for each query", .query = 21, .fresh = 35, .mask = Mask::added, .mask_dims = {21, 35}},
    {.what = "a mask of one axis, shorter than the keys", .query = 21, .fresh = 35, .mask = Mask::added, .mask_dims = {30}},
    {.what = "a boolean mask for a token", .batch = 2, .past = 36, .mask = Mask::boolean, .mask_dims = {2, 1, 1, 37}},
    {.what = "an f32 mask", .past = 36, .mask = Mask::added, .mask_dims = {2, 1, 37}, .mask_type = DataType::f32},
    {.what = "an f64 mask", .past = 36, .mask = Mask::added, .mask_dims = {2, 1, 37}, .mask_type = DataType::f64},
    {.what = "an f16 mask", .past = 36, .mask = Mask::added, .mask_dims = {2, 1, 37}, .mask_type = DataType::f16},
    {.what = "a bf16 mask", .past = 36, .mask = Mask::added, .mask_dims = {2, 1, 37}, .mask_type = DataType::bf16},
    {.what = "valid lengths", .batch = 3, .query = 2, .past = 30, .fresh = 9, .attributes = "causal = 1", .valid = {39, 0, 17}},
    {.what = "valid lengths in tiles", .batch = 3, .query = 20, .fresh = 41, .valid = {41, 0, 17}},
    {.what = "sinks", .head = 4, .query = 9, .fresh = 9, .attributes = "causal = 1", .sinks = true},
    {.what = "scores (mode 0) of few rows", .head = 4, .query = 2, .past = 70, .fresh = 2,
     .attributes = "causal = 1, softcap = 2.0, qk_output_mode = 0", .weights = true},
    {.what = "capped scores (mode 1) of tiles", .query = 19, .past = 5, .fresh = 19,
     .attributes = "causal = 1, softcap = 2.0, qk_output_mode = 1", .weights = true},
    {.what = "masked scores (mode 2) of tiles", .query = 19, .past = 5, .fresh = 19,
     .attributes = "causal = 1, qk_output_mode = 2", .mask = Mask::added, .mask_dims = {19, 24}, .weights = true},
    {.what = "weights (mode 3) of few rows", .head = 4, .query = 2, .past = 70, .fresh = 2,
     .attributes = "causal = 1, qk_output_mode = 3", .mask = Mask::boolean, .mask_dims = {2, 72}, .sinks = true, .weights = true},
    {.what = "weights (mode 3) of tiles", .batch = 2, .query = 35, .fresh = 35, .attributes = "causal = 1, qk_output_mode = 3",
     .weights = true},
    {.what = "weights (mode 3) where keys are split", .past = 1100, .attributes = "qk_output_mode = 3", .sinks = true, .weights = true},
    {.what = "no keys", .query = 2, .fresh = 0},
    {.what = "no keys, many rows", .query = 40, .fresh = 0},
    {.what = "no queries, cache", .query = 0, .past = 3, .fresh = 2, .presents = true},
    {.what = "no channels in the values", .query = 2, .fresh = 3, .value_width = 0},
};

Tensor zeros(std::vector<int64_t> dims) {
  int64_t count = 1;
  for (const int64_t dim : dims) count *= dim;
  return f32(std::move(dims), std::vector<double>(static_cast<size_t>(count)));
}

}  // namespace

HEED_TEST_OPERATOR("heed.Attention", cases)

TEST_CASE("heed.Attention on Vulkan gives what it gives on the CPU, each way it goes, and stays there") {
  for (const GpuRow& row : gpu_rows) {
    check_gpu_row(row, DataType::f32, 3e-6);
    if (row.query * row.head / row.kv_head > 16) check_gpu_row(row, DataType::f32, 3e-6, {{"vulkan.mask", "cpu_threads"}});
  }
}

// Sums are f32 on both: they differ by how the results round, a unit in the last place, and where the GPU has cooperative
// matrices by weights that round to f16.
TEST_CASE("heed.Attention on Vulkan in f16 and bf16") {
  const std::vector<GpuRow> narrow_rows = {
      {.what = "a token, cache", .head = 6, .past = 37, .width = 19, .value_width = 8, .presents = true},
      {.what = "a long past, split", .past = 1030, .mask = Mask::added, .mask_dims = {2, 1, 1031}, .sinks = true},
      {.what = "a prompt, cache, sequence first", .query = 37, .past = 5, .fresh = 37, .width = 40, .value_width = 40,
       .attributes = "causal = 1", .presents = true, .sequence_first = true},
      {.what = "weights", .query = 19, .fresh = 19, .attributes = "causal = 1, qk_output_mode = 3", .weights = true},
  };
  for (const GpuRow& row : narrow_rows) {
    check_gpu_row(row, DataType::f16, 0x1p-10);
    check_gpu_row(row, DataType::bf16, 0x1p-7);
  }
  for (const GpuRow& row : gpu_rows)
    if (row.query * row.head / row.kv_head > 16) check_gpu_row(row, DataType::f16, 0x1p-10);
}

namespace {

// Plans and binds a node's GPU half; no GPU is asked.
class GpuHalf : public KernelNode {
 public:
  using Capabilities = std::map<std::string_view, uint64_t>;

  GpuHalf(const Graph& graph, Capabilities capabilities)
      : KernelNode(graph, graph.nodes.at(0), *registry().find_operator("heed", "Attention"), nullptr),
        capabilities_(std::move(capabilities)) {
    capabilities_.emplace("cpu_threads", 0);
    const auto* kernel = registry().gpu_kernels("heed", "Attention", 1)->at(0)->c;
    for (int32_t i = 0; i < input_count(); ++i) inputs.push_back(shape_of(input_value(i)));
    for (int32_t i = 0; i < output_count(); ++i) outputs.push_back(shape_of(output_value(i)));
    REQUIRE(kernel->plan(this, kernel->user) == HEED_OK);
    REQUIRE(kernel->bind(this, kernel->user) == HEED_OK);
  }
  void plan_work(heed_dim) override {}
  uint64_t gpu_capability(heed_text name) const override {
    const auto found = capabilities_.find(std::string_view(name.data, name.size));
    return found == capabilities_.end() ? 1 : found->second;
  }
  int32_t plan_variant(const heed_variant& variant) override {
    names_.emplace_back(variant.name.data, variant.name.size);
    return HEED_OK;
  }
  bool bind_in_place(int32_t, int32_t) const override { return false; }
  int32_t bind_dispatch(int32_t variant, const void*, size_t, const uint32_t workgroups[3],
                        std::span<const heed_window>) override {
    dispatches += (dispatches.empty() ? "" : ", ") + names_.at(static_cast<size_t>(variant)) + " x " +
                  std::to_string(workgroups[0]);
    return HEED_OK;
  }
  std::string dispatches;  // "few rows x 2"

 private:
  heed_tensor shape_of(const Value* value) {
    if (value == nullptr) return {};
    auto& dims = shapes_.emplace_back();
    for (const Dim dim : *value->type.dims) dims.push_back(dim.number());
    const auto& strides = shapes_.emplace_back(row_major(dims));
    return {nullptr, dims.data(), strides.data(), 0, static_cast<int32_t>(dims.size()),
            static_cast<int32_t>(value->type.element.value())};
  }
  Capabilities capabilities_;
  std::vector<std::string> names_;
  std::deque<std::vector<int64_t>> shapes_;
};

}  // namespace

TEST_CASE("heed.Attention on a GPU: a dispatch a token, splits of long pasts, tiles for prompts") {
  const struct {
    int64_t head, kv_head, query, key, width;
    std::string_view outputs, dispatches;
  } ways[] = {
      {6, 6, 1, 201, 32, "y", "few rows x 6"},
      {32, 4, 1, 201, 64, "y", "few rows x 4"},
      {6, 6, 1, 511, 32, "y", "few rows x 6"},
      {6, 6, 1, 512, 32, "y", "few rows x 12, merge x 6"},
      {6, 6, 1, 1023, 32, "y", "few rows x 12, merge x 6"},  // as many as before: what is recorded stays
      {32, 8, 1, 100000, 128, "y", "few rows x 128, merge x 32"},
      {64, 64, 1, 4096, 128, "y", "few rows x 128, merge x 64"},
      {6, 6, 64, 64, 32, "y", "tiles of rows and keys x 12"},
      {128, 1, 1, 300, 576, "y", "tiles of rows and keys x 32"},
      {2, 2, 20, 300, 8, "y, \"\", \"\", weights", "tiles of rows and keys x 2, weights x 40"},
      {2, 2, 1, 600, 8, "y, \"\", \"\", weights", "few rows x 4, merge x 2, weights x 2"},
      {2, 2, 0, 600, 8, "y", ""},
  };
  for (const auto& way : ways)
    for (const uint64_t shared_bytes : {16384, 49152}) {
      const std::string kv = "float[1, " + std::to_string(way.kv_head) + ", " + std::to_string(way.key) + ", ";
      auto file = parse_model("attend (float[1, " + std::to_string(way.head) + ", " + std::to_string(way.query) + ", " +
                              std::to_string(way.width) + "] q, " + kv + std::to_string(way.width) + "] k, " + kv +
                              std::to_string(std::min<int64_t>(way.width, 512)) + "] v) => (float y) {\n    " +
                              std::string(way.outputs) + " = heed.Attention(q, k, v)\n  }");
      REQUIRE(text_of(file ? Result<void>() : file.error()) == "");
      REQUIRE(text_of(infer_shapes(*file->graph, registry())) == "");
      INFO(way.head << " heads, " << way.query << " queries, " << way.key << " keys");
      CHECK(GpuHalf(*file->graph, {{"max_shared_bytes", shared_bytes}}).dispatches == way.dispatches);
    }
}

TEST_CASE("heed.Attention names the valid length that does not fit") {
  struct Way {
    const char *what, *device;
    int64_t queries;
    bool weights;
    const char* told;
  };
  const Way ways[] = {{"the CPU", "cpu", 1, false, "valid_lengths[1] is "},
                      {"few rows", "vulkan", 1, false, "valid_lengths[1] is negative, or more than there are keys"},
                      {"tiles", "vulkan", 40, false, "valid_lengths[1] is negative, or more than there are keys"},
                      {"weights", "vulkan", 1, true, "valid_lengths[1] is negative, or more than there are keys"}};
  for (const Way& way : ways)
    for (const double bad : {-1.0, 4.0, 1e18, 4294967297.0}) {
      INFO(way.what << ", " << bad);
      const std::string outputs = way.weights ? "y, pk, pv, w" : "y";
      const auto run = run_text("<ir_version: 10, opset_import: [\"\" : 23, \"heed\" : 1]> g (float[2, 1, n, 2] q, "
                                "float[2, 1, 3, 2] k, float[2, 1, 3, 2] v, int64[2] valid) => (float y) { [see] " +
                                    outputs + " = heed.Attention(q, k, v, , , , valid) }",
                                {zeros({2, 1, way.queries, 2}), zeros({2, 1, 3, 2}), zeros({2, 1, 3, 2}),
                                 i64({2}, {3, bad})},
                                way.device);
      REQUIRE_FALSE(run);
      CHECK_THAT(run.error().message, Catch::Contains("'see' (Attention)") && Catch::Contains(way.told));
    }
}

TEST_CASE("heed.Attention of f16 on a GPU uses cooperative matrices where it has such as the shader serves") {
  const GpuHalf::Capabilities whole{{"cooperative_m", 16},      {"cooperative_n", 16},        {"cooperative_k", 16},
                                    {"subgroup_size", 32},      {"max_workgroup_size", 1024}, {"max_shared_bytes", 49152}};
  const struct {
    const char* what;
    const char* type;
    int64_t width;
    std::string_view less;  // a capability that is `value` instead
    uint64_t value;
    std::string_view dispatches;
  } ways[] = {
      {"all there", "float16", 128, "", 0, "cooperative tiles of rows and keys x 4"},
      {"an odd width", "float16", 37, "", 0, "cooperative tiles of rows and keys x 4"},
      {"f32", "float", 64, "", 0, "tiles of rows and keys x 16"},
      {"masked", "float16", 64, "cooperative_matrix", 0, "tiles of rows and keys x 16"},
      {"wider than shared memory", "float16", 256, "", 0, "tiles of rows and keys x 32"},
      {"little shared memory", "float16", 64, "max_shared_bytes", 16384, "tiles of rows and keys x 16"},
      {"lanes that share no rows", "float16", 64, "subgroup_size", 8, "tiles of rows and keys x 16"},
      {"many lanes of a row", "float16", 64, "subgroup_size", 128, "tiles of rows and keys x 16"},
      {"sizes that hold no eights", "float16", 64, "cooperative_k", 4, "tiles of rows and keys x 16"},
      {"more columns than a tile has keys", "float16", 64, "cooperative_n", 64, "tiles of rows and keys x 16"},
  };
  for (const auto& way : ways) {
    auto capabilities = whole;
    if (!way.less.empty()) capabilities[way.less] = way.value;
    const std::string tensor = std::string(way.type) + "[1, 2, 128, " + std::to_string(way.width) + "] ";
    auto file = parse_model("attend (" + tensor + "q, " + tensor + "k, " + tensor + "v) => (" + way.type +
                            " y) {\n    y = heed.Attention(q, k, v)\n  }");
    REQUIRE(text_of(file ? Result<void>() : file.error()) == "");
    REQUIRE(text_of(infer_shapes(*file->graph, registry())) == "");
    INFO(way.what);
    CHECK(GpuHalf(*file->graph, capabilities).dispatches == way.dispatches);
  }
}

TEST_CASE("heed.Attention where threads are lanes of a CPU's vectors") {
  const GpuHalf::Capabilities device{{"cpu_threads", 1}, {"int64", 1}, {"subgroup_shuffle", 1}, {"subgroup_size", 8},
                                     {"max_workgroup_size", 1024}, {"max_shared_bytes", 32768}};
  const struct {
    const char *what, *tensor, *dispatches;
  } ways[] = {{"channels in fours", "float[1, 2, 128, 64] ", "tiles in lanes, in fours x 16"},
              {"an odd width", "float[1, 2, 128, 37] ", "tiles in lanes x 16"},
              {"too wide to unroll", "float[1, 2, 128, 65] ", "tiles of rows and keys x 16"},
              {"one query", "float[1, 2, 1, 64] ", "few rows x 2"}};
  for (const auto& way : ways) {
    const std::string tensor = way.tensor;
    auto file = parse_model("attend (" + tensor + "q, " + tensor + "k, " + tensor + "v) => (float y) {\n    y = heed.Attention(q, k, v)\n  }");
    REQUIRE(text_of(file ? Result<void>() : file.error()) == "");
    REQUIRE(text_of(infer_shapes(*file->graph, registry())) == "");
    INFO(way.what);
    CHECK(GpuHalf(*file->graph, device).dispatches == way.dispatches);
  }
}

TEST_CASE("heed.Attention refuses what does not fit, and says what") {
  const auto refused = [](Tensors inputs, std::string_view part) {
    check_refused("heed.Attention", {"", std::move(inputs), {zeros({1})}}, part);
  };
  refused({zeros({1, 3, 1, 2}), zeros({1, 2, 1, 2}), zeros({1, 2, 1, 2})}, "heads of query modulo heads of key");
  refused({zeros({1, 2, 1, 2}), zeros({1, 2, 1, 3}), zeros({1, 2, 1, 2})}, "width of a head of query and key");
  refused({zeros({1, 2, 1, 2}), zeros({1, 2, 4, 2}), zeros({1, 2, 5, 2})}, "lengths of key and value");
  refused({zeros({1, 2, 1, 2}), zeros({1, 2, 4, 2}), zeros({1, 2, 4, 2}), zeros({1, 5})},
          "more keys in the mask than there are");
  refused({zeros({1, 2, 1, 2}), zeros({1, 2, 4, 2}), zeros({1, 2, 4, 2}), none, zeros({1, 2, 4, 2})},
          "past_key and past_value come together");
  refused({zeros({1, 2, 1, 2}), zeros({1, 2, 4, 2}), zeros({1, 2, 4, 2}), none, none, none, none, none, i64({1}, {0})},
          "past_lengths without past_key and past_value");
}

}  // namespace heed::test
