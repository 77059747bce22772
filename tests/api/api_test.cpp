// heed.hpp, and heed.h under it: load, describe, bind, run, states, cancel, errors, plugins, the log.
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

#include "models.hpp"

extern "C" int heed_h_test(const void* model, size_t size_bytes);  // heed_h_test.c: 0, or the line that failed

namespace heed::test {
namespace {

const std::vector<int64_t> three{3};

std::vector<float> floats(const ArrayView& view) {
  const auto elements = take(view.as<float>());
  return {elements.begin(), elements.end()};
}

}  // namespace

TEST_CASE("C11 loads, binds and runs through heed.h") {
  const std::string bytes = sum_model();
  CHECK(heed_h_test(bytes.data(), bytes.size()) == 0);
}

TEST_CASE("the version is that of the headers") {
  CHECK(std::string(heed_version()) == std::to_string(HEED_VERSION_MAJOR) + "." + std::to_string(HEED_VERSION_MINOR) +
                                           "." + std::to_string(HEED_VERSION_PATCH));
}

TEST_CASE("statuses and data types are those of result.hpp and data_type.hpp") {
  for (int code = 1; code <= 8; ++code)
    CHECK(heed_error_id(static_cast<heed_status>(code)) == name_of(static_cast<Code>(code)));
  CHECK(std::string(heed_error_id(HEED_SUCCESS)) == "ok");
  CHECK(std::string(heed_error_id(static_cast<heed_status>(99))) == "unknown");
  for (int type = 0; type <= data_type_count; ++type)
    CHECK(heed_data_type_name(type) == name_of(static_cast<DataType>(type)));
  CHECK(static_cast<int>(HEED_I2) == static_cast<int>(DataType::i2));
  CHECK(static_cast<int>(HEED_BF16) == static_cast<int>(DataType::bf16));
}

TEST_CASE("a model tells its inputs, outputs, metadata and device") {
  const Model model = load(sum_model());
  const auto inputs = model.inputs(), outputs = model.outputs();
  REQUIRE(inputs.size() == 2);
  CHECK(inputs[0].name == "a");
  CHECK(inputs[0].type == "f32 [batch, 3]");
  CHECK(inputs[0].kind == HEED_VALUE_TENSOR);
  CHECK(inputs[0].data_type == DataType::f32);
  REQUIRE(inputs[0].dims);
  CHECK(std::vector<int64_t>(inputs[0].dims->begin(), inputs[0].dims->end()) == std::vector<int64_t>{-1, 3});
  CHECK(std::string(inputs[0].dim_names[0]) == "batch");
  CHECK(std::string(inputs[0].dim_names[1]) == "3");
  CHECK_FALSE(inputs[0].is_state);
  REQUIRE(outputs.size() == 1);
  CHECK(outputs[0].type == "f32 [batch, 3]");
  CHECK(model.metadata("author") == "a test");
  CHECK_FALSE(model.metadata("nobody"));
  CHECK(model.device() == "cpu");
}

TEST_CASE("inputs and outputs lie where the caller has them, at every size") {
  auto session = take(Session::create(load(sum_model())));
  const std::vector<float> b{1, 2, 3};
  take(session.bind_input("b", ArrayView(std::span(b), three)));
  for (const int64_t batch : {1, 5, 0, 2}) {
    std::vector<float> a(static_cast<size_t>(batch * 3), -2), y(a.size());
    const std::vector<int64_t> dims{batch, 3};
    take(session.bind_input("a", ArrayView(std::span(a), dims)));
    take(session.bind_output("y", ArrayView(std::span(y), dims)));
    take(session.run());
    const ArrayView result = take(session.output("y"));
    CHECK((result.data == y.data() || batch == 0));
    if (batch) CHECK(std::vector<float>(y.begin(), y.begin() + 3) == std::vector<float>{0, 0, 1});
    // The elements are read anew, where they lie.
    std::fill(a.begin(), a.end(), 10);
    take(session.run());
    if (batch) CHECK(y[2] == 13);
  }
  take(session.bind_output("y", std::nullopt));
  std::vector<float> a{0, 0, 0};
  const std::vector<int64_t> dims{1, 3};
  take(session.bind_input("a", ArrayView(std::span(a), dims)));
  take(session.run());
  CHECK(floats(take(session.output("y"))) == b);
}

TEST_CASE("outputs that are looks at inputs, or constants, reach the memory that is bound") {
  const std::string bytes =
      model_bytes(node_text("Identity", {"x"}, {"same"}) + node_text("Neg", {"x"}, {"minus"}) +
                  node_text("Identity", {"minus"}, {"twin"}) +
                  node_text("Constant", {}, {"c"}, "attribute { name: 'value_floats' type: FLOATS floats: [7, 8] } ") +
                  value_text("input", "x", 1, {"2"}) + value_text("output", "same", 1, {"2"}) +
                  value_text("output", "minus", 1, {"2"}) + value_text("output", "twin", 1, {"2"}) +
                  value_text("output", "c", 1, {"2"}));
  auto session = take(Session::create(load(bytes)));
  const std::vector<int64_t> two{2};
  const std::vector<float> x{1, 2};
  std::vector<float> same(2), minus(2), twin(2), c(2);
  take(session.bind_input("x", ArrayView(std::span(x), two)));
  take(session.bind_output("same", ArrayView(std::span(same), two)));
  take(session.bind_output("minus", ArrayView(std::span(minus), two)));
  take(session.bind_output("twin", ArrayView(std::span(twin), two)));
  take(session.bind_output("c", ArrayView(std::span(c), two)));
  take(session.run());
  CHECK(same == x);
  CHECK(minus == std::vector<float>{-1, -2});
  CHECK(twin == minus);
  CHECK(c == std::vector<float>{7, 8});
}

TEST_CASE("what is bound is checked, and the session goes on after each error") {
  auto session = take(Session::create(load(sum_model())));
  const std::vector<float> a{-2, 5, 1}, b{1, 2, 3};
  const std::vector<int64_t> one_three{1, 3}, four{4};
  const auto fails = [](const Result<void>& result, Code code, const std::string& text) {
    REQUIRE_FALSE(result);
    CHECK(result.error().code == code);
    CHECK_THAT(result.error().message, Catch::Contains(text));
  };
  fails(session.run(), Code::invalid_argument, "inputs are missing:\n  a  f32 [batch, 3]");
  fails(session.bind_input("c", ArrayView(std::span(b), three)), Code::invalid_argument, "no input 'c'; it has\n  a");
  fails(session.bind_input("b", ArrayView(std::span(b), four)), Code::invalid_argument,
        "size_bytes is 12; f32 [4] takes 16");
  fails(session.bind_output("z", std::nullopt), Code::invalid_argument, "no output 'z'");
  fails(checked(heed_session_bind_input(session.c(), nullptr, nullptr)), Code::invalid_argument, "name is NULL");
  fails(checked(heed_session_bind_input(nullptr, "a", nullptr)), Code::invalid_argument, "session is NULL");
  take(session.bind_input("a", ArrayView(std::span(b), three)));
  take(session.bind_input("b", ArrayView(std::span(b), three)));
  fails(session.run(), Code::shape_mismatch, "input 'a' has rank 1");
  const std::vector<int32_t> integers{1, 2, 3};
  take(session.bind_input("a", ArrayView(std::span(integers), one_three)));
  fails(session.run(), Code::invalid_argument, "input 'a' is i32[1, 3]; expected f32 [batch, 3]");
  take(session.bind_input("a", ArrayView(std::span(a), one_three)));
  std::vector<int32_t> wrong(3);
  take(session.bind_output("y", ArrayView(std::span(wrong), one_three)));
  fails(session.run(), Code::invalid_argument, "the memory for it is of i32");
  std::vector<float> y(4);
  const std::vector<int64_t> wrong_dims{4, 1};
  take(session.bind_output("y", ArrayView(std::span(y), wrong_dims)));
  fails(session.run(), Code::shape_mismatch, "[4, 1]; the result is [1, 3]");
  CHECK_FALSE(session.output("y"));
  take(session.bind_output("y", std::nullopt));
  take(session.run());
  CHECK(floats(take(session.output("y"))) == std::vector<float>{0, 7, 4});
}

TEST_CASE("an error of one thread leaves that of another") {
  CHECK_FALSE(Model::load("/nowhere/model.onnx"));
  CHECK_THAT(heed_error_message(), Catch::Contains("/nowhere/model.onnx"));
  std::thread([] {
    CHECK(std::string(heed_error_message()).empty());
    CHECK_FALSE(Model::load("/elsewhere/model.onnx"));
  }).join();
  CHECK_THAT(heed_error_message(), Catch::Contains("/nowhere/model.onnx"));
}

TEST_CASE("models come from files, folders, and memory that is given back") {
  const auto folder = std::filesystem::path(HEED_BINARY_FOLDER) / ("api_" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  const std::string bytes = sum_model();
  std::ofstream(folder / "model.onnx", std::ios::binary) << bytes;
  CHECK(take(Model::load(folder.string(), {.device = "cpu"})).inputs().size() == 2);
  CHECK(take(Model::load((folder / "model.onnx").string(), {.device = "cpu"})).inputs().size() == 2);
  std::filesystem::remove_all(folder);
  const auto missing = Model::load(folder.string(), {.device = "cpu"});
  REQUIRE_FALSE(missing);
  CHECK(missing.error().code == Code::io);

  int released = 0;
  const auto release = [](void* count) { ++*static_cast<int*>(count); };
  heed_model* model = nullptr;
  REQUIRE(heed_model_load_memory(nullptr, bytes.data(), bytes.size(), release, &released, nullptr, &model) ==
          HEED_SUCCESS);
  heed_session* session = nullptr;
  REQUIRE(heed_session_create(model, nullptr, &session) == HEED_SUCCESS);
  heed_model_free(model);
  heed_session_free(session);
  CHECK(released == 1);
  CHECK(heed_model_load_memory(nullptr, "no model", 8, release, &released, nullptr, &model) ==
        HEED_ERROR_INVALID_MODEL);
  CHECK(released == 2);
}

TEST_CASE("options: names, extra nodes, outputs, overridable inputs, sizes of structs") {
  const Model model = load(sum_model(), {.append = "best = ArgMax<axis = -1>(y)", .outputs = {"best"}});
  CHECK(model.outputs()[0].name == "best");
  const std::string sum = sum_model();
  const auto unknown = Model::load(std::as_bytes(std::span(sum)), nullptr, {.device = "abacus"});
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().code == Code::invalid_argument);

  const std::string bytes = model_bytes(node_text("Mul", {"x", "w"}, {"y"}) + value_text("input", "x", 1, {"2"}) +
                                        value_text("input", "w", 1, {"2"}) + value_text("output", "y", 1, {"2"}) +
                                        "initializer { name: 'w' data_type: 1 dims: 2 float_data: [2, 3] } ");
  CHECK(load(bytes).inputs().size() == 1);
  const Model overridable = load(bytes, {.overridable = {"w"}});
  REQUIRE(overridable.inputs().size() == 2);
  CHECK(overridable.inputs()[1].has_default);
  auto session = take(Session::create(overridable));
  const std::vector<float> x{1, 1}, w{5, 5};
  const std::vector<int64_t> two{2};
  take(session.bind_input("x", ArrayView(std::span(x), two)));
  take(session.run());
  CHECK(floats(take(session.output("y"))) == std::vector<float>{2, 3});
  take(session.bind_input("w", ArrayView(std::span(w), two)));
  take(session.run());
  CHECK(floats(take(session.output("y"))) == w);

  // A program built with a smaller, or a greater struct.
  heed_session_options options{};
  heed_session* made = nullptr;
  CHECK(heed_session_create(overridable.c(), &options, &made) == HEED_ERROR_INVALID_ARGUMENT);
  CHECK_THAT(heed_error_message(), Catch::Contains("struct_size is 0"));
  options.struct_size = offsetof(heed_session_options, step_limit);
  REQUIRE(heed_session_create(overridable.c(), &options, &made) == HEED_SUCCESS);
  heed_session_free(made);
  struct Greater {
    heed_session_options known;
    int64_t newer;
  } greater{};
  greater.known.struct_size = sizeof(Greater);
  REQUIRE(heed_session_create(overridable.c(), &greater.known, &made) == HEED_SUCCESS);
  heed_session_free(made);
  greater.newer = 1;
  CHECK(heed_session_create(overridable.c(), &greater.known, &made) == HEED_ERROR_UNSUPPORTED);
}

TEST_CASE("states are carried, read and written by who binds them, and reset") {
  const Model model = load(running_sum_model(), {.states = {{"total", "next"}}});
  CHECK(model.inputs()[0].is_state);
  CHECK(model.outputs()[1].is_state);
  auto session = take(Session::create(model));
  const std::vector<int64_t> two{2};
  std::vector<float> x{1, 10};
  take(session.bind_input("x", ArrayView(std::span(x), two)));
  for (const float times : {1.0f, 2.0f, 3.0f}) {
    take(session.run());
    CHECK(floats(take(session.output("y"))) == std::vector<float>{-times, -10 * times});
  }
  CHECK_FALSE(session.output("next"));
  CHECK_THAT(heed_error_message(), Catch::Contains("it is a state"));
  session.reset_states();
  take(session.run());
  CHECK(floats(take(session.output("y")))[0] == -1);
  const std::vector<float> total{100, 100};
  take(session.bind_input("total", ArrayView(std::span(total), two)));
  take(session.run());
  CHECK(floats(take(session.output("next"))) == std::vector<float>{101, 110});
  const auto cut = session.truncate_states(3);
  CHECK_FALSE(cut);
  auto plain = take(Session::create(model, {.use_states = false}));
  take(plain.bind_input("x", ArrayView(std::span(x), two)));
  CHECK_FALSE(plain.run());
}

TEST_CASE("a state that is a look at an input keeps what it was, whatever is written there next") {
  const std::string bytes =
      model_bytes(node_text("Sub", {"x", "last"}, {"y"}) + node_text("Identity", {"x"}, {"next"}) +
                  value_text("input", "last", 1, {"2"}) + value_text("input", "x", 1, {"2"}) +
                  value_text("output", "y", 1, {"2"}) + value_text("output", "next", 1, {"2"}));
  auto session = take(Session::create(load(bytes, {.states = {{"last", "next"}}})));
  const std::vector<int64_t> two{2};
  std::vector<float> x{1, 1};
  take(session.bind_input("x", ArrayView(std::span(x), two)));
  take(session.run());
  x = {5, 7};
  take(session.run());
  CHECK(floats(take(session.output("y"))) == std::vector<float>{4, 6});
}

TEST_CASE("many threads share a model, each with a session") {
  const Model model = load(sum_model(), {.thread_count = 2});
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      auto session = take(Session::create(model));
      const std::vector<float> a(300, static_cast<float>(t)), b{1, 2, 3};
      const std::vector<int64_t> dims{100, 3};
      take(session.bind_input("a", ArrayView(std::span(a), dims)));
      take(session.bind_input("b", ArrayView(std::span(b), three)));
      for (int i = 0; i < 50; ++i) take(session.run());
      right += floats(take(session.output("y")))[299] == static_cast<float>(t + 3);
    });
  for (auto& thread : threads) thread.join();
  CHECK(right == 4);
}

