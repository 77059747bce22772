// Model and Session: binding, segments, control flow, errors at a run.
#include "load.hpp"
#include "rows.hpp"
#include "vulkan/device.hpp"

namespace heed::test {

TEST_CASE("a session runs the same plan at many sizes") {
  const auto model = load_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[batch, seq] x, float[seq] bias) => (float[batch, seq] y) { t = Add(x, bias) y = Relu(t) })");
  const auto session = take(Session::create(model));
  for (const int64_t seq : {1, 7, 3, 2053}) {
    const std::vector<float> x(static_cast<size_t>(2 * seq), -1.0f), bias(static_cast<size_t>(seq), 1.5f);
    const auto outputs = take(session->run({{"x", f32({2, seq}, x)}, {"bias", f32({seq}, bias)}}));
    REQUIRE(outputs.size() == 1);
    CHECK(outputs[0].second.tensor.dims == std::vector<int64_t>{2, seq});
    CHECK(floats(outputs[0].second) == std::vector<float>(static_cast<size_t>(2 * seq), 0.5f));
  }
}

TEST_CASE("empty tensors pass through") {
  const auto model = load_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[n, 3] x) => (float[n, 3] y) { y = Relu(x) })");
  const auto session = take(Session::create(model));
  const auto outputs = take(session->run({{"x", f32({0, 3}, {})}}));
  CHECK(outputs[0].second.tensor.dims == std::vector<int64_t>{0, 3});
}

TEST_CASE("sizes that the model alone declares hold only where the run meets them") {
  const auto model = load_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float x) => (float[2, 1] y) { zero = Constant<value_float = 0.0>() c = Less(zero, x) y = Where(c, x, zero) })");
  const auto session = take(Session::create(model));
  const auto outputs = take(session->run({{"x", f32({2, 1}, {-3, 4})}}));
  CHECK(floats(outputs[0].second) == std::vector<float>{0, 4});
  const auto other = session->run({{"x", f32({3, 2, 2}, std::vector<float>(12, 1.0f))}});
  REQUIRE_FALSE(other);
  CHECK(other.error().code == Code::shape_mismatch);
}

TEST_CASE("an output that has no name is made all the same where the operator always makes it") {
  const auto model = load_text(R"(<ir_version: 8, opset_import: ["" : 23]>
    g (float[1, 1, 1, 2] q, float[1, 1, 1, 2] k, float[1, 1, 1, 2] v, float[1, 1, 1, 2] past_k, float[1, 1, 1, 2] past_v)
      => (float[1, 1, 2, 2] present) { "", present, "" = Attention(q, k, v, "", past_k, past_v) })");
  const auto session = take(Session::create(model));
  const auto x = f32({1, 1, 1, 2}, {1, 2}), past = f32({1, 1, 1, 2}, {3, 4});
  const auto outputs = take(session->run({{"q", x}, {"k", x}, {"v", x}, {"past_k", past}, {"past_v", past}}));
  CHECK(floats(outputs[0].second) == std::vector<float>{3, 4, 1, 2});
}

TEST_CASE("floats of a Constant node tell sizes as integers do") {
  const auto model = load_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[1, 1, n] x) => (float[1, 1, m] y) { scales = Constant<value_floats = [1.0, 1.0, 2.0]>() y = Resize<mode = "nearest">(x, "", scales) })");
  CHECK(model->plan().segments.size() == 1);
  const auto session = take(Session::create(model));
  const auto outputs = take(session->run({{"x", f32({1, 1, 2}, {3, 4})}}));
  CHECK(floats(outputs[0].second) == std::vector<float>{3, 3, 4, 4});
}

TEST_CASE("sizes that depend on data end a segment, and what follows is bound when they are known") {
  const auto model = load_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[n] x) => (float[m] y, int64[1, m] where) { where = NonZero(x) flat = Squeeze(where) y = Gather(x, flat) })");
  CHECK(model->plan().segments.size() > 1);
  const auto session = take(Session::create(model));
  const auto two = take(session->run({{"x", f32({5}, {0, 3, 0, 0, 4})}}));
  CHECK(floats(two[0].second) == std::vector<float>{3, 4});
  CHECK(integers(two[1].second) == std::vector<int64_t>{1, 4});
  const auto three = take(session->run({{"x", f32({4}, {1, 2, 0, 7})}}));
  CHECK(floats(three[0].second) == std::vector<float>{1, 2, 7});
  const auto none = take(session->run({{"x", f32({2}, {0, 0})}}));
  CHECK(none[0].second.tensor.dims == std::vector<int64_t>{0});
}

