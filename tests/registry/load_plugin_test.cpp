// Registry::load_plugin on libraries that are none, that misbehave, and on one that does not.
#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "registry/registry.hpp"
#include "toy_operators.hpp"

using namespace heed;

namespace {

struct Fault {
  std::string file, text;
  Code code;
};

std::filesystem::path in_folder(const std::string& name) { return std::filesystem::path(HEED_TEST_PLUGINS) / name; }

}  // namespace

TEST_CASE("a file that is no good plugin is refused with the reason") {
  {
    std::ofstream(in_folder("text.so")) << "this is a text";
    std::ofstream(in_folder("empty.so"));
  }
  const Fault faults[] = {
      {"missing.so", "there is no such file", Code::io},
      {".", "no file but a folder", Code::io},
      {"text.so", "no shared library that this machine can load", Code::io},
      {"empty.so", "no shared library that this machine can load", Code::io},
      {"no_symbol.so", "does not export heed_plugin_entry", Code::invalid_argument},
      {"other_major.so", "built for version 7.", Code::unsupported},
      {"gives_null.so", "it failed: the licence server sleeps", Code::unsupported},
      {"gives_null_silently.so", "does not say why", Code::unsupported},
      {"short_table.so", "struct_size is", Code::invalid_argument},
      {"no_operators.so", "operators: 1 entries at a null pointer", Code::invalid_argument},
      {"duplicate.so", "bad.Op is there twice", Code::invalid_argument},
      {"no_op_type.so", "operator 0 has no op_type", Code::invalid_argument},
      {"kernel_without_run.so", "has no run", Code::invalid_argument},
  };
  for (const Fault& fault : faults) {
    INFO(fault.file);
    Registry registry;
    const auto loaded = registry.load_plugin(in_folder(fault.file));
    REQUIRE(!loaded);
    CHECK(loaded.error().code == fault.code);
    CHECK_THAT(loaded.error().message, Catch::Contains(fault.text));
    CHECK_THAT(loaded.error().message, Catch::Contains(fault.file));
    CHECK(registry.plugins().empty());
    CHECK(registry.operators().empty());
  }
}

TEST_CASE("a plugin that the user gives brings its operator, and its kernel wins over what is built in") {
  Registry registry;
  REQUIRE(registry.add_built_in(test::toy_plugin));
  const auto loaded = registry.load_plugin(in_folder("good.so"));
  REQUIRE((loaded ? "" : loaded.error().message) == "");
  REQUIRE(registry.plugins().size() == 2);
  CHECK(registry.plugins()[1].name == "good");
  CHECK(registry.plugins()[1].version == "2.5");
  CHECK(registry.plugins()[1].operators == 1);
  const auto* twice = registry.find_operator("com.good", "Twice");
  REQUIRE(twice);
  CHECK(twice->given);
  const auto kernels = registry.cpu_kernels("", "Add", 14);
  REQUIRE(kernels);
  REQUIRE(kernels->size() == 2);
  CHECK(kernels->front()->plugin == "good");
  CHECK(kernels->back()->plugin == "toy");

  const auto again = registry.load_plugin(in_folder("good.so"));
  REQUIRE(!again);
  CHECK_THAT(again.error().message, Catch::Contains("a plugin named 'good' is there already"));
}
