// Kernels in quarantine: the file, and plans that pass them over.
#include "vulkan/quarantine.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <thread>

#include "load.hpp"
#include "vulkan/device.hpp"

namespace heed::vulkan {
namespace {

using test::take;

const PipelineCacheOwner owner{0x10005, 7, 42, {1, 2, 3}};

struct Folder {
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "heed_quarantine_XXXXXX").string();
    REQUIRE(mkdtemp(name.data()));
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

const Quarantined softmax{"", "Softmax", "one row in a workgroup", "f16", "axis 0: y0: element 1 is 2,\texpected 1\n"};
const Quarantined attention{"heed", "Attention", "*", "f32", "vkCreateComputePipelines failed"};

void put(const std::filesystem::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

}  // namespace

TEST_CASE("what is put into quarantine is read by the next process") {
  const Folder folder;
  const Quarantine file(folder.path / "deep", owner);
  CHECK(take(file.read()).empty());
  REQUIRE(file.write(std::vector{softmax, attention}));
  const auto kernels = take(Quarantine(folder.path / "deep", owner).read());
  REQUIRE(kernels.size() == 2);
  CHECK(kernels[0].op_type == "Softmax");
  CHECK(kernels[0].reason == "axis 0: y0: element 1 is 2, expected 1 ");
  CHECK(find_quarantined(kernels, "", "Softmax", "one row in a workgroup", "f16") == &kernels[0]);
  CHECK(find_quarantined(kernels, "", "Softmax", "one row in a workgroup", "f32") == nullptr);
  CHECK(find_quarantined(kernels, "", "Softmax", "another", "f16") == nullptr);
  CHECK(find_quarantined(kernels, "heed", "Attention", "any at all", "f32") == &kernels[1]);
  REQUIRE(file.write({}));
  CHECK(take(file.read()).empty());
  CHECK_FALSE(std::filesystem::exists(file.path()));
}

TEST_CASE("another driver's quarantine is not read") {
  const Folder folder;
  REQUIRE(Quarantine(folder.path, owner).write(std::vector{softmax}));
  auto newer = owner;
  ++newer.driver_version;
  CHECK(take(Quarantine(folder.path, newer).read()).empty());
}

TEST_CASE("a damaged quarantine is an error that names the file, never half of it") {
  const Folder folder;
  const Quarantine file(folder.path, owner);
  REQUIRE(file.write(std::vector{softmax, attention}));
  std::ifstream stream(file.path(), std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(stream), {}};
  for (const auto& damaged :
       {whole.substr(0, whole.size() - 5), whole + "x", std::string(), std::string("Heed"), std::string(100, '\n')}) {
    put(file.path(), damaged);
    const auto read = file.read();
    REQUIRE_FALSE(read.has_value());
    CHECK_THAT(read.error().message, Catch::Contains(file.path().string()));
  }
}

TEST_CASE("two writers leave one whole quarantine") {
  const Folder folder;
  const Quarantine file(folder.path, owner);
  const auto write = [&](const Quarantined& kernel) {
    for (int i = 0; i < 50; ++i) (void)file.write(std::vector(20, kernel));
  };
  std::thread one(write, softmax), other(write, attention);
  one.join();
  other.join();
  CHECK(take(file.read()).size() == 20);
}

TEST_CASE("a kernel in quarantine is declined with its reason, and the model is still right") {
  const Folder folder;
  const std::vector<Option> options = {{"vulkan.cache", folder.path.string()}};
  const auto device = Device::open("auto", options);
  if (!device) return test::skip_row(device.error().message);
  REQUIRE((*device)->quarantine_file().write(std::vector{Quarantined{"", "Softmax", "*", "f32", "it gave sevens"},
                                                         Quarantined{"", "Exp", "expression", "f32", "it gave NaN"}}));
  const auto again = [&](bool use_quarantine) {
    // Another mask is another device, which reads the file anew.
    ModelOptions model_options{.device = "vulkan", .use_quarantine = use_quarantine, .kernel_options = options};
    model_options.kernel_options.emplace_back("vulkan.mask", "int16");
    return test::load_text(R"(<ir_version: 10, opset_import: ["" : 23]>
      g (float[2, 2] x) => (float[2, 2] y, float[2, 2] z) { y = Softmax(x) e = Exp(x) z = Neg(e) })",
                           model_options);
  };
  const auto model = again(true);
  bool told = false;
  for (const Step& step : model->plan().steps) {
    if (step.computes) CHECK(step.kind == StepKind::cpu);
    for (const auto& declined : step.declined)
      told |= declined.reason.find("quarantined on ") == 0 &&
              declined.reason.find(": it gave sevens") != std::string::npos;
  }
  CHECK(told);
  const auto session = take(Session::create(model));
  const auto outputs = take(session->run({{"x", test::f32({2, 2}, {0, 0, 3, 3})}}));
  CHECK(test::floats(outputs[0].second) == std::vector<float>(4, 0.5f));
  const auto trusting = again(false);
  for (const Step& step : trusting->plan().steps)
    if (step.computes) CHECK(step.kind == StepKind::gpu);
}

}  // namespace heed::vulkan
