// States: past keys and values that live across runs, written in place, and what they cost.
#include <cmath>
#include <filesystem>
#include <thread>

#include "load.hpp"
#include "rows.hpp"

namespace heed::test {
namespace {

constexpr std::string_view decoder = R"(<ir_version: 10, opset_import: ["" : 23]>
  g (float[batch, 2, seq, 4] q, float[batch, 2, past, 4] past_key, float[batch, 2, past, 4] past_value)
    => (float[batch, 2, seq, 4] y, float[batch, 2, total, 4] present_key, float[batch, 2, total, 4] present_value) {
    y, present_key, present_value = Attention<is_causal = 1>(q, q, q, "", past_key, past_value)
  })";

std::vector<float> numbers(size_t count, int seed) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i)
    values[i] = static_cast<float>(std::sin(static_cast<double>(i * 7 + static_cast<size_t>(seed) * 13)));
  return values;
}

HostValue i32(std::vector<int64_t> dims, const std::vector<int32_t>& values) {
  return tensor(DataType::i32, std::move(dims), values);
}

HostValue token(int index, int64_t batch = 1, int64_t seq = 1) {
  return f32({batch, 2, seq, 4}, numbers(static_cast<size_t>(batch * 2 * seq * 4), index));
}

}  // namespace

TEST_CASE("a decode loop of growing length plans once and places once per growth of capacity") {
  const auto session = take(Session::create(load_text(decoder)));
  REQUIRE(session->model().plan().states.size() == 2);
  CHECK(session->model().plan().states[0].in_place);
  constexpr int64_t tokens = 300;  // capacities 64, 128, 256, 512
  for (int i = 0; i < tokens; ++i) {
    const auto outputs = take(session->run({{"q", token(i)}}));
    CHECK(outputs.size() == 1);  // the states stay inside
  }
  CHECK(session->state_length() == tokens);
  CHECK(session->counts().runs == tokens);
  CHECK(session->counts().placements == 4);
}

TEST_CASE("states give what the same tensors give when they are passed by hand, on every device") {
  for (const std::string& device : devices()) {
    INFO(device);
    const auto model = load_text(decoder, {.device = device});
    const auto with_states = take(Session::create(model));
    const auto by_hand = take(Session::create(model, {.use_states = false}));
    HostValue key = f32({1, 2, 0, 4}, {}), value = key;
    bool good = true;
    for (int i = 0; good && i < 130; ++i) {
      const auto kept = take(with_states->run({{"q", token(i)}}));
      const auto plain = take(by_hand->run({{"q", token(i)}, {"past_key", key}, {"past_value", value}}));
      REQUIRE(kept.size() == 1);
      REQUIRE(plain.size() == 3);
      good = floats(kept[0].second) == floats(plain[0].second);
      CHECK(good);
      key = plain[1].second;
      value = plain[2].second;
    }
    count_row(good);
  }
}

TEST_CASE("pasts by hand of the length that the states had give what they always give") {
  for (const std::string& device : devices()) {
    INFO(device);
    const auto model = load_text(decoder, {.device = device});
    const auto session = take(Session::create(model)), other = take(Session::create(model));
    take(session->run({{"q", token(0)}}));
    take(session->run({{"q", token(1)}}));
    const Session::NamedValues inputs = {{"q", token(2)},
                                         {"past_key", f32({1, 2, 1, 4}, numbers(8, 3))},
                                         {"past_value", f32({1, 2, 1, 4}, numbers(8, 4))}};
    const auto met = take(session->run(inputs)), expected = take(other->run(inputs));
    REQUIRE(met.size() == 3);
    bool good = true;
    for (size_t i = 0; i < met.size(); ++i) good = good && floats(met[i].second) == floats(expected[i].second);
    CHECK(good);
    count_row(good);
  }
}

TEST_CASE("a state lives where the step that appends to it runs") {
  for (const std::string& device : devices()) {
    INFO(device);
    const auto model = load_text(decoder, {.device = device});
    const Plan& plan = model->plan();
    REQUIRE(plan.states.size() == 2);
    bool good = true;
    for (const StatePair& state : plan.states)
      good &= state.in_place &&
              plan.slots[plan.inputs[state.input]].location == (device == "cpu" ? Location::cpu : Location::vulkan);
    const auto session = take(Session::create(model));
    take(session->run({{"q", token(0)}}));
    const int64_t before = session->submission_count();
    take(session->run({{"q", token(1)}}));
    good &= session->submission_count() - before == (device == "cpu" ? 0 : 1);  // nothing of the past crosses
    const int64_t recorded = session->recorded_count();
    for (int i = 2; i < 20; ++i) take(session->run({{"q", token(i)}}));
    good &= session->recorded_count() == recorded;
    CHECK(good);
    count_row(good);
  }
}

