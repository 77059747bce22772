// From an ONNX file to a graph. The only room that sees protobuf.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.hpp"

namespace heed {

struct ReadOptions {
  bool map = true;      // files are mapped and tensors stay in them; false: read into memory
  bool strict = false;  // external data: no hard links, and checksums are checked
  // For what a model makes the loader allocate: tensors that cannot stay where they lie. 0: the machine's memory.
  size_t memory_limit_bytes = 0;
  // Inputs with an initializer that the caller wants to give values to; all others become constants.
  std::vector<std::string> overridable = {};
  // For a model from memory: where its external data lies. Empty: it may have none.
  std::filesystem::path external_data_folder = {};
};

// Errors say which file, node or tensor, what was met and what was expected: io where a file cannot be read,
// invalid_model where it contradicts itself or ONNX, unsupported where it is sound but beyond what is done here
// (embedded data over 2 GiB among it), out_of_memory over the limit, invalid_argument for names in `overridable` that
// no such input has.
Result<ModelFile> read_model(const std::filesystem::path& path, const ReadOptions& options = {});

// Tensors borrow `model`, which `owner` keeps alive.
Result<ModelFile> read_model(std::span<const std::byte> model, std::shared_ptr<const void> owner,
                             const ReadOptions& options = {});

}  // namespace heed
