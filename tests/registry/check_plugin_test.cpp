// check_plugin on tables with one thing wrong in each.
#include <catch2/catch.hpp>
#include <functional>
#include <vector>

#include "registry/registry.hpp"

using namespace heed;

namespace {

heed_text text(const char* chars) { return {chars, std::char_traits<char>::length(chars)}; }

int32_t no_callback(heed_node*, void*) { return 0; }

// A plugin of one operator with all that an operator may have.
struct Tables {
  std::vector<int32_t> versions{13, 11, 1};
  std::vector<heed_type_rule> types{{sizeof(heed_type_rule), text("T"), 0, 0}};
  std::vector<heed_parameter> inputs{{sizeof(heed_parameter), text("x"), text("T"), 0, -1, -1},
                                     {sizeof(heed_parameter), text("y"), text("i64"), 0, -1, -1}};
  std::vector<heed_parameter> outputs{{sizeof(heed_parameter), text("z"), text("T"), 0, -1, -1}};
  std::vector<heed_attribute_rule> attributes = std::vector<heed_attribute_rule>(1);
  heed_operator op{};
  std::vector<const heed_operator*> operators{&op};
  std::vector<const heed_cpu_kernel*> cpu_kernels;
  std::vector<const heed_gpu_kernel*> gpu_kernels;
  std::vector<const heed_control_kernel*> control_kernels;
  std::vector<const heed_rewrite*> rewrites;
  heed_plugin plugin{};

  Tables() {
    attributes[0].struct_size = sizeof(heed_attribute_rule);
    attributes[0].name = text("axis");
    attributes[0].kind = HEED_ATTRIBUTE_INT;
    op.struct_size = sizeof op;
    op.op_type = text("Op");
    op.infer = no_callback;
    plugin.struct_size = sizeof plugin;
    plugin.abi_major = HEED_ABI_MAJOR;
    plugin.abi_minor = HEED_ABI_MINOR;
    plugin.name = text("test");
  }

  Result<void> check() {
    op.versions = versions.data(), op.version_count = versions.size();
    op.types = types.data(), op.type_count = types.size();
    op.inputs = inputs.data(), op.input_count = inputs.size();
    op.outputs = outputs.data(), op.output_count = outputs.size();
    op.attributes = attributes.data(), op.attribute_count = attributes.size();
    plugin.operators = operators.data(), plugin.operator_count = operators.size();
    plugin.cpu_kernels = cpu_kernels.data(), plugin.cpu_kernel_count = cpu_kernels.size();
    plugin.gpu_kernels = gpu_kernels.data(), plugin.gpu_kernel_count = gpu_kernels.size();
    plugin.control_kernels = control_kernels.data(), plugin.control_kernel_count = control_kernels.size();
    plugin.rewrites = rewrites.data(), plugin.rewrite_count = rewrites.size();
    return check_plugin(&plugin);
  }
};

heed_cpu_kernel cpu_kernel(const char* name, int32_t since, int32_t until) {
  heed_cpu_kernel kernel{};
  kernel.struct_size = sizeof kernel;
  kernel.op_type = text("Op");
  kernel.name = text(name);
  kernel.since_version = since;
  kernel.until_version = until;
  kernel.run = [](heed_arguments*, const heed_node*, void*) { return 0; };
  return kernel;
}

}  // namespace

TEST_CASE("a well-formed plugin passes") {
  Tables tables;
  CHECK(tables.check());
  tables.op.infer = nullptr;
  tables.op.body = text("z = Add(x, x)");
  CHECK(tables.check());
  const auto a = cpu_kernel("scalar", 1, 12), b = cpu_kernel("scalar", 13, INT32_MAX),
             c = cpu_kernel("avx2", 1, INT32_MAX);
  tables.cpu_kernels = {&a, &b, &c};
  CHECK(tables.check());
}

