// Models written down as protobuf's text, and the fields that Debian's generated classes lack.
#pragma once

#include <google/protobuf/text_format.h>
#include <onnx/onnx_pb.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "onnx/read_model.hpp"

namespace heed {

template <class Proto>
Proto proto_of(const std::string& text) {
  Proto proto;
  INFO(text);
  REQUIRE(google::protobuf::TextFormat::ParseFromString(text, &proto));
  return proto;
}

// A ModelProto of IR 10 and opset 21 around a graph.
inline std::string model_bytes(const std::string& graph, const std::string& more = "") {
  return proto_of<onnx::ModelProto>("ir_version: 10 opset_import { version: 21 } graph { name: 'g' " + graph + "} " +
                                    more)
      .SerializeAsString();
}

// The bytes are copied: what the graph borrows lives as long as it.
inline Result<ModelFile> read_bytes(const std::string& bytes, const ReadOptions& options = {}) {
  auto owner = std::make_shared<std::string>(bytes);
  return read_model(std::as_bytes(std::span(owner->data(), owner->size())), owner, options);
}

inline ModelFile model_of(const std::string& bytes, const ReadOptions& options = {}) {
  Result<ModelFile> model = read_bytes(bytes, options);
  INFO((model ? "" : model.error().message));
  REQUIRE(model);
  return std::move(*model);
}

inline std::string varint(uint64_t number) {
  std::string bytes;
  for (; number >= 128; number >>= 7) bytes += static_cast<char>(number | 128);
  return bytes + static_cast<char>(number);
}

// A field of protobuf's wire format, whatever its message knows of it.
inline std::string number_field(int number, uint64_t value) {
  return varint(static_cast<uint64_t>(number) << 3) + varint(value);
}
inline std::string bytes_field(int number, const std::string& bytes) {
  return varint(static_cast<uint64_t>(number) << 3 | 2) + varint(bytes.size()) + bytes;
}

template <class T>
std::string bytes_of(std::initializer_list<T> values) {
  return std::string(reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(T));
}

// A folder for one test, removed with it.
class ScratchFolder {
 public:
  explicit ScratchFolder(const std::string& name)
      : path_(std::filesystem::path(HEED_BINARY_FOLDER) / ("scratch_" + name + "_" + std::to_string(getpid()))) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~ScratchFolder() { std::filesystem::remove_all(path_); }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  std::filesystem::path write(const std::string& name, const std::string& bytes) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << bytes;
    return path_ / name;
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace heed