TEST_CASE("what tells a size runs where the size alone is asked for") {
  const auto session = take(Session::create(load_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[n] x) => (int64[2] s) { where = NonZero(x) s = Shape(where) })")));
  CHECK(integers(take(session->run({{"x", f32({5}, {0, 3, 0, 0, 4})}}))[0].second) == std::vector<int64_t>{1, 2});
}

TEST_CASE("If runs one branch, and branches see outer values") {
  const auto model = load_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (bool c, float[n] x) => (float[n] y) {
      y = If (c) <then_branch = t () => (float[n] a) { a = Add(x, x) }, else_branch = e () => (float[n] b) { b = Neg(x) }>
    })");
  const auto session = take(Session::create(model));
  const auto yes = tensor<uint8_t>(DataType::boolean, {}, {1}), no = tensor<uint8_t>(DataType::boolean, {}, {0});
  CHECK(floats(take(session->run({{"c", yes}, {"x", f32({2}, {1, 2})}}))[0].second) == std::vector<float>{2, 4});
  CHECK(floats(take(session->run({{"c", no}, {"x", f32({2}, {1, 2})}}))[0].second) == std::vector<float>{-1, -2});
}

TEST_CASE("a rank that an operator alone tells lets it be planned, and is held against the run") {
  const auto model = load_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (bool c, float[n, m] x) => (float[n, 1, k] y) <int64[1] one = {1}, float[1, 1, 2] w = {1, 10}> {
      r = If (c) <then_branch = t () => (float a) { a = Unsqueeze(x, one) }, else_branch = e () => (float b) { b = Neg(x) }>
      y = Conv(r, w)
    })");
  const auto session = take(Session::create(model));
  const auto yes = tensor<uint8_t>(DataType::boolean, {}, {1}), no = tensor<uint8_t>(DataType::boolean, {}, {0});
  CHECK(floats(take(session->run({{"c", yes}, {"x", f32({1, 3}, {1, 2, 3})}}))[0].second) ==
        std::vector<float>{21, 32});
  CHECK(floats(take(session->run({{"c", yes}, {"x", f32({2, 2}, {1, 2, 3, 4})}}))[0].second) ==
        std::vector<float>{21, 43});
  const auto other = session->run({{"c", no}, {"x", f32({1, 3}, {1, 2, 3})}});
  REQUIRE_FALSE(other);
  CHECK_THAT(other.error().message, Catch::Contains("came out as [1, 3]; inference said f32 [r.0, r.1, r.2]"));
}

TEST_CASE("whether a size is 1 is told by the run to a Squeeze without axes") {
  const auto session = take(Session::create(load_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[n, 1, 2] x) => (float y) { y = Squeeze(x) })")));
  const auto dims = [&](std::vector<int64_t> sizes) {
    const std::vector<float> elements(static_cast<size_t>(sizes[0] * 2), 1.0f);
    return take(session->run({{"x", f32(std::move(sizes), elements)}}))[0].second.tensor.dims;
  };
  CHECK(dims({3, 1, 2}) == std::vector<int64_t>{3, 2});
  CHECK(dims({1, 1, 2}) == std::vector<int64_t>{2});
}

TEST_CASE("a branch that is known not to be run need not fit") {
  const auto model = load_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[2, n] x) => (float[2, n] y) <int64[1] two = {2}, int64[1] zero = {0}, int64[3] perm = {0, 1, 2}> {
      s = Shape(x) first = Gather(s, zero) is_two = Equal(first, two)
      y = If (is_two) <then_branch = t () => (float[2, n] a) { a = Exp(x) },
                       else_branch = e () => (float[2, n] b) { b = Transpose<perm = [0, 2, 1]>(x) }>
    })");
  const auto outputs = take(take(Session::create(model))->run({{"x", f32({2, 1}, {0, 0})}}));
  CHECK(floats(outputs[0].second) == std::vector<float>{1, 1});
}

