"""ONNX's own newest operators: what torch's newer exporter writes when asked for them, and what is written by hand today."""
from onnx_graph import BOOL, INT4, INT64

from .dialect import Dialect
from .weights import BLOCK


class Standard23(Dialect):
    """Attention that appends to the caches, RotaryEmbedding, RMSNormalization; four bits by DequantizeLinear in blocks."""
    name = "standard_23"
    weight_types = (*Dialect.weight_types, "int8_dynamic", "int8_qdq", "int4")
    opset, ir_version = 23, 11

    def __init__(self, weights="fp32"):
        super().__init__(self.opset, self.ir_version, weights=weights)

    def int4_product(self, x, name, integers, scale):
        blocks = self.nibbles(f"{name}.weight_quantized", integers.reshape(len(integers), -1).T, INT4)
        scale = self.float_constant(f"{name}.weight_scale", scale.T)
        weight = self.node("DequantizeLinear", [blocks, scale], f"{name}.weight", axis=0, block_size=BLOCK)
        return self.node("MatMul", [x, weight], name)

    def layer_norm(self, x, name, scale, bias, epsilon):
        return self.node("LayerNormalization", [x, *self.parameters(name, scale, bias)], name, axis=-1, epsilon=epsilon)

    def rms_norm(self, x, name, scale, epsilon):
        return self.node("RMSNormalization", [x, *self.parameters(name, scale)], name, axis=-1, epsilon=epsilon)

    def gelu(self, x, name):
        return self.node("Gelu", [x], name)

    def gelu_tanh(self, x, name):
        return self.node("Gelu", [x], name, approximate="tanh")

    def split_heads(self, x, name, heads, width):
        """[batch, seq, heads * width] to [batch, head, seq, width]"""
        split = self.node("Reshape", [x, self.integers(0, 0, heads, width)], f"{name}.split")
        return self.node("Transpose", [split], f"{name}.heads", perm=[0, 2, 1, 3])

    def join_heads(self, x, name):
        joined = self.node("Transpose", [x], f"{name}.joined", perm=[0, 2, 1, 3])
        return self.node("Reshape", [joined, self.integers(0, 0, -1)], name)

    # An encoder: all look at all that the mask leaves.

    def padding_mask(self, attention_mask):
        """Of attention_mask [batch, key] i64, 0 where nobody may look: what attention takes as its mask, [batch, 1, query, key]."""
        seen = self.node("Cast", [attention_mask], "mask.seen", to=BOOL)
        row = self.node("Unsqueeze", [seen, self.integers(1, 2)], "mask.row")
        queries = self.node("Shape", ["input_ids"], "mask.queries", start=1, end=2)
        return self.node("Expand", [row, self.node("Concat", [self.integers(1, 1), queries, self.integers(1)], "mask.sizes", axis=0)], "mask")

    def encoder_attention(self, query, key, value, name, heads, head_dim, mask):
        return self.node("Attention", [query, key, value, mask], name, q_num_heads=heads, kv_num_heads=heads)

    # A decoder: each looks at itself and at what is before it, in the caches too.

    def begin(self, decoder):
        """Declares the inputs; returns token ids and their positions, both [batch, seq] i64."""
        self.decoder = decoder
        ids, attention_mask = self.text_inputs()
        self.positions = self.input("position_ids", INT64, ["batch", "seq"])
        self.mask = self.padding_mask(attention_mask)
        return ids, self.positions

    def rotate(self, x, name, heads):
        return self.node("RotaryEmbedding", [x, *self.rotary_parameters(), self.positions], f"{name}_rotary", num_heads=heads)

    def attention(self, layer, name, query, key, value, head_norms=None):
        """head_norms: the scales of RMS norms of each head of queries and keys."""
        decoder = self.decoder
        if head_norms is not None:
            query, key = (self.head_norm(x, f"{name}.{part}_norm", heads, scale) for x, part, heads, scale in (
                (query, "query", decoder.query_heads, head_norms[0]), (key, "key", decoder.key_heads, head_norms[1])))
        if decoder.is_rotary:
            query = self.rotate(query, f"{name}.query", decoder.query_heads)
            key = self.rotate(key, f"{name}.key", decoder.key_heads)
        return self.attend(layer, name, query, key, value)

    def attend(self, layer, name, query, key, value):
        pasts, presents = self.growing_caches(layer)
        return self.node("Attention", [query, key, value, self.mask, *pasts], name, presents, is_causal=1,
                         q_num_heads=self.decoder.query_heads, kv_num_heads=self.decoder.key_heads)


class Standard24(Standard23):
    """Caches of a fixed capacity, which TensorScatter writes where write_indices says."""
    name = "standard_24"
    opset, ir_version = 24, 12

    def begin(self, decoder):
        self.decoder = decoder
        ids = self.input("input_ids", INT64, ["batch", "seq"])
        self.positions = self.input("position_ids", INT64, ["batch", "seq"])
        self.write_indices = self.input("write_indices", INT64, ["batch"])
        self.valid = self.input("nonpad_kv_seqlen", INT64, ["batch"])
        return ids, self.positions

    def attend(self, layer, name, query, key, value):
        decoder = self.decoder
        shape = ["batch", decoder.key_heads, decoder.context, decoder.head_dim]
        pasts, presents = self.caches(layer, shape, shape)
        query = self.split_heads(query, f"{name}.query", decoder.query_heads, decoder.head_dim)
        for x, part, past, present in zip((key, value), ("key", "value"), pasts, presents):
            heads = self.split_heads(x, f"{name}.{part}", decoder.key_heads, decoder.head_dim)
            self.node("TensorScatter", [past, heads, self.write_indices], f"{name}.{part}_cache", first=present)
        attended = self.node("Attention", [query, *presents, "", "", "", self.valid], f"{name}.heads", is_causal=1)
        return self.join_heads(attended, name)
