// What goes into a run, from what people type: files, values, text, random numbers.
#pragma once

#include <boost/program_options.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "heed/result.hpp"
#include "session/session.hpp"

namespace heed::tool {

struct InputRequest {
  std::vector<std::string> given;  // "NAME=FILE.npy", "NAME=FILE.npz:ARRAY", "NAME=FILE.pb", "NAME=1,2,3"
  // Through the folder's tokenizer, a row each: ids, and mask, token types and positions where the model has them.
  std::vector<std::string> texts;
  bool random = false;  // fills what is missing
  uint64_t seed = 0;
  std::vector<std::pair<std::string, int64_t>> dims;  // sizes of what is filled; 1 where nothing tells

  // The options that fill it in, all but `dims`; it must live as long as they.
  boost::program_options::options_description described();
};

// One value per input of the model that is not left to its state. Fails with what is missing and what was expected.
Result<Session::NamedValues> make_inputs(const Model& model, const InputRequest& request,
                                         const std::filesystem::path& folder);

// A value of every input, random or zero, at these sizes.
Result<HostValue> random_value(const std::string& name, const ValueType& type,
                               const std::vector<std::pair<std::string, int64_t>>& dims, uint64_t seed);

}  // namespace heed::tool
