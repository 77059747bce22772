// Files: what may be opened, and what a model may name.
#include "base/mapped_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

using namespace heed;
namespace fs = std::filesystem;

namespace {

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "heed_files_XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = fs::canonical(name);
  }
  ~Folder() { fs::remove_all(path_); }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }

  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << text;
  }

 private:
  fs::path path_;
};

std::string text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

}  // namespace

TEST_CASE("a file's bytes, mapped or read") {
  const Folder folder;
  folder.write("weights.bin", std::string(100000, 'w') + "end");
  folder.write("empty.bin", "");
  for (const FileAccess access : {FileAccess::map, FileAccess::read}) {
    const auto file = MappedFile::open(folder / "weights.bin", access);
    REQUIRE(file.has_value());
    CHECK(file->size_bytes() == 100003);
    CHECK(text_of(*file).ends_with("wend"));
    CHECK(file->path() == folder / "weights.bin");
    CHECK(reinterpret_cast<uintptr_t>(file->bytes().data()) % 64 == 0);
    file->drop_pages(0, 100003);
    file->drop_pages(1, 5);
    file->drop_pages(5000, SIZE_MAX);
    file->drop_pages(SIZE_MAX, SIZE_MAX);
    CHECK(text_of(*file).ends_with("wend"));

    const auto empty = MappedFile::open(folder / "empty.bin", access);
    REQUIRE(empty.has_value());
    CHECK(empty->size_bytes() == 0);
  }
  CHECK(MappedFile().size_bytes() == 0);
}

TEST_CASE("copies share the bytes and keep them alive") {
  const Folder folder;
  folder.write("weights.bin", "bytes");
  MappedFile copy;
  {
    const auto file = MappedFile::open(folder / "weights.bin");
    REQUIRE(file.has_value());
    copy = *file;
    CHECK(copy.bytes().data() == file->bytes().data());
  }
  CHECK(text_of(copy) == "bytes");
}

TEST_CASE("what is no regular file is refused at once, and named") {
  const Folder folder;
  fs::create_directory(folder / "sub");
  REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);
  struct Case {
    std::string path;
    const char* message;
  };
  const Case cases[] = {
      {folder / "sub", "a folder, where a regular file is expected"},
      {folder / "pipe", "a pipe, where a regular file is expected"},
      {"/dev/null", "a device, where a regular file is expected"},
      {folder / "missing", "cannot be opened: No such file or directory"},
      {"", "cannot be opened: No such file or directory"},
  };
  for (const Case& each : cases) {
    const auto file = MappedFile::open(each.path);
    REQUIRE_FALSE(file.has_value());
    CHECK(file.error().code == Code::io);
    CHECK(file.error().message == "'" + each.path + "': " + each.message);
  }
}

TEST_CASE("external data lies beneath the model's folder") {
  const Folder folder;
  folder.write("models/gpt/model.onnx", "model");
  folder.write("models/gpt/data/weights.bin", "weights");
  folder.write("models/secret.bin", "secret");
  folder.write("models/gpt-2/weights.bin", "neighbour");
  folder.write("cache/blobs/1234", "model");
  folder.write("cache/blobs/5678", "weights of the cache");
  fs::create_directories(folder / "cache/snapshot");
  fs::create_symlink("../blobs/1234", folder / "cache/snapshot/model.onnx");
  fs::create_symlink("../blobs/5678", folder / "cache/snapshot/weights.bin");
  fs::create_symlink("../../models/secret.bin", folder / "cache/snapshot/secret.bin");
  fs::create_symlink("data/weights.bin", folder / "models/gpt/link_inside.bin");
  fs::create_symlink("../secret.bin", folder / "models/gpt/link_outside.bin");
  fs::create_symlink("..", folder / "models/gpt/up");
  fs::create_symlink("../gpt-2", folder / "models/gpt/neighbour");
  fs::create_symlink("/etc/passwd", folder / "models/gpt/passwd");
  fs::create_symlink("data", folder / "models/gpt/folder_link");
  fs::create_hard_link(folder / "models/secret.bin", folder / "models/gpt/hard.bin");

  const std::string model = folder / "models/gpt/model.onnx", cached = folder / "cache/snapshot/model.onnx";
  struct Case {
    std::string model, location;
    const char* text;     // null: refused
    const char* message;  // a part of it
  };
  const Case cases[] = {
      {model, "data/weights.bin", "weights", ""},
      {model, "./data//weights.bin", "weights", ""},
      {model, "link_inside.bin", "weights", ""},
      {model, "folder_link/weights.bin", "weights", ""},
      {model, "link_outside.bin", nullptr, "outside the model's folder"},
      {model, "passwd", nullptr, "outside the model's folder"},
      {model, "up/secret.bin", nullptr, "outside the model's folder"},
      {model, "neighbour/weights.bin", nullptr, "outside the model's folder"},
      {model, "../secret.bin", nullptr, "the location contains '..'"},
      {model, "data/../data/weights.bin", nullptr, "the location contains '..'"},
      {model, "/etc/passwd", nullptr, "the location is absolute"},
      {model, "", nullptr, "without a location"},
      {model, std::string("data/weights.bin\0x", 18), nullptr, "zero byte"},
      {model, "missing.bin", nullptr, "cannot be opened: No such file"},
      {model, "data", nullptr, "a folder, where a regular file is expected"},
      {model, "hard.bin", "secret", ""},
      {cached, "weights.bin", "weights of the cache", ""},
      {cached, "secret.bin", nullptr, "outside the model's folder"},
  };
  for (const Case& each : cases) {
    INFO(each.location);
    for (const FileAccess access : {FileAccess::map, FileAccess::read}) {
      const auto file = MappedFile::open_beneath(each.model, each.location, access);
      REQUIRE(file.has_value() == (each.text != nullptr));
      if (file.has_value()) {
        CHECK(text_of(*file) == each.text);
      } else {
        CHECK(file.error().code == Code::io);
        INFO(file.error().message);
        CHECK(file.error().message.find(each.message) != std::string::npos);
      }
    }
  }
  const auto hard = MappedFile::open_beneath(model, "hard.bin", FileAccess::map, HardLinks::refuse);
  REQUIRE_FALSE(hard.has_value());
  CHECK(hard.error().message.find("2 hard links") != std::string::npos);
  CHECK(MappedFile::open_beneath(model, "data/weights.bin", FileAccess::map, HardLinks::refuse).has_value());
}

TEST_CASE("a model named without a folder has its data beside it") {
  const Folder folder;
  folder.write("model.onnx", "model");
  folder.write("weights.bin", "weights");
  const fs::path before = fs::current_path();
  fs::current_path(folder / "");
  const auto file = MappedFile::open_beneath("model.onnx", "weights.bin");
  fs::current_path(before);
  REQUIRE(file.has_value());
  CHECK(text_of(*file) == "weights");
}