TEST_CASE("a branch whose shapes contradict each other fails where it is run, and there alone") {
  const auto yes = tensor<uint8_t>(DataType::boolean, {}, {1}), no = tensor<uint8_t>(DataType::boolean, {}, {0});
  for (const bool then_fits : {true, false}) {
    const std::string fits = "float[2] a) { a = Add(x, x) }";
    const std::string does_not =
        "float[2] a) { deep = If (c) <then_branch = u () => (float[2] b) { b = Neg(x) }, "
        "else_branch = v () => (float[2] b) { b = Exp(x) }> a = Add(deep, three) }";
    const auto model =
        load_text(R"(<ir_version: 8, opset_import: ["" : 17]>
      g (bool c, float[2] x) => (float[2] y) <float[3] three = {1, 2, 3}> {
        y = If (c) <then_branch = t () => ()" +
                  (then_fits ? fits : does_not) + ", else_branch = e () => (" + (then_fits ? does_not : fits) + R"(>
      })");
    REQUIRE(model->notices().size() == 1);
    CHECK_THAT(model->notices()[0], Catch::Contains("(If) cannot run one of its bodies"));
    const auto session = take(Session::create(model));
    const auto run = [&](const HostValue& c) { return session->run({{"c", c}, {"x", f32({2}, {1, 2})}}); };
    CHECK(floats(take(run(then_fits ? yes : no))[0].second) == std::vector<float>{2, 4});
    const auto failed = run(then_fits ? no : yes);
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code == Code::shape_mismatch);
    CHECK_THAT(failed.error().message, Catch::Contains("[2] and [3] do not broadcast"));
    CHECK(floats(take(run(then_fits ? yes : no))[0].second) == std::vector<float>{2, 4});
  }
  const auto neither = Model::load(take(parse_model(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (bool c, float[2] x) => (float[2] y) <float[3] three = {1, 2, 3}> {
      y = If (c) <then_branch = t () => (float[2] a) { a = Add(x, three) }, else_branch = e () => (float[2] b) { b = Mul(x, three) }>
    })")),
                                   registry(), {.device = "cpu"});
  REQUIRE_FALSE(neither);
  CHECK(neither.error().code == Code::shape_mismatch);
}

TEST_CASE("what is known to be run is no step of its own") {
  const auto model = load_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[2, n] x) => (float[2, n] y) <int64[1] two = {2}, int64[1] zero = {0}> {
      s = Shape(x) first = Gather(s, zero) is_two = Equal(first, two)
      y = If (is_two) <then_branch = t () => (float[2, n] a) { a = Exp(x) }, else_branch = e () => (float[2, n] b) { b = Neg(x) }>
    })");
  CHECK(model->plan().steps.size() == 1);
  const auto outputs = take(take(Session::create(model))->run({{"x", f32({2, 1}, {0, 0})}}));
  CHECK(floats(outputs[0].second) == std::vector<float>{1, 1});
}

TEST_CASE("a body gives on what it only passes: captured values, constants, what it was given") {
  const auto model = load_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (bool c, float[2] x, int64 n) => (float[2] y, float[2] z, float[2] last) <float[2] k = {7, 8}, bool yes = {1}> {
      y = If (c) <then_branch = t () => (float[2] a) { a = Identity(x) }, else_branch = e () => (float[2] b) { b = Identity(k) }>
      z = If (c) <then_branch = t2 () => (float[2] a) <float[2] own = {5, 6}> { a = Identity(own) },
                  else_branch = e2 () => (float[2] b) { b = Neg(x) }>
      last = Loop (n, yes, x) <body = l (int64 i, bool go, float[2] v) => (bool go_on, float[2] w) {
        go_on = Identity(go) w = Identity(v) }>
    })");
  const auto session = take(Session::create(model));
  for (const uint8_t chosen : {1, 0, 1}) {
    const auto outputs = take(session->run(
        {{"c", tensor<uint8_t>(DataType::boolean, {}, {chosen})}, {"x", f32({2}, {1, 2})}, {"n", i64({}, {3})}}));
    CHECK(floats(outputs[0].second) == (chosen ? std::vector<float>{1, 2} : std::vector<float>{7, 8}));
    CHECK(floats(outputs[1].second) == (chosen ? std::vector<float>{5, 6} : std::vector<float>{-1, -2}));
    CHECK(floats(outputs[2].second) == std::vector<float>{1, 2});
  }
}

TEST_CASE("Loop carries values, stacks what it scans, and runs no iteration when told so") {
  const auto model = load_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (int64 count, float[n] x) => (float[n] last, float[k, n] all) {
      last, all = Loop (count, "", x) <body = b (int64 i, bool go, float[n] v) => (bool go_on, float[n] w, float[n] seen) {
        go_on = Identity(go) w = Add(v, x) seen = Identity(w) }>
    })");
  const auto session = take(Session::create(model));
  const auto outputs = take(session->run({{"count", i64({}, {3})}, {"x", f32({2}, {1, 10})}}));
  CHECK(floats(outputs[0].second) == std::vector<float>{4, 40});
  CHECK(outputs[1].second.tensor.dims == std::vector<int64_t>{3, 2});
  CHECK(floats(outputs[1].second) == std::vector<float>{2, 20, 3, 30, 4, 40});
  const auto none = take(session->run({{"count", i64({}, {0})}, {"x", f32({2}, {1, 10})}}));
  CHECK(floats(none[0].second) == std::vector<float>{1, 10});
  // No iteration tells the size of what would have been stacked.
  CHECK(none[1].second.tensor.dims.size() == 2);
  CHECK(none[1].second.tensor.dims[0] == 0);
}

