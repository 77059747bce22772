// .npz files: those of NumPy, our own, and damaged ones.
#include "files/npz.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <fstream>

#include "graph/print.hpp"
#include "test_data.hpp"

using namespace heed;

namespace {

// numpy 2.4.6: np.savez_compressed(f, x=np.zeros((4, 5), np.float32) + 1.5, names=np.array(['a', 'bcd']))
constexpr char compressed[] =
    "\x50\x4b\x03\x04\x2d\x00\x00\x00\x08\x00\x00\x00\x21\x00\xe3\x2c\x79\xf9\xff\xff\xff\xff\xff\xff\xff\xff\x05\x00"
    "\x14"
    "\x00\x78\x2e\x6e\x70\x79\x01\x00\x10\x00\xd0\x00\x00\x00\x00\x00\x00\x00\x4c\x00\x00\x00\x00\x00\x00\x00\x9b\xec"
    "\x17"
    "\xea\x1b\x10\xc9\xc8\x50\xc6\x50\xad\x9e\x92\x5a\x9c\x5c\xa4\x6e\xa5\xa0\x6e\x93\x66\xa2\xae\xa3\xa0\x9e\x96\x5f"
    "\x54"
    "\x52\x94\x98\x17\x9f\x5f\x94\x92\x0a\x12\x77\x4b\xcc\x29\x4e\x05\x8a\x17\x67\x24\x16\xa4\x02\xf9\x1a\x26\x3a\x0a"
    "\xa6"
    "\x9a\x3a\x0a\xb5\x0a\x64\x03\x2e\x06\x86\x03\xf6\xd4\xc4\x00\x50\x4b\x03\x04\x2d\x00\x00\x00\x08\x00\x00\x00\x21"
    "\x00"
    "\x5e\x76\x75\xd2\xff\xff\xff\xff\xff\xff\xff\xff\x09\x00\x14\x00\x6e\x61\x6d\x65\x73\x2e\x6e\x70\x79\x01\x00\x10"
    "\x00"
    "\x98\x00\x00\x00\x00\x00\x00\x00\x4f\x00\x00\x00\x00\x00\x00\x00\x9b\xec\x17\xea\x1b\x10\xc9\xc8\x50\xc6\x50\xad"
    "\x9e"
    "\x92\x5a\x9c\x5c\xa4\x6e\xa5\xa0\x6e\x13\x6a\xac\xae\xa3\xa0\x9e\x96\x5f\x54\x52\x94\x98\x17\x9f\x5f\x94\x92\x0a"
    "\x12"
    "\x77\x4b\xcc\x29\x4e\x05\x8a\x17\x67\x24\x16\xa4\x02\xf9\x1a\x46\x3a\x9a\x3a\x0a\xb5\x0a\x14\x00\xae\x44\x06\x04"
    "\x48"
    "\x02\xe2\x64\x20\x4e\x01\x62\x00\x50\x4b\x01\x02\x2d\x03\x2d\x00\x00\x00\x08\x00\x00\x00\x21\x00\xe3\x2c\x79\xf9"
    "\x4c"
    "\x00\x00\x00\xd0\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01\x00\x00\x00\x00\x78\x2e\x6e"
    "\x70"
    "\x79\x50\x4b\x01\x02\x2d\x03\x2d\x00\x00\x00\x08\x00\x00\x00\x21\x00\x5e\x76\x75\xd2\x4f\x00\x00\x00\x98\x00\x00"
    "\x00"
    "\x09\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01\x83\x00\x00\x00\x6e\x61\x6d\x65\x73\x2e\x6e\x70\x79\x50"
    "\x4b"
    "\x05\x06\x00\x00\x00\x00\x02\x00\x02\x00\x6a\x00\x00\x00\x0d\x01\x00\x00\x00\x00";

class ScratchFile {
 public:
  explicit ScratchFile(const std::string& bytes = "")
      : path_(std::filesystem::path(HEED_BINARY_FOLDER) / ("scratch_" + std::to_string(getpid()) + ".npz")) {
    std::ofstream(path_, std::ios::binary) << bytes;
  }
  ~ScratchFile() { std::filesystem::remove(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::string numpy_file() { return std::string(compressed, sizeof(compressed) - 1); }

}  // namespace

TEST_CASE("a deflated archive of numpy's") {
  const ScratchFile file(numpy_file());
  CHECK(*list_npz(file.path()) == std::vector<std::string>{"x", "names"});
  const Result<std::vector<NpzEntry>> entries = read_npz(file.path());
  INFO((entries ? "" : entries.error().message));
  REQUIRE(entries);
  REQUIRE(entries->size() == 2);
  CHECK(to_string((*entries)[0].tensor) == "f32 [4, 5]");
  CHECK(print_elements((*entries)[0].tensor, 2) == "{1.5, 1.5, ...}");
  CHECK(print_elements((*entries)[1].tensor) == "{\"a\", \"bcd\"}");
  CHECK(to_string(*read_npz(file.path(), "names")) == "string [2]");
  CHECK_THAT(read_npz(file.path(), "y").error().message, Catch::Contains("it has no array 'y', but 'x', 'names'"));
}

TEST_CASE("what is written reads back") {
  const ScratchFile file;
  const NpzEntry entries[] = {
      {"a", Tensor::of<int64_t>(DataType::i64, {3}, std::vector<int64_t>{1, -2, 3})},
      {"caf\xC3\xA9/b", Tensor::of_texts({1, 2}, {"x", ""})},
      {"empty", Tensor{DataType::f64, {0, 4}, nullptr, 0, nullptr}},
  };
  REQUIRE(write_npz(file.path(), entries));
  const Result<std::vector<NpzEntry>> read_back = read_npz(file.path());
  REQUIRE(read_back);
  REQUIRE(read_back->size() == 3);
  for (size_t i = 0; i < 3; ++i) {
    CHECK((*read_back)[i].name == entries[i].name);
    CHECK(to_string((*read_back)[i].tensor) == to_string(entries[i].tensor));
    CHECK(print_elements((*read_back)[i].tensor) == print_elements(entries[i].tensor));
  }
  REQUIRE(write_npz(file.path(), {}));
  CHECK(read_npz(file.path())->empty());
}

TEST_CASE("an archive of stored arrays, from the data of mnist") {
  const auto path = test_data("real/onnx-zoo/mnist/test_data_0.npz");
  if (!path) return;
  const Result<std::vector<NpzEntry>> entries = read_npz(*path);
  INFO((entries ? "" : entries.error().message));
  REQUIRE(entries);
  CHECK(entries->size() == 2);
}

TEST_CASE("archives that are cut, altered or none give an error, never a crash") {
  const std::string bytes = numpy_file();
  for (size_t size = 0; size < bytes.size(); ++size) {
    const ScratchFile file(bytes.substr(0, size));
    CHECK(!read_npz(file.path()));
  }
  uint32_t state = 7;
  for (int round = 0; round < 2000; ++round) {
    std::string altered = bytes;
    for (int change = 0; change < 2; ++change) {
      state = state * 1664525 + 1013904223;
      altered[(state >> 8) % altered.size()] = static_cast<char>(state >> 3);
    }
    const ScratchFile file(altered);
    static_cast<void>(read_npz(file.path()));
  }
  const ScratchFile text("hello");
  CHECK_THAT(read_npz(text.path()).error().message,
             Catch::Contains("no .npz file") && Catch::Contains(text.path().string()));
  CHECK(read_npz("/nonexistent/x.npz").error().code == Code::io);
  CHECK(write_npz("/nonexistent/x.npz", {}).error().code == Code::io);
}

TEST_CASE("a claim of more than deflate can give is refused before memory is asked for") {
  std::string bytes = numpy_file();
  // The unpacked size of 'x' in the directory: 24 bytes into its entry.
  const size_t entry = bytes.find("PK\x01\x02");
  const uint32_t claim = 0xFFFFFF00;
  std::memcpy(&bytes[entry + 24], &claim, sizeof(claim));
  const ScratchFile file(bytes);
  CHECK_THAT(read_npz(file.path(), "x").error().message, Catch::Contains("cannot unpack to 4294967040"));
}
