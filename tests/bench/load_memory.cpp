// How much memory loading a model takes at its peak: VmHWM of a process that loads it, less that of one that does not,
// against the size of the files. The goal: at most 1.2 times the files and 16 MB.
//
//   load_memory [FOLDER]     makes files of 128 MB in FOLDER (default: the system's for temporary files), removes them
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "onnx/read_model.hpp"
#include "plugins/built_in.hpp"
#include "session/model.hpp"

namespace {

namespace fs = std::filesystem;

constexpr size_t mib = size_t{1} << 20;
constexpr size_t weights_bytes = 128 * mib;

std::string varint(uint64_t number) {
  std::string bytes;
  for (; number >= 128; number >>= 7) bytes += static_cast<char>(number | 128);
  return bytes + static_cast<char>(number);
}
std::string number_field(int field, uint64_t value) {
  return varint(static_cast<uint64_t>(field) << 3) + varint(value);
}
std::string bytes_start(int field, uint64_t size) {
  return varint(static_cast<uint64_t>(field) << 3 | 2) + varint(size);
}
std::string bytes_field(int field, const std::string& bytes) { return bytes_start(field, bytes.size()) + bytes; }

// Bytes of a file in order: text, or `zeros` bytes that are written without standing in memory.
struct Piece {
  std::string text;
  size_t filler_bytes = 0;
};

size_t size_of(const std::vector<Piece>& pieces) {
  size_t size = 0;
  for (const Piece& piece : pieces) size += piece.text.size() + piece.filler_bytes;
  return size;
}

std::vector<Piece> wrapped(int field, std::vector<Piece> pieces) {
  pieces.insert(pieces.begin(), {bytes_start(field, size_of(pieces))});
  return pieces;
}

// A TensorProto of f32 with its elements in raw_data (9) or float_data (4).
std::vector<Piece> tensor(const std::string& name, size_t size_bytes, int data_field) {
  std::string head = number_field(1, size_bytes / 4) + number_field(2, 1);
  if (data_field == 4) return {{head + bytes_start(4, size_bytes)}, {"", size_bytes}, {bytes_field(8, name)}};
  return {{head + bytes_field(8, name) + bytes_start(9, size_bytes)}, {"", size_bytes}};
}

void append(std::vector<Piece>& to, const std::vector<Piece>& more) { to.insert(to.end(), more.begin(), more.end()); }

std::vector<Piece> model(std::vector<Piece> graph) {
  const std::string node = bytes_field(1, "x") + bytes_field(2, "y") + bytes_field(4, "Neg");
  append(graph, {{bytes_field(1, node) + bytes_field(11, bytes_field(1, "x")) + bytes_field(12, bytes_field(1, "y"))}});
  std::vector<Piece> pieces = {{number_field(1, 10) + bytes_field(8, number_field(2, 21))}};
  append(pieces, wrapped(7, std::move(graph)));
  return pieces;
}

void write(const fs::path& path, const std::vector<Piece>& pieces) {
  std::ofstream stream(path, std::ios::binary);
  std::string filler(mib, '\0');
  for (size_t i = 0; i < filler.size(); ++i) filler[i] = static_cast<char>(i * 31 >> 3);
  for (const Piece& piece : pieces) {
    stream << piece.text;
    for (size_t at = 0; at < piece.filler_bytes; at += filler.size()) {
      stream.write(filler.data(), static_cast<std::streamsize>(std::min(filler.size(), piece.filler_bytes - at)));
    }
  }
}

std::vector<Piece> initializers(size_t count, int data_field) {
  std::vector<Piece> graph;
  // Names of every length: raw_data begins at every remainder of 4.
  for (size_t i = 0; i < count; ++i) {
    append(graph,
           wrapped(5, tensor("w" + std::to_string(i) + std::string(i % 4, '_'), weights_bytes / count, data_field)));
  }
  return graph;
}

std::vector<Piece> constant_node() {
  std::vector<Piece> attribute = {{bytes_field(1, "value") + number_field(20, 4)}};
  append(attribute, wrapped(5, tensor("", weights_bytes, 9)));
  std::vector<Piece> node = {{bytes_field(2, "c") + bytes_field(4, "Constant")}};
  append(node, wrapped(5, attribute));
  return wrapped(1, node);
}

std::vector<Piece> external_initializer(const std::string& file, size_t offset) {
  const auto entry = [](const std::string& key, const std::string& value) {
    return bytes_field(13, bytes_field(1, key) + bytes_field(2, value));
  };
  return {
      {bytes_field(5, number_field(1, weights_bytes / 4) + number_field(2, 1) + bytes_field(8, "w") +
                          entry("location", file) + entry("offset", std::to_string(offset)) + number_field(14, 1))}};
}

// A chain of eight products with matrices of 16 MB: weights that preparing packs, and lets go.
std::vector<Piece> products() {
  constexpr size_t width = 2048, count = weights_bytes / (width * width * 4);
  std::vector<Piece> graph;
  for (size_t i = 0; i < count; ++i) {
    const std::string name = "w" + std::to_string(i);
    const std::string head =
        number_field(1, width) + number_field(1, width) + number_field(2, 1) + bytes_field(8, name);
    append(graph, wrapped(5, {{head + bytes_start(9, width * width * 4)}, {"", width * width * 4}}));
    graph.push_back({bytes_field(1, bytes_field(1, "x" + std::to_string(i)) + bytes_field(1, name) +
                                        bytes_field(2, "x" + std::to_string(i + 1)) + bytes_field(4, "MatMul"))});
  }
  const std::string row = bytes_field(1, bytes_field(2, "n")) + bytes_field(1, number_field(1, width));
  const std::string type = bytes_field(1, number_field(1, 1) + bytes_field(2, row));
  graph.push_back({bytes_field(11, bytes_field(1, "x0") + bytes_field(2, type)) +
                   bytes_field(12, bytes_field(1, "x" + std::to_string(count)) + bytes_field(2, type))});
  std::vector<Piece> pieces = {{number_field(1, 8) + bytes_field(8, number_field(2, 17))}};
  append(pieces, wrapped(7, std::move(graph)));
  return pieces;
}

// Reads each byte of the constants, as packing them does.
uint64_t touch(const heed::Graph& graph) {
  uint64_t sum = 0;
  for (const heed::Value& value : graph.values) {
    if (value.constant) {
      for (size_t at = 0; at < value.constant->size_bytes; at += 64)
        sum += static_cast<uint64_t>(value.constant->data[at]);
    }
  }
  for (const heed::Node& node : graph.nodes) {
    for (const auto& [name, attribute] : node.attributes) {
      if (const auto* constant = std::get_if<heed::Tensor>(&attribute.content)) {
        for (size_t at = 0; at < constant->size_bytes; at += 64) sum += static_cast<uint64_t>(constant->data[at]);
      }
    }
  }
  return sum;
}

size_t peak_kib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::strtoull(line.c_str() + 6, nullptr, 10);
  }
  return 0;
}

