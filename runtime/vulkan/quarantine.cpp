// Quarantine: kernels that gave wrong results on a device, kept on disk.
//
// The file is text: a line with a checksum of what follows, then one line a kernel, its members apart by tabs.
#include "vulkan/quarantine.hpp"

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <thread>

namespace heed::vulkan {
namespace {

constexpr size_t most_bytes = 1 << 20;

std::string first_line(std::string_view content) {
  char text[64];
  std::snprintf(text, sizeof text, "Heed quarantine 1, checksum %016" PRIx64 "\n",
                checksum_of(std::as_bytes(std::span(content))));
  return text;
}

// What would end a member or a line becomes a space.
std::string member(std::string text) {
  for (char& c : text)
    if (c == '\t' || c == '\n' || c == '\r') c = ' ';
  return text;
}

}  // namespace

Quarantine::Quarantine(const std::filesystem::path& folder, const PipelineCacheOwner& owner)
    : path_(folder.empty() ? folder : folder / cache_file_name("quarantine", owner)) {}

Result<std::vector<Quarantined>> Quarantine::read() const {
  std::vector<Quarantined> kernels;
  std::error_code failure;
  if (path_.empty() || !std::filesystem::exists(path_, failure)) return kernels;
  const Error damaged{Code::io, path_.string() + " is damaged: no kernel is in quarantine until `heed devices --test` "
                                                 "writes it anew"};
  const auto size_bytes = std::filesystem::file_size(path_, failure);
  if (failure || size_bytes > most_bytes) return damaged;
  std::ifstream file(path_, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const size_t begin = text.find('\n') + 1;
  if (begin == 0 || text.substr(0, begin) != first_line(std::string_view(text).substr(begin))) return damaged;
  for (size_t at = begin; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::array<std::string, 5> members;
    for (size_t i = 0, from = at; i < members.size() && from <= end; ++i) {
      const size_t to = std::min(text.find('\t', from), end);
      members[i] = text.substr(from, to - from);
      from = to + 1;
    }
    kernels.push_back({members[0], members[1], members[2], members[3], members[4]});
    at = end + 1;
  }
  return kernels;
}

Result<void> Quarantine::write(std::span<const Quarantined> kernels) const {
  if (path_.empty())
    return Error{Code::io, "there is no cache folder to keep the quarantine in: set XDG_CACHE_HOME, or give --option "
                           "vulkan.cache=FOLDER"};
  if (kernels.empty()) {
    std::error_code failure;
    std::filesystem::remove(path_, failure);
    if (failure) return Error{Code::io, path_.string() + ": " + failure.message()};
    return {};
  }
  std::string content;
  for (const auto& kernel : kernels)
    content += member(kernel.domain) + "\t" + member(kernel.op_type) + "\t" + member(kernel.variants) + "\t" +
               member(kernel.element) + "\t" + member(kernel.reason) + "\n";
  const std::string text = first_line(content) + content;
  constexpr int most_attempts = 50;  // another process may be writing
  for (int attempt = 0; attempt < most_attempts; ++attempt) {
    if (replace_file(path_, std::as_bytes(std::span(text)))) return {};
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return Error{Code::io, path_.string() + ": cannot be written"};
}

const Quarantined* find_quarantined(std::span<const Quarantined> kernels, std::string_view domain,
                                    std::string_view op_type, std::string_view variants, std::string_view element) {
  const auto found = std::find_if(kernels.begin(), kernels.end(), [&](const auto& kernel) {
    return kernel.domain == domain && kernel.op_type == op_type && kernel.element == element &&
           (kernel.variants == variants || kernel.variants == "*");
  });
  return found == kernels.end() ? nullptr : &*found;
}

}  // namespace heed::vulkan