TEST_CASE("what is wrong with a plugin is said by name") {
  static const auto wide = cpu_kernel("scalar", 1, INT32_MAX), narrow = cpu_kernel("scalar", 13, 13),
                    none = cpu_kernel("x", 3, 2);
  static const heed_gpu_kernel gpu{sizeof(heed_gpu_kernel), {}, text("Op"), 1,       2,
                                   text("vulkan"),          0,  nullptr,    nullptr, nullptr};
  static const heed_control_kernel control{sizeof(heed_control_kernel), {}, text("Op"), 1, 2, nullptr, nullptr};
  static const heed_rewrite rewrite{sizeof(heed_rewrite), text("fuse"), nullptr, 0, {}, nullptr, nullptr};
  struct Row {
    const char* what;
    std::function<void(Tables&)> spoil;
    const char* text;
  };
  const Row rows[] = {
      {"no name", [](Tables& t) { t.plugin.name = {}; }, "it has no name"},
      {"other minor while major is 0", [](Tables& t) { t.plugin.abi_minor = HEED_ABI_MINOR + 1; }, "built for version"},
      {"a table too short for any version", [](Tables& t) { t.plugin.struct_size = 4; }, "too short"},
      {"null operator", [](Tables& t) { t.operators = {nullptr}; }, "operator 0 is null"},
      {"short operator", [](Tables& t) { t.op.struct_size = 16; }, "operator 0: struct_size is 16"},
      {"long name of ai.onnx", [](Tables& t) { t.op.domain = text("ai.onnx"); }, "written \"\""},
      {"no versions", [](Tables& t) { t.versions.clear(); }, "ai.onnx.Op: it has no versions"},
      {"version 0", [](Tables& t) { t.versions = {0}; }, "less than 1"},
      {"oldest first",
       [](Tables& t) {
         t.versions = {1, 11};
       },
       "newest first"},
      {"type row without a name", [](Tables& t) { t.types[0].name = {}; }, "type rule 0 has no name"},
      {"two type rows", [](Tables& t) { t.types.push_back(t.types[0]); }, "two type rules 'T'"},
      {"unknown type row", [](Tables& t) { t.inputs[1].type = text("U"); }, "input 1 'y' has type 'U'"},
      {"parameter without a name", [](Tables& t) { t.outputs[0].name = {}; }, "output 0 has no name"},
      {"short parameter", [](Tables& t) { t.inputs[0].struct_size = 1; }, "input 0: struct_size is 1"},
      {"variadic first", [](Tables& t) { t.inputs[0].flags = HEED_VARIADIC; }, "only the last may be"},
      {"state of nothing", [](Tables& t) { t.outputs[0].state_of = 2; }, "state of input 2"},
      {"attribute without a name", [](Tables& t) { t.attributes[0].name = {}; }, "attribute 0 has no name"},
      {"attribute of no kind", [](Tables& t) { t.attributes[0].kind = 99; }, "kind 99"},
      {"default of another kind", [](Tables& t) { t.attributes[0].default_value.kind = HEED_ATTRIBUTE_FLOAT; },
       "of another kind"},
      {"default list at null",
       [](Tables& t) {
         t.attributes[0].kind = t.attributes[0].default_value.kind = HEED_ATTRIBUTE_INTS;
         t.attributes[0].default_value.count = 2;
       },
       "list at a null pointer"},
      {"two attributes", [](Tables& t) { t.attributes.push_back(t.attributes[0]); }, "two attributes 'axis' of one kind"},
      {"nothing tells types", [](Tables& t) { t.op.infer = nullptr; }, "neither infer, nor a body"},
      {"strided view without view", [](Tables& t) { t.op.flags = HEED_VIEW_STRIDED; }, "has no `view`"},
      {"twice the same operator",
       [](Tables& t) {
         t.operators = {&t.op, &t.op};
       },
       "is there twice"},
      {"null kernel", [](Tables& t) { t.cpu_kernels = {nullptr}; }, "CPU kernel 0 is null"},
      {"kernel of no version", [](Tables& t) { t.cpu_kernels = {&none}; }, "serves versions 3 to 2"},
      {"two kernels for one version",
       [](Tables& t) {
         t.cpu_kernels = {&narrow, &wide};
       },
       "are named 'scalar' and serve version 13"},
      {"GPU kernel without plan", [](Tables& t) { t.gpu_kernels = {&gpu}; }, "lacks plan or bind"},
      {"control kernel without run", [](Tables& t) { t.control_kernels = {&control}; }, "has no run"},
      {"rewrite without pattern", [](Tables& t) { t.rewrites = {&rewrite}; }, "(fuse) has no pattern"},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    Tables tables;
    row.spoil(tables);
    const auto checked = tables.check();
    REQUIRE(!checked);
    CHECK_THAT(checked.error().message, Catch::Contains(row.text));
  }
}