TEST_CASE("views cost no step, and a value that is an output keeps its elements") {
  const auto model = load_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[a, b] x) => (float[b, a] t, float[a, b] r) { r = Relu(x) t = Transpose(r) })");
  const auto session = take(Session::create(model));
  const auto outputs = take(session->run({{"x", f32({2, 3}, {1, -2, 3, 4, 5, -6})}}));
  CHECK(floats(outputs[0].second) == std::vector<float>{1, 4, 0, 5, 3, 0});
  CHECK(floats(outputs[1].second) == std::vector<float>{1, 0, 3, 4, 5, 0});
}

TEST_CASE("nodes behind those of a model, and which values it gives") {
  constexpr std::string_view text = R"(<ir_version: 10, opset_import: ["" : 23]>
    g (float[n, 4] x) => (float[n, 4] y, float[n, 4] z) { h = Neg(x) y = Exp(h) z = Abs(x) })";
  const auto load = [&](std::string append, std::vector<std::string> outputs) {
    return Model::load(take(parse_model(text)), registry(),
                       {.device = "cpu", .append = std::move(append), .outputs = std::move(outputs)});
  };
  const auto model = take(load("\"y.best\" = ArgMax<axis = -1, keepdims = 0>(Neg(y))", {"y.best", "h"}));
  CHECK(model->plan().steps.size() < 5);  // nobody asks for z
  const auto outputs = take(take(Session::create(model))->run({{"x", f32({1, 4}, {3, 1, 4, 2})}}));
  REQUIRE(outputs.size() == 2);
  CHECK(outputs[0].first == "y.best");
  CHECK(integers(outputs[0].second) == std::vector<int64_t>{2});
  CHECK(floats(outputs[1].second) == std::vector<float>{-3, -1, -4, -2});
  const auto reason = [&](std::string append, std::vector<std::string> names) {
    return load(std::move(append), std::move(names)).error().message;
  };
  CHECK_THAT(reason("a = Neg(q)", {}), Catch::Contains("reads 'q', which the model does not make"));
  CHECK_THAT(reason("z = Neg(y)", {}), Catch::Contains("makes 'z', which the model makes already"));
  CHECK_THAT(reason("", {"q"}), Catch::Contains("no value 'q'"));
  CHECK_FALSE(load("a = ", {}));
}

TEST_CASE("a lost device fails the run and takes the states; the model opened again runs") {
  if (devices().size() < 2) return;
  constexpr std::string_view text = R"(<ir_version: 10, opset_import: ["" : 23]>
    g (float[1, new] x, float[1, past] past_cache) => (float[1, all] present_cache, float[1, all] y) {
      present_cache = Concat<axis = 1>(past_cache, x) y = Neg(present_cache) })";
  // Submissions are counted by the process: some went before, and a round that is not lost adds three.
  ModelOptions options{.device = "vulkan", .states = {{"past_cache", "present_cache"}}};
  const auto run = [](Session& session) { return session.run({{"x", f32({1, 2}, {1, 2})}}); };
  for (int lose_at = 1;; lose_at += 4) {
    REQUIRE(lose_at < 10'000);
    options.kernel_options = {{"vulkan.lose_at_submission", std::to_string(lose_at)}};
    const auto session = take(Session::create(load_text(text, options)));
    auto first = run(*session);
    const auto second = first ? run(*session) : std::move(first);
    if (second) {
      CHECK(floats(take(run(*session)).back().second).size() == 6);
      continue;
    }
    CHECK(second.error().code == Code::device_failed);
    CHECK_THAT(second.error().message, Catch::Contains("VK_ERROR_DEVICE_LOST"));
    CHECK(session->state_length() == 0);
    CHECK_FALSE(run(*session));
    break;
  }
  const auto again = take(Session::create(load_text(text, options)));
  CHECK(floats(take(run(*again)).back().second) == std::vector<float>{-1, -2});
}