TEST_CASE("plugins come before the first model, and stay as long as their models") {
  auto runtime = std::optional(take(Runtime::create()));
  const auto bad = runtime->load_plugin(std::string(HEED_TEST_PLUGINS) + "/no_symbol.so");
  REQUIRE_FALSE(bad);
  CHECK_THAT(bad.error().message, Catch::Contains("heed_plugin_entry"));
  take(runtime->load_plugin(std::string(HEED_TEST_PLUGINS) + "/good.so"));
  const std::string bytes = sum_model();
  const Model model = take(Model::load(std::as_bytes(std::span(bytes)), nullptr, {.device = "cpu"}, runtime));
  const auto late = runtime->load_plugin(std::string(HEED_TEST_PLUGINS) + "/good.so");
  REQUIRE_FALSE(late);
  CHECK_THAT(late.error().message, Catch::Contains("before the runtime's first model"));
  runtime.reset();
  CHECK(Session::create(model));
}

TEST_CASE("messages go to the log sink, from a level on") {
  struct Log {
    std::mutex mutex;
    std::vector<std::string> texts;
  };
  static Log log;
  const auto sink = [](void* context, heed_log_level level, const char* text) {
    auto& all = *static_cast<Log*>(context);
    const std::lock_guard lock(all.mutex);
    all.texts.push_back(std::to_string(level) + " " + text);
  };
  REQUIRE(heed_set_log_sink(sink, &log, HEED_LOG_WARNING) == HEED_SUCCESS);
  const std::string bytes = model_bytes(
      node_text("Relu", {"x"}, {"y"}) + value_text("input", "x", 1, {"2"}) + value_text("output", "y", 1, {"2"}),
      "training_info { }");
  load(bytes);
  REQUIRE(log.texts.size() == 1);
  CHECK_THAT(log.texts[0], Catch::Contains("2 ") && Catch::Contains("training information is ignored"));
  REQUIRE(heed_set_log_sink(sink, &log, HEED_LOG_ERROR) == HEED_SUCCESS);
  load(bytes);
  REQUIRE(heed_set_log_sink(nullptr, nullptr, HEED_LOG_DEBUG) == HEED_SUCCESS);
  load(bytes);
  CHECK(log.texts.size() == 1);
  CHECK(heed_set_log_sink(sink, &log, static_cast<heed_log_level>(7)) == HEED_ERROR_INVALID_ARGUMENT);
}

}  // namespace heed::test