TEST_CASE("a cut state goes on as if the rest had never been") {
  const auto model = load_text(decoder);
  const auto session = take(Session::create(model)), other = take(Session::create(model));
  for (int i = 0; i < 10; ++i) REQUIRE(session->run({{"q", token(i)}}));
  REQUIRE(session->truncate_states(4));
  for (int i = 0; i < 4; ++i) REQUIRE(other->run({{"q", token(i)}}));
  CHECK(floats(take(session->run({{"q", token(77)}}))[0].second) ==
        floats(take(other->run({{"q", token(77)}}))[0].second));
  CHECK_FALSE(session->truncate_states(100));
  session->reset_states();
  CHECK(session->state_length() == 0);
}

TEST_CASE("another batch needs the states reset, and says so") {
  const auto session = take(Session::create(load_text(decoder)));
  REQUIRE(session->run({{"q", token(0, 2, 3)}}));
  const auto failed = session->run({{"q", token(0, 1, 1)}});
  REQUIRE_FALSE(failed);
  session->reset_states();
  CHECK(session->run({{"q", token(0, 1, 1)}}));
}

namespace {

// A layer of a decoder as onnxruntime's builders write it: lengths from a mask, whose size is that of all keys.
std::string grouped_decoder(const std::string& past, const std::string& present) {
  return R"(<ir_version: 10, opset_import: ["" : 21, "com.microsoft" : 1]>
  g (float[batch, seq, 48] qkv, int64[batch, total] mask, float[batch, 2, )" +
         past + R"(, 8] past_key, float[batch, 2, )" + past +
         R"(, 8] past_value, float[128, 4] cos, float[128, 4] sin)
    => (float[batch, seq, 16] y, float[batch, 2, )" +
         present + R"(, 8] present_key, float[batch, 2, )" + present + R"(, 8] present_value) {
    axis = Constant<value_ints = [1]>()
    one = Constant<value_ints = [1]>()
    seen = ReduceSum<keepdims = 1>(mask, axis)
    last = Sub(seen, one)
    lengths = Cast<to = 6>(last)
    shape = Shape(mask)
    second = Constant<value_int = 1>()
    count = Gather(shape, second)
    total_length = Cast<to = 6>(count)
    y, present_key, present_value = com.microsoft.GroupQueryAttention<num_heads = 2, kv_num_heads = 2, do_rotary = 1>(
      qkv, "", "", past_key, past_value, lengths, total_length, cos, sin)
  })";
}

// A step of two sequences: a prompt of 5 and of 3, padded to the right, and then tokens.
std::vector<std::pair<std::string, HostValue>> grouped_step(int64_t step) {
  const int64_t seq = step == 0 ? 5 : 1, total = 5 + step;
  std::vector<int64_t> mask;
  for (const int64_t length : {total, total - 2})
    for (int64_t j = 0; j < total; ++j) mask.push_back(j < length);
  return {{"qkv", f32({2, seq, 48}, numbers(static_cast<size_t>(2 * seq * 48), static_cast<int>(step)))},
          {"mask", i64({2, total}, mask)},
          {"cos", f32({128, 4}, numbers(512, 1))},
          {"sin", f32({128, 4}, numbers(512, 2))}};
}

// What of a step's result belongs to tokens.
std::vector<float> of_tokens(int64_t step, const HostValue& y) {
  auto values = floats(y);
  if (step == 0) values.resize(static_cast<size_t>(5 + 3) * 16);
  return values;
}

}  // namespace