TEST_CASE("an observer is told each step's time, bytes and operations; a device's steps follow one another") {
  for (const auto& device : devices()) {
    CAPTURE(device);
    const auto model = load_text(R"(<ir_version: 10, opset_import: ["" : 23]>
      g (float[n, 8] x, float[8, 3] w) => (float[n, 3] y) { t = MatMul(x, w) y = Softmax(t) })",
                                 {.device = device});
    const auto session = take(Session::create(model));
    std::vector<StepTime> steps;
    session->observe([&](const StepTime& time) {
      if (time.plan->steps[time.step].computes) steps.push_back(time);
    });
    const auto x = f32({5, 8}, std::vector<float>(40, 1)), w = f32({8, 3}, std::vector<float>(24, 1));
    for (int run = 0; run < 2; ++run) {
      steps.clear();
      take(session->run({{"x", x}, {"w", w}}));
      REQUIRE(steps.size() == 2);
      CHECK(steps[0].bytes == 4 * (40 + 24 + 15));
      if (device != "cpu") CHECK(steps[0].operation_count == 2 * 5 * 8 * 3);  // CPU kernels do not tell
      CHECK(steps[1].bytes == 4 * (15 + 15));
      CHECK(steps[0].begin_ns <= steps[0].end_ns);
      CHECK(steps[0].end_ns <= steps[1].begin_ns);
    }
  }
}

TEST_CASE("an observer sees each step's outputs, on the device or strided, as they are after the step") {
  for (const auto& device : devices()) {
    const auto model = load_text(R"(<ir_version: 10, opset_import: ["" : 23]>
      g (float[2, 2] x, float[2, 2] w) => (float[2, 2] y) { a = MatMul(x, w) b = MatMul(a, w) y = Softmax(b) })",
                                 {.device = device, .rewrite = false});
    const auto session = take(Session::create(model));
    std::vector<std::pair<std::string, std::vector<float>>> seen;
    session->observe_values([&](const Plan& plan, uint32_t step, std::span<const HostValue> outputs) {
      if (plan.steps[step].node == no_id) return;
      REQUIRE(outputs.size() == 1);
      seen.emplace_back(plan.graph->nodes[plan.steps[step].node].op_type, floats(outputs[0]));
    });
    const auto x = f32({2, 2}, {1, 2, 3, 4}), w = f32({2, 2}, {0, 1, 1, 0});
    const auto outputs = take(session->run({{"x", x}, {"w", w}}));
    REQUIRE(seen.size() == 3);
    CHECK(seen[0] == std::pair(std::string("MatMul"), std::vector<float>{2, 1, 4, 3}));
    CHECK(seen[1] == std::pair(std::string("MatMul"), std::vector<float>{1, 2, 3, 4}));
    CHECK(seen[2].second == floats(outputs[0].second));
    session->observe_values(nullptr);
    const int64_t dispatches = session->dispatch_count(), barriers = session->barrier_count();
    take(session->run({{"x", x}, {"w", w}}));
    CHECK(seen.size() == 3);
    CHECK(session->dispatch_count() - dispatches == (device == "vulkan" ? 3 : 0));
    // What is filled (session.fill), what is uploaded behind that, and two results.
    CHECK(session->barrier_count() - barriers == (device == "vulkan" ? 4 : 0));
  }
}

TEST_CASE("a reshape of a split needs no copy; a reshape of a transpose does") {
  const auto copies = [](std::string_view text) {
    int count = 0;
    const auto model = load_text(text);
    for (const Step& step : model->plan().steps) count += step.kind == StepKind::cpu && step.op->is(HEED_COPIES);
    return count;
  };
  CHECK(copies(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[b, s, 12] x, float[6, 5] w) => (float[b, s, 5] y) { p, q = Split<axis = 2>(x) y = MatMul(p, w) })") == 0);
  CHECK(copies(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[a, b] x) => (float[n] y) <int64[1] flat = {-1}> { t = Transpose(x) r = Reshape(t, flat) y = Relu(r) })") ==
        1);
}

TEST_CASE("a transposed constant is read where it lies, on every device") {
  for (const char* device : {"cpu", "vulkan"}) {
    ModelOptions options;
    options.device = device;
    auto file = take(parse_model(R"(<ir_version: 8, opset_import: ["" : 17]>
      g (float[n, 2] x) => (float[n, 3] y) <float[3, 2] w = {1, 2, 3, 4, 5, 6}> { t = Transpose(w) y = MatMul(x, t) })"));
    options.fold = false;
    const auto model = Model::load(std::move(file), registry(), options);
    if (!model) {
      skip_row(std::string(device) + ": " + model.error().message);
      continue;
    }
    const auto session = take(Session::create(*model));
    CHECK(floats(take(session->run({{"x", f32({2, 2}, {1, 10, 100, 1000})}}))[0].second) ==
          std::vector<float>{21, 43, 65, 2100, 4300, 6500});
  }
}

TEST_CASE("a constant that is written as a node is no step, folded or not") {
  const auto model = load_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[n] x) => (float[n] y) { two = Constant<value_float = 2.0>() four = Mul(two, two) y = Add(x, four) })",
                               {.fold = false, .rewrite = false});
  std::vector<std::string> op_types;
  for (const Step& step : model->plan().steps)
    if (step.node != no_id) op_types.push_back(model->plan().graph->nodes[step.node].op_type);
  CHECK(op_types == std::vector<std::string>{"Mul", "Add"});
  const auto session = take(Session::create(model));
  CHECK(floats(take(session->run({{"x", f32({2}, {1, 2})}}))[0].second) == std::vector<float>{5, 6});
}

