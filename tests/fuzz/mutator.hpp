// Models changed as strangers' exporters and enemies change them: by the structure of ONNX's messages, not by bytes
// alone.
#pragma once

#include <google/protobuf/message.h>
#include <onnx/onnx_pb.h>

#include <map>
#include <random>
#include <string>
#include <vector>

namespace heed::fuzz {

using Random = std::mt19937_64;

// What fields hold in a corpus of models, and changes that take from it.
class Mutator {
 public:
  // The models are read from as long as this lives.
  explicit Mutator(const std::vector<onnx::ModelProto>& corpus);

  // Changes one to five places of a model: numbers become those at the edges of their types or of other models, names
  // those of other nodes, operators others, messages are left out, doubled, exchanged and taken from other models.
  void change(onnx::ModelProto& model, Random& random) const;

  // The same for the bytes of a file: cut off, or a few of them others.
  static void change(std::string& bytes, Random& random);

 private:
  using Field = google::protobuf::FieldDescriptor;
  using Message = google::protobuf::Message;

  void collect(const Message& message);
  void change_field(Message& message, const Field* field, Random& random) const;
  void change_list(Message& message, const Field* field, Random& random) const;
  void set_number(Message& message, const Field* field, int index, Random& random) const;
  void set_text(Message& message, const Field* field, int index, Random& random) const;

  std::map<const Field*, std::vector<std::string>> texts_;
  std::map<const Field*, std::vector<double>> numbers_;
  std::map<const google::protobuf::Descriptor*, std::vector<const Message*>> messages_;
};

}  // namespace heed::fuzz
