// Model: a graph made ready on a device. Plan, packed weights, pipelines; immutable to whoever looks, shared by
// threads.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/thread_pool.hpp"
#include "graph/graph.hpp"
#include "onnx/read_model.hpp"
#include "passes/rewrite.hpp"
#include "plan/plan.hpp"
#include "registry/registry.hpp"

namespace heed {

namespace vulkan {
class Device;
}
struct PreparedPlan;

struct ModelOptions {
  std::string device = "auto";           // auto, cpu, vulkan, or vulkan: with an index, a type or part of a name
  bool require_gpu = false;              // refuse where a computing step would run on the CPU
  int thread_count = 0;                  // 0: as many as this process may use
  bool fold = true;                      // constants
  bool rewrite = true;                   // and element-wise chains
  bool use_quarantine = true;            // kernels that failed on the device before are declined
  // Of what loading allocates on the host for tensors, and of what each session then does; SIZE_MAX: none.
  size_t memory_limit_bytes = SIZE_MAX;
  int64_t time_limit_ns = 0;             // of loading, looked at between its steps; 0: none
  ReadOptions read = {};
  // Of symbols, by name: what costs are reckoned with when nodes get their places. They bind nothing.
  std::vector<std::pair<std::string, int64_t>> size_hints = {};
  // Inputs and the outputs that are their later selves; Heed finds most by itself.
  std::vector<std::pair<std::string, std::string>> states = {};
  // Nodes behind those of the file, in ONNX's textual syntax over its values: "token = ArgMax<axis = -1>(logits)"; and
  // what a run gives, of what either makes; none named: what the file gives.
  std::string append = {};
  std::vector<std::string> outputs = {};
  // "cpu.isa" = "avx2", "kernel" = "scalar"; "vulkan.mask" = "int64" and the like are the device's; "session.fill" =
  // "nan" fills the memory of a run before it, so that who reads what nobody wrote shows.
  std::vector<std::pair<std::string, std::string>> kernel_options = {};
};

class Model {
 public:
  // `registry` must outlive every Model and Session made from it.
  static Result<std::shared_ptr<const Model>> load(const std::filesystem::path& path, const Registry& registry,
                                                   const ModelOptions& options = {});
  static Result<std::shared_ptr<const Model>> load(ModelFile file, const Registry& registry,
                                                   const ModelOptions& options = {});
  ~Model();
  Model(const Model&) = delete;

  const Registry& registry() const { return *registry_; }
  const Plan& plan() const { return *plan_; }
  const PreparedPlan& prepared() const { return *prepared_; }
  const ModelFile& file() const { return file_; }
  const ModelOptions& options() const { return options_; }
  ThreadPool& threads() const { return *threads_; }
  const std::shared_ptr<vulkan::Device>& device() const { return device_; }  // null: the CPU alone
  const std::vector<RewriteCount>& rewrites() const { return rewrites_; }
  size_t weight_bytes() const { return weight_bytes_; }  // of constants that steps read, packed ones included
  const std::vector<std::string>& notices() const { return notices_; }  // for people: no GPU, a newer opset

 private:
  Model() = default;

  const Registry* registry_ = nullptr;
  ModelFile file_;
  ModelOptions options_;
  std::shared_ptr<vulkan::Device> device_;
  std::unique_ptr<ThreadPool> threads_;
  std::unique_ptr<Plan> plan_;
  std::unique_ptr<PreparedPlan> prepared_;
  std::vector<RewriteCount> rewrites_;
  std::vector<std::string> notices_;
  size_t weight_bytes_ = 0;
};

}  // namespace heed
