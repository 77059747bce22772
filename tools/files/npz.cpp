// Reading and writing of .npz. The zip format is that of PKWARE's APPNOTE 6.3: what numpy.savez and
// numpy.savez_compressed write, ZIP64 included when reading.
#include "files/npz.hpp"

#include <zlib.h>

#include <algorithm>
#include <cstring>

#include "base/mapped_file.hpp"
#include "files/npy.hpp"
#include "files/whole_file.hpp"

namespace heed {
namespace {

using Bytes = std::span<const std::byte>;

constexpr uint32_t local_magic = 0x04034B50, central_magic = 0x02014B50, end_magic = 0x06054B50,
                   end64_magic = 0x06064B50, locator64_magic = 0x07064B50;
constexpr size_t local_bytes = 30, central_bytes = 46, end_bytes = 22, end64_bytes = 56, locator64_bytes = 20;
constexpr uint16_t stored = 0, deflated = 8;

Error invalid(std::string message) { return Error{Code::invalid_argument, std::move(message)}; }

uint64_t number_at(Bytes bytes, size_t at, size_t width) {
  uint64_t number = 0;
  std::memcpy(&number, bytes.data() + at, width);  // zip is little-endian
  return number;
}

struct Member {
  std::string name;  // as in the archive
  uint16_t method = 0, flags = 0;
  uint32_t crc = 0;
  uint64_t packed_bytes = 0, unpacked_bytes = 0, offset = 0;
};

// Puts the 64-bit sizes of the extra field where the 32-bit ones are all ones.
bool take_zip64(Bytes extra, Member& member) {
  for (size_t at = 0; at + 4 <= extra.size();) {
    const uint64_t id = number_at(extra, at, 2), size = number_at(extra, at + 2, 2);
    at += 4;
    if (size > extra.size() - at) return false;
    if (id == 1) {
      size_t field = at;
      for (uint64_t* number : {&member.unpacked_bytes, &member.packed_bytes, &member.offset}) {
        if (*number != 0xFFFFFFFF) continue;
        if (field + 8 > at + size) return false;
        *number = number_at(extra, field, 8);
        field += 8;
      }
    }
    at += size;
  }
  return true;
}

Result<std::vector<Member>> read_directory(Bytes file) {
  const auto damaged = [] { return invalid("no .npz file, or cut short: its zip directory cannot be read"); };
  if (file.size() < end_bytes) return damaged();
  // The end record stands last, before a comment of at most 64 KiB.
  const size_t earliest = file.size() - std::min<size_t>(file.size(), end_bytes + 65535);
  size_t end = file.size() - end_bytes;
  while (number_at(file, end, 4) != end_magic) {
    if (end == earliest) return damaged();
    --end;
  }
  uint64_t count = number_at(file, end + 10, 2), offset = number_at(file, end + 16, 4);
  if ((count == 0xFFFF || offset == 0xFFFFFFFF) && end >= locator64_bytes &&
      number_at(file, end - locator64_bytes, 4) == locator64_magic) {
    const uint64_t end64 = number_at(file, end - locator64_bytes + 8, 8);
    if (end64 > file.size() || file.size() - end64 < end64_bytes || number_at(file, end64, 4) != end64_magic)
      return damaged();
    count = number_at(file, end64 + 32, 8);
    offset = number_at(file, end64 + 48, 8);
  }
  std::vector<Member> members;
  for (uint64_t i = 0; i < count; ++i) {
    if (offset > file.size() || file.size() - offset < central_bytes || number_at(file, offset, 4) != central_magic)
      return damaged();
    Member member;
    member.flags = static_cast<uint16_t>(number_at(file, offset + 8, 2));
    member.method = static_cast<uint16_t>(number_at(file, offset + 10, 2));
    member.crc = static_cast<uint32_t>(number_at(file, offset + 16, 4));
    member.packed_bytes = number_at(file, offset + 20, 4);
    member.unpacked_bytes = number_at(file, offset + 24, 4);
    member.offset = number_at(file, offset + 42, 4);
    const uint64_t name_bytes = number_at(file, offset + 28, 2), extra_bytes = number_at(file, offset + 30, 2),
                   comment_bytes = number_at(file, offset + 32, 2);
    if (file.size() - offset - central_bytes < name_bytes + extra_bytes + comment_bytes) return damaged();
    member.name.assign(reinterpret_cast<const char*>(file.data() + offset + central_bytes), name_bytes);
    if (!take_zip64(file.subspan(offset + central_bytes + name_bytes, extra_bytes), member)) return damaged();
    offset += central_bytes + name_bytes + extra_bytes + comment_bytes;
    members.push_back(std::move(member));
  }
  return members;
}

std::string array_name(const Member& member) {
  return member.name.ends_with(".npy") ? member.name.substr(0, member.name.size() - 4) : member.name;
}

Result<std::shared_ptr<std::vector<std::byte>>> inflate_bytes(Bytes packed, const Member& member) {
  // Deflate shrinks at most 1032 times: more is a lie, found before memory is asked for.
  constexpr uint64_t best_ratio = 1032;
  if (member.unpacked_bytes / best_ratio > packed.size() + 1) {
    return invalid("its " + std::to_string(packed.size()) + " bytes cannot unpack to " +
                   std::to_string(member.unpacked_bytes));
  }
  auto bytes = std::make_shared<std::vector<std::byte>>(member.unpacked_bytes);
  z_stream stream{};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return Error{Code::out_of_memory, "zlib cannot start"};
  constexpr size_t piece = size_t{1} << 30;  // zlib counts in 32 bits
  size_t read = 0, written = 0;
  int status = Z_OK;
  while (status == Z_OK) {
    stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(packed.data() + read));
    stream.avail_in = static_cast<uInt>(std::min(piece, packed.size() - read));
    stream.next_out = reinterpret_cast<Bytef*>(bytes->data() + written);
    stream.avail_out = static_cast<uInt>(std::min(piece, bytes->size() - written));
    const uInt in = stream.avail_in, out = stream.avail_out;
    status = inflate(&stream, Z_NO_FLUSH);
    read += in - stream.avail_in;
    written += out - stream.avail_out;
    if (in == stream.avail_in && out == stream.avail_out) break;
  }
  inflateEnd(&stream);
  if (status != Z_STREAM_END || written != bytes->size()) return invalid("its deflated data is damaged");
  return bytes;
}

Result<Tensor> read_member(const MappedFile& archive, const Member& member, std::optional<DataType> expected) {
  const Bytes file = archive.bytes();
  if (member.offset > file.size() || file.size() - member.offset < local_bytes ||
      number_at(file, member.offset, 4) != local_magic) {
    return invalid("damaged: it is not where the archive's directory says");
  }
  const uint64_t start =
      member.offset + local_bytes + number_at(file, member.offset + 26, 2) + number_at(file, member.offset + 28, 2);
  if (start > file.size() || member.packed_bytes > file.size() - start) return invalid("cut short");
  if (member.flags & 1) return invalid("encrypted");
  const Bytes packed = file.subspan(start, member.packed_bytes);
  Bytes bytes = packed;
  std::shared_ptr<const void> owner = std::make_shared<MappedFile>(archive);
  if (member.method == deflated) {
    HEED_ASSIGN(const auto unpacked, inflate_bytes(packed, member));
    bytes = *unpacked;
    owner = unpacked;
  } else if (member.method != stored || member.packed_bytes != member.unpacked_bytes) {
    return invalid("packed by method " + std::to_string(member.method) + ", expected stored or deflated");
  }
  uLong crc = crc32(0, nullptr, 0);
  crc = crc32_z(crc, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
  if (crc != member.crc) return invalid("damaged: its CRC-32 is not what the archive says");
  return parse_npy(bytes, std::move(owner), expected);
}

void append(std::string& bytes, uint64_t number, size_t width) {
  for (size_t i = 0; i < width; ++i) bytes += static_cast<char>(number >> (8 * i));
}

// What the local header and the directory say alike: version, flags, method, time, date, CRC, sizes, length of name.
std::string common_fields(const std::string& name, const std::string& data, uint32_t crc) {
  constexpr uint16_t version = 20, utf8_names = 1 << 11, first_day = 1 << 5 | 1;  // 1980-01-01
  std::string fields;
  append(fields, version, 2), append(fields, utf8_names, 2), append(fields, stored, 2);
  append(fields, 0, 2), append(fields, first_day, 2);
  append(fields, crc, 4), append(fields, data.size(), 4), append(fields, data.size(), 4);
  append(fields, name.size(), 2), append(fields, 0, 2);
  return fields;
}

Result<std::pair<MappedFile, std::vector<Member>>> open_archive(const std::filesystem::path& path) {
  HEED_ASSIGN(MappedFile file, MappedFile::open(path.string()));
  Result<std::vector<Member>> members = read_directory(file.bytes());
  if (!members) return std::move(members).error().within(path.string());
  return std::pair(std::move(file), std::move(*members));
}

}  // namespace

Result<std::vector<std::string>> list_npz(const std::filesystem::path& path) {
  HEED_ASSIGN(const auto archive, open_archive(path));
  std::vector<std::string> names;
  for (const Member& member : archive.second) names.push_back(array_name(member));
  return names;
}

Result<Tensor> read_npz(const std::filesystem::path& path, const std::string& name, std::optional<DataType> expected) {
  HEED_ASSIGN(const auto archive, open_archive(path));
  std::string names;
  for (const Member& member : archive.second) {
    names += (names.empty() ? "'" : ", '") + array_name(member) + "'";
    if (array_name(member) != name) continue;
    Result<Tensor> tensor = read_member(archive.first, member, expected);
    if (!tensor) return std::move(tensor).error().within(path.string() + ": '" + name + "'");
    return tensor;
  }
  return invalid(path.string() + ": it has no array '" + name + "', but " + (names.empty() ? "none at all" : names));
}

Result<std::vector<NpzEntry>> read_npz(const std::filesystem::path& path) {
  HEED_ASSIGN(const auto archive, open_archive(path));
  std::vector<NpzEntry> entries;
  for (const Member& member : archive.second) {
    Result<Tensor> tensor = read_member(archive.first, member, std::nullopt);
    if (!tensor) return std::move(tensor).error().within(path.string() + ": '" + array_name(member) + "'");
    entries.push_back({array_name(member), std::move(*tensor)});
  }
  return entries;
}

Result<void> write_npz(const std::filesystem::path& path, std::span<const NpzEntry> entries) {
  std::string archive, directory;
  for (const NpzEntry& entry : entries) {
    const std::string name = entry.name + ".npy", data = npy_bytes(entry.tensor);
    const uint64_t offset = archive.size();
    if (offset + data.size() + name.size() + local_bytes > UINT32_MAX || name.size() > UINT16_MAX ||
        entries.size() >= 0xFFFF) {
      return Error{Code::unsupported, path.string() + ": an archive of 4 GiB and more; write .npy files instead"};
    }
    const auto crc =
        static_cast<uint32_t>(crc32_z(crc32(0, nullptr, 0), reinterpret_cast<const Bytef*>(data.data()), data.size()));
    const std::string fields = common_fields(name, data, crc);
    append(archive, local_magic, 4);
    archive += fields + name + data;
    append(directory, central_magic, 4), append(directory, 20, 2);
    directory += fields;
    append(directory, 0, 2), append(directory, 0, 2), append(directory, 0, 2), append(directory, 0, 4);
    append(directory, offset, 4);
    directory += name;
  }
  std::string end;
  append(end, end_magic, 4), append(end, 0, 2), append(end, 0, 2);
  append(end, entries.size(), 2), append(end, entries.size(), 2);
  append(end, directory.size(), 4), append(end, archive.size(), 4), append(end, 0, 2);
  return write_whole_file(path, {archive, directory, end});
}

}  // namespace heed
