// Opens first and asks afterwards: every check is of the descriptor that the bytes come from, so that nothing can be
// exchanged between the check and the use.
#include "base/mapped_file.hpp"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

namespace heed {
namespace {

Error io_error(std::string_view path, std::string_view what) {
  return Error{Code::io, "'" + std::string(path) + "': " + std::string(what)};
}

std::string text_of_errno(int number) {
  char buffer[128] = "";
#if defined(__GLIBC__)
  return strerror_r(number, buffer, sizeof buffer);
#else
  return strerror_r(number, buffer, sizeof buffer) == 0 ? buffer : "unknown error";
#endif
}

// Closes what it holds.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

// O_NONBLOCK: opening a pipe that nobody writes to would otherwise wait for ever. It means nothing for a regular file.
int open_for_reading(const std::string& path) {
  int descriptor;
  do {
    descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  } while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

std::string_view kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  if (S_ISSOCK(mode)) return "a socket";
  return "no regular file";
}

// The path of an open file with no links left in it; empty where the system does not tell (it was deleted, or /proc is
// not mounted).
std::string real_path_of(int descriptor) {
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  char path[PATH_MAX];
  const ssize_t size = readlink(link.c_str(), path, sizeof path);
  if (size <= 0 || static_cast<size_t>(size) >= sizeof path || path[0] != '/') return {};
  const std::string result(path, static_cast<size_t>(size));
  // A deleted file's text ends in " (deleted)", and a name may end so too: only a path that leads back to the same file
  // counts.
  struct stat by_path, by_descriptor;
  if (stat(result.c_str(), &by_path) != 0 || fstat(descriptor, &by_descriptor) != 0) return {};
  return by_path.st_dev == by_descriptor.st_dev && by_path.st_ino == by_descriptor.st_ino ? result : std::string();
}

std::string real_path_of(const std::string& path) {
  char* resolved = realpath(path.c_str(), nullptr);
  if (resolved == nullptr) return {};
  std::string result(resolved);
  free(resolved);
  return result;
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Both are real paths.
bool is_beneath(const std::string& path, const std::string& folder) {
  if (folder.empty() || path.empty()) return false;
  if (folder == "/") return true;
  return path.size() > folder.size() + 1 && path.starts_with(folder) && path[folder.size()] == '/';
}

// Null where the location is fine, else what is wrong with it.
const char* fault_of_location(std::string_view location) {
  if (location.empty()) return "external data without a location";
  if (location.find('\0') != std::string_view::npos) return "a location of external data holds a zero byte";
  if (location.front() == '/') return "external data must lie beneath the model's folder: the location is absolute";
  while (!location.empty()) {
    const size_t slash = location.find('/');
    if (location.substr(0, slash) == "..") {
      return "external data must lie beneath the model's folder: the location contains '..'";
    }
    if (slash == std::string_view::npos) break;
    location.remove_prefix(slash + 1);
  }
  return nullptr;
}

}  // namespace

struct MappedFile::Content {
  std::string path;
  std::byte* data = nullptr;
  size_t size = 0;
  FileAccess access = FileAccess::map;

