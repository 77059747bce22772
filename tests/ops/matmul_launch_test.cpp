// MatMul's GPU half with no GPU in sight: which variants it plans, and what it launches for given sizes and strides.
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "kernel_run.hpp"

namespace heed::test {
namespace {

// What a GPU kernel's functions talk to.
class GpuNode : public heed_node {
 public:
  using heed_node::heed_node;
  int32_t plan_decline(heed_text reason) override { return declined = std::string(reason.data, reason.size), 0; }
  void plan_strided_input(int32_t) override {}
  void plan_in_place(int32_t, int32_t) override {}
  void plan_work(heed_dim) override {}
  uint64_t gpu_capability(heed_text name) const override {
    const auto found = capabilities.find(std::string_view(name.data, name.size));
    return found == capabilities.end() ? 0 : found->second;
  }
  int32_t plan_variant(const heed_variant& variant) override {
    variants.emplace_back(variant.name.data, variant.name.size);
    return HEED_OK;
  }
  heed_tensor bind_input(int32_t input) const override { return inputs[static_cast<size_t>(input)].c(); }
  heed_tensor bind_output(int32_t) const override { return output.c(); }
  void bind_scratch(size_t size_bytes) override { scratch_bytes = size_bytes; }
  int32_t bind_dispatch(int32_t variant, const void*, size_t, const uint32_t workgroups[3],
                        std::span<const heed_window>) override {
    launched += (launched.empty() ? "" : "; ") + std::to_string(workgroups[0]) + " of " +
                variants.at(static_cast<size_t>(variant));
    return HEED_OK;
  }