TEST_CASE("a decoder of GroupQueryAttention appends in place, and gives what caches passed by hand give") {
  for (const std::string& device : devices()) {
    INFO(device);
    const auto model = load_text(grouped_decoder("past", "all"), {.device = device});
    REQUIRE(model->plan().states.size() == 2);
    CHECK(model->plan().states[0].in_place);
    const auto with_states = take(Session::create(model));
    const auto by_hand = take(Session::create(model, {.use_states = false}));
    HostValue key = f32({2, 2, 0, 8}, {}), value = key;
    bool good = true;
    for (int64_t step = 0; good && step < 70; ++step) {
      auto inputs = grouped_step(step);
      const auto kept = take(with_states->run(inputs));
      inputs.insert(inputs.end(), {{"past_key", key}, {"past_value", value}});
      const auto plain = take(by_hand->run(inputs));
      REQUIRE(kept.size() == 1);
      REQUIRE(plain.size() == 3);
      good = of_tokens(step, kept[0].second) == of_tokens(step, plain[0].second);
      CHECK(good);
      key = plain[1].second;
      value = plain[2].second;
    }
    CHECK(with_states->state_length() == 74);
    CHECK(good);
    count_row(good);
  }
}

TEST_CASE("a state grows by a length that is an input, too: nothing waits for it") {
  constexpr std::string_view text = R"(<ir_version: 10, opset_import: ["" : 17, "com.microsoft" : 1]>
  g (float[batch, seq, 48] qkv, int32[batch] lengths, int32[] total, float[batch, 2, past, 8] past_key,
     float[batch, 2, past, 8] past_value)
    => (float[batch, seq, 16] y, float[batch, 2, all, 8] present_key, float[batch, 2, all, 8] present_value) {
    y, present_key, present_value = com.microsoft.GroupQueryAttention<num_heads = 2, kv_num_heads = 2>(
      qkv, "", "", past_key, past_value, lengths, total)
  })";
  for (const std::string& device : devices()) {
    INFO(device);
    const auto model = load_text(text, {.device = device});
    const Plan& plan = model->plan();
    REQUIRE(plan.states.size() == 2);
    for (const StatePair& state : plan.states) CHECK(state.in_place);
    CHECK(plan.segments.size() == 1);
    if (device == "vulkan")
      CHECK(std::none_of(plan.steps.begin(), plan.steps.end(), [](const Step& step) {
        return step.kind == StepKind::cpu && step.op->op_type() == "Attention";
      }));
    const auto with_states = take(Session::create(model)),
               by_hand = take(Session::create(model, {.use_states = false}));
    HostValue key = f32({2, 2, 0, 8}, {}), value = key;
    bool good = true;
    for (int32_t step = 0; good && step < 70; ++step) {
      const auto qkv = grouped_step(step)[0];
      std::vector<std::pair<std::string, HostValue>> inputs{
          qkv, {"lengths", i32({2}, {step + 4, step + 2})}, {"total", i32({}, {step + 5})}};
      const auto kept = take(with_states->run(inputs));
      inputs.insert(inputs.end(), {{"past_key", key}, {"past_value", value}});
      const auto plain = take(by_hand->run(inputs));
      REQUIRE(kept.size() == 1);
      REQUIRE(plain.size() == 3);
      CHECK(plain[1].second.tensor.dims == std::vector<int64_t>{2, 2, step + 5, 8});
      good = of_tokens(step, kept[0].second) == of_tokens(step, plain[0].second);
      CHECK(good);
      key = plain[1].second, value = plain[2].second;
    }
    CHECK(with_states->state_length() == 74);
    count_row(good);
  }
}

