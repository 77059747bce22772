// The parser of ONNX's textual syntax: recursive descent over characters, no tokens kept.
#include "graph/parse.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>
#include <utility>

#include "base/data_type.hpp"
#include "graph/function_calls.hpp"
#include "graph/literal.hpp"

namespace heed {
namespace {

constexpr int nesting_limit = 64;

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_part(char c) { return is_name_start(c) || is_digit(c); }

struct NamedType {
  std::string name;
  ValueType type;
};

// Counts how deep calls and subgraphs stand inside each other.
class Nesting {
 public:
  explicit Nesting(int& depth) : depth_(++depth) {}
  ~Nesting() { --depth_; }
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;
  bool too_deep() const { return depth_ > nesting_limit; }

 private:
  int& depth_;
};

class Parser {
 public:
  enum class Statements { plain, with_alternatives };
  Parser(std::string_view text, std::shared_ptr<DimPool> dims, Statements statements = Statements::plain)
      : text_(text), dims_(std::move(dims)), statements_(statements) {}

  Result<ModelFile> model();
  Result<std::shared_ptr<Graph>> graph(GraphBuilder::Scope scope, const Opsets& opsets);
  Result<std::vector<Statement>> statements(char end);  // up to `end`, which stays; '\0': the end of the text
  Result<std::shared_ptr<const Graph>> body(std::span<const std::string> inputs, std::span<const std::string> outputs,
                                            const Opsets& opsets);
  Result<void> expect_end();
  Error fail(const std::string& message) const;

 private:
  // Characters.
  void skip_space();
  char peek();  // after space; '\0' at the end
  bool accept(std::string_view symbol);
  Result<void> expect(std::string_view symbol);
  Result<std::string> identifier(std::string_view what);
  Result<std::string> quoted();
  Result<std::string> name(std::string_view what);  // identifier or quoted
  Result<std::string> qualified_name();             // a.b.c
  Result<Literal> literal();
  Result<int64_t> integer(std::string_view what);

  // Types and tensors.
  std::optional<DataType> peek_data_type();
  bool peek_type();
  Result<ValueType> type();
  Result<std::vector<Dim>> dims(bool& all_numbers);
  Result<Tensor> tensor_elements(const ValueType& type);

  // Graphs.
  Result<std::vector<NamedType>> typed_names(char end, GraphBuilder* builder);
  Result<void> statement(std::vector<Statement>& into);
  Result<void> call(Statement call, std::vector<Statement>& into);
  Result<void> arguments(Statement& call, std::vector<Statement>& into);
  Result<void> attributes(std::map<std::string, Attribute, std::less<>>& into);
  Result<void> attribute(std::map<std::string, Attribute, std::less<>>& into);
  Result<Attribute> attribute_value(std::string_view kind);
  Result<Attribute> attribute_list(std::string_view kind);

  // Models.
  Result<void> model_properties(ModelFile& model);
  Result<std::shared_ptr<const Function>> function();
  Result<void> opset_imports(Opsets& opsets);