  Content() = default;
  Content(const Content&) = delete;
  Content& operator=(const Content&) = delete;
  ~Content() {
    if (data == nullptr) return;
    if (access == FileAccess::map) {
      munmap(data, size);
    } else {
      free(data);
    }
  }
};

Result<MappedFile> MappedFile::from_descriptor(int descriptor, const std::string& path, FileAccess access) {
  struct stat status;
  if (fstat(descriptor, &status) != 0) return io_error(path, "cannot be examined: " + text_of_errno(errno));
  if (!S_ISREG(status.st_mode)) {
    return io_error(path, std::string(kind_of(status.st_mode)) + ", where a regular file is expected");
  }
  auto content = std::make_shared<Content>();
  content->path = path;
  content->access = access;
  const auto size = static_cast<size_t>(status.st_size);
  if (size == 0) return MappedFile(std::move(content));

  if (access == FileAccess::map) {
    void* address = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (address == MAP_FAILED)
      return io_error(path, "cannot be mapped: " + text_of_errno(errno) + "; try without mapping");
    content->data = static_cast<std::byte*>(address);
    content->size = size;
    return MappedFile(std::move(content));
  }

  // Tensors are read in place, so the copy is aligned as a mapping is for every element type.
  void* address = nullptr;
  if (posix_memalign(&address, 64, size) != 0) {
    return Error{Code::out_of_memory, "'" + path + "': no memory for its " + std::to_string(size) + " bytes"};
  }
  content->data = static_cast<std::byte*>(address);
  content->size = size;
  size_t done = 0;
  while (done < size) {
    const ssize_t got = pread(descriptor, content->data + done, size - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return io_error(path, "cannot be read: " + text_of_errno(errno));
    if (got == 0) return io_error(path, "became shorter while it was read");
    done += static_cast<size_t>(got);
  }
  return MappedFile(std::move(content));
}

Result<MappedFile> MappedFile::open(const std::string& path, FileAccess access) {
  const Descriptor file(path.find('\0') == std::string::npos ? open_for_reading(path) : (errno = ENOENT, -1));
  if (file.number() < 0) {
    // A socket cannot be opened at all, and its own message speaks of devices.
    const int number = errno;
    struct stat status;
    if (number == ENXIO && stat(path.c_str(), &status) == 0) {
      return io_error(path, std::string(kind_of(status.st_mode)) + ", where a regular file is expected");
    }
    return io_error(path, "cannot be opened: " + text_of_errno(number));
  }
  return from_descriptor(file.number(), path, access);
}

Result<MappedFile> MappedFile::open_beneath(const std::string& model_path, std::string_view location, FileAccess access,
                                            HardLinks hard_links) {
  if (const char* fault = fault_of_location(location)) return io_error(location.substr(0, 256), fault);
  const std::string path = folder_of(model_path) + "/" + std::string(location);
  const Descriptor file(open_for_reading(path));
  if (file.number() < 0) {
    return io_error(path, "external data cannot be opened: " + text_of_errno(errno) +
                              "; it must lie where the model's file expects it");
  }
  const std::string real_path = real_path_of(file.number());
  if (real_path.empty()) return io_error(path, "cannot be shown to lie beneath the model's folder");
  const std::string model_folder = real_path_of(folder_of(model_path));
  if (!is_beneath(real_path, model_folder)) {
    const std::string real_model = real_path_of(model_path);
    if (real_model.empty() || !is_beneath(real_path, folder_of(real_model))) {
      return io_error(path, "a link to '" + real_path + "', outside the model's folder '" + model_folder +
                                "': copy the file there");
    }
  }
  if (hard_links == HardLinks::refuse) {
    struct stat status;
    if (fstat(file.number(), &status) != 0) return io_error(path, "cannot be examined: " + text_of_errno(errno));
    if (S_ISREG(status.st_mode) && status.st_nlink > 1) {
      return io_error(path,
                      "has " + std::to_string(status.st_nlink) +
                          " hard links, and may be a file from elsewhere: copy it, or load without strict checks");
    }
  }
  return from_descriptor(file.number(), path, access);
}

std::span<const std::byte> MappedFile::bytes() const {
  if (content_ == nullptr) return {};
  return {content_->data, content_->size};
}

const std::string& MappedFile::path() const {
  static const std::string none;
  return content_ == nullptr ? none : content_->path;
}

void MappedFile::drop_pages(size_t offset, size_t size) const {
  if (content_ == nullptr || content_->access != FileAccess::map || offset >= content_->size) return;
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t end_offset = size > content_->size - offset ? content_->size : offset + size;
  const size_t begin = (offset + page - 1) / page * page;
  // The last page of the file belongs to the file alone, so a range up to the end takes it whole.
  const size_t end = end_offset == content_->size ? end_offset : end_offset / page * page;
  if (begin < end) madvise(content_->data + begin, end - begin, MADV_DONTNEED);
}

void MappedFile::drop_mapped_pages(std::span<const std::byte> bytes) {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto first = reinterpret_cast<uintptr_t>(bytes.data());
  const uintptr_t begin = (first + page - 1) / page * page, end = (first + bytes.size()) / page * page;
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

}  // namespace heed
