// From what people type to a Model: built-in and given plugins, a file or a model folder.
#pragma once

#include <filesystem>
#include <memory>

#include "options.hpp"

namespace heed::tool {

// All that is built in, and the plugins of --plugin. Lives until the process ends.
Result<const Registry*> open_registry(const RunOptions& options);

// MODEL may be a file or a folder with model.onnx in it.
Result<std::filesystem::path> find_model(const std::string& model);

// Prints the model's notices to stderr.
Result<std::shared_ptr<const Model>> open_model(const std::string& model, const RunOptions& options);

}  // namespace heed::tool
