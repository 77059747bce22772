// The cache of pipelines on disk: damaged, foreign, unwritable, written by two processes and by one that is killed.
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "gpu.hpp"
#include "vulkan/api.hpp"
#include "vulkan/pipeline.hpp"
#include "vulkan/pipeline_cache_file.hpp"

namespace heed::vulkan {
namespace {

using Bytes = std::vector<std::byte>;

const PipelineCacheOwner owner{0x10005, 7, 42, {1, 2, 3}};

struct Folder {
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "heed_cache_XXXXXX").string();
    REQUIRE(mkdtemp(name.data()));
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

// What a driver would give: its header, and `size_bytes` of one value.
Bytes data_of(const PipelineCacheOwner& maker, size_t size_bytes, uint8_t value) {
  VkPipelineCacheHeaderVersionOne header{
      sizeof header, VK_PIPELINE_CACHE_HEADER_VERSION_ONE, maker.vendor, maker.device, {}};
  std::copy(maker.uuid.begin(), maker.uuid.end(), header.pipelineCacheUUID);
  Bytes data(sizeof header + size_bytes, std::byte{value});
  std::memcpy(data.data(), &header, sizeof header);
  return data;
}

Bytes content_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

void put(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

// A process that writes data of this value again and again until it has written `times`, or is killed.
pid_t start_writer(const PipelineCacheFile& file, uint8_t value, int times) {
  const pid_t child = fork();
  if (child != 0) return child;
  const Bytes data = data_of(owner, 10000 + value, value);
  for (int i = 0; i < times; ++i) file.write(data);
  _exit(0);
}

bool is_whole(const Bytes& data) {
  return data.size() > sizeof(VkPipelineCacheHeaderVersionOne) &&
         data == data_of(owner, 10000 + static_cast<size_t>(data.back()), static_cast<uint8_t>(data.back()));
}

}  // namespace

TEST_CASE("what was written is read, and written over; a folder is made where there is none") {
  const Folder folder;
  const PipelineCacheFile file(folder.path / "some" / "where", owner);
  CHECK(file.read().empty());
  for (const size_t size : {0u, 1u, 100000u, 5u}) {
    file.write(data_of(owner, size, 9));
    CHECK(file.read() == data_of(owner, size, 9));
  }
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path / "some" / "where"), {}) == 1);
}

TEST_CASE("a file that is cut short anywhere, or has one wrong byte anywhere, is as none, and is written again") {
  const Folder folder;
  const PipelineCacheFile file(folder.path, owner);
  const Bytes data = data_of(owner, 40, 9);
  file.write(data);
  const Bytes good = content_of(file.path());
  REQUIRE(good.size() > data.size());
  for (size_t length = 0; length < good.size(); ++length) {
    put(file.path(), std::span(good).first(length));
    if (!file.read().empty()) FAIL("cut to " << length << " bytes");
  }
  Bytes longer = good;
  longer.push_back(std::byte{0});
  put(file.path(), longer);
  CHECK(file.read().empty());
  for (size_t at = 0; at < good.size(); ++at)
    for (const uint8_t flipped : {0x01, 0x80, 0xFF}) {
      Bytes wrong = good;
      wrong[at] ^= std::byte{flipped};
      put(file.path(), wrong);
      if (!file.read().empty()) FAIL("byte " << at << " xor " << int{flipped});
    }
  file.write(data);
  CHECK(file.read() == data);
}

TEST_CASE("what another driver, device or version of a driver left is as none") {
  const Folder folder;
  const PipelineCacheFile file(folder.path, owner);
  const struct {
    std::string what;
    PipelineCacheOwner other;
  } others[] = {{"vendor", {0x10DE, 7, 42, {1, 2, 3}}},
                {"device", {0x10005, 8, 42, {1, 2, 3}}},
                {"driver version", {0x10005, 7, 43, {1, 2, 3}}},
                {"uuid", {0x10005, 7, 42, {1, 2, 4}}}};
  for (const auto& [what, other] : others) {
    INFO(what);
    const PipelineCacheFile foreign(folder.path, other);
    foreign.write(data_of(other, 40, 9));
    CHECK(foreign.path() != file.path());
    CHECK(file.read().empty());
    std::filesystem::rename(foreign.path(), file.path());
    CHECK(file.read().empty());
    // Whole, but the driver's header within names somebody else.
    if (what == "driver version") continue;
    file.write(data_of(other, 40, 9));
    CHECK(file.read().empty());
  }
  file.write({});
  CHECK(file.read().empty());
}