TEST_CASE("a run like the one before takes no more memory of the device, and records nothing") {
  if (devices().size() < 2) return;
  for (const std::string mask : {"", "unified_memory"}) {
    CAPTURE(mask);
    const auto model = load_text(R"(<ir_version: 8, opset_import: ["" : 13]>
      g (float[n, 1024] x) => (float[n, 1024] y, float[n, 1] z) { y = Neg(x) z = ReduceMax<axes = [1]>(y) })",
                                 {.device = "vulkan", .kernel_options = {{"vulkan.mask", mask}}});
    const auto session = take(Session::create(model));
    const auto run = [&](float value) {
      const auto outputs = take(session->run({{"x", f32({301, 1024}, std::vector<float>(301 * 1024, value))}}));
      return floats(outputs[0].second) == std::vector<float>(301 * 1024, -value);
    };
    CHECK(run(1));
    CHECK(run(2));
    const uint64_t held_bytes = model->device()->most_held_bytes();
    const int64_t recorded = session->recorded_count();
    for (int i = 3; i < 7; ++i) CHECK(run(static_cast<float>(i)));
    CHECK(model->device()->most_held_bytes() == held_bytes);
    CHECK(session->recorded_count() == recorded);
  }
}

TEST_CASE("a run says what does not fit, and the session stays usable") {
  const auto model = load_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[batch, 4] x, int64[batch] ids, float[7, 4] table) => (float[batch, 4] y) { e = Gather(table, ids) y = Add(e, x) })");
  const auto session = take(Session::create(model));
  const std::vector<float> table(28, 1), x(8, 1);
  const Session::NamedValues good = {{"x", f32({2, 4}, x)}, {"ids", i64({2}, {0, 6})}, {"table", f32({7, 4}, table)}};
  struct Row {
    const char* what;
    Session::NamedValues inputs;
    const char* told;
  };
  const Row rows[] = {
      {"a missing input", {good[0], good[1]}, "table"},
      {"a name that is none", {good[0], good[1], good[2], {"z", f32({1}, {1})}}, "no input 'z'"},
      {"a wrong type", {{"x", i64({2, 4}, std::vector<int64_t>(8, 1))}, good[1], good[2]}, "'x' is i64"},
      {"a wrong rank", {{"x", f32({8}, x)}, good[1], good[2]}, "rank 1"},
      {"a wrong size", {{"x", f32({4, 2}, x)}, good[1], good[2]}, "axis 1 has size 2"},
      {"two sizes for one symbol", {good[0], {"ids", i64({3}, {0, 1, 2})}, good[2]}, "'batch'"},
      {"an index that is out of range", {good[0], {"ids", i64({2}, {0, 7})}, good[2]}, "7"},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    const auto failed = session->run(row.inputs);
    REQUIRE_FALSE(failed);
    CHECK_THAT(failed.error().message, Catch::Contains(row.told));
    CHECK(session->run(good));
  }
}

TEST_CASE("a run whose sizes contradict each other leaves nothing of them to the next one") {
  const auto model = load_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[m, k] x, float[k2, 3] w) => (float[m, 3] y, float[m, k] u) { t = Relu(x) y = MatMul(t, w) u = Exp(t) })");
  const auto session = take(Session::create(model));
  const auto inputs = [](int64_t m, int64_t k, int64_t k2) -> Session::NamedValues {
    return {{"x", f32({m, k}, std::vector<float>(static_cast<size_t>(m * k), 1))},
            {"w", f32({k2, 3}, std::vector<float>(static_cast<size_t>(k2 * 3), 1))}};
  };
  for (int round = 0; round < 2; ++round) {
    const auto outputs = take(session->run(inputs(2, 4, 4)));
    CHECK(floats(outputs[0].second) == std::vector<float>(6, 4));
    CHECK(outputs[1].second.tensor.dims == std::vector<int64_t>{2, 4});
    const auto failed = session->run(inputs(40000, 4, 5));
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code == Code::shape_mismatch);
  }
}

