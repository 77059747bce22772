// A plugin as a shared library: an operator of its own, and a kernel for one that is there.
#include "heed/plugin.hpp"

namespace {

const heed::Operator twice{.domain = "com.good",
                           .op_type = "Twice",
                           .inputs = {{"X", "T"}},
                           .outputs = {{"Y", "T"}},
                           .types = {{"T", heed::any_float}},
                           .infer = [](heed::Inference& node) -> heed::Result<void> {
                             const heed::Dim dims[] = {node.input(0).dim(0) * 2};
                             return node.set_output(0, node.input(0).element(), dims);
                           }};
const heed::CpuKernel add{
    .op_type = "Add", .name = "better", .run = [](heed::Running&) -> heed::Result<void> { return {}; }};

}  // namespace

HEED_PLUGIN(.name = "good", .version = "2.5", .operators = {&twice}, .cpu_kernels = {&add})
