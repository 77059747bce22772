// CpuRun: what kernels ask for while they run, with the toy operators' kernels.
#include "registry/cpu_run.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <string>

#include "graph/parse.hpp"
#include "registry/registry.hpp"
#include "toy_operators.hpp"

using namespace heed;

namespace {

std::string_view view(heed_text text) { return {text.data, text.size}; }

// One node of one operator, ready to run.
struct Step {
  Registry registry;
  std::shared_ptr<Graph> graph;
  std::unique_ptr<heed_node> node;
  const heed_cpu_kernel* kernel = nullptr;
  std::vector<heed_tensor> inputs, outputs;
  std::vector<CpuInput> input_values;
  std::vector<CpuOutput> output_values;
  heed_arguments arguments{};

  explicit Step(const std::string& text) {
    REQUIRE(registry.add_built_in(test::toy_plugin));
    auto parsed = parse_graph(text, std::make_shared<DimPool>());
    REQUIRE((parsed ? "" : parsed.error().message) == "");
    graph = *parsed;
    const Node& n = graph->nodes.back();
    const auto* contract = registry.find_operator(n.domain, n.op_type);
    REQUIRE(contract);
    node = std::make_unique<heed_node>(*graph, n, *contract);
    const auto kernels = registry.cpu_kernels(n.domain, n.op_type, node->version);
    REQUIRE(kernels);
    kernel = kernels->front()->c;
  }

  Result<void> run(ThreadPool* pool = nullptr) {
    input_values.resize(inputs.size());
    output_values.resize(outputs.size());
    arguments = {sizeof arguments,
                 inputs.data(),
                 outputs.data(),
                 static_cast<int32_t>(inputs.size()),
                 static_cast<int32_t>(outputs.size()),
                 nullptr,
                 nullptr,
                 nullptr};
    return CpuRun(pool, nullptr).run(*kernel, *node, {&arguments, input_values, output_values});
  }
};

heed_tensor not_placed(DataType element) { return {nullptr, nullptr, nullptr, 0, -1, static_cast<int32_t>(element)}; }

SharedValue floats(std::vector<int64_t> dims, std::vector<float> elements) {
  auto value = new_host_tensor(DataType::f32, dims);
  REQUIRE(value);
  std::memcpy((*value)->data, elements.data(), elements.size() * 4);
  return *value;
}

SharedValue sequence_of(std::vector<SharedValue> elements) {
  auto value = SharedValue::own(new heed_value);
  value->kind = Kind::sequence;
  for (auto& element : elements) value->elements.push_back(element.release());
  return value;
}

}  // namespace

TEST_CASE("a kernel writes an output at its place, with and without threads") {
  ThreadPool pool(2);
  for (ThreadPool* threads : {static_cast<ThreadPool*>(nullptr), &pool}) {
    Step step("g (f32[2, 1] a, f32[3] b) => (f32[2, 3] c) { c = Add(a, b) }");
    const auto a = floats({2, 1}, {10, 20}), b = floats({3}, {1, 2, 3}), c = floats({2, 3}, {0, 0, 0, 0, 0, 0});
    step.inputs = {view_of(*a.get()), view_of(*b.get())};
    step.outputs = {view_of(*c.get())};
    REQUIRE(step.run(threads));
    const auto* out = static_cast<const float*>(c->data);
    CHECK(std::vector<float>(out, out + 6) == std::vector<float>{11, 12, 13, 21, 22, 23});
  }
}

TEST_CASE("an output whose size depends on data is allocated by the kernel") {
  Step step("g (f32[5] x) => (i64[r, k] y) { y = NonZero(x) }");
  const auto x = floats({5}, {0, 1, 0, 2, 3});
  step.inputs = {view_of(*x.get())};
  step.outputs = {not_placed(DataType::i64)};
  for (int i = 0; i < 2; ++i) {  // the same step runs again
    REQUIRE(step.run());
    const auto& made = step.output_values[0].value;
    REQUIRE(made);
    CHECK(made->dims == std::vector<int64_t>{1, 3});
    CHECK(static_cast<const int64_t*>(made->data)[2] == 4);
    CHECK(reinterpret_cast<uintptr_t>(made->data) % 64 == 0);
  }
}

TEST_CASE("an output at its place is given back by allocate_output, after a check of its dims") {
  Step step("g (f32[5] x) => (i64[r, k] y) { y = NonZero(x) }");
  const auto x = floats({5}, {0, 1, 0, 2, 3});
  auto fits = new_host_tensor(DataType::i64, std::vector<int64_t>{1, 3});
  step.inputs = {view_of(*x.get())};
  step.outputs = {view_of(*fits->get())};
  REQUIRE(step.run());
  CHECK(!step.output_values[0].value);
  CHECK(static_cast<const int64_t*>((*fits)->data)[0] == 1);

  auto other = new_host_tensor(DataType::i64, std::vector<int64_t>{1, 4});
  step.outputs = {view_of(*other->get())};
  const auto failed = step.run();
  REQUIRE(!failed);
  CHECK(failed.error().code == Code::shape_mismatch);
  CHECK_THAT(failed.error().message, Catch::Contains("[1, 3]; inference said [1, 4]"));
}