// In a process of its own: prints the peak after loading, and after reading all weights as well.
int load(const char* path, bool map) {
  size_t after_load = 0;
  uint64_t sum = 0;
  if (*path) {
    const heed::Result<heed::ModelFile> model = heed::read_model(path, {.map = map});
    if (!model) return std::fprintf(stderr, "%s\n", model.error().message.c_str()), 1;
    after_load = peak_kib();
    sum = touch(*model->graph);
    std::printf("%zu %zu %d\n", after_load, peak_kib(), static_cast<int>(sum & 1));
  } else {
    after_load = peak_kib();
    std::printf("%zu %zu 0\n", after_load, after_load);
  }
  return 0;
}

// The same for Model::load, which reads, plans and packs: prints its peak twice.
int prepare(const char* path) {
  heed::Registry registry;
  for (const auto entry : heed::built_in_plugins)
    if (!registry.add_built_in(entry)) return 1;
  heed::ModelOptions options;
  options.device = "cpu";
  const auto model = heed::Model::load(path, registry, options);
  if (!model) return std::fprintf(stderr, "%s\n", model.error().message.c_str()), 1;
  std::printf("%zu %zu 0\n", peak_kib(), peak_kib());
  return 0;
}

struct Peak {
  size_t load_kib = 0, read_kib = 0;
};

Peak measure(const std::string& program, const std::string& path, const std::string& how) {
  const std::string command = "'" + program + "' " + how + " '" + path + "'";
  FILE* pipe = popen(command.c_str(), "r");
  Peak peak;
  if (pipe == nullptr || std::fscanf(pipe, "%zu %zu", &peak.load_kib, &peak.read_kib) != 2) std::exit(1);
  pclose(pipe);
  return peak;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::strcmp(argv[1], "--load") == 0) return load(argv[2], true);
  if (argc == 3 && std::strcmp(argv[1], "--load-without-map") == 0) return load(argv[2], false);
  if (argc == 3 && std::strcmp(argv[1], "--prepare") == 0) return prepare(argv[2]);
  const fs::path folder =
      fs::path(argc > 1 ? argv[1] : fs::temp_directory_path()) / ("heed_load_memory_" + std::to_string(getpid()));
  fs::create_directories(folder);
  const std::string program = fs::read_symlink("/proc/self/exe");

  struct Case {
    const char* name;
    std::vector<Piece> model;
    std::vector<Piece> data;
    const char* how = "--load";
  };
  const Case cases[] = {
      {"1 initializer, raw_data", model(initializers(1, 9)), {}},
      {"32 initializers, raw_data", model(initializers(32, 9)), {}},
      {"8192 initializers, raw_data", model(initializers(8192, 9)), {}},
      {"32 initializers, float_data", model(initializers(32, 4)), {}},
      {"1 Constant node", model(constant_node()), {}},
      {"external data, aligned", model(external_initializer("w.bin", 64)), {{"", weights_bytes + 64}}},
      {"external data, not aligned", model(external_initializer("w.bin", 1)), {{"", weights_bytes + 64}}},
      {"32 initializers, not mapped", model(initializers(32, 9)), {}, "--load-without-map"},
      {"8 MatMul, loaded and prepared", products(), {}, "--prepare"},
  };
  const Peak empty = measure(program, "", "--load");
  std::printf("%-30s %9s %12s %7s %18s %7s\n", "model", "files MB", "load MB", "ratio", "and reading MB", "ratio");
  for (const Case& one : cases) {
    write(folder / "m.onnx", one.model);
    write(folder / "w.bin", one.data);
    const double files_mb = static_cast<double>(size_of(one.model) + size_of(one.data)) / 1e6;
    const Peak peak = measure(program, folder / "m.onnx", one.how);
    const double load_mb = static_cast<double>(peak.load_kib - empty.load_kib) * 1024 / 1e6;
    const double read_mb = static_cast<double>(peak.read_kib - empty.load_kib) * 1024 / 1e6;
    std::printf("%-30s %9.1f %12.1f %7.2f %18.1f %7.2f\n", one.name, files_mb, load_mb, load_mb / files_mb, read_mb,
                read_mb / files_mb);
  }
  fs::remove_all(folder);
  return 0;
}
