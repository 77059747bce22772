"""ONNX's own newest operators: what torch's newer exporter writes when asked for them."""
import numpy
from onnx_graph import BOOL

from .dialect import Dialect


class Standard23(Dialect):
    name = "standard_23"

    def __init__(self):
        super().__init__(opset=23, ir_version=11)

    def positions(self, ids):
        """0, 1, 2 ... for ids [batch, seq]: [seq] i64."""
        seq = self.node("Squeeze", [self.node("Shape", [ids], "positions.shape", start=1, end=2)], "positions.seq")
        zero, one = (self.constant(f"integer.{number}", numpy.int64(number)) for number in (0, 1))
        return self.node("Range", [zero, seq, one], "positions")

    def layer_norm(self, x, name, scale, bias, epsilon):
        scale, bias = self.constant(f"{name}.weight", scale), self.constant(f"{name}.bias", bias)
        return self.node("LayerNormalization", [x, scale, bias], name, axis=-1, epsilon=epsilon)

    def gelu(self, x, name):
        return self.node("Gelu", [x], name)

    def padding_mask(self, attention_mask):
        """Of attention_mask [batch, key] i64, 0 where nobody may look: what `attention` takes as its mask."""
        seen = self.node("Cast", [attention_mask], "mask.seen", to=BOOL)
        return self.node("Unsqueeze", [seen, self.integers(1, 2)], "mask")

    def attention(self, query, key, value, name, heads, mask):
        """Of an encoder: all look at all that the mask leaves."""
        return self.node("Attention", [query, key, value, mask], name, q_num_heads=heads, kv_num_heads=heads)