TEST_CASE("texts live as long as the output that they were stored for") {
  Step step("g (string[2] x) => (string[2] y) { y = Upper(x) }");
  const Tensor in = Tensor::of_texts({2}, {"abc", std::string(10000, 'z')});
  const auto x = value_of(in);
  step.inputs = {view_of(*x.get())};
  auto y = new_host_tensor(DataType::string, std::vector<int64_t>{2});
  step.outputs = {view_of(*y->get())};
  REQUIRE(step.run());
  const auto* texts = static_cast<const heed_text*>((*y)->data);
  CHECK(view(texts[0]) == "ABC");
  CHECK(view(texts[1]) == std::string(10000, 'Z'));
  CHECK(step.output_values[0].texts);
}

TEST_CASE("a sequence that nobody else holds is changed in place; a shared one is copied") {
  Step step("g (seq(f32[2]) s, f32[2] x) => (seq(f32[2]) t) { t = SequenceInsert(s, x) }");
  const auto x = floats({2}, {5, 6});
  struct {
    bool last_use, held_elsewhere, in_place;
  } const rows[] = {{true, false, true}, {true, true, false}, {false, false, false}};
  for (const auto& row : rows) {
    INFO(row.last_use << row.held_elsewhere);
    heed_value* sequence = sequence_of({floats({2}, {1, 2})}).release();
    const auto other = row.held_elsewhere ? SharedValue::borrow(sequence) : SharedValue();
    step.inputs = {not_placed(DataType::f32), view_of(*x.get())};
    step.outputs = {not_placed(DataType::f32)};
    step.input_values = {{sequence, row.last_use}, {}};
    REQUIRE(step.run());
    const auto& made = step.output_values[0].value;
    REQUIRE(made);
    CHECK((made.get() == sequence) == row.in_place);
    CHECK((step.input_values[0].value == nullptr) == row.in_place);
    REQUIRE(made->elements.size() == 2);
    // A tensor at a place of the plan's is copied: its memory is used again.
    CHECK(made->elements[1]->data != x->data);
    CHECK(static_cast<const float*>(made->elements[1]->data)[1] == 6);
    if (!row.in_place) {
      CHECK(sequence->elements.size() == 1);
      sequence->release();
    }
  }
}

TEST_CASE("a tensor that is a value already goes into a sequence without a copy") {
  Step step("g (seq(f32[2]) s, f32[2] x) => (seq(f32[2]) t) { t = SequenceInsert(s, x) }");
  auto x = floats({2}, {5, 6});
  auto sequence = sequence_of({});
  step.inputs = {not_placed(DataType::f32), view_of(*x.get())};
  step.outputs = {not_placed(DataType::f32)};
  step.input_values = {{sequence.get(), false}, {x.get(), false}};
  REQUIRE(step.run());
  CHECK(step.output_values[0].value->elements[0] == x.get());
  CHECK(x->shared());
}

TEST_CASE("a kernel's failure comes with its text, and a kernel that gives nothing is told so") {
  Step broken("g (f32[1] x) => (f32[1] y) { y = Broken(x) }");
  const auto x = floats({1}, {1});
  broken.inputs = {view_of(*x.get())};
  broken.outputs = {not_placed(DataType::f32)};
  const auto failed = broken.run();
  REQUIRE(!failed);
  CHECK(failed.error().message == "as it always does");

  Step silent("g (f32[1] a, f32[1] b) => (f32[1] c) { c = Add(a, b) }");
  static const heed_cpu_kernel nothing = [] {
    heed_cpu_kernel kernel{};
    kernel.struct_size = sizeof kernel;
    kernel.run = [](heed_arguments*, const heed_node*, void*) { return 0; };
    return kernel;
  }();
  silent.kernel = &nothing;
  silent.inputs = {view_of(*x.get()), view_of(*x.get())};
  silent.outputs = {not_placed(DataType::f32)};
  const auto left = silent.run();
  REQUIRE(!left);
  CHECK_THAT(left.error().message, Catch::Contains("left output 0 without a value"));
}

TEST_CASE("seeds are the same for the same start, and differ within a run") {
  RandomSeeds a{7}, b{7}, c{8};
  const auto first = a.next();
  CHECK(first == b.next());
  CHECK(first != a.next());
  CHECK(first != c.next());
}

TEST_CASE("strided tensors become dense copies in order") {
  const auto x = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  struct {
    std::vector<int64_t> dims, strides;
    int64_t offset;
    std::vector<float> expected;
  } const rows[] = {
      {{3, 2}, {1, 3}, 0, {1, 4, 2, 5, 3, 6}},  // transposed
      {{2, 2}, {3, 2}, 0, {1, 3, 4, 6}},        // every second
      {{3}, {-1}, 2, {3, 2, 1}},                // reversed
      {{2, 2}, {0, 1}, 3, {4, 5, 4, 5}},        // expanded
      {{}, {}, 5, {6}},                         // a scalar
      {{0, 3}, {3, 1}, 0, {}},                  // empty
  };
  for (const auto& row : rows) {
    const heed_tensor look{static_cast<float*>(x->data) + row.offset,
                           row.dims.data(),
                           row.strides.data(),
                           0,
                           static_cast<int32_t>(row.dims.size()),
                           static_cast<int32_t>(DataType::f32)};
    auto copy = copy_to_host_tensor(look);
    REQUIRE(copy);
    const auto* data = static_cast<const float*>((*copy)->data);
    CHECK(std::vector<float>(data, data + row.expected.size()) == row.expected);
    CHECK(is_dense((*copy)->dims, (*copy)->strides));
  }
}

TEST_CASE("an empty tensor may have sizes whose product does not fit 64 bits") {
  const std::vector<int64_t> dims{4, int64_t{1} << 62, 0};
  CHECK(is_dense(dims, dense_strides(dims)));
}