  std::string_view text_;
  std::shared_ptr<DimPool> dims_;
  const Statements statements_;
  size_t position_ = 0;
  int depth_ = 0;
  size_t made_up_names_ = 0;
  bool symbols_known_ = true;  // false in functions: their symbols are not those of the graph that calls them
  Opsets opsets_;              // of the graph or function that is being read
};

// ---- characters ----

Error Parser::fail(const std::string& message) const {
  const std::string_view before = text_.substr(0, position_);
  const size_t line = 1 + static_cast<size_t>(std::count(before.begin(), before.end(), '\n'));
  const size_t line_start = before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  return Error{Code::invalid_model, "line " + std::to_string(line) + ", column " +
                                        std::to_string(position_ - line_start + 1) + ": " + message};
}

void Parser::skip_space() {
  while (position_ < text_.size()) {
    const char c = text_[position_];
    if (c == '#') {
      while (position_ < text_.size() && text_[position_] != '\n') ++position_;
    } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      ++position_;
    } else {
      return;
    }
  }
}

char Parser::peek() {
  skip_space();
  return position_ < text_.size() ? text_[position_] : '\0';
}

bool Parser::accept(std::string_view symbol) {
  skip_space();
  if (text_.substr(position_, symbol.size()) != symbol) return false;
  position_ += symbol.size();
  return true;
}

Result<void> Parser::expect(std::string_view symbol) {
  if (accept(symbol)) return {};
  const char met = peek();
  return fail("expected '" + std::string(symbol) + "', met " +
              (met == '\0' ? "the end" : "'" + std::string(1, met) + "'"));
}

Result<void> Parser::expect_end() {
  if (peek() == '\0' && position_ == text_.size()) return {};
  return fail("expected the end, met '" + std::string(1, text_[position_]) + "'");
}

Result<std::string> Parser::identifier(std::string_view what) {
  if (!is_name_start(peek())) return fail("expected " + std::string(what));
  const size_t start = position_;
  while (position_ < text_.size() && is_name_part(text_[position_])) ++position_;
  return std::string(text_.substr(start, position_ - start));
}

Result<std::string> Parser::quoted() {
  HEED_TRY(expect("\""));
  std::string result;
  for (; position_ < text_.size() && text_[position_] != '"'; ++position_) {
    char c = text_[position_];
    if (c == '\\' && position_ + 1 < text_.size()) {
      c = text_[++position_];
      c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
    }
    result += c;
  }
  if (position_ == text_.size()) return fail("a string is not closed");
  ++position_;
  return result;
}

Result<std::string> Parser::name(std::string_view what) { return peek() == '"' ? quoted() : identifier(what); }

Result<std::string> Parser::qualified_name() {
  HEED_ASSIGN(std::string result, identifier("a name"));
  while (position_ + 1 < text_.size() && text_[position_] == '.' && is_name_part(text_[position_ + 1])) {
    const size_t start = position_++;
    while (position_ < text_.size() && is_name_part(text_[position_])) ++position_;
    result += text_.substr(start, position_ - start);
  }
  return result;
}

Result<Literal> Parser::literal() {
  if (peek() == '"') {
    HEED_ASSIGN(std::string string, quoted());
    return Literal{LiteralKind::string, std::move(string)};
  }
  const size_t start = position_;
  if (position_ < text_.size() && (text_[position_] == '-' || text_[position_] == '+')) ++position_;
  LiteralKind kind = LiteralKind::integer;
  if (position_ < text_.size() && is_name_start(text_[position_])) {  // inf, nan
    kind = LiteralKind::real;
    while (position_ < text_.size() && is_name_part(text_[position_])) ++position_;
    const std::string_view word = text_.substr(start, position_ - start);
    const std::string_view bare = word.substr(word[0] == '-' || word[0] == '+' ? 1 : 0);
    if (bare != "inf" && bare != "nan" && bare != "infinity" && bare != "NaN") {
      position_ = start;
      return fail("expected a number or a string");
    }
  } else {
    while (position_ < text_.size()) {
      const char c = text_[position_];
      const bool sign_of_exponent =
          (c == '-' || c == '+') && position_ > start && (text_[position_ - 1] == 'e' || text_[position_ - 1] == 'E');
      if (!is_digit(c) && c != '.' && c != 'e' && c != 'E' && !sign_of_exponent) break;
      if (!is_digit(c)) kind = LiteralKind::real;
      ++position_;
    }
  }
  const Literal result{kind, std::string(text_.substr(start, position_ - start))};
  if (!is_number(result)) {
    position_ = start;
    return fail("expected a number or a string");
  }
  return result;
}

Result<int64_t> Parser::integer(std::string_view what) {
  const size_t start = position_;
  HEED_ASSIGN(const Literal number, literal());
  const std::optional<int64_t> value = to_integer(number);
  if (value) return *value;
  position_ = start;
  return fail("expected " + std::string(what) + ", an integer of 64 bits");
}

// ---- types and tensors ----

std::optional<DataType> Parser::peek_data_type() {
  if (!is_name_start(peek())) return std::nullopt;
  size_t end = position_;
  while (end < text_.size() && is_name_part(text_[end])) ++end;
  const Result<DataType> type = parse_data_type(text_.substr(position_, end - position_));
  return type ? std::optional(*type) : std::nullopt;
}

bool Parser::peek_type() {
  if (peek_data_type()) return true;
  const size_t start = position_;
  const Result<std::string> word = is_name_start(peek()) ? identifier("") : Result<std::string>(std::string());
  const bool is_container = peek() == '(' && (*word == "seq" || *word == "sequence" || *word == "optional" ||
                                              *word == "map" || *word == "sparse_tensor" || *word == "opaque");
  position_ = start;
  return is_container;
}

Result<ValueType> Parser::type() {
  const Nesting nesting(depth_);
  if (nesting.too_deep()) return fail("types stand too deep in each other");
  ValueType result;
  if (const std::optional<DataType> element = peek_data_type()) {
    HEED_TRY(identifier("a type"));
    result.element = element;
    if (!accept("[")) return result;
    bool all_numbers = true;
    HEED_ASSIGN(std::vector<Dim> sizes, dims(all_numbers));
    if (all_numbers || symbols_known_) result.dims = std::move(sizes);
    return result;
  }
  const size_t start = position_;
  HEED_ASSIGN(const std::string word, identifier("a type"));
  if (peek() != '(') {
    position_ = start;
    return fail("'" + word + "' is no type");
  }
  HEED_TRY(expect("("));
  if (word == "map") {
    HEED_ASSIGN(const std::string key, identifier("the type of the keys"));
    HEED_TRY(parse_data_type(key));
    HEED_TRY(expect(","));
  }
  HEED_ASSIGN(const ValueType inner, type());
  HEED_TRY(expect(")"));
  result = inner;
  if (word == "seq" || word == "sequence") {
    if (inner.kind != Kind::tensor) result = ValueType{};
    result.kind = Kind::sequence;
  } else if (word == "optional") {
    result.sequence_of_optional = inner.kind == Kind::sequence;
    result.kind = Kind::optional;
  } else if (word == "map") {
    result.kind = Kind::map;
  } else if (word != "sparse_tensor") {
    position_ = start;
    return fail("'" + word + "' is no type");
  }
  return result;
}

// After '[', up to and with ']'.
Result<std::vector<Dim>> Parser::dims(bool& all_numbers) {
  std::vector<Dim> result;
  if (accept("]")) return result;
  do {
    if (accept("?")) {
      all_numbers = false;
      result.push_back(symbols_known_ ? dims_->fresh_symbol("unknown") : Dim(0));
      continue;
    }
    peek();
    const size_t start = position_;
    for (int open = 0; position_ < text_.size(); ++position_) {
      const char c = text_[position_];
      if (open == 0 && (c == ',' || c == ']')) break;
      open += c == '(' ? 1 : c == ')' ? -1 : 0;
    }
    std::string_view expression = text_.substr(start, position_ - start);
    while (!expression.empty() && std::isspace(static_cast<unsigned char>(expression.back())))
      expression.remove_suffix(1);
    if (expression.size() >= 2 && expression.front() == '"' && expression.back() == '"') {
      expression = expression.substr(1, expression.size() - 2);
    }
    if (expression.empty()) return fail("expected a size");
    int64_t number = 0;
    const auto [end, error] = std::from_chars(expression.data(), expression.data() + expression.size(), number);
    if (error == std::errc() && end == expression.data() + expression.size()) {
      if (number < 0) return fail("the size " + std::to_string(number) + " is negative");
      result.push_back(number);
    } else {
      all_numbers = false;
      result.push_back(symbols_known_ ? dim_of_param(*dims_, expression) : Dim(0));
    }
  } while (accept(","));
  HEED_TRY(expect("]"));
  return result;
}

// "{1, 2, 3}" of a type whose sizes are numbers; no sizes: a scalar.
Result<Tensor> Parser::tensor_elements(const ValueType& type) {
  std::vector<int64_t> sizes;
  for (const Dim dim : type.dims.value_or(std::vector<Dim>())) {
    if (!dim.is_number())
      return fail("a tensor with elements has sizes that are numbers, not '" + to_string(dim) + "'");
    sizes.push_back(dim.number());
  }
  if (!type.element || type.kind != Kind::tensor) return fail("only a tensor has elements here");
  const size_t start = position_;
  HEED_TRY(expect("{"));
  std::vector<Literal> literals;
  if (!accept("}")) {
    do {
      HEED_ASSIGN(Literal element, literal());
      literals.push_back(std::move(element));
    } while (accept(","));
    HEED_TRY(expect("}"));
  }
  Result<Tensor> tensor = tensor_of_literals(*type.element, std::move(sizes), literals);
  if (tensor) return tensor;
  position_ = start;
  return fail(tensor.error().message);
}

// ---- graphs ----

// "float[N] x, int64[2] s = {1, 2}" up to and with `end`. Names with elements go to the builder at once: as constants,
// or as inputs with a default where `end` is ')'.
Result<std::vector<NamedType>> Parser::typed_names(char end, GraphBuilder* builder) {
  const std::string end_symbol(1, end);
  std::vector<NamedType> result;
  if (accept(end_symbol)) return result;
  do {
    HEED_ASSIGN(ValueType declared, type());
    HEED_ASSIGN(std::string value, name("the name of a value"));
    const bool has_elements = builder != nullptr && accept("=");
    if (end == ')' && builder != nullptr) HEED_TRY(builder->add_input(value, declared));
    if (has_elements) {
      if (peek() == '[') return fail("external data has no place in text");
      HEED_ASSIGN(Tensor tensor, tensor_elements(declared));
      HEED_TRY(builder->add_constant(value, std::move(tensor)));
    } else {
      result.push_back({std::move(value), std::move(declared)});
    }
  } while (accept(","));
  HEED_TRY(expect(end_symbol));
  return result;
}

Result<std::shared_ptr<Graph>> Parser::graph(GraphBuilder::Scope scope, const Opsets& opsets) {
  const Nesting nesting(depth_);
  if (nesting.too_deep()) return fail("graphs stand too deep in each other: at most " + std::to_string(nesting_limit));
  peek();
  const size_t start = position_;
  GraphBuilder builder(dims_, scope);
  HEED_ASSIGN(std::string graph_name, name("the name of a graph"));
  builder.set_name(std::move(graph_name));
  HEED_TRY(expect("("));
  HEED_TRY(typed_names(')', &builder));
  HEED_TRY(expect("=>"));
  HEED_TRY(expect("("));
  HEED_ASSIGN(std::vector<NamedType> outputs, typed_names(')', nullptr));
  if (accept("<")) {
    HEED_ASSIGN(std::vector<NamedType> declared, typed_names('>', &builder));
    for (NamedType& value : declared) builder.declare_type(std::move(value.name), std::move(value.type));
  }
  HEED_TRY(expect("{"));
  const Opsets outer_opsets = std::exchange(opsets_, opsets);
  HEED_ASSIGN(std::vector<Statement> nodes, statements('}'));
  HEED_TRY(expect("}"));
  for (Statement& node : nodes) HEED_TRY(builder.add_statement(std::move(node)));
  for (NamedType& output : outputs) builder.add_output(std::move(output.name), std::move(output.type));
  Result<std::shared_ptr<Graph>> built = std::move(builder).build(opsets_);
  opsets_ = outer_opsets;
  if (built) return built;
  position_ = start;
  return fail(built.error().message);
}

Result<std::vector<Statement>> Parser::statements(char end) {
  std::vector<Statement> result;
  while (peek() != end) {
    if (accept(";")) continue;
    HEED_TRY(statement(result));
  }
  return result;
}

// [label] a, b = domain.Op <attributes> (arguments) <attributes>, in patterns with alternatives behind '|'
Result<void> Parser::statement(std::vector<Statement>& into) {
  Statement node;
  if (accept("[")) {
    HEED_ASSIGN(node.name, name("the name of a node"));
    HEED_TRY(expect("]"));
  }
  if (peek() != '=') {
    do {
      if (peek() == ',' || peek() == '=') {
        node.outputs.emplace_back();
        continue;
      }
      HEED_ASSIGN(std::string output, peek() == '"' ? quoted() : qualified_name());
      node.outputs.push_back(std::move(output));
    } while (accept(","));
  }
  HEED_TRY(expect("="));
  const bool has_alternatives = statements_ == Statements::with_alternatives;
  do {
    Statement alternative = node;
    node.is_alternative = true;
    HEED_ASSIGN(std::string word, qualified_name());
    if (has_alternatives && peek() != '(' && peek() != '<' && peek() != ':') {
      alternative.inputs.push_back(std::move(word));
      into.push_back(std::move(alternative));
    } else {
      alternative.op_type = std::move(word);
      HEED_TRY(call(std::move(alternative), into));
    }
  } while (has_alternatives && accept("|"));
  return {};
}

// After the operator's name, which stands in call.op_type with its domain.
Result<void> Parser::call(Statement call, std::vector<Statement>& into) {
  const Nesting nesting(depth_);
  if (nesting.too_deep()) return fail("calls stand too deep in each other: at most " + std::to_string(nesting_limit));
  if (const size_t dot = call.op_type.rfind('.'); dot != std::string::npos) {
    call.domain = canonical_domain(std::string_view(call.op_type).substr(0, dot));
    call.op_type.erase(0, dot + 1);
  }
  if (accept(":")) {
    HEED_ASSIGN(call.overload, name("an overload"));
  }
  if (accept("<")) HEED_TRY(attributes(call.attributes));
  HEED_TRY(expect("("));
  HEED_TRY(arguments(call, into));
  if (accept("<")) HEED_TRY(attributes(call.attributes));
  into.push_back(std::move(call));
  return {};
}

// After '(', up to and with ')'.
Result<void> Parser::arguments(Statement& call, std::vector<Statement>& into) {
  if (accept(")")) return {};
  do {
    if (peek() == ',' || peek() == ')') {
      call.inputs.emplace_back();
      continue;
    }
    if (peek() == '"') {
      HEED_ASSIGN(std::string input, quoted());
      call.inputs.push_back(std::move(input));
      continue;
    }
    HEED_ASSIGN(std::string word, qualified_name());
    if (peek() == '(' || peek() == '<' || peek() == ':') {
      Statement inner;
      inner.outputs.push_back("#" + std::to_string(made_up_names_++));
      inner.op_type = std::move(word);
      call.inputs.push_back(inner.outputs.front());
      HEED_TRY(this->call(std::move(inner), into));
    } else {
      call.inputs.push_back(std::move(word));
    }
  } while (accept(","));
  return expect(")");
}

// After '<', up to and with '>'.
Result<void> Parser::attributes(std::map<std::string, Attribute, std::less<>>& into) {
  if (accept(">")) return {};
  do {
    HEED_TRY(attribute(into));
  } while (accept(","));
  return expect(">");
}

// name = value, or name: kind = value
Result<void> Parser::attribute(std::map<std::string, Attribute, std::less<>>& into) {
  HEED_ASSIGN(std::string attribute_name, identifier("the name of an attribute"));
  std::string kind;
  if (accept(":")) {
    HEED_ASSIGN(kind, identifier("the kind of an attribute"));
    if (attribute_kind_of(kind) == HEED_ATTRIBUTE_NONE) return fail("'" + kind + "' is no kind of attribute");
  }
  HEED_TRY(expect("="));
  HEED_ASSIGN(Attribute value, attribute_value(kind));
  if (!into.emplace(attribute_name, std::move(value)).second) {
    return fail("attribute '" + attribute_name + "' is given twice");
  }
  return {};
}

Result<Attribute> Parser::attribute_value(std::string_view kind) {
  if (accept("@")) {
    HEED_ASSIGN(std::string referred, identifier("the name of an attribute"));
    return Attribute{Attribute::Reference{std::move(referred), attribute_kind_of(kind)}};
  }
  if (accept("[")) return attribute_list(kind);
  if (is_name_start(peek()) && peek_type()) {
    HEED_ASSIGN(ValueType declared, type());
    const bool is_named = is_name_start(peek()) || peek() == '"';
    if (is_named) HEED_TRY(name("the name of a tensor"));
    const bool has_elements = accept("=") || peek() == '{';
    if (!has_elements) return Attribute{std::move(declared)};
    HEED_ASSIGN(Tensor tensor, tensor_elements(declared));
    return Attribute{std::move(tensor)};
  }
  const size_t start = position_;
  if (is_name_start(peek())) {
    const Result<std::string> word = identifier("");
    const bool is_graph = peek() == '(';
    position_ = start;
    if (is_graph) {
      const Opsets opsets = opsets_;
      HEED_ASSIGN(std::shared_ptr<Graph> subgraph, graph(GraphBuilder::Scope::nested, opsets));
      return Attribute{std::move(subgraph)};
    }
  }
  HEED_ASSIGN(Literal value, literal());
  std::optional<Attribute> attribute = attribute_of_literal(value, kind);
  if (attribute) return std::move(*attribute);
  position_ = start;
  return fail("'" + value.text + "' does not fit an attribute of kind " + (kind.empty() ? "int" : std::string(kind)));
}

// After '[', up to and with ']'.
Result<Attribute> Parser::attribute_list(std::string_view kind) {
  std::vector<Literal> literals;
  std::vector<Tensor> tensors;
  std::vector<std::shared_ptr<Graph>> graphs;
  const size_t start = position_;
  if (!accept("]")) {
    do {
      const bool is_word = is_name_start(peek());
      const size_t element_start = position_;
      const bool is_constant = is_word && [&] {
        const bool number = literal().has_value();
        position_ = element_start;
        return number;
      }();
      if (is_word && !is_constant) {
        HEED_ASSIGN(Attribute element, attribute_value(""));
        if (auto* tensor = std::get_if<Tensor>(&element.content)) tensors.push_back(std::move(*tensor));
        if (auto* subgraph = std::get_if<std::shared_ptr<Graph>>(&element.content))
          graphs.push_back(std::move(*subgraph));
      } else {
        HEED_ASSIGN(Literal element, literal());
        literals.push_back(std::move(element));
      }
    } while (accept(","));
    HEED_TRY(expect("]"));
  }
  if (kind.empty() && literals.empty()) kind = !tensors.empty() ? "tensors" : !graphs.empty() ? "graphs" : "ints";
  if (!literals.empty() + !tensors.empty() + !graphs.empty() > 1)
    return fail("a list holds elements of different kinds");
  if (kind == "tensors" && literals.empty() && graphs.empty()) return Attribute{std::move(tensors)};
  if (kind == "graphs" && literals.empty() && tensors.empty()) return Attribute{std::move(graphs)};
  std::optional<Attribute> attribute = attribute_of_literals(literals, kind);
  if (attribute && tensors.empty() && graphs.empty()) return std::move(*attribute);
  position_ = start;
  return fail("the list does not fit an attribute of kind " + (kind.empty() ? "ints" : std::string(kind)));
}

Result<std::shared_ptr<const Graph>> Parser::body(std::span<const std::string> inputs,
                                                  std::span<const std::string> outputs, const Opsets& opsets) {
  symbols_known_ = false;
  opsets_ = opsets;
  HEED_ASSIGN(std::vector<Statement> nodes, statements('\0'));
  HEED_TRY(expect_end());
  GraphBuilder builder(dims_, GraphBuilder::Scope::complete);
  for (const std::string& input : inputs) HEED_TRY(builder.add_input(input, {}));
  for (Statement& node : nodes) HEED_TRY(builder.add_statement(std::move(node)));
  for (const std::string& output : outputs) builder.add_output(output, {});
  HEED_ASSIGN(std::shared_ptr<const Graph> graph, std::move(builder).build(opsets));
  return graph;
}

// ---- models ----

Result<void> Parser::opset_imports(Opsets& opsets) {
  HEED_TRY(expect("["));
  if (accept("]")) return {};
  do {
    HEED_ASSIGN(const std::string domain, quoted());
    HEED_TRY(expect(":"));
    HEED_ASSIGN(const int64_t version, integer("a version"));
    if (version < 0 || version > INT32_MAX) return fail("version " + std::to_string(version) + " is out of range");
    opsets[std::string(canonical_domain(domain))] = static_cast<int32_t>(version);
  } while (accept(","));
  return expect("]");
}

// After '<', up to and with '>'.
Result<void> Parser::model_properties(ModelFile& model) {
  if (accept(">")) return {};
  do {
    HEED_ASSIGN(const std::string key, identifier("a property of the model"));
    HEED_TRY(expect(":"));
    if (key == "ir_version") {
      HEED_ASSIGN(model.ir_version, integer("a version"));
    } else if (key == "opset_import") {
      HEED_TRY(opset_imports(model.opsets));
    } else if (key == "producer_name") {
      HEED_ASSIGN(model.producer, quoted());
    } else if (key == "producer_version") {
      HEED_ASSIGN(model.producer_version, quoted());
    } else if (key == "doc_string") {
      HEED_ASSIGN(model.doc, quoted());
    } else if (key == "metadata_props") {
      HEED_TRY(expect("["));
      if (accept("]")) continue;
      do {
        HEED_ASSIGN(std::string metadata_key, quoted());
        HEED_TRY(expect(":"));
        HEED_ASSIGN(model.metadata[std::move(metadata_key)], quoted());
      } while (accept(","));
      HEED_TRY(expect("]"));
    } else if (key == "domain") {
      HEED_TRY(quoted());
    } else if (key == "model_version") {
      HEED_TRY(integer("a version"));
    } else {
      return fail("'" + key + "' is no property of a model");
    }
  } while (accept(","));
  return expect(">");
}

Result<std::shared_ptr<const Function>> Parser::function() {
  auto result = std::make_shared<Function>();
  if (accept("<")) {
    do {
      HEED_ASSIGN(const std::string key, identifier("a property of the function"));
      HEED_TRY(expect(":"));
      if (key == "opset_import") {
        HEED_TRY(opset_imports(result->opsets));
        continue;
      }
      HEED_ASSIGN(std::string value, quoted());
      if (key == "domain") result->domain = canonical_domain(value);
      if (key == "overload") result->overload = std::move(value);
    } while (accept(","));
    HEED_TRY(expect(">"));
  }
  HEED_ASSIGN(result->name, name("the name of a function"));
  const size_t start = position_;
  if (accept("<")) {
    do {
      const size_t attribute_start = position_;
      HEED_ASSIGN(std::string attribute_name, identifier("the name of an attribute"));
      if (peek() == '=' || peek() == ':') {
        position_ = attribute_start;
        HEED_TRY(attribute(result->defaults));
      } else {
        result->attributes.push_back(std::move(attribute_name));
      }
    } while (accept(","));
    HEED_TRY(expect(">"));
  }
  symbols_known_ = false;
  GraphBuilder builder(dims_, GraphBuilder::Scope::complete);
  builder.set_name(result->name);
  for (const bool is_input : {true, false}) {
    if (!is_input) HEED_TRY(expect("=>"));
    HEED_TRY(expect("("));
    if (accept(")")) continue;
    do {
      ValueType declared;
      const size_t value_start = position_;
      if (peek_type()) {
        HEED_ASSIGN(declared, type());
        if (!is_name_start(peek()) && peek() != '"') position_ = value_start, declared = {};  // a value named "float"
      }
      HEED_ASSIGN(std::string value, name("the name of a value"));
      (is_input ? result->inputs : result->outputs).push_back(value);
      if (is_input) {
        HEED_TRY(builder.add_input(std::move(value), std::move(declared)));
      } else {
        builder.add_output(std::move(value), std::move(declared));
      }
    } while (accept(","));
    HEED_TRY(expect(")"));
  }
  if (accept("<")) {
    HEED_ASSIGN(std::vector<NamedType> declared, typed_names('>', &builder));
    for (NamedType& value : declared) builder.declare_type(std::move(value.name), std::move(value.type));
  }
  HEED_TRY(expect("{"));
  const Opsets outer_opsets = std::exchange(opsets_, result->opsets);
  HEED_ASSIGN(std::vector<Statement> nodes, statements('}'));
  HEED_TRY(expect("}"));
  for (Statement& node : nodes) HEED_TRY(builder.add_statement(std::move(node)));
  Result<std::shared_ptr<Graph>> body = std::move(builder).build(result->opsets);
  opsets_ = outer_opsets;
  symbols_known_ = true;
  if (!body) {
    position_ = start;
    return fail("function '" + result->name + "': " + body.error().message);
  }
  result->body = std::move(*body);
  return std::shared_ptr<const Function>(std::move(result));
}

Result<ModelFile> Parser::model() {
  ModelFile model;
  if (accept("<")) HEED_TRY(model_properties(model));
  if (model.opsets.empty()) model.opsets.emplace("", newest_opset);
  HEED_ASSIGN(model.graph, graph(GraphBuilder::Scope::complete, model.opsets));
  while (peek() != '\0') {
    HEED_ASSIGN(std::shared_ptr<const Function> local, function());
    const FunctionKey key{local->domain, local->name, local->overload};
    if (!model.functions.emplace(key, std::move(local)).second)
      return fail("function '" + key.name + "' is defined twice");
  }
  HEED_TRY(check_function_calls(model));
  return model;
}

}  // namespace

