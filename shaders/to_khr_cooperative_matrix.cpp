// to_khr_cooperative_matrix IN.spv OUT.spv: a shader that glslang compiled from GL_NV_cooperative_matrix, rewritten for
// SPV_KHR_cooperative_matrix. The two extensions say the same one for one, but that the types of KHR say what their
// matrices are used for: the first factor of a product, the second, or else the sum.
// https://github.khronos.org/SPIRV-Registry/extensions/KHR/SPV_KHR_cooperative_matrix.html
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Words = std::vector<uint32_t>;

constexpr uint32_t magic = 0x07230203;
constexpr size_t header_words = 5, bound_word = 3;

// Opcodes.
enum : uint16_t {
  extension = 10,
  capability = 17,
  type_int = 21,
  constant_true = 41,
  constant_false = 42,
  constant = 43,
  spec_constant_op = 52,
  nv_type = 5358,
  nv_load,
  nv_store,
  nv_multiply_add,
  nv_length,
  khr_type = 4456,
  khr_load,
  khr_store,
  khr_multiply_add,
  khr_length,
};
constexpr uint32_t nv_capability = 5357, khr_capability = 6022;
constexpr std::string_view nv_extension = "SPV_NV_cooperative_matrix", khr_extension = "SPV_KHR_cooperative_matrix";

// What a matrix is used for, and how it lies in memory: numbers of operands, and places of their constants.
enum Use : uint32_t { first_factor, second_factor, sum };
enum Layout : uint32_t { row_major, column_major };

// Operands as they stand: without the first word, which has the opcode and the count.
struct Instruction {
  uint16_t opcode;
  Words operands;
};

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error(what); }

std::vector<Instruction> parse(const Words& words) {
  if (words.size() < header_words || words[0] != magic) fail("no SPIR-V");
  std::vector<Instruction> instructions;
  for (size_t at = header_words; at < words.size();) {
    const size_t count = words[at] >> 16;
    if (count == 0 || count > words.size() - at) fail("an instruction ends behind the module");
    const auto first = words.begin() + static_cast<std::ptrdiff_t>(at);
    instructions.push_back({static_cast<uint16_t>(words[at]), Words(first + 1, first + static_cast<std::ptrdiff_t>(count))});
    at += count;
  }
  return instructions;
}

Words text_operand(std::string_view text) {
  Words words(text.size() / sizeof(uint32_t) + 1);
  std::memcpy(words.data(), text.data(), text.size());
  return words;
}

// Of each type of matrices. Types that the source keeps apart by their specialisation constants stay so.
std::map<uint32_t, Use> uses_of(const std::vector<Instruction>& instructions) {
  std::map<uint32_t, Use> uses;
  std::map<uint32_t, uint32_t> types;  // of matrices: behind their types only results begin with one's id
  for (const auto& [opcode, operands] : instructions)
    if (opcode == nv_type)
      uses[operands.at(0)] = sum;
    else if (operands.size() >= 2 && uses.contains(operands[0]))
      types[operands[1]] = operands[0];
  std::map<uint32_t, Use> known;
  for (const auto& [opcode, operands] : instructions) {
    if (opcode != nv_multiply_add) continue;
    for (const Use use : {first_factor, second_factor, sum}) {
      const uint32_t type = types.at(operands.at(2 + use));
      if (const auto [before, is_new] = known.try_emplace(type, use); !is_new && before->second != use)
        fail("a type of matrices is used in two places of products; give its sizes specialisation constants of their own");
      uses[type] = use;
    }
  }
  return uses;
}

Words translate(const Words& words) {
  auto instructions = parse(words);
  const auto uses = uses_of(instructions);
  std::array<uint32_t, 3> numbers{};  // ids of the constants 0, 1, 2
  uint32_t bound = words[bound_word], number_type = 0;
  std::map<uint32_t, Layout> layouts;  // of constants that say whether a matrix lies column by column
  const auto layout = [&](uint32_t is_column_major) {
    const auto found = layouts.find(is_column_major);
    if (found == layouts.end()) fail("whether a matrix lies column by column is no constant");
    return numbers[found->second];
  };

  Words out(words.begin(), words.begin() + header_words);
  const auto put = [&](uint32_t opcode, const Words& operands) {
    out.push_back(static_cast<uint32_t>(operands.size() + 1) << 16 | opcode);
    out.insert(out.end(), operands.begin(), operands.end());
  };
  for (auto& [opcode, operands] : instructions) {
    switch (opcode) {
      case capability:
        if (operands.at(0) == nv_capability) operands[0] = khr_capability;
        break;
      case extension:
        if (operands == text_operand(nv_extension)) operands = text_operand(khr_extension);
        break;
      case type_int:
        if (operands.at(1) == 32 && operands.at(2) == 0) number_type = operands[0];
        break;
      case constant_false:
      case constant_true:
        layouts[operands.at(1)] = opcode == constant_true ? column_major : row_major;
        break;
      case nv_type:
        if (numbers[0] == 0) {
          if (number_type == 0) fail("no type of unsigned numbers before that of matrices");
          for (uint32_t value = 0; value < numbers.size(); ++value) put(constant, {number_type, numbers[value] = bound++, value});
        }
        operands.push_back(numbers[uses.at(operands.at(0))]);
        opcode = khr_type;
        break;
      case nv_load:
      case nv_store: {  // .., stride, is_column_major, memory operands.. become .., layout, stride, memory operands..
        const size_t stride = opcode == nv_load ? 3 : 2;
        const uint32_t laid = layout(operands.at(stride + 1));
        operands[stride + 1] = operands[stride];
        operands[stride] = laid;
        opcode = opcode == nv_load ? khr_load : khr_store;
        break;
      }
      case nv_multiply_add:
        opcode = khr_multiply_add;
        break;
      case nv_length:
        opcode = khr_length;
        break;
      case spec_constant_op:
        if (operands.at(2) == nv_length) operands[2] = khr_length;
        break;
    }
    put(opcode, operands);
  }
  out[bound_word] = bound;
  return out;
}

Words read(const char* path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  if (!file) fail("cannot be read");
  Words words(bytes.size() / sizeof(uint32_t));
  std::memcpy(words.data(), bytes.data(), words.size() * sizeof(uint32_t));
  return words;
}

void write(const char* path, const Words& words) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(words.data()), static_cast<std::streamsize>(words.size() * sizeof(uint32_t)));
  if (!file.flush()) fail(std::string("cannot write ") + path);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: to_khr_cooperative_matrix IN.spv OUT.spv\n");
    return 2;
  }
  try {
    write(argv[2], translate(read(argv[1])));
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "%s: %s\n", argv[1], failure.what());
    return 1;
  }
}
