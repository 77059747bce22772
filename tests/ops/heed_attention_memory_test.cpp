// heed.Attention's kernels against its formula in f64: grouped heads, masks of every kind, windows, caches that are
// copied and caches that grow in place, strided heads, long pasts that are shared out.
#include <catch2/catch.hpp>

#include "kernel_run.hpp"

using namespace heed;
using namespace heed::test;

namespace {

enum class MaskKind { none, added, boolean };

struct Row {
  std::string what;
  int64_t batch = 1, head = 2, kv_head = 2, query = 1, past = 0, fresh = 1, width = 8, value_width = 8;
  float scale = 0;
  bool causal = false, top_left = false;
  float softcap = 0;
  int64_t window = -1, right_window = -1;
  MaskKind mask = MaskKind::none;
  std::vector<int64_t> mask_dims = {};
  std::vector<int64_t> valid = {};
  bool sinks = false;

  int64_t total() const { return past + fresh; }
  std::string call(int mode = -1) const {
    return "heed.Attention<scale = " + std::to_string(scale) + ", causal = " + std::to_string(causal) +
           ", top_left = " + std::to_string(top_left) + ", softcap = " + std::to_string(softcap) +
           ", window = " + std::to_string(window) + ", right_window = " + std::to_string(right_window) +
           (mode < 0 ? "" : ", qk_output_mode = " + std::to_string(mode)) + ">";
  }
};

struct Inputs {
  Tensor query, key, value, mask, past_key, past_value, valid, sinks;
};

Tensor integers(std::vector<int64_t> values) {
  return Tensor::of<int64_t>(DataType::i64, {static_cast<int64_t>(values.size())}, values);
}

Inputs inputs_of(const Row& row) {
  Inputs in;
  in.query = noise({row.batch, row.head, row.query, row.width}, 1);
  in.key = noise({row.batch, row.kv_head, row.fresh, row.width}, 2);
  in.value = noise({row.batch, row.kv_head, row.fresh, row.value_width}, 3);
  in.past_key = noise({row.batch, row.kv_head, row.past, row.width}, 4);
  in.past_value = noise({row.batch, row.kv_head, row.past, row.value_width}, 5);
  in.sinks = noise({row.head}, 6);
  in.valid = integers(row.valid);
  if (row.mask == MaskKind::none) return in;
  in.mask = noise(row.mask_dims, 7);
  // A third of the keys hidden; of the first row of the last axes all, where there are several.
  auto* numbers = reinterpret_cast<float*>(in.mask.writable());
  const int64_t keys = row.mask_dims.empty() ? 1 : row.mask_dims.back(), count = in.mask.element_count();
  for (int64_t i = 0; i < count; ++i)
    if (i % 3 == 0 || (count > keys && i < keys)) numbers[i] = -INFINITY;
  if (row.mask == MaskKind::boolean) {
    auto allowed = *Tensor::allocate(DataType::boolean, row.mask_dims);
    for (int64_t i = 0; i < count; ++i) allowed.writable()[i] = std::byte{numbers[i] != -INFINITY};
    in.mask = allowed;
  }
  return in;
}

struct Expected {
  std::vector<double> y, weights[4];  // weights by qk_output_mode
};

Expected expected_of(const Row& row, const Inputs& in) {
  Expected out;
  const auto at = [](const Tensor& t, int64_t heads, int64_t b, int64_t h, int64_t i, int64_t c) {
    return static_cast<double>(t.as<float>()[static_cast<size_t>(((b * heads + h) * t.dims[2] + i) * t.dims[3] + c)]);
  };
  const double scale = row.scale != 0 ? row.scale : 1 / std::sqrt(static_cast<double>(row.width));
  for (int64_t b = 0; b < row.batch; ++b)
    for (int64_t h = 0; h < row.head; ++h)
      for (int64_t i = 0; i < row.query; ++i) {
        const int64_t g = h / (row.head / row.kv_head), total = row.total();
        const int64_t end = row.valid.empty() ? total : row.valid[static_cast<size_t>(b)];
        const int64_t place = row.top_left ? i + row.past : i + end - row.query;
        std::vector<double> score;
        for (int64_t j = 0; j < total; ++j) {
          double dot = 0;
          for (int64_t c = 0; c < row.width; ++c)
            dot += at(in.query, row.head, b, h, i, c) * (j < row.past ? at(in.past_key, row.kv_head, b, g, j, c)
                                                                      : at(in.key, row.kv_head, b, g, j - row.past, c));
          double s = dot * scale;
          out.weights[0].push_back(s);
          if (row.softcap > 0) s = row.softcap * std::tanh(s / row.softcap);
          out.weights[1].push_back(s);
          bool hidden = j >= end || (row.causal && j > place) || (row.window >= 0 && j < place - row.window) ||
                        (row.right_window >= 0 && j > place + row.right_window);
          if (row.mask != MaskKind::none) {
            const auto& dims = row.mask_dims;
            const int64_t index[] = {b, h, i, j};
            int64_t position = 0;
            for (size_t axis = 0; axis < dims.size(); ++axis) {
              const int64_t wanted = index[4 - dims.size() + axis];
              const bool last = axis + 1 == dims.size();
              if (last && wanted >= dims[axis]) hidden = true;
              position = position * dims[axis] + (hidden && last ? 0 : dims[axis] == 1 && !last ? 0 : wanted);
            }
            if (!hidden) {
              const auto p = static_cast<size_t>(position);
              if (row.mask == MaskKind::boolean)
                hidden = in.mask.as<uint8_t>()[p] == 0;
              else if (in.mask.as<float>()[p] == -INFINITY)
                hidden = true;
              else
                s += in.mask.as<float>()[p];
            }
          }
          score.push_back(hidden ? -INFINITY : s);
          out.weights[2].push_back(score.back());
        }
        double greatest = row.sinks ? in.sinks.as<float>()[static_cast<size_t>(h)] : -INFINITY, sum = 0;
        for (const double s : score) greatest = std::max(greatest, s);
        if (greatest == -INFINITY) greatest = 0;
        for (double& s : score) sum += s = std::exp(s - greatest);
        if (row.sinks) sum += std::exp(in.sinks.as<float>()[static_cast<size_t>(h)] - greatest);
        for (double& s : score) out.weights[3].push_back(s = sum == 0 ? 0 : s / sum);
        for (int64_t c = 0; c < row.value_width; ++c) {
          double y = 0;
          for (int64_t j = 0; j < total; ++j)
            if (score[static_cast<size_t>(j)] != 0)
              y += score[static_cast<size_t>(j)] * (j < row.past ? at(in.past_value, row.kv_head, b, g, j, c)
                                                                 : at(in.value, row.kv_head, b, g, j - row.past, c));
          out.y.push_back(y);
        }
      }
  return out;
}

const std::vector<Row> rows{
    {.what = "one key"},
    {.what = "stories260k, a token", .head = 8, .kv_head = 4, .past = 77},
    {.what = "shakespeare, a token", .head = 6, .kv_head = 6, .past = 200, .width = 32, .value_width = 32},
    {.what = "width 40, a token", .head = 4, .kv_head = 4, .past = 131, .width = 40, .value_width = 40},
    {.what = "widths 64 and 128", .past = 65, .width = 64, .value_width = 128},
    {.what = "odd widths, all different",
     .head = 6,
     .kv_head = 2,
     .query = 5,
     .past = 9,
     .fresh = 5,
     .width = 37,
     .value_width = 19},
    {.what = "wider than registers", .query = 3, .fresh = 21, .width = 131, .value_width = 150},
    {.what = "a prompt, causal",
     .head = 4,
     .kv_head = 2,
     .query = 37,
     .fresh = 37,
     .width = 16,
     .value_width = 16,
     .causal = true},
    {.what = "a prompt over several blocks of keys, causal",
     .query = 300,
     .fresh = 300,
     .width = 12,
     .value_width = 20,
     .causal = true},
    {.what = "causal with a past: bottom right", .batch = 2, .query = 6, .past = 11, .fresh = 6, .causal = true},
    {.what = "causal, more keys than queries", .query = 4, .fresh = 9, .causal = true},
    {.what = "causal, top left", .query = 4, .fresh = 9, .causal = true, .top_left = true},
    {.what = "causal, more queries than keys: the first see nothing", .query = 9, .fresh = 4, .causal = true},
    {.what = "scale given", .past = 5, .scale = 0.7f},
    {.what = "softcap", .query = 3, .past = 20, .fresh = 3, .scale = 3.0f, .softcap = 2.5f},
    {.what = "a window to the left, causal", .query = 20, .past = 150, .fresh = 20, .causal = true, .window = 7},
    {.what = "a window of itself", .query = 5, .fresh = 5, .causal = true, .window = 0},
    {.what = "a window on both sides", .query = 12, .fresh = 12, .window = 3, .right_window = 2},
    {.what = "an added mask for all",
     .batch = 2,
     .query = 4,
     .past = 3,
     .fresh = 4,
     .mask = MaskKind::added,
     .mask_dims = {2, 2, 4, 7}},
    {.what = "an added mask of rank 2", .query = 4, .fresh = 40, .mask = MaskKind::added, .mask_dims = {4, 40}},
    {.what = "a mask per batch",
     .batch = 3,
     .query = 4,
     .fresh = 40,
     .mask = MaskKind::boolean,
     .mask_dims = {3, 1, 1, 40}},
    {.what = "a mask per head",
     .head = 4,
     .query = 2,
     .fresh = 150,
     .mask = MaskKind::boolean,
     .mask_dims = {4, 1, 150}},
    {.what = "a boolean mask with causal",
     .query = 6,
     .past = 3,
     .fresh = 6,
     .causal = true,
     .mask = MaskKind::boolean,
     .mask_dims = {1, 1, 6, 9}},
    {.what = "a mask shorter than the keys hides the rest",
     .query = 3,
     .fresh = 10,
     .mask = MaskKind::added,
     .mask_dims = {3, 6}},
    {.what = "a boolean mask shorter than the keys",
     .query = 3,
     .fresh = 10,
     .mask = MaskKind::boolean,
     .mask_dims = {3, 6}},
    {.what = "a mask of one axis", .query = 3, .fresh = 10, .mask = MaskKind::boolean, .mask_dims = {10}},
    {.what = "a mask that hides every key of the only row",
     .fresh = 1,
     .mask = MaskKind::boolean,
     .mask_dims = {1, 1, 1, 1}},
    {.what = "valid lengths", .batch = 3, .query = 2, .fresh = 140, .valid = {140, 1, 77}},
    {.what = "valid lengths with causal, one of them nothing",
     .batch = 3,
     .query = 2,
     .fresh = 9,
     .causal = true,
     .valid = {9, 0, 3}},
    {.what = "sinks", .head = 4, .kv_head = 2, .query = 3, .past = 8, .fresh = 3, .sinks = true},
    {.what = "sinks where nothing is seen", .query = 5, .fresh = 2, .causal = true, .sinks = true},
    {.what = "a long past, shared out by keys", .head = 4, .kv_head = 2, .past = 5000, .width = 16, .value_width = 24},
    {.what = "a long past with a window and sinks", .past = 4999, .causal = true, .window = 1500, .sinks = true},
    {.what = "no queries", .query = 0, .fresh = 3},
    {.what = "no keys", .query = 2, .fresh = 0},
    {.what = "no channels in the values", .query = 2, .fresh = 3, .value_width = 0},
};

Laid optional(bool there, const Laid& laid) { return there ? laid : Laid{}; }

std::vector<Laid> laid_inputs(const Row& row, const Inputs& in, const Laid& past_key, const Laid& past_value,
                              const std::vector<size_t>& order = {}, int64_t gap = 0) {
  return {laid(in.query, order, gap),
          laid(in.key, order, gap),
          laid(in.value, order, gap),
          optional(row.mask != MaskKind::none, row.mask != MaskKind::none ? laid(in.mask) : Laid{}),
          optional(row.past > 0, past_key),
          optional(row.past > 0, past_value),
          optional(!row.valid.empty(), laid(in.valid)),
          optional(row.sinks, laid(in.sinks))};
}

// Past, then new, along axis 2.
std::vector<double> joined(const Tensor& past, const Tensor& fresh) {
  std::vector<double> all;
  const int64_t heads = fresh.dims[0] * fresh.dims[1], width = fresh.dims[3];
  for (int64_t h = 0; h < heads; ++h)
    for (const Tensor* part : {&past, &fresh})
      for (int64_t i = 0; i < part->dims[2] * width; ++i)
        all.push_back(part->as<float>()[static_cast<size_t>(h * part->dims[2] * width + i)]);
  return all;
}

// A view of the first `length` positions of a cache.
Laid first(Laid cache, int64_t length) {
  cache.dims[2] = length;
  return cache;
}

constexpr double tolerance = 2e-6;

}  // namespace

