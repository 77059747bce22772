"""What the make.py scripts beside it write ONNX graphs with. Any onnx package from 1.12 on serves: operators, opsets and
data types newer than it are written as the numbers that they are, and nothing is checked here."""
import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, FLOAT16, BFLOAT16 = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16
INT64, INT32, BOOL = TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL
INT4 = 22  # younger than onnx 1.12


class GraphWriter:
    """A graph that grows node by node. A node's first output is called after the node; values are passed by name."""

    def __init__(self, opset, ir_version, domains=()):
        """domains: (name, version) of operator sets beside ONNX's own."""
        self.opset, self.ir_version, self.domains = opset, ir_version, domains
        self.nodes, self.initializers, self.inputs, self.outputs = [], {}, [], []

    def input(self, name, data_type, shape):
        self.inputs.append(helper.make_tensor_value_info(name, data_type, shape))
        return name

    def output(self, name, data_type, shape):
        self.outputs.append(helper.make_tensor_value_info(name, data_type, shape))

    def constant(self, name, array):
        """An initializer of numpy's type of the array; the same name again gives the same one."""
        if name not in self.initializers:
            self.initializers[name] = numpy_helper.from_array(numpy.asarray(array, order="C"), name)
        return name

    def floats(self, name, array, data_type):
        """An initializer FLOAT, FLOAT16 or BFLOAT16 of an array of float32."""
        array = numpy.asarray(array, numpy.float32)
        if data_type != BFLOAT16:
            return self.constant(name, array.astype(numpy.float16 if data_type == FLOAT16 else numpy.float32))
        bits = numpy.ascontiguousarray(array).view(numpy.uint32)
        halfway = 0x7FFF + (bits >> 16 & 1)  # ties go to the even neighbour
        return self.raw_constant(name, BFLOAT16, array.shape, (bits + halfway >> 16).astype(numpy.uint16))

    def nibbles(self, name, array, data_type):
        """An initializer of 4 bits, of an array of small integers: the first of each two in the low half of a byte."""
        halves = numpy.resize(array.astype(numpy.uint8) & 15, -(-array.size // 2) * 2)
        return self.raw_constant(name, data_type, array.shape, halves[::2] | halves[1::2] << 4)

    def raw_constant(self, name, data_type, shape, array):
        """An initializer of a type that numpy lacks; the array holds its bytes."""
        if name not in self.initializers:
            self.initializers[name] = TensorProto(name=name, data_type=data_type, dims=shape, raw_data=array.tobytes())
        return name

    def integers(self, *numbers):
        """An int64 constant [len(numbers)]."""
        return self.constant("integers." + "_".join(map(str, numbers)), numpy.array(numbers, numpy.int64))

    @staticmethod
    def tensor(array):
        """As an attribute."""
        return numpy_helper.from_array(array)

    def node(self, op_type, inputs, name, outputs=(), first=None, **attributes):
        """Appends a node and returns its first output, `first` or named after the node; `outputs` are those behind it."""
        first = first or f"{name}.output"
        self.nodes.append(helper.make_node(op_type, inputs, [first, *outputs], name=name, **attributes))
        return first

    def node_once(self, op_type, inputs, name, outputs=(), **attributes):
        """The node of this name; appends it where it is not there yet."""
        met = next((node for node in reversed(self.nodes) if node.name == name), None)
        return met.output[0] if met else self.node(op_type, inputs, name, outputs, **attributes)

    def model(self, name, metadata=()):
        graph = helper.make_graph(self.nodes, name, self.inputs, self.outputs, list(self.initializers.values()))
        opsets = [helper.make_opsetid(*each) for each in (("", self.opset), *self.domains)]
        model = helper.make_model(graph, opset_imports=opsets, producer_name="heed models")
        model.ir_version = self.ir_version
        helper.set_model_props(model, dict(metadata))
        return model


def save(model, folder):
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(folder / "model.onnx"))
