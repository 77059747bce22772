// A shader's SPIR-V as an array of C, packed by zlib: embed_shader IN.spv NAME OUT.h
#include <zlib.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: embed_shader IN.spv NAME OUT.h\n");
    return 2;
  }
  std::ifstream in(argv[1], std::ios::binary);
  const std::string spirv{std::istreambuf_iterator<char>(in), {}};
  if (!in || spirv.empty() || spirv.size() % sizeof(uint32_t) != 0) {
    std::fprintf(stderr, "%s: no SPIR-V\n", argv[1]);
    return 1;
  }
  uLongf size = compressBound(spirv.size());
  std::vector<Bytef> packed(size);
  if (compress2(packed.data(), &size, reinterpret_cast<const Bytef*>(spirv.data()), spirv.size(), Z_BEST_COMPRESSION) != Z_OK) {
    std::fprintf(stderr, "%s: zlib fails\n", argv[1]);
    return 1;
  }
  std::ofstream out(argv[3]);
  out << "const size_t " << argv[2] << "_word_count = " << spirv.size() / sizeof(uint32_t) << ";\n"
      << "const unsigned char " << argv[2] << "_bytes[] = {";
  for (uLongf i = 0; i < size; ++i) out << (i % 32 ? "" : "\n") << int{packed[i]} << ',';
  out << "\n};\n";
  if (!out.flush()) {
    std::fprintf(stderr, "cannot write %s\n", argv[3]);
    return 1;
  }
}