TEST_CASE("what cannot be read or written is no error") {
  const Folder folder;
  const Bytes data = data_of(owner, 40, 9);
  const PipelineCacheFile off({}, owner);
  off.write(data);
  CHECK(off.read().empty());

  const PipelineCacheFile taken(folder.path, owner);
  std::filesystem::create_directories(taken.path() / "a folder of that name");
  taken.write(data);
  CHECK(taken.read().empty());

  put(folder.path / "file", data);
  const PipelineCacheFile beneath_a_file(folder.path / "file", owner);
  beneath_a_file.write(data);
  CHECK(beneath_a_file.read().empty());
}

TEST_CASE("the folder of caches is XDG's") {
  const auto saved = [](const char* name) { return std::string(std::getenv(name) ? std::getenv(name) : ""); };
  const std::string cache = saved("XDG_CACHE_HOME"), home = saved("HOME");
  setenv("HOME", "/home/somebody", 1);
  setenv("XDG_CACHE_HOME", "/somewhere", 1);
  CHECK(default_cache_folder() == "/somewhere/heed");
  setenv("XDG_CACHE_HOME", "not/absolute", 1);
  CHECK(default_cache_folder() == "/home/somebody/.cache/heed");
  unsetenv("XDG_CACHE_HOME");
  CHECK(default_cache_folder() == "/home/somebody/.cache/heed");
  unsetenv("HOME");
  CHECK(default_cache_folder().empty());
  if (!cache.empty()) setenv("XDG_CACHE_HOME", cache.c_str(), 1);
  if (!home.empty()) setenv("HOME", home.c_str(), 1);
}

TEST_CASE("two processes write at once: a reader sees one of them, whole") {
  const Folder folder;
  const PipelineCacheFile file(folder.path, owner);
  file.write(data_of(owner, 10001, 1));
  const pid_t writers[] = {start_writer(file, 2, 300), start_writer(file, 3, 300)};
  int reads = 0, wrong = 0;
  for (int running = 2; running > 0;) {
    wrong += !is_whole(file.read());
    ++reads;
    int status = 0;
    if (const pid_t ended = waitpid(-1, &status, WNOHANG); ended == writers[0] || ended == writers[1]) {
      CHECK(status == 0);
      --running;
    }
  }
  CHECK(reads > 0);
  CHECK(wrong == 0);
  CHECK(is_whole(file.read()));
}

TEST_CASE("a process that is killed while it writes harms neither the file nor the next writer") {
  const Folder folder;
  const PipelineCacheFile file(folder.path, owner);
  file.write(data_of(owner, 10001, 1));
  std::mt19937 random(1);
  const int kills = std::getenv("HEED_TEST_FULL") ? 1000 : 20;
  for (int i = 0; i < kills; ++i) {
    const pid_t writer = start_writer(file, static_cast<uint8_t>(2 + i % 100), 1000000);
    usleep(random() % 5000);
    kill(writer, SIGKILL);
    waitpid(writer, nullptr, 0);
    if (!is_whole(file.read())) FAIL("after kill " << i);
  }
  file.write(data_of(owner, 10200, 200));
  CHECK(file.read() == data_of(owner, 10200, 200));
}

TEST_CASE("a device keeps its pipelines, and takes no harm from a damaged file") {
  HEED_NEED_GPU(gpu);
  const Folder folder;
  const Option options[] = {{"vulkan.cache", folder.path.string()}};
  const std::string index = std::to_string(gpu.device->info().index);
  const auto build_and_save = [&] {
    const auto device = must(Device::open(index, options));
    must(Pipeline::create(device, {{}, "#version 450\nvoid main() {}\n"}, {}, 1));
    device->save_pipelines();
  };
  build_and_save();
  REQUIRE(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 1);
  const auto path = std::filesystem::directory_iterator(folder.path)->path();
  const auto good = content_of(path);
  const auto written = std::filesystem::last_write_time(path);
  build_and_save();
  CHECK(content_of(path) == good);
  CHECK(std::filesystem::last_write_time(path) == written);  // nothing was new

  put(path, std::span(good).first(good.size() / 2));
  build_and_save();
  CHECK(content_of(path) == good);
}

}  // namespace heed::vulkan