TEST_CASE(
    "every attention kernel gives what the formula gives, without a cache, with one beside and with one in place") {
  ThreadPool pool(3);
  for (const auto& kernel : kernels_here()) {
    for (const Row& row : rows) {
      const Inputs in = inputs_of(row);
      const Expected expected = expected_of(row, in);
      const std::vector<int64_t> y_dims{row.batch, row.head, row.query, row.value_width};
      const std::vector<int64_t> key_dims{row.batch, row.kv_head, row.total(), row.width};
      const std::vector<int64_t> value_dims{row.batch, row.kv_head, row.total(), row.value_width};
      for (ThreadPool* threads : {static_cast<ThreadPool*>(nullptr), &pool}) {
        INFO(kernel << ", " << row.what << (threads ? ", 3 threads" : ""));
        {
          INFO("no cache comes out");
          const Laid y = room(DataType::f32, y_dims);
          CHECK(text_of(run_kernel(kernel, row.call(), laid_inputs(row, in, laid(in.past_key), laid(in.past_value)),
                                   {y}, threads)) == "");
          CHECK(farthest(y, expected.y) < tolerance);
        }
        {
          INFO("the cache is copied; query, key, value and y lie as [batch, query, head, width]");
          const std::vector<size_t> order{0, 2, 1, 3};
          const Laid y = room(DataType::f32, y_dims, order), key = room(DataType::f32, key_dims),
                     value = room(DataType::f32, value_dims);
          CHECK(text_of(run_kernel(kernel, row.call(),
                                   laid_inputs(row, in, laid(in.past_key), laid(in.past_value), order, 3),
                                   {y, key, value}, threads)) == "");
          CHECK(farthest(y, expected.y) < tolerance);
          CHECK(farthest(key, joined(in.past_key, in.key)) == 0);
          CHECK(farthest(value, joined(in.past_value, in.value)) == 0);
        }
        {
          INFO("the cache grows in place, with room behind it");
          const auto capacity = [&](std::vector<int64_t> dims, const Tensor& past) {
            dims[2] += 5;
            Laid cache = room(DataType::f32, dims);
            Laid filled = first(cache, past.dims[2]);
            for (int64_t i = 0; i < filled.count(); ++i)
              std::memcpy(filled.at(i), past.as<float>().data() + i, sizeof(float));
            return cache;
          };
          const Laid keys = capacity(key_dims, in.past_key), values = capacity(value_dims, in.past_value),
                     y = room(DataType::f32, y_dims);
          CHECK(text_of(run_kernel(kernel, row.call(),
                                   laid_inputs(row, in, first(keys, row.past), first(values, row.past)),
                                   {y, first(keys, row.total()), first(values, row.total())}, threads)) == "");
          CHECK(farthest(y, expected.y) < tolerance);
          CHECK(farthest(first(keys, row.total()), joined(in.past_key, in.key)) == 0);
          CHECK(farthest(first(values, row.total()), joined(in.past_value, in.value)) == 0);
        }
        {
          INFO("only present_value comes out; channels do not lie side by side");
          const std::vector<size_t> order{3, 0, 1, 2};
          const Laid y = room(DataType::f32, y_dims, order), value = room(DataType::f32, value_dims, order);
          CHECK(text_of(run_kernel(kernel, row.call(),
                                   laid_inputs(row, in, laid(in.past_key, order), laid(in.past_value), order),
                                   {y, Laid{}, value}, threads)) == "");
          CHECK(farthest(y, expected.y) < tolerance);
          CHECK(farthest(value, joined(in.past_value, in.value)) == 0);
        }
      }
    }
  }
}

