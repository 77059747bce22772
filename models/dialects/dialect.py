"""What a dialect says: the parts of a transformer, as one exporter writes them.

x is [batch, seq, width] everywhere; parameters are numpy's, float32, and shaped as PyTorch keeps them.
"""
import numpy
from onnx_graph import INT64, GraphWriter

from .weights import WEIGHTS


class Dialect(GraphWriter):
    """What all exporters write alike."""
    name = None  # as make.py takes it
    weight_types = ("fp32", "fp16", "bf16")
    decoder = None  # what begin() was given

    def __init__(self, opset, ir_version, domains=(), weights="fp32"):
        super().__init__(opset, ir_version, domains)
        self.weights = WEIGHTS[weights]
        self.float_type = self.weights.float_type

    @classmethod
    def serves(cls, decoder):
        """Whether this dialect says the decoder in a way of its own."""
        return True

    def float_constant(self, name, array):
        return self.floats(name, array, self.float_type)

    def parameters(self, name, *arrays):
        return [self.float_constant(f"{name}.{part}", array) for part, array in zip(("weight", "bias"), arrays)]

    def linear(self, x, name, weight, bias=None):
        if bias is None:
            return self.weights.product(self, x, name, weight)
        product = self.weights.product(self, x, f"{name}.product", weight)
        return self.node("Add", [product, self.float_constant(f"{name}.bias", bias)], name)

    def embedding(self, ids, name, table):
        return self.node("Gather", [self.float_constant(f"{name}.weight", table), ids], name)

    def add(self, x, y, name):
        return self.node("Add", [x, y], name)

    def logits(self, x, weight):
        """The head, which is the last node and an output."""
        self.linear(x, "head", weight)
        self.nodes[-1].output[0] = "logits"
        self.output("logits", self.float_type, ["batch", "seq", len(weight)])

    def skip_norm(self, x, branch, name, *parameters, epsilon):
        """(x + branch, that normalised): by LayerNormalization where there are a weight and a bias, else by RMS."""
        if branch is not None:
            x = self.add(x, branch, f"{name}.skip")
        norm = self.layer_norm if len(parameters) == 2 else self.rms_norm
        return x, norm(x, name, *parameters, epsilon=epsilon)

    def swiglu(self, gate, up, name):
        """gate * sigmoid(gate) * up"""
        swish = self.node("Mul", [gate, self.node("Sigmoid", [gate], f"{name}.sigmoid")], f"{name}.swish")
        return self.node("Mul", [swish, up], name)

    def split(self, x, name, count):
        """x in so many equal parts of its channels."""
        outputs = [f"{name}.{i}" for i in range(count)]
        self.node("Split", [x], name, outputs[1:], first=outputs[0], axis=-1, num_outputs=count)
        return outputs

    def head_norm(self, x, name, heads, scale):
        """RMS of each head of x [batch, seq, heads * width]."""
        split = self.node("Reshape", [x, self.integers(0, 0, heads, self.decoder.head_dim)], f"{name}.split")
        normed = self.rms_norm(split, f"{name}.rms", scale, self.decoder.epsilon)
        return self.node("Reshape", [normed, self.integers(0, 0, -1)], name)

    def encoder_positions(self, ids):
        """0, 1, 2 ... for ids [batch, seq]: [seq] i64."""
        seq = self.node("Squeeze", [self.node("Shape", [ids], "positions.shape", start=1, end=2)], "positions.seq")
        zero, one = (self.constant(f"integer.{number}", numpy.int64(number)) for number in (0, 1))
        return self.node("Range", [zero, seq, one], "positions")

    def rotary_parameters(self):
        """cos and sin [context, width / 2]"""
        return [self.float_constant(f"rotary.{name}", table) for name, table in self.decoder.rotary_tables().items()]

    def caches(self, layer, shape, grown):
        """Inputs and outputs of a layer's keys and values: (names of what was, names of what will be)."""
        pasts, presents = ([f"{prefix}.{layer}.{kind}" for kind in ("key", "value")] for prefix in ("past_key_values", "present"))
        for past, present in zip(pasts, presents):
            self.input(past, self.float_type, shape)
            self.output(present, self.float_type, grown)
        return pasts, presents

    def growing_caches(self, layer):
        """Caches [batch, head, past, channel] to which new keys and values are appended."""
        heads, width = self.decoder.key_heads, self.decoder.head_dim
        return self.caches(layer, ["batch", heads, "past", width], ["batch", heads, "past + seq", width])

    def text_inputs(self):
        """Token ids and, over past and new tokens, a mask."""
        return self.input("input_ids", INT64, ["batch", "seq"]), self.input("attention_mask", INT64, ["batch", "past + seq"])
