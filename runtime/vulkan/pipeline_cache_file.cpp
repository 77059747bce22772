// PipelineCacheFile: what a driver compiled for a device, kept on disk from one process to the next.
#include "vulkan/pipeline_cache_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "base/log.hpp"
#include "base/mapped_file.hpp"
#include "vulkan/api.hpp"

namespace heed::vulkan {
namespace {

// Larger than the pipelines of any model that was met by a factor of ten; what is larger is not read into memory.
constexpr uint64_t most_data_bytes = uint64_t{256} << 20;

// The beginning of the file; the driver's data follows. Numbers are the machine's own: caches do not travel.
struct Header {
  char magic[8];
  uint64_t data_bytes;
  uint64_t checksum;  // of what follows it: the next members and the data
  uint32_t driver_version;
  char heed_version[20];
};
constexpr size_t checksummed_at = offsetof(Header, driver_version);
constexpr char magic[8] = {'H', 'e', 'e', 'd', 'P', 'i', 'p', '1'};
static_assert(sizeof(HEED_VERSION) <= sizeof(Header::heed_version));

// Whether the driver's own header names the owner: drivers are known to crash where it does not.
bool belongs_to(std::span<const std::byte> data, const PipelineCacheOwner& owner) {
  VkPipelineCacheHeaderVersionOne header{};
  if (data.size() < sizeof header) return false;
  std::memcpy(&header, data.data(), sizeof header);
  return header.headerSize >= sizeof header && header.headerSize <= data.size() &&
         header.headerVersion == VK_PIPELINE_CACHE_HEADER_VERSION_ONE && header.vendorID == owner.vendor &&
         header.deviceID == owner.device && std::memcmp(header.pipelineCacheUUID, owner.uuid.data(), VK_UUID_SIZE) == 0;
}

bool write_whole(int file, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return true;
}

// Whether `path` still names the file that is open: between opening and locking its last writer may have renamed it.
bool is_at(int file, const std::string& path) {
  struct stat opened {
  }, named{};
  return ::fstat(file, &opened) == 0 && ::lstat(path.c_str(), &named) == 0 && opened.st_dev == named.st_dev &&
         opened.st_ino == named.st_ino;
}

}  // namespace

std::string cache_file_name(std::string_view kind, const PipelineCacheOwner& owner) {
  char text[128];
  int length = std::snprintf(text, sizeof text, "%08x-%08x-%08x-", owner.vendor, owner.device, owner.driver_version);
  for (const uint8_t byte : owner.uuid)
    length += std::snprintf(text + length, sizeof text - static_cast<size_t>(length), "%02x", byte);
  return std::string(kind) + "-" + text + "-" HEED_VERSION;
}

uint64_t checksum_of(std::span<const std::byte> bytes) {
  uint64_t sum = 0xCBF29CE484222325;
  for (const auto byte : bytes) sum = (sum ^ static_cast<uint64_t>(byte)) * 0x100000001B3;
  return sum;
}

// The bytes written to a file beside it and moved there. That file has one name, so that processes that are killed
// leave at most one; who finds it locked leaves the writing to its holder.
bool replace_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  std::error_code failure;
  std::filesystem::create_directories(path.parent_path(), failure);
  const std::string fresh = path.string() + ".new";
  const int file = ::open(fresh.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return false;
  const bool done = ::flock(file, LOCK_EX | LOCK_NB) == 0 && is_at(file, fresh) && ::ftruncate(file, 0) == 0 &&
                    write_whole(file, bytes) && std::rename(fresh.c_str(), path.c_str()) == 0;
  ::close(file);
  return done;
}

std::filesystem::path default_cache_folder() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    const std::filesystem::path path = value ? value : "";
    return path.is_absolute() ? path : std::filesystem::path();  // what XDG's rules ask for
  };
  if (const auto cache = variable("XDG_CACHE_HOME"); !cache.empty()) return cache / "heed";
  if (const auto home = variable("HOME"); !home.empty()) return home / ".cache" / "heed";
  return {};
}

PipelineCacheFile::PipelineCacheFile(const std::filesystem::path& folder, const PipelineCacheOwner& owner)
    : path_(folder.empty() ? folder : folder / cache_file_name("pipelines", owner)), owner_(owner) {}

std::vector<std::byte> PipelineCacheFile::read() const {
  std::error_code failure;
  if (path_.empty() || std::filesystem::file_size(path_, failure) > sizeof(Header) + most_data_bytes || failure)
    return {};
  const auto file = MappedFile::open(path_.string(), FileAccess::read);
  if (!file || file->size_bytes() < sizeof(Header)) return {};
  Header header;
  std::memcpy(&header, file->bytes().data(), sizeof header);
  const auto data = file->bytes().subspan(sizeof header);
  const bool good = std::memcmp(header.magic, magic, sizeof magic) == 0 && header.data_bytes == data.size() &&
                    header.checksum == checksum_of(file->bytes().subspan(checksummed_at)) &&
                    header.driver_version == owner_.driver_version &&
                    std::string_view(header.heed_version, sizeof HEED_VERSION) ==
                        std::string_view(HEED_VERSION, sizeof HEED_VERSION) &&
                    belongs_to(data, owner_);
  if (good) return {data.begin(), data.end()};
  log(Level::info, path_.string() + " is damaged or was not made for this device: its pipelines are built again");
  return {};
}

void PipelineCacheFile::write(std::span<const std::byte> data) const {
  if (path_.empty() || data.size() > most_data_bytes) return;
  std::vector<std::byte> bytes(sizeof(Header) + data.size());
  Header header{};
  std::memcpy(header.magic, magic, sizeof magic);
  header.data_bytes = data.size();
  header.driver_version = owner_.driver_version;
  std::memcpy(header.heed_version, HEED_VERSION, sizeof HEED_VERSION);
  std::memcpy(bytes.data(), &header, sizeof header);
  std::copy(data.begin(), data.end(), bytes.begin() + sizeof header);
  header.checksum = checksum_of(std::span(bytes).subspan(checksummed_at));
  std::memcpy(bytes.data(), &header, sizeof header);
  if (!replace_file(path_, bytes))
    log(Level::debug, path_.string() + " cannot be written now: the next process builds its pipelines again");
}

}  // namespace heed::vulkan