TEST_CASE("keys and values that lie in one past are one state, appended to in place or written into its room") {
  const auto decoder_of = [](const std::string& past, const std::string& present, bool shares) {
    return R"(<ir_version: 10, opset_import: ["" : 17, "com.microsoft" : 1]>
  g (float[batch, seq, 8] x, float[8, 24] w, float[2, batch, 2, )" +
           past + ", 4] past" + (shares ? ", int32[1] length" : "") +
           ") => (float[batch, seq, 8] y, float[2, batch, 2, " + present + R"(, 4] present) {
    y, present = com.microsoft.Attention<num_heads = 2, unidirectional = 1, past_present_share_buffer = )" +
           (shares ? "1>(x, w, \"\", \"\", past, \"\", length)" : "0>(x, w, \"\", \"\", past)") + "\n  }";
  };
  const auto inputs_of = [](int64_t step) {
    const int64_t seq = step == 0 ? 5 : 1;
    return std::vector<std::pair<std::string, HostValue>>{
        {"x", f32({2, seq, 8}, numbers(static_cast<size_t>(seq * 16), static_cast<int>(step)))},
        {"w", f32({8, 24}, numbers(192, 100))}};
  };
  for (const std::string& device : devices()) {
    INFO(device);
    const auto model = load_text(decoder_of("past", "all", false), {.device = device});
    const auto fixed = load_text(decoder_of("80", "80", true), {.device = device});
    for (const auto& planned : {model, fixed}) {
      REQUIRE(planned->plan().states.size() == 1);
      CHECK(planned->plan().states[0].in_place);
    }
    const auto with_states = take(Session::create(model)), in_buffer = take(Session::create(fixed)),
               by_hand = take(Session::create(model, {.use_states = false}));
    HostValue past = f32({2, 2, 2, 0, 4}, {});
    bool good = true;
    for (int64_t step = 0; good && step < 70; ++step) {
      auto inputs = inputs_of(step);
      const auto kept = take(with_states->run(inputs));
      inputs.push_back({"past", past});
      const auto plain = take(by_hand->run(inputs));
      inputs.back() = {"length", i32({1}, {step == 0 ? 0 : static_cast<int32_t>(step) + 4})};
      const auto written = take(in_buffer->run(inputs));
      REQUIRE(kept.size() == 1);
      REQUIRE(written.size() == 1);
      REQUIRE(plain.size() == 2);
      good = floats(kept[0].second) == floats(plain[0].second) && floats(written[0].second) == floats(plain[0].second);
      CHECK(good);
      past = plain[1].second;
    }
    CHECK(with_states->state_length() == 74);
    count_row(good);
  }
}

TEST_CASE("a cache that is scattered into is a buffer with room: one state, written into where it lies") {
  constexpr std::string_view scattering = R"(<ir_version: 13, opset_import: ["" : 24]>
  g (float[batch, 2, seq, 4] q, int64[batch] at, float[batch, 2, 40, 4] past_key, float[batch, 2, 40, 4] past_value)
    => (float[batch, 2, seq, 4] y, float[batch, 2, 40, 4] present_key, float[batch, 2, 40, 4] present_value) {
    n = Shape<start = 2, end = 3>(q)
    valid = Add(at, n)
    present_key = TensorScatter(past_key, q, at)
    present_value = TensorScatter(past_value, q, at)
    y = Attention<is_causal = 1>(q, present_key, present_value, "", "", "", valid)
  })";
  for (const std::string& device : devices()) {
    INFO(device);
    const auto model = load_text(scattering, {.device = device});
    REQUIRE(model->plan().states.size() == 2);
    for (const StatePair& state : model->plan().states) CHECK((state.in_place && state.growing_axis == -1));
    const auto in_buffer = take(Session::create(model)),
               grown = take(Session::create(load_text(decoder, {.device = device})));
    bool good = true;
    for (int i = 0; good && i < 20; ++i) {
      const HostValue q = i == 0 ? token(i, 1, 7) : token(i);
      const auto met = take(in_buffer->run({{"q", q}, {"at", i64({1}, {i == 0 ? 0 : 6 + i})}}));
      const auto expected = take(grown->run({{"q", q}}));
      REQUIRE(met.size() == 1);
      good = floats(met[0].second) == floats(expected[0].second);
      CHECK(good);
    }
    count_row(good);
  }
}

TEST_CASE("a buffer with room is one state, written into where it lies, and says when it is full") {
  for (const std::string& device : devices()) {
    INFO(device);
    const auto fixed = load_text(grouped_decoder("9", "9"), {.device = device});
    const auto growing = load_text(grouped_decoder("past", "all"), {.device = device});
    REQUIRE(fixed->plan().states.size() == 2);
    for (const StatePair& state : fixed->plan().states) CHECK((state.in_place && state.growing_axis == -1));
    const auto in_buffer = take(Session::create(fixed)), grown = take(Session::create(growing));
    bool good = true;
    for (int64_t step = 0; good && step < 5; ++step) {
      const auto met = take(in_buffer->run(grouped_step(step))), expected = take(grown->run(grouped_step(step)));
      REQUIRE(met.size() == 1);
      good = of_tokens(step, met[0].second) == of_tokens(step, expected[0].second);
      CHECK(good);
    }
    const auto full = in_buffer->run(grouped_step(5));
    REQUIRE_FALSE(full);
    CHECK_THAT(full.error().message,
               Catch::Contains("a buffer of [2, 2, 9, 8]") && Catch::Contains("no room for more"));
    in_buffer->reset_states();
    CHECK(in_buffer->run(grouped_step(0)));
    count_row(good);
  }
}