Result<ModelFile> parse_model(std::string_view text) {
  Parser parser(text, std::make_shared<DimPool>());
  return parser.model();
}

Result<std::shared_ptr<Graph>> parse_graph(std::string_view text, std::shared_ptr<DimPool> dims, const Opsets& opsets) {
  Parser parser(text, std::move(dims));
  HEED_ASSIGN(std::shared_ptr<Graph> graph, parser.graph(GraphBuilder::Scope::complete, opsets));
  HEED_TRY(parser.expect_end());
  return graph;
}

Result<std::vector<Statement>> parse_pattern(std::string_view text) {
  Parser parser(text, std::make_shared<DimPool>(), Parser::Statements::with_alternatives);
  HEED_ASSIGN(std::vector<Statement> statements, parser.statements('\0'));
  HEED_TRY(parser.expect_end());
  return statements;
}

Result<std::vector<Statement>> parse_statements(std::string_view text) {
  Parser parser(text, std::make_shared<DimPool>());
  HEED_ASSIGN(std::vector<Statement> statements, parser.statements('\0'));
  HEED_TRY(parser.expect_end());
  return statements;
}

Result<std::shared_ptr<const Function>> parse_body(std::span<const std::string> inputs,
                                                   std::span<const std::string> outputs, std::string_view text,
                                                   const Opsets& opsets) {
  auto result = std::make_shared<Function>();
  result->inputs.assign(inputs.begin(), inputs.end());
  result->outputs.assign(outputs.begin(), outputs.end());
  result->opsets = opsets;
  Parser parser(text, std::make_shared<DimPool>());
  HEED_ASSIGN(result->body, parser.body(inputs, outputs, opsets));
  return std::shared_ptr<const Function>(std::move(result));
}

}  // namespace heed
