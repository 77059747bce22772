// From what people type to a Model: built-in and given plugins, a file or a model folder.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "options.hpp"

namespace heed::tool {

// All that is built in, and the plugins of --plugin. Lives until the process ends.
Result<const Registry*> open_registry(const RunOptions& options);

// MODEL may be a file or a folder with model.onnx in it.
Result<std::filesystem::path> find_model(const std::string& model);

// Prints the model's notices to stderr.
Result<std::shared_ptr<const Model>> open_model(const std::string& model, const RunOptions& options);

// Where a model comes from, also after the device that it ran on has failed.
class ModelSource {
 public:
  // `adapt` may change what is asked for when it has seen the file; null: nothing.
  using Adapt = std::function<Result<void>(const Graph& graph, ModelOptions& options)>;
  ModelSource(std::string model, RunOptions options, Adapt adapt = nullptr)
      : model_(std::move(model)), options_(std::move(options)), adapt_(std::move(adapt)) {}

  // Where --device auto finds a GPU that cannot hold the model, the CPU takes it, with a note.
  Result<std::shared_ptr<const Model>> open();
  // The model to go on with after a run that failed with `error`: on a lost device opened anew, once; else, under
  // --device auto, on the CPU; each with a note. Fails with `error` where neither helps. Nobody holds the old model.
  Result<std::shared_ptr<const Model>> reopen(Error error);

 private:
  Result<std::shared_ptr<const Model>> open_once();
  bool go_on_with_cpu(const Error& error);

  std::string model_;
  RunOptions options_;
  Adapt adapt_;
  bool is_on_device_ = false, is_reopened_ = false;
};

}  // namespace heed::tool