TEST_CASE("a run that finds no memory for its arena leaves the one before it possible") {
  const auto model = load_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    g (float[n] x) => (float[n] y, float[n] u) { t = Sin(x) y = Add(t, x) u = Cos(t) })",
                               {.memory_limit_bytes = 3 << 20});
  const auto session = take(Session::create(model));
  const auto count = [](size_t n) -> Session::NamedValues {
    return {{"x", f32({static_cast<int64_t>(n)}, std::vector<float>(n, 0))}};
  };
  for (int round = 0; round < 2; ++round) {
    CHECK(take(session->run(count(1000)))[0].second.tensor.dims == std::vector<int64_t>{1000});
    const auto failed = session->run(count(786'000));
    REQUIRE_FALSE(failed);
    CHECK(failed.error().code == Code::out_of_memory);
  }
}

TEST_CASE("shapes of which a model says nothing are held against the contract when the run tells them") {
  struct Row {
    const char* what;
    const char* graph;
    Session::NamedValues good, bad;
    const char* told;
  };
  const auto zeros = [](int64_t count) { return std::vector<float>(static_cast<size_t>(count), 0); };
  const HostValue x = f32({2, 1, 3}, zeros(6)), w = f32({1, 16, 3}, zeros(48)), r = f32({1, 16, 4}, zeros(64));
  const Row rows[] = {
      {"an edge that is none",
       "(float low, float high) => (float[a, b] y) { "
       "bins = Constant<value_int = 4>() length = Constant<value_int = 16>() rate = Constant<value_int = 8000>() "
       "y = MelWeightMatrix(bins, length, rate, low, high) }",
       {{"low", f32({}, {0})}, {"high", f32({}, {4000})}},
       {{"low", f32({0}, {})}, {"high", f32({}, {4000})}},
       "MelWeightMatrix"},
      {"no lengths",
       "(float[2, 1, 3] x, float[1, 16, 3] w, float[1, 16, 4] r, int32 lengths) => (float[a, b, c, d] y) { "
       "y = LSTM<hidden_size = 4>(x, w, r, \"\", lengths) }",
       {{"x", x}, {"w", w}, {"r", r}, {"lengths", tensor<int32_t>(DataType::i32, {1}, {2})}},
       {{"x", x}, {"w", w}, {"r", r}, {"lengths", tensor<int32_t>(DataType::i32, {0}, {})}},
       "LSTM"},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    const auto model = load_text("<ir_version: 8, opset_import: [\"\" : 17]> g " + std::string(row.graph));
    const auto session = take(Session::create(model));
    for (int round = 0; round < 2; ++round) {
      CHECK(session->run(row.good));
      const auto failed = session->run(row.bad);
      REQUIRE_FALSE(failed);
      CHECK(failed.error().code == Code::shape_mismatch);
      CHECK_THAT(failed.error().message, Catch::Contains(row.told));
    }
  }
}

TEST_CASE("a result lands in the memory that is given for it, however it lies where it is computed") {
  struct Row {
    const char* what;
    const char* nodes;
    std::vector<std::vector<int64_t>> dims;  // of outputs y, z; the second may be missing
  };
  const Row rows[] = {
      {"as it is computed", "y = Sin(x)", {{2, 3, 4}}},
      {"in another shape", "t = Sin(x) s = Constant<value_ints = [6, 4]>() y = Reshape(t, s)", {{6, 4}}},
      {"in two shapes",
       "t = Sin(x) s = Constant<value_ints = [6, 4]>() y = Reshape(t, s) z = Flatten(t)",
       {{6, 4}, {2, 12}}},
      {"as it is, and in another shape",
       "y = Sin(x) s = Constant<value_ints = [6, 4]>() z = Reshape(y, s)",
       {{2, 3, 4}, {6, 4}}},
      {"in another shape, and as it is",
       "z = Sin(x) s = Constant<value_ints = [6, 4]>() y = Reshape(z, s)",
       {{6, 4}, {2, 3, 4}}},
      {"transposed", "t = Sin(x) y = Transpose<perm = [2, 0, 1]>(t)", {{4, 2, 3}}},
      {"transposed, and as it is", "z = Sin(x) y = Transpose<perm = [2, 0, 1]>(z)", {{4, 2, 3}, {2, 3, 4}}},
      {"a part",
       "t = Sin(x) a = Constant<value_ints = [1]>() b = Constant<value_ints = [3]>() c = Constant<value_ints = [2]>() "
       "y = Slice(t, a, b, c)",
       {{2, 3, 2}}},
      {"a part behind others",
       "t = Sin(x) a = Constant<value_ints = [1]>() b = Constant<value_ints = [2]>() c = Constant<value_ints = [0]>() "
       "y = Slice(t, a, b, c)",
       {{1, 3, 4}}},
      {"both halves", "t = Sin(x) y, z = Split<axis = 0, num_outputs = 2>(t)", {{1, 3, 4}, {1, 3, 4}}},
      {"twice", "y = Sin(x) z = Identity(y)", {{2, 3, 4}, {2, 3, 4}}},
      {"an input in another shape", "s = Constant<value_ints = [6, 4]>() y = Reshape(x, s)", {{6, 4}}},
      {"heads side by side",
       "s = Constant<value_ints = [2, 12]>() t = Transpose<perm = [0, 2, 1]>(x) e = Exp(t) y = Reshape(e, s)",
       {{2, 12}}},
  };
  std::vector<float> numbers(24);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i);
  const SharedValue inputs[] = {take(to_run_value(f32({2, 3, 4}, numbers)))};
  for (const std::string& device : devices())
    for (const auto& [what, nodes, dims] : rows) {
      INFO(device << ", " << what);
      std::string declared;
      for (size_t i = 0; i < dims.size(); ++i) {
        declared += i == 0 ? "float[" : ", float[";
        for (size_t axis = 0; axis < dims[i].size(); ++axis)
          declared += (axis ? ", " : "") + std::to_string(dims[i][axis]);
        declared += i == 0 ? "] y" : "] z";
      }
      const auto model = load_text(
          "<ir_version: 8, opset_import: [\"\" : 18]> g (float[2, 3, 4] x) => (" + declared + ") { " + nodes + " }",
          {.device = device});
      const auto session = take(Session::create(model));
      std::vector<SharedValue> expected(dims.size());
      REQUIRE(session->run(inputs, expected));
      for (size_t given = 1; given < size_t{1} << dims.size(); ++given) {  // which
        std::vector<SharedValue> met(dims.size());
        for (size_t i = 0; i < dims.size(); ++i)
          if (given >> i & 1) met[i] = take(new_host_tensor(DataType::f32, dims[i]));
        const auto memory = met;
        const auto done = session->run(inputs, met);
        if (!done) FAIL(done.error().message);
        for (size_t i = 0; i < dims.size(); ++i) {
          if (given >> i & 1) CHECK(met[i]->data == memory[i]->data);
          const auto values = floats(take(to_host_value(*met[i].get())));
          const bool good = values == floats(take(to_host_value(*expected[i].get())));
          CHECK(good);
          count_row(good);
        }
      }
    }
}