TEST_CASE("present = Concat(past, x) is a state, whatever its names are") {
  const auto model = load_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[2, n] x, float[2, old] before) => (float[2, all] after, float[2, all] y) {
      after = Concat<axis = 1>(before, x) y = Relu(after) })");
  REQUIRE(model->plan().states.size() == 1);
  CHECK(model->plan().states[0].growing_axis == 1);
  const auto session = take(Session::create(model));
  REQUIRE(session->run({{"x", f32({2, 1}, {1, -2})}}));
  const auto outputs = take(session->run({{"x", f32({2, 1}, {3, 4})}}));
  REQUIRE(outputs.size() == 1);
  CHECK(floats(outputs[0].second) == std::vector<float>{1, 3, 0, 4});
}

TEST_CASE("a cache of one size is written in place, with room for what the caller tells") {
  for (const std::string& device : devices()) {
    INFO(device);
    const auto model = load_text(R"(<ir_version: 10, opset_import: ["" : 24]>
      g (float[batch, room, 3] cache, float[batch, new, 3] x, int64[batch] at)
        => (float[batch, room, 3] next, float[batch, room, 3] y) {
        next = TensorScatter(cache, x, at) y = Neg(next) })",
                                 {.device = device});
    REQUIRE(model->plan().states.size() == 1);
    CHECK(model->plan().states[0].in_place);
    const auto session = take(Session::create(model, {.sizes = {{"room", 5}}}));
    std::vector<float> expected(2 * 5 * 3, 0);
    bool good = true;
    int64_t recorded = 0;
    for (int64_t i = 0; i < 5; ++i) {
      const std::vector<int64_t> places = {i, 4 - i};  // of each batch its own
      const auto update = numbers(2 * 3, static_cast<int>(i));
      for (size_t k = 0; k < 6; ++k) expected[k / 3 * 15 + static_cast<size_t>(places[k / 3]) * 3 + k % 3] = -update[k];
      const auto outputs = take(session->run({{"x", f32({2, 1, 3}, update)}, {"at", i64({2}, places)}}));
      REQUIRE(outputs.size() == 1);
      good &= floats(outputs[0].second) == expected;
      if (i == 2) recorded = session->recorded_count();
    }
    good &= session->recorded_count() == recorded && session->state_bytes() == expected.size() * sizeof(float);
    session->reset_states();
    const std::vector<int64_t> last = {4, 4};
    good &=
        floats(take(session->run({{"x", f32({2, 1, 3}, numbers(6, 1))}, {"at", i64({2}, last)}}))[0].second)[0] == 0;
    CHECK(good);
    count_row(good);
    CHECK_FALSE(session->run({{"x", f32({2, 6, 3}, numbers(36, 1))}, {"at", i64({2}, last)}}));
  }
}

TEST_CASE("sessions of one model run from several threads at once") {
  const auto model = load_text(decoder, {.device = "cpu", .thread_count = 2});
  const auto run = [&](std::vector<float>& last) {
    auto session = Session::create(model);
    for (int i = 0; i < 100; ++i) last = floats((*(*session)->run({{"q", token(i)}}))[0].second);
  };
  std::vector<std::vector<float>> results(4);
  std::vector<std::thread> threads;
  for (auto& result : results) threads.emplace_back([&] { run(result); });
  for (auto& thread : threads) thread.join();
  for (const auto& result : results) CHECK(result == results[0]);
}

TEST_CASE("a run is cancelled from another thread, and the session goes on afterwards") {
  const auto model = load_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[n] x) => (float[n] y) <int64 count = {1000000000}> {
      y = Loop (count, "", x) <body = b (int64 i, bool go, float[n] v) => (bool on, float[n] w) { on = Identity(go) w = Neg(v) }>
    })");
  const auto session = take(Session::create(model));
  std::thread stop([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    session->cancel();
  });
  const auto failed = session->run({{"x", f32({1}, {1})}});
  stop.join();
  REQUIRE_FALSE(failed);
  CHECK(failed.error().code == Code::cancelled);
}

}  // namespace heed::test
