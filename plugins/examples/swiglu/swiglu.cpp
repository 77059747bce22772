// com.acme.SwiGLU-1: y = gate / (1 + exp(-alpha * gate)) * up, after broadcasting (Shazeer 2020, "GLU Variants Improve
// Transformer"). Copy this folder to begin an operator of your own.
#include <cmath>

#include <heed/plugin.hpp>

namespace {

heed::Result<void> infer(heed::Inference& node) {
  HEED_ASSIGN(const auto dims, heed::broadcast_inputs(node));
  return node.set_output(0, node.input(0).element(), dims);
}

template <class T>
void compute(const heed::Running& run) {
  const T alpha = static_cast<T>(run.number("alpha"));
  heed::for_each_element<T, 2>(run, [=](T gate, T up) { return gate / (1 + std::exp(-alpha * gate)) * up; });
}

heed::Result<void> run(heed::Running& run) {
  run.output(0).element() == heed::DataType::f64 ? compute<double>(run) : compute<float>(run);
  return {};
}

const heed::Operator swiglu{
    .domain = "com.acme", .op_type = "SwiGLU",
    .inputs = {{"gate", "T"}, {"up", "T"}}, .outputs = {{"y", "T"}},
    .types = {{"T", {heed::DataType::f32, heed::DataType::f64}}},
    .attributes = {heed::attribute("alpha", 1.0f)},
    .body = "y = Mul(Swish<alpha = @alpha>(gate), up)",     // the same in plain operators
    .expression = "gate / (1 + exp(-@alpha * gate)) * up",  // f32 on every device, fused with its neighbours
    .infer = infer};
const heed::CpuKernel swiglu_cpu{.domain = "com.acme", .op_type = "SwiGLU", .run = run};

}  // namespace

HEED_PLUGIN(.name = "acme", .version = "1.0.0", .operators = {&swiglu}, .cpu_kernels = {&swiglu_cpu})