  std::map<std::string_view, uint64_t> capabilities;
  std::vector<Laid> inputs;
  Laid output;
  std::vector<std::string> variants;
  std::string declined, launched;
  size_t scratch_bytes = 0;
};

const std::map<std::string_view, uint64_t> least{{"max_workgroup_size", 128}, {"max_shared_bytes", 16384}};  // Vulkan's

struct Row {
  std::string what;
  std::vector<int64_t> a, b, y;
  std::string launched;
  std::vector<size_t> b_order = {};
  bool b_constant = false;
  size_t variant_count = 13;  // that are built: 3 for few rows in each of 4 orders, 3 for tiles, 1 for the sum of pieces
  size_t piece_count = 0;     // that are kept in scratch memory; 0: none
};

const Row rows[] = {
    {"a decoded token", {1, 768}, {768, 4096}, {1, 4096}, "64 of at most 1 row, fours along columns", {}, true, 4},
    {"an odd number of columns", {1, 768}, {768, 4161}, {1, 4161}, "66 of at most 1 row, along columns", {}, true, 4},
    {"b lies transposed", {1, 768}, {768, 4096}, {1, 4096}, "256 of at most 1 row, fours along k", {1, 0}, false, 13},
    {"an odd k, transposed", {1, 767}, {767, 4096}, {1, 4096}, "256 of at most 1 row, along k", {1, 0}, false, 13},
    {"four rows", {3, 64}, {64, 4096}, {3, 4096}, "64 of at most 4 rows, fours along columns", {}, false, 13},
    {"batches over one b are rows", {2, 4, 64}, {64, 4096}, {2, 4, 4096},
     "64 of at most 8 rows, fours along columns", {}, false, 13},
    {"few columns and a long k",
     {1, 4096},
     {4096, 512},
     {1, 512},
     "64 of at most 1 row, fours along columns; 4 of the sum of pieces",
     {},
     true,
     4,
     8},
    {"a prompt", {2048, 64}, {64, 2048}, {2048, 2048}, "512 of tiles of 128 x 64", {}, false, 4},
    {"a shorter prompt", {512, 64}, {64, 512}, {512, 512}, "64 of tiles of 64 x 64", {}, false, 4},
    {"a short prompt", {40, 64}, {64, 512}, {40, 512}, "32 of tiles of 32 x 32", {}, true, 4},
    {"few tiles and a long k",
     {64, 2048},
     {2048, 64},
     {64, 64},
     "16 of tiles of 32 x 32; 32 of the sum of pieces",
     {},
     false,
     4,
     4},
    {"more tiles than workgroups", {300000, 1}, {1, 2048}, {300000, 2048}, "65535 of tiles of 128 x 64", {}, false, 4},
    {"nothing to do", {0, 5}, {5, 3}, {0, 3}, "", {}, false, 13},
};

void check_launch(const Row& row, DataType element, const std::map<std::string_view, uint64_t>& capabilities) {
  INFO(row.what);
  GraphBuilder builder(std::make_shared<DimPool>(), GraphBuilder::Scope::complete);
  const auto type = [&](const std::vector<int64_t>& dims) {
    return ValueType{Kind::tensor, false, element, std::vector<Dim>(dims.begin(), dims.end())};
  };
  REQUIRE(builder.add_input("a", type(row.a)));
  if (row.b_constant)
    REQUIRE(builder.add_constant("b", noise(row.b, 1)));
  else
    REQUIRE(builder.add_input("b", type(row.b)));
  REQUIRE(builder.add_statement(parse_statements("y = MatMul(a, b)")->at(0)));
  builder.add_output("y", {});
  const auto graph = std::move(builder).build({{"", newest_opset}});
  REQUIRE(graph);
  REQUIRE(infer_shapes(**graph, registry()));
  const auto& op = *registry().find_operator("", "MatMul");
  GpuNode node(**graph, (*graph)->nodes.at(0), op);
  const auto* kernel = registry().gpu_kernels("", "MatMul", node.version)->at(0)->c;
  // Only where they lie matters.
  const auto lie = [&](const std::vector<int64_t>& dims, const std::vector<size_t>& order) {
    Laid laid = room(element, std::vector<int64_t>(dims.size(), 0), order);
    laid.dims = dims;
    int64_t stride = 1;
    for (size_t i = dims.size(); i-- > 0;) {
      const size_t axis = order.empty() ? i : order[i];
      laid.strides[axis] = stride;
      stride *= dims[axis];
    }
    return laid;
  };
  node.capabilities = capabilities;
  node.inputs = {lie(row.a, {}), lie(row.b, row.b_order)};
  node.output = lie(row.y, {});
  CHECK(text_of(call_plugin([&] { return kernel->plan(&node, kernel->user); })) == "");
  CHECK(text_of(call_plugin([&] { return kernel->bind(&node, kernel->user); })) == "");
  CHECK(node.declined == "");
  CHECK(node.launched == row.launched);
  CHECK(std::set(node.variants.begin(), node.variants.end()).size() == row.variant_count);
  CHECK(node.scratch_bytes == row.piece_count * static_cast<size_t>(node.output.count()) * sizeof(float));
}

// A GPU whose subgroups multiply matrices.
std::map<std::string_view, uint64_t> cooperative(uint64_t n, uint64_t k, uint64_t subgroup_size) {
  return {{"cooperative_matrix", 1}, {"float16", 1}, {"storage_16bit", 1},
          {"cooperative_m", 16}, {"cooperative_n", n}, {"cooperative_k", k},
          {"subgroup_size", subgroup_size}, {"max_workgroup_size", 1024}, {"max_shared_bytes", 49152}};
}

Row prompt(std::string what, std::string launched, size_t variant_count = 4) {
  return {std::move(what), {2048, 64}, {64, 2048}, {2048, 2048}, std::move(launched), {}, false, variant_count};
}

}  // namespace

TEST_CASE("MatMul on a GPU chooses a variant by sizes and strides") {
  for (const Row& row : rows) check_launch(row, DataType::f32, least);
}

TEST_CASE("MatMul where threads are lanes of a CPU's vectors makes tiles of few rows") {
  const std::map<std::string_view, uint64_t> device{
      {"cpu_threads", 1}, {"int64", 1}, {"subgroup_shuffle", 1}, {"subgroup_size", 8}, {"max_workgroup_size", 1024}};
  check_launch({"a prompt", {128, 384}, {384, 1536}, {128, 1536}, "192 of at most 16 rows, fours along columns, a in fours",
                {}, true, 3},
               DataType::f32, device);
  check_launch({"a token", {1, 384}, {384, 1536}, {1, 1536}, "24 of at most 1 row, fours along columns, a in fours",
                {}, false, 9},
               DataType::f32, device);
  check_launch({"an odd k", {5, 383}, {383, 64}, {5, 64}, "1 of at most 8 rows, fours along columns", {}, true, 3},
               DataType::f32, device);
}

TEST_CASE("MatMul of f16 on a GPU uses cooperative matrices where it has such as the shader serves") {
  check_launch(prompt("square products", "256 of cooperative tiles of 128 x 128"), DataType::f16, cooperative(16, 16, 32));
  check_launch(prompt("narrow products", "512 of cooperative tiles of 128 x 64"), DataType::f16, cooperative(8, 16, 64));
  check_launch(prompt("f32", "512 of tiles of 128 x 64"), DataType::f32, cooperative(16, 16, 32));
  check_launch(prompt("a longer k than that of a tile", "512 of tiles of 128 x 64"), DataType::f16, cooperative(16, 64, 32));
  check_launch(prompt("no eights", "512 of tiles of 128 x 64"), DataType::f16, cooperative(12, 16, 32));
  check_launch({"a token", {1, 768}, {768, 4096}, {1, 4096}, "64 of at most 1 row, fours along columns", {}, false, 13},
               DataType::f16, cooperative(16, 16, 32));
  auto device = cooperative(16, 16, 32);
  device["max_shared_bytes"] = 16384;
  check_launch(prompt("little shared memory", "1024 of cooperative tiles of 64 x 64", 3), DataType::f16, device);
  device["max_shared_bytes"] = 4096;
  check_launch(prompt("hardly any", "512 of tiles of 128 x 64"), DataType::f16, device);
  device = cooperative(16, 16, 64);
  device["max_workgroup_size"] = 128;
  check_launch(prompt("small workgroups", "512 of tiles of 128 x 64"), DataType::f16, device);
  device = cooperative(16, 16, 32);
  device["float16"] = 0;
  check_launch(prompt("masked", "512 of tiles of 128 x 64"), DataType::f16, device);
}

}  // namespace heed::test
