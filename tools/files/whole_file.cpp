// Writing beside, then renaming.
#include "files/whole_file.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <system_error>

namespace heed {

Result<void> write_whole_file(const std::filesystem::path& path, std::initializer_list<std::string_view> pieces) {
  const std::filesystem::path part = path.string() + ".part" + std::to_string(getpid());
  errno = 0;
  std::ofstream stream(part, std::ios::binary);
  for (const std::string_view piece : pieces) stream.write(piece.data(), static_cast<std::streamsize>(piece.size()));
  stream.close();
  std::string why = stream ? "" : std::strerror(errno);
  std::error_code error;
  if (stream) {
    std::filesystem::rename(part, path, error);
    if (!error) return {};
    why = error.message();
  }
  std::filesystem::remove(part, error);
  return Error{Code::io, path.string() + ": cannot be written: " + why};
}

}  // namespace heed
