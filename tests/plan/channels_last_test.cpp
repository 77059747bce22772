// Which values lie channels last, and what is copied for it.
#include "plans.hpp"
#include "plugins/cpu/isa.hpp"

using namespace heed;
using namespace heed::test;

namespace {

struct Row {
  std::string what, text;
  std::vector<std::string> channels_last;  // the values that do
  size_t copies = 0;
};

std::string ones(int count) {
  std::string numbers = "1";
  while (--count > 0) numbers += ", 1";
  return numbers;
}

// Over images of 8 channels.
std::string graph(const std::string& nodes, const std::string& results = "float[1, 8, 6, 6] y",
                  const std::string& size = "6") {
  return "g (float[1, 8, " + size + ", " + size + "] x) => (" + results + ") <float[8, 8, 1, 1] w = {" + ones(64) +
         "}> { " + nodes + " }";
}

const Row rows[] = {
    {"between convolutions, not at the ends", graph("a = Conv (x, w) b = Conv (a, w) y = Conv (b, w)"), {"a", "b"}},
    {"through a pool", graph("a = Conv (x, w) b = MaxPool <kernel_shape = [1, 1]> (a) y = Conv (b, w)"), {"a", "b"}},
    {"not what is no convolution's", graph("a = Relu (x) y = Conv (a, w)"), {}},
    {"a reader of another kind", graph("a = Conv (x, w) y = LRN <size = 3> (a)"), {}},
    {"through a concatenation",
     graph("a = Conv (x, w) b = Conv (x, w) c = Concat <axis = 1> (a, b) y = MaxPool <kernel_shape = [1, 1]> (c)",
           "float[1, 16, 6, 6] y"),
     {"a", "b", "c"}},
    {"not along another axis",
     graph("a = Conv (x, w) b = Conv (x, w) c = Concat <axis = 2> (a, b) y = MaxPool <kernel_shape = [1, 1]> (c)",
           "float[1, 8, 12, 6] y"),
     {}},
    {"not through one of another layout",
     graph("a = Conv (x, w) c = Concat <axis = 1> (a, x) y = MaxPool <kernel_shape = [1, 1]> (c)",
           "float[1, 16, 6, 6] y"),
     {}},
    {"half of the readers: the other one gets a copy",
     graph("a = Conv (x, w) y = Conv (a, w) z = LRN <size = 3> (a)", "float[1, 8, 6, 6] y, float[1, 8, 6, 6] z"),
     {"a"},
     1},
    {"less than half of them",
     graph("a = Conv (x, w) y = Conv (a, w) z = LRN <size = 3> (a) u = LRN <size = 5> (a)",
           "float[1, 8, 6, 6] y, float[1, 8, 6, 6] z, float[1, 8, 6, 6] u"),
     {}},
    {"what is a result, too, is copied",
     graph("a = Conv (x, w) y = Conv (a, w)", "float[1, 8, 6, 6] y, float[1, 8, 6, 6] a"),
     {"a"},
     1},
    {"sizes that only the run tells", graph("a = Conv (x, w) y = Conv (a, w)", "float[1, 8, h, h] y", "h"), {}},
};

}  // namespace

TEST_CASE("values that lie channels last", "[channels_last]") {
  if (!cpu::machine_has(cpu::Isa::avx2) && !cpu::machine_has(cpu::Isa::neon)) {
    WARN("skipped: this machine has no vectors that kernels are compiled for");
    return;
  }
  for (const Row& row : rows) {
    INFO(row.what);
    auto plan = make_plan(typed_graph(row.text), registry(), {});
    if (!plan) FAIL(plan.error().message);
    std::vector<std::string> found;
    size_t copies = 0;
    for (const Slot& slot : (*plan)->slots)
      if (slot.strides.size() == 4 && slot.strides[1].is_number(1)) found.push_back(slot.name);
    for (const auto& step : steps_of(**plan)) copies += step == "c Copy";
    CHECK(found == row.channels_last);
    CHECK(copies == row.copies);
  }
}
