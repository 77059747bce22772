"""onnxruntime's own operators: what its optimiser and its generative AI builder write."""
import numpy
from onnx_graph import INT32, INT64

from .dialect import Dialect
from .weights import BLOCK, DynamicInt8

DOMAIN = "com.microsoft"


class Microsoft(Dialect):
    """GroupQueryAttention with the rotary embedding in it, or MultiHeadAttention where positions are learned."""
    name = "microsoft"
    weight_types = (*Dialect.weight_types, "int8_dynamic", "int4", "int4_dynamic")

    def __init__(self, weights="fp32"):
        super().__init__(opset=21, ir_version=10, domains=((DOMAIN, 1),), weights=weights)

    def own(self, op_type, inputs, name, outputs=(), **attributes):
        return self.node(op_type, inputs, name, outputs, domain=DOMAIN, **attributes)

    def linear(self, x, name, weight, bias=None):
        if self.weights.name != "int8_dynamic":
            return super().linear(x, name, weight, bias)
        integers, scale = DynamicInt8.columns(weight)
        inputs = [x, self.constant(f"{name}.weight_quantized", integers), self.constant(f"{name}.weight_scale", scale)]
        if bias is not None:
            inputs += ["", self.float_constant(f"{name}.bias", bias)]
        return self.own("DynamicQuantizeMatMul", inputs, name)

    def int4_product(self, x, name, integers, scale):
        """Codes from 0 to 15, 8 is zero; the first of each two in the low half of a byte: [out, block, BLOCK / 2] u8."""
        codes = (integers + 8).astype(numpy.uint8)
        weight = self.constant(f"{name}.weight_quantized", codes[..., ::2] | codes[..., 1::2] << 4)
        scale = self.float_constant(f"{name}.weight_scale", scale.reshape(-1))
        return self.own("MatMulNBits", [x, weight, scale], name, K=integers[0].size, N=len(integers), bits=4, block_size=BLOCK,
                        accuracy_level=self.weights.accuracy_level)

    def layer_norm(self, x, name, scale, bias, epsilon):
        return self.node("LayerNormalization", [x, *self.parameters(name, scale, bias)], name, axis=-1, epsilon=epsilon)

    def rms_norm(self, x, name, scale, epsilon):
        return self.node("SimplifiedLayerNormalization", [x, *self.parameters(name, scale)], name, axis=-1, epsilon=epsilon, stash_type=1)

    def skip_norm(self, x, branch, name, *parameters, epsilon):
        if branch is None:
            return super().skip_norm(x, branch, name, *parameters, epsilon=epsilon)
        op_type = "SkipLayerNormalization" if len(parameters) == 2 else "SkipSimplifiedLayerNormalization"
        sum_ = f"{name}.skip"
        normed = self.own(op_type, [x, branch, *self.parameters(name, *parameters)], name, ["", "", sum_], epsilon=epsilon)
        return sum_, normed

    def gelu(self, x, name):
        return self.own("Gelu", [x], name)

    def gelu_tanh(self, x, name):
        return self.own("FastGelu", [x], name)

    # An encoder

    def padding_mask(self, attention_mask):
        return self.node("Cast", [attention_mask], "mask", to=INT32)

    def encoder_attention(self, query, key, value, name, heads, head_dim, mask):
        return self.own("MultiHeadAttention", [query, key, value, "", mask], name, num_heads=heads)

    # A decoder

    def begin(self, decoder):
        self.decoder = decoder
        ids, attention_mask = self.text_inputs()
        if not decoder.is_rotary:
            self.mask = self.node("Cast", [attention_mask], "mask", to=INT32)
            return ids, self.input("position_ids", INT64, ["batch", "seq"])
        count = self.node("ReduceSum", [attention_mask, self.integers(1)], "lengths.count", keepdims=0)
        last = self.node("Sub", [count, self.constant("integer.1", numpy.int64(1))], "lengths.last")
        self.last = self.node("Cast", [last], "lengths", to=INT32)
        shape = self.node("Shape", [attention_mask], "lengths.shape")
        total = self.node("Gather", [shape, self.constant("integer.1", numpy.int64(1))], "lengths.longest")
        self.total = self.node("Cast", [total], "lengths.total", to=INT32)
        return ids, None

    def attention(self, layer, name, query, key, value, head_norms=None):
        decoder = self.decoder
        pasts, presents = self.growing_caches(layer)
        if head_norms is not None:
            query, key = (self.head_norm(x, f"{name}.{part}_norm", heads, scale) for x, part, heads, scale in (
                (query, "query", decoder.query_heads, head_norms[0]), (key, "key", decoder.key_heads, head_norms[1])))
        if not decoder.is_rotary:
            return self.own("MultiHeadAttention", [query, key, value, "", self.mask, "", *pasts], name, presents,
                            num_heads=decoder.query_heads, unidirectional=1)
        query, key, rotary = self.rotate(name, query, key)
        inputs = [query, key, value, *pasts, self.last, self.total, *(self.rotary_parameters() if rotary else ())]
        return self.own("GroupQueryAttention", inputs, name, presents, num_heads=decoder.query_heads,
                        kv_num_heads=decoder.key_heads, do_rotary=int(rotary))

    def rotate(self, name, query, key):
        """Queries and keys for GroupQueryAttention, and whether it is to rotate them."""
        return query, key, True


class MicrosoftRotary(Microsoft):
    """RotaryEmbedding as a node of its own."""
    name = "microsoft_rotary"

    @classmethod
    def serves(cls, decoder):
        return decoder.is_rotary

    def begin(self, decoder):
        ids, positions = super().begin(decoder)
        self.positions = positions or self.input("position_ids", INT64, ["batch", "seq"])
        return ids, self.positions

    def rotate(self, name, query, key):
        query, key = (self.own("RotaryEmbedding", [x, self.positions, *self.rotary_parameters()], f"{name}.{part}_rotary", num_heads=heads)
                      for x, part, heads in ((query, "query", self.decoder.query_heads), (key, "key", self.decoder.key_heads)))
        return query, key, False