TEST_CASE("the weights come out at each stage; the vector kernels leave them to the scalar one") {
  for (const Row& row : rows) {
    if (row.past > 1000) continue;
    const Inputs in = inputs_of(row);
    const Expected expected = expected_of(row, in);
    for (int mode = 0; mode < 4; ++mode) {
      INFO(row.what << ", mode " << mode);
      const Laid y = room(DataType::f32, {row.batch, row.head, row.query, row.value_width});
      const Laid weights = room(DataType::f32, {row.batch, row.head, row.query, row.total()});
      const auto inputs = laid_inputs(row, in, laid(in.past_key), laid(in.past_value));
      REQUIRE(text_of(run_kernel("scalar", row.call(mode), inputs, {y, Laid{}, Laid{}, weights})) == "");
      CHECK(farthest(y, expected.y) < tolerance);
      double worst = 0;
      for (int64_t i = 0; i < weights.count(); ++i) {
        float got = 0;
        std::memcpy(&got, weights.at(i), sizeof got);
        const double wanted = expected.weights[mode][static_cast<size_t>(i)];
        if (got != wanted) worst = std::max(worst, std::fabs(got - wanted));
      }
      CHECK(worst < tolerance);
    }
  }
  const Row row;
  const Inputs in = inputs_of(row);
  const auto declined =
      run_kernel("avx2", row.call(3), laid_inputs(row, in, {}, {}),
                 {room(DataType::f32, {1, 2, 1, 8}), Laid{}, Laid{}, room(DataType::f32, {1, 2, 1, 1})});
  CHECK_FALSE(declined);
}