TEST_CASE("what a run needs is known before it") {
  constexpr std::string_view chain = R"(<ir_version: 10, opset_import: ["" : 23]>
    g (float[n, 300] x, float[300, 40] w) => (float[n, 40] y) { t = Softmax(x) u = MatMul(t, w) y = Softmax(u) })";
  const auto model = load_text(chain);
  const auto session = take(Session::create(model));
  for (const int64_t n : {1, 7, 64}) {
    const auto need = take(session->measure({{"n", n}}));
    const auto run = take(Session::create(model));
    const auto count = static_cast<size_t>(n * 300);
    take(run->run({{"x", f32({n, 300}, std::vector<float>(count))}, {"w", f32({300, 40}, std::vector<float>(12000))}}));
    CHECK(need.host_bytes == run->arena_bytes());
    CHECK_FALSE(need.is_bound);
    CHECK(need.unbounded.empty());
  }
  const auto open = session->measure({});
  REQUIRE_FALSE(open);
  CHECK(open.error().message == "these sizes are open: n");
}

TEST_CASE("sizes that only the run tells count with their bound, or are told to have none") {
  const auto bounded = take(Session::create(load_text(R"(<ir_version: 10, opset_import: ["" : 23]>
    g (float[n, 3] x) => (float[1, 1] y) { i = NonZero(x) f = Cast<to = 1>(i) y = ReduceSum(f) })")));
  const auto need = take(bounded->measure({{"n", 100}}));
  CHECK(need.is_bound);
  CHECK(need.host_bytes >= 2 * 300 * 8);  // [2, 3 n] i64, where nothing is zero
  const auto loose = take(Session::create(load_text(R"(<ir_version: 10, opset_import: ["" : 23]>
    g (int64 limit) => (int64[k] y) <int64 zero = {0}, int64 one = {1}> { r = Range(zero, limit, one) y = Add(r, one) })")));
  const auto unbounded = take(loose->measure({})).unbounded;
  CHECK(unbounded == std::vector<std::string>{"y"});
}

}  // namespace heed::test
