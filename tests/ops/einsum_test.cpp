// Einsum: by its kernels, and by what rewrites make of it.
#include <catch2/catch.hpp>
#include <map>

#include "cases.hpp"

namespace heed::test {
namespace {

// Every combination of the letters of an explicit equation without ellipsis, one number at a time.
Tensors summed(const std::string& equation, const Tensors& in) {
  const auto arrow = equation.find("->");
  std::vector<std::string> terms(1);
  for (const char c : equation.substr(0, arrow)) {
    if (c == ',') terms.emplace_back();
    if (c != ',' && c != ' ') terms.back().push_back(c);
  }
  const std::string output = equation.substr(arrow + 2);
  std::map<char, int64_t> sizes;
  for (size_t k = 0; k < terms.size(); ++k)
    for (size_t axis = 0; axis < terms[k].size(); ++axis) sizes[terms[k][axis]] = in[k].dims[axis];
  std::vector<int64_t> dims;
  int64_t count = 1;
  for (const char letter : output) dims.push_back(sizes[letter]), count *= sizes[letter];
  std::vector<std::vector<double>> values;
  for (const auto& x : in) values.push_back(values_of(x));
  std::vector<double> y(static_cast<size_t>(count), 0);
  int64_t all = 1;
  for (const auto& [letter, size] : sizes) all *= size;
  for (int64_t i = 0; i < all; ++i) {
    std::map<char, int64_t> at;
    int64_t rest = i;
    for (const auto& [letter, size] : sizes) at[letter] = rest % size, rest /= size;
    const auto place = [&](const std::string& letters) {
      int64_t index = 0;
      for (const char letter : letters) index = index * sizes[letter] + at[letter];
      return static_cast<size_t>(index);
    };
    double product = 1;
    for (size_t k = 0; k < terms.size(); ++k) product *= values[k][place(terms[k])];
    y[place(output)] += product;
  }
  return {numbers(in[0].type, dims, y)};
}

struct Equation {
  const char* text;
  std::vector<std::vector<int64_t>> dims;
};
const std::vector<Equation> equations = {
    {"ij->ji", {{5, 7}}},
    {"ij->i", {{5, 131}}},
    {"ij->j", {{131, 5}}},
    {"ij->", {{31, 67}}},
    {"ii->i", {{7, 7}}},
    {"ii->", {{7, 7}}},
    {"iji->ij", {{5, 3, 5}}},
    {"abc->cab", {{2, 3, 5}}},
    {"abc->ca", {{2, 3, 5}}},
    {"i,i->", {{131}, {131}}},
    {"i,j->ij", {{7}, {11}}},
    {"ij,jk->ik", {{5, 37}, {37, 7}}},
    {"ij,kj->ki", {{5, 37}, {7, 37}}},
    {"bij,bjk->bik", {{3, 5, 7}, {3, 7, 11}}},
    {"bhqd,bhkd->bhqk", {{2, 3, 5, 8}, {2, 3, 7, 8}}},
    {"bqhd,bkhd->bhqk", {{2, 5, 3, 8}, {2, 7, 3, 8}}},
    {"abcd,cde->abe", {{2, 3, 5, 7}, {5, 7, 4}}},
    {"ab,ab->", {{5, 7}, {5, 7}}},
    {"ab,ab->a", {{5, 7}, {5, 7}}},
    {"abc,b->ac", {{2, 3, 5}, {3}}},
    {"ab,cd->acbd", {{2, 3}, {3, 2}}},
    {"ab,bc->", {{3, 5}, {5, 2}}},
    {"ij,jk,kl->il", {{3, 5}, {5, 7}, {7, 2}}},
    {"i,i,i,i->i", {{11}, {11}, {11}, {11}}},
    {"a,b,c,d,e->ae", {{2}, {3}, {2}, {2}, {3}}},
    {"xY,Yz->zx", {{3, 5}, {5, 2}}},
};

std::vector<Case> rows() {
  std::vector<Case> rows;
  for (const auto& equation : equations) {
    Tensors in;
    for (const auto& dims : equation.dims) in.push_back(random(dims, in.size() % 2 ? 0.25 : -1, 1));
    rows.push_back(by([text = std::string(equation.text)](const Tensors& tensors) { return summed(text, tensors); },
                      equation.text, std::move(in), 1e-5, "equation = \"" + std::string(equation.text) + "\""));
  }
  const auto typed = [&](DataType type, double tolerance) {
    rows.push_back(by([](const Tensors& in) { return summed("ij,jk->ki", in); }, std::string(name_of(type)),
                      {random({3, 17}, -4, 4, type), random({17, 5}, -4, 4, type)}, tolerance,
                      "equation = \"ij , jk -> ki\""));
  };
  typed(DataType::f16, 1e-2);
  typed(DataType::bf16, 5e-2);
  typed(DataType::f64, 1e-12);
  typed(DataType::i32, 0);
  typed(DataType::i64, 0);
  typed(DataType::i8, 0);
  const std::vector<Case> by_hand = {
      {"letters that stand once, in order, where the output is not told (numpy)",
       {f32({2, 3}, {1, 2, 3, 4, 5, 6}), f32({2}, {10, 100})},
       {f32({3}, {410, 520, 630})},
       0,
       "equation = \"ba,b\""},
      {"a trace, told by no letter (numpy)", {f32({2, 2}, {1, 2, 3, 4})}, {f32({}, {5})}, 0, "equation = \"ii\""},
      {"diagonals of the last axes (onnx test_einsum_batch_diagonal)",
       {f32({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8})},
       {f32({2, 2}, {1, 4, 5, 8})},
       0,
       "equation = \"...ii->...i\""},
      {"ellipses end together and broadcast (numpy)",
       {f32({2, 1, 2}, {1, 2, 3, 4}), f32({3, 2}, {1, 0, 0, 1, 1, 1})},
       {f32({2, 3}, {1, 2, 3, 3, 4, 7})},
       0,
       "equation = \"...i,...i->...\""},
      {"an ellipsis comes first where the output is not told (numpy)",
       {f32({1, 2, 2}, {1, 2, 3, 4}), f32({2}, {1, 10})},
       {f32({1, 2}, {21, 43})},
       0,
       "equation = \"...i,i\""},
      {"scalars", {f32({}, {3}), f32({}, {5})}, {f32({}, {15})}, 0, "equation = \",->\""},
      {"nothing to sum",
       {f32({2, 0}, {}), f32({0, 2}, {})},
       {f32({2, 2}, {0, 0, 0, 0})},
       0,
       "equation = \"ij,jk->ik\""},
      {"nothing to give",
       {f32({0, 2}, {}), f32({2, 3}, {1, 2, 3, 4, 5, 6})},
       {f32({0, 3}, {})},
       0,
       "equation = \"ij,jk->ik\""},
  };
  rows.insert(rows.end(), by_hand.begin(), by_hand.end());
  return rows;
}

}  // namespace

HEED_TEST_OPERATOR("Einsum", rows())

TEST_CASE("Einsum is the products, sums and views that it says, on every device") {
  for (const auto& equation : equations) {
    std::string inputs, arguments;
    Tensors in;
    for (size_t k = 0; k < equation.dims.size(); ++k) {
      const std::string name(1, static_cast<char>('p' + k));
      std::string dims;
      for (const int64_t dim : equation.dims[k]) dims += (dims.empty() ? "" : ", ") + std::to_string(dim);
      inputs += (k ? ", " : "") + ("float[" + dims + "] " + name);
      arguments += (k ? ", " : "") + name;
      in.push_back(random(equation.dims[k], 0.25, 1));
    }
    const auto expected = summed(equation.text, in);
    std::string output;
    for (const int64_t dim : expected[0].dims) output += (output.empty() ? "" : ", ") + std::to_string(dim);
    const std::string text = "<ir_version: 10, opset_import: [\"\" : 24]> g (" + inputs + ") => (float" +
                             (output.empty() ? "" : "[" + output + "]") + " y) { y = Einsum<equation = \"" +
                             equation.text + "\">(" + arguments + ") }";
    INFO(text);
    for (const char* device : {"cpu", "vulkan"}) {
      const auto outputs = run_text(text, in, device);
      CHECK((outputs ? "" : outputs.error().message) == "");
      if (outputs) check_equal((*outputs)[0], expected[0], 1e-5);
    }
  }
}

TEST_CASE("Einsum of unknown sizes is a product of matrices on Vulkan") {
  check_on_vulkan(
      "<ir_version: 10, opset_import: [\"\" : 24]> g (float[B, Q, 3, 8] q, float[B, K, 3, 8] k) => (float[B, 3, Q, K] "
      "y) "
      "{ y = Einsum<equation = \"bqhd,bkhd->bhqk\">(q, k) }",
      {random({2, 5, 3, 8}), random({2, 7, 3, 8})}, 1e-5);
}

TEST_CASE("equations are refused that do not fit") {
  const auto refused = [](const char* equation, const char* part) {
    check_refused("Einsum",
                  {"",
                   {f32({2, 3}, {1, 2, 3, 4, 5, 6}), f32({3}, {1, 2, 3})},
                   {f32({2}, {0, 0})},
                   0,
                   "equation = \"" + std::string(equation) + "\""},
                  part);
  };
  refused("ij->i", "has 1 terms for 2 inputs");
  refused("i,j->i", "term 'i' of the equation has 1 letters; its input has rank 2");
  refused("ij,j->ik", "the output of the equation 'ij,j->ik' has a letter twice, or one that no input has");
  refused("ij,j->ii", "has a letter twice");
  refused("i1,j->i", "has '1' where a letter or one '...' is expected");
  refused("ij,i->j", "do not broadcast");
}

}  // namespace heed::test