TEST_CASE("only -inf hides: a mask of the lowest finite number leaves the mean of what it covers") {
  Row row{.what = "", .head = 1, .kv_head = 1, .fresh = 19, .mask = MaskKind::added, .mask_dims = {1, 19}};
  Inputs in = inputs_of(row);
  auto* mask = reinterpret_cast<float*>(in.mask.writable());
  std::fill(mask, mask + 19, std::numeric_limits<float>::lowest());
  std::vector<double> mean(8);
  for (size_t i = 0; i < 19 * 8; ++i) mean[i % 8] += in.value.as<float>()[i] / 19.0;
  for (const auto& kernel : kernels_here()) {
    const Laid y = room(DataType::f32, {1, 1, 1, 8});
    REQUIRE(run_kernel(kernel, row.call(), laid_inputs(row, in, {}, {}), {y}));
    INFO(kernel);
    CHECK(farthest(y, mean) < tolerance);
  }
}

TEST_CASE("hidden keys are not read, and numbers that are none stay none") {
  for (const auto& kernel : kernels_here()) {
    INFO(kernel);
    Row row{.what = "", .fresh = 40, .valid = {17}};
    Inputs in = inputs_of(row);
    for (Tensor* tensor : {&in.key, &in.value})
      for (size_t i = 0; i < 2 * 40 * 8; ++i)
        if (i / 8 % 40 >= 17) reinterpret_cast<float*>(tensor->writable())[i] = NAN;
    const Laid y = room(DataType::f32, {1, 2, 1, 8});
    REQUIRE(run_kernel(kernel, row.call(), laid_inputs(row, in, {}, {}), {y}));
    CHECK(farthest(y, expected_of(row, in).y) < tolerance);

    reinterpret_cast<float*>(in.key.writable())[3] = NAN;
    REQUIRE(run_kernel(kernel, row.call(), laid_inputs(row, in, {}, {}), {y}));
    float seen = 0;
    std::memcpy(&seen, y.at(0), sizeof seen);
    CHECK(std::isnan(seen));
  }
}

