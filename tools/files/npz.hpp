// NumPy's .npz files: zip archives of .npy files, stored or deflated.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/tensor.hpp"

namespace heed {

struct NpzEntry {
  std::string name;  // without ".npy"
  Tensor tensor;
};

// The arrays of an archive, by names only.
Result<std::vector<std::string>> list_npz(const std::filesystem::path& path);

// One array; `expected` as in read_npy. Fails with io, and with invalid_argument where there is no such name (the names
// that there are stand in the error), and for what is no .npz.
Result<Tensor> read_npz(const std::filesystem::path& path, const std::string& name,
                        std::optional<DataType> expected = std::nullopt);

// All arrays, in the order of the archive.
Result<std::vector<NpzEntry>> read_npz(const std::filesystem::path& path);

// Stored, not deflated, as numpy.savez does; types as in write_npy. Fails with io, and with unsupported from 4 GiB on.
Result<void> write_npz(const std::filesystem::path& path, std::span<const NpzEntry> entries);

}  // namespace heed
