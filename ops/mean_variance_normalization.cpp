// MeanVarianceNormalization-9: y = (x - mean) / (sqrt(variance) + 1e-9) over the axes; always made of other operators.
#include "heed/plugin.hpp"

namespace heed::ops {

extern const Operator mean_variance_normalization{.op_type = "MeanVarianceNormalization",
                                                  .versions = {13, 9},
                                                  .inputs = {{"X", "T"}},
                                                  .outputs = {{"Y", "T"}},
                                                  .types = {{"T", any_float}},
                                                  .attributes = {attribute("axes", std::vector<int64_t>{0, 2, 3})},
                                                  .body =
                                                      "axes = Constant<value_ints = @axes>();"
                                                      "distance = Sub(X, ReduceMean(X, axes));"
                                                      "deviation = Sqrt(ReduceMean(Mul(distance, distance), axes));"
                                                      "least = CastLike(Constant<value_float = 1e-9>(), X);"
                                                      "Y = Div(distance, Add(deviation, least))"};

}  // namespace heed::ops
