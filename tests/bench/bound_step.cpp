// What a step costs beside its kernel: a plan of a thousand steps that each compute one element.
#include <chrono>
#include <iostream>

#include "graph/parse.hpp"
#include "plugins/built_in.hpp"
#include "session/session.hpp"

int main() {
  using namespace heed;
  constexpr int step_count = 1000, run_count = 200;
  Registry registry;
  for (const auto entry : built_in_plugins)
    if (!registry.add_built_in(entry)) return 1;
  std::string text = "<ir_version: 8, opset_import: [\"\" : 17]> g (float[n] x0) => (float[n] x1000) {";
  for (int i = 0; i < step_count; ++i) text += " x" + std::to_string(i + 1) + " = Neg(x" + std::to_string(i) + ")";
  auto file = parse_model(text + " }");
  if (!file) return std::cerr << file.error().message << "\n", 1;
  ModelOptions options;
  options.device = "cpu";
  options.thread_count = 1;
  options.rewrite = false;  // a chain would be fused into one step
  const auto model = Model::load(std::move(*file), registry, options);
  if (!model) return std::cerr << model.error().message << "\n", 1;
  const auto session = Session::create(*model);
  std::vector<SharedValue> inputs(1), outputs(1);
  const float one[] = {1};
  inputs[0] = value_of(Tensor::of<float>(DataType::f32, {1}, one));
  double best_ns = 1e18;
  for (int i = 0; i < run_count; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    outputs[0] = {};
    if (!(*session)->run(inputs, outputs)) return 1;
    best_ns =
        std::min(best_ns, std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count());
  }
  std::cout << best_ns / step_count << " ns a step (the scalar kernel for one element included), best of " << run_count
            << " runs of " << step_count << " steps\n";
}
