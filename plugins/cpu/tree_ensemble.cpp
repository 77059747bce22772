// TreeEnsemble: trees laid out once, checked to be trees, and walked by each row.
#include <cmath>
#include <numbers>

#include "walk.hpp"

namespace heed::cpu {
namespace {

// As the attribute nodes_modes numbers them.
enum Mode : uint8_t { less_or_equal, less, greater_or_equal, greater, equal, not_equal, member };

// Branches: a node, or ~leaf.
struct Node {
  double split;
  int64_t feature, yes, no;
  int64_t members_begin, members_end;
  Mode mode;
  bool nan_is_yes;
};
struct Forest {
  Node* nodes;
  double* members;
  double* weights;
  int64_t* targets;
  int64_t* roots;
  int64_t root_count, target_count, feature_count;  // feature_count: that the nodes ask for
};

template <class T>
Result<T*> kept_list(Preparing& node, int64_t count) {
  auto* list = static_cast<T*>(node.keep_bytes(static_cast<size_t>(std::max<int64_t>(count, 1)) * sizeof(T)));
  if (!list) return Error{Code::out_of_memory, "the trees"};
  return list;
}

// Whether no node is reached twice from the roots, and every branch leads somewhere.
Result<void> check_trees(const Forest& forest, int64_t node_count, int64_t leaf_count) {
  std::vector<bool> seen(static_cast<size_t>(node_count));
  std::vector<int64_t> to_visit(forest.roots, forest.roots + forest.root_count);
  while (!to_visit.empty()) {
    const int64_t at = to_visit.back();
    to_visit.pop_back();
    if (at < 0 ? ~at >= leaf_count : at >= node_count || seen[static_cast<size_t>(at)])
      return Error{Code::invalid_model, at < 0 ? "a branch leads to leaf " + std::to_string(~at) + ", which is not there"
                                               : "node " + std::to_string(at) + " is not there, or two branches lead to it"};
    if (at < 0) continue;
    seen[static_cast<size_t>(at)] = true;
    to_visit.push_back(forest.nodes[at].yes);
    to_visit.push_back(forest.nodes[at].no);
  }
  return {};
}

Result<void> prepare(Preparing& node) {
  const auto list = [&](const char* name) { return *node.integers(name); };
  const auto splits = *node.tensor("nodes_splits"), modes = *node.tensor("nodes_modes"),
             weights = *node.tensor("leaf_weights");
  const auto features = list("nodes_featureids"), yes = list("nodes_truenodeids"), no = list("nodes_falsenodeids"),
             yes_leaves = list("nodes_trueleafs"), no_leaves = list("nodes_falseleafs"), targets = list("leaf_targetids"),
             roots = list("tree_roots");
  const auto nan_is_yes = node.integers("nodes_missing_value_tracks_true");
  const auto members = node.tensor("membership_values");
  const auto node_count = static_cast<int64_t>(features.size()), leaf_count = static_cast<int64_t>(targets.size());

  Forest* forest = node.keep<Forest>();
  if (!forest) return Error{Code::out_of_memory, "the trees"};
  HEED_ASSIGN(forest->nodes, kept_list<Node>(node, node_count));
  HEED_ASSIGN(forest->weights, kept_list<double>(node, leaf_count));
  HEED_ASSIGN(forest->targets, kept_list<int64_t>(node, leaf_count));
  HEED_ASSIGN(forest->roots, kept_list<int64_t>(node, static_cast<int64_t>(roots.size())));
  const int64_t member_count = members ? members->count() : 0;
  HEED_ASSIGN(forest->members, kept_list<double>(node, member_count));
  if (members) read_elements(members->element(), members->c.data, 0, 1, member_count, forest->members);
  read_elements(weights.element(), weights.c.data, 0, 1, leaf_count, forest->weights);
  std::copy(targets.begin(), targets.end(), forest->targets);
  std::copy(roots.begin(), roots.end(), forest->roots);
  forest->root_count = static_cast<int64_t>(roots.size());
  forest->target_count = node.output(0).dim(1).number();

  int64_t next_member = 0;  // sets of members end with NaN, in the order of the nodes
  for (int64_t i = 0; i < node_count; ++i) {
    const auto at = static_cast<size_t>(i);
    const auto mode = read_element<int64_t>(modes, i);
    if (mode > member || features[at] < 0 || features[at] > INT32_MAX || yes[at] < 0 || no[at] < 0)
      return Error{Code::invalid_model, "node " + std::to_string(i) + " has mode " + std::to_string(mode) +
                                            ", feature " + std::to_string(features[at]) + " and branches to " +
                                            std::to_string(yes[at]) + " and " + std::to_string(no[at])};
    Node& own = forest->nodes[i];
    own = {.split = read_element<double>(splits, i),
           .feature = features[at],
           .yes = yes_leaves[at] ? ~yes[at] : yes[at],
           .no = no_leaves[at] ? ~no[at] : no[at],
           .members_begin = next_member,
           .members_end = next_member,
           .mode = static_cast<Mode>(mode),
           .nan_is_yes = nan_is_yes && (*nan_is_yes)[at] != 0};
    forest->feature_count = std::max(forest->feature_count, own.feature + 1);
    if (own.mode != member) continue;
    while (own.members_end < member_count && !std::isnan(forest->members[own.members_end])) ++own.members_end;
    next_member = own.members_end + 1;
  }
  return check_trees(*forest, node_count, leaf_count);
}

bool leads_to_yes(const Forest& forest, const Node& node, double x) {
  if (std::isnan(x) && node.nan_is_yes) return true;
  switch (node.mode) {
    case less_or_equal:
      return x <= node.split;
    case less:
      return x < node.split;
    case greater_or_equal:
      return x >= node.split;
    case greater:
      return x > node.split;
    case equal:
      return x == node.split;
    case not_equal:
      return x != node.split;
    case member:
      return std::find(forest.members + node.members_begin, forest.members + node.members_end, x) !=
             forest.members + node.members_end;
  }
  return false;
}

enum Aggregate { average, sum, least, most };
enum Transform { none, softmax, logistic, softmax_zero, probit };

// sqrt(2) erf^-1(2 p - 1): Winitzki's estimate, and two steps of Newton's.
template <class T>
T probit_of(T p) {
  const double x = 2 * static_cast<double>(p) - 1, logarithm = std::log((1 - x) * (1 + x)), a = 0.147;
  const double half = 2 / (std::numbers::pi * a) + logarithm / 2;
  double y = std::copysign(std::sqrt(std::sqrt(half * half - logarithm / a) - half), x);
  for (int step = 0; step < 2 && std::isfinite(y); ++step)
    y -= (std::erf(y) - x) / (2 / std::sqrt(std::numbers::pi) * std::exp(-y * y));
  return static_cast<T>(std::numbers::sqrt2 * y);
}

template <class T>
void transform(T* y, int64_t count, int64_t kind) {
  if (kind == logistic)
    for (int64_t i = 0; i < count; ++i) y[i] = 1 / (1 + std::exp(-y[i]));
  if (kind == probit)
    for (int64_t i = 0; i < count; ++i) y[i] = probit_of(y[i]);
  if (kind != softmax && kind != softmax_zero) return;
  const T greatest = *std::max_element(y, y + count);
  T total = 0;
  for (int64_t i = 0; i < count; ++i) {
    const bool stays_zero = kind == softmax_zero && std::abs(y[i]) <= T{1e-7};
    total += y[i] = stays_zero ? T{0} : std::exp(y[i] - greatest);
  }
  for (int64_t i = 0; i < count && total != 0; ++i) y[i] /= total;
}

Result<void> run(Running& run) {
  const auto x = run.input(0);
  const Forest& forest = *run.kept<Forest>();
  HEED_TRY(check_rank(run, 0, 2));
  HEED_ASSIGN(const auto out, run.allocate(0, std::array{x.dim(0), forest.target_count}));
  if (x.dim(1) < forest.feature_count)
    return Error{Code::shape_mismatch, "rows have " + std::to_string(x.dim(1)) + " features, the trees ask for feature " +
                                           std::to_string(forest.feature_count - 1)};
  const int64_t aggregate = run.integer("aggregate_function", sum), kind = run.integer("post_transform");
  dispatch_float(x.element(), [&]<class T>(T) {
    run.parallel_for(x.dim(0), std::max<int64_t>(1, 512 / (forest.root_count + 1)), [&](int64_t begin, int64_t end) {
      RowReader<T> reader(x);
      RowWriter<T> writer(out);
      std::vector<bool> met(static_cast<size_t>(forest.target_count));
      for (int64_t row = begin; row < end; ++row) {
        const T* features = reader.row(row * x.dim(1), x.dim(1));
        T* y = writer.row(row * forest.target_count, forest.target_count);
        std::fill_n(y, forest.target_count, T{0});
        met.assign(met.size(), false);
        for (int64_t root = 0; root < forest.root_count; ++root) {
          int64_t at = forest.roots[root];
          while (at >= 0) {
            const Node& node = forest.nodes[at];
            at = leads_to_yes(forest, node, static_cast<double>(features[node.feature])) ? node.yes : node.no;
          }
          const auto weight = static_cast<T>(forest.weights[~at]);
          const int64_t target = forest.targets[~at];
          const bool is_first = !met[static_cast<size_t>(target)];
          met[static_cast<size_t>(target)] = true;
          if (aggregate == least)
            y[target] = is_first ? weight : std::min(y[target], weight);
          else if (aggregate == most)
            y[target] = is_first ? weight : std::max(y[target], weight);
          else
            y[target] += aggregate == average ? weight / static_cast<T>(forest.root_count) : weight;
        }
        transform(y, forest.target_count, kind);
        writer.finish();
      }
    });
  });
  return {};
}

}  // namespace

extern const CpuKernel tree_ensemble{
    .domain = "ai.onnx.ml", .op_type = "TreeEnsemble", .prepare = prepare, .run = run};

}  // namespace heed::cpu