TEST_CASE("a valid length outside of the keys is an error that names it") {
  Row row{.what = "", .batch = 2, .fresh = 4, .valid = {4, 9}};
  for (const auto& kernel : kernels_here())
    CHECK_THAT(text_of(run_kernel(kernel, row.call(), laid_inputs(row, inputs_of(row), {}, {}),
                                  {room(DataType::f32, {2, 2, 1, 8})})),
               Catch::Contains("valid_lengths[1] is 9; there are 4 keys"));
}

TEST_CASE("attention has the same bits on any number of threads") {
  ThreadPool pool(4);
  for (const auto& kernel : kernels_here())
    for (const Row& row : rows) {
      const Inputs in = inputs_of(row);
      const Laid alone = room(DataType::f32, {row.batch, row.head, row.query, row.value_width});
      const Laid together = room(DataType::f32, {row.batch, row.head, row.query, row.value_width});
      const auto inputs = laid_inputs(row, in, laid(in.past_key), laid(in.past_value));
      REQUIRE(run_kernel(kernel, row.call(), inputs, {alone}));
      REQUIRE(run_kernel(kernel, row.call(), inputs, {together}, &pool));
      INFO(kernel << ", " << row.what);
      CHECK(std::memcmp(alone.data(), together.data(), static_cast<size_t>(alone.count()) * sizeof(float)) == 0);
    }
}
