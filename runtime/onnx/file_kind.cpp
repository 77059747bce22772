// The first bytes of other formats.
#include "onnx/file_kind.hpp"

#include <algorithm>
#include <cstdint>
#include <string_view>

namespace heed::onnx_file {
namespace {

struct Magic {
  size_t offset;
  std::string_view bytes;
  const char* kind;
};

constexpr Magic magics[] = {
    {0, std::string_view("PK\x03\x04", 4), "a zip archive, such as a PyTorch checkpoint or an .npz file"},
    {0, std::string_view("GGUF", 4), "a GGUF file of llama.cpp"},
    {0, std::string_view("ggml", 4), "a GGML file"},
    {0, std::string_view("\x89HDF\r\n\x1a\n", 8), "an HDF5 file, such as a Keras model"},
    {0, std::string_view("\x93NUMPY", 6), "a NumPy array (.npy)"},
    {0, std::string_view("\x1f\x8b", 2), "gzip-compressed: unpack it first"},
    {0,
     std::string_view("\xfd"
                      "7zXZ",
                      5),
     "xz-compressed: unpack it first"},
    {0, std::string_view("\x28\xb5\x2f\xfd", 4), "zstd-compressed: unpack it first"},
    {0,
     std::string_view("\x7f"
                      "ELF",
                      4),
     "a program or library"},
    {4, std::string_view("TFL3", 4), "a TensorFlow Lite model"},
    {4, std::string_view("ORTM", 4), "a model in ONNX Runtime's own format (.ort)"},
    {0, std::string_view("version https://git-lfs", 23),
     "a Git LFS pointer, not the file that it stands for: run `git lfs pull`"},
    {0, std::string_view("<!DOCTYPE", 9), "a web page: the download went wrong"},
    {0, std::string_view("<html", 5), "a web page: the download went wrong"},
};

bool is_safetensors(std::string_view text) {
  if (text.size() < 9 || text[8] != '{') return false;
  uint64_t header_bytes = 0;
  for (size_t byte = 8; byte-- > 0;) header_bytes = header_bytes << 8 | static_cast<uint8_t>(text[byte]);
  return header_bytes <= text.size() - 8;
}

bool is_text(std::string_view text) {
  const std::string_view start = text.substr(0, 4096);
  return std::all_of(start.begin(), start.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\r' || c == '\t' || c == '\f';
  });
}

}  // namespace

std::string likely_kind(Bytes file) {
  const std::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  if (text.empty()) return "empty";
  for (const Magic& magic : magics) {
    if (text.size() >= magic.offset && text.substr(magic.offset).starts_with(magic.bytes)) return magic.kind;
  }
  if (is_safetensors(text)) return "a safetensors file: it holds weights and no graph";
  if (text.size() > 2 && text[0] == '\x80' && text[1] >= 2 && text[1] <= 5)
    return "a Python pickle, such as an old PyTorch checkpoint";
  if (text.starts_with("\xEF\xBB\xBF") || is_text(text)) {
    return text.front() == '{' ? "JSON text" : text.front() == '<' ? "XML text" : "text";
  }
  return "";
}

}  // namespace heed::onnx_file
