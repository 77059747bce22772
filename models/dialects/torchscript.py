"""What torch's TorchScript exporter writes of Hugging Face's models: sizes taken apart and put together again, and every
part spelt out. Written after exports of transformers 4.30 (opset 14, eager attention) and 5.24 (opset 17, scaled dot
product attention)."""
import math

import numpy
from onnx_graph import BOOL, FLOAT, FLOAT16, INT64

from .dialect import Dialect

LOWEST = {FLOAT: -3.4028234663852886e38, FLOAT16: -65504.0}
LOWEST_BFLOAT16 = -3.3895313892515355e38
INT64_MAX = 2**63 - 1


class TorchScript(Dialect):
    weight_types = (*Dialect.weight_types, "int8_dynamic")

    def scalar(self, number):
        return self.float_constant(f"float.{number}", numpy.float32(number))

    def integer(self, number):
        return self.constant(f"integer.{number}", numpy.int64(number))

    @property
    def lowest(self):
        return LOWEST.get(self.float_type, LOWEST_BFLOAT16)

    # Sizes

    def size(self, x, axis):
        """One size of x, a scalar."""
        shape = self.node_once("Shape", [x], f"{x}.shape")
        return self.node_once("Gather", [shape, self.integer(axis)], f"{x}.size_{axis}", axis=0)

    def shape_of(self, name, *sizes):
        """[len(sizes)] i64 of numbers and of scalars in the graph."""
        parts = [self.integers(size) if isinstance(size, int) else
                 self.node("Unsqueeze", [size, self.integers(0)], f"{name}.size_{i}") for i, size in enumerate(sizes)]
        return self.node("Concat", parts, f"{name}.sizes", axis=0)

    def reshape(self, x, name, *sizes):
        return self.node("Reshape", [x, self.shape_of(name, *sizes)], name)

    def expand(self, x, name, *sizes):
        """torch's expand: -1 would keep a size, and exporters see to that though there is none."""
        shape = self.node("Reshape", [self.shape_of(name, *sizes), self.integers(-1)], f"{name}.shape")
        minus_one = self.node("Mul", [self.node("ConstantOfShape", [self.node("Shape", [shape], f"{name}.rank")], f"{name}.ones",
                                                value=self.tensor(numpy.array([1], numpy.int64))), self.integer(-1)], f"{name}.kept")
        is_kept = self.node("Equal", [shape, minus_one], f"{name}.is_kept")
        shape = self.node("Where", [is_kept, f"{name}.ones.output", shape], f"{name}.expanded")
        return self.node("Expand", [x, shape], name)

    def unsqueeze(self, x, name, *axes):
        for axis in axes:
            x = self.node("Unsqueeze", [x, self.integers(axis)], f"{name}.{axis}" if axis != axes[-1] else name)
        return x

    def range(self, count, name):
        return self.node("Range", [self.integer(0), self.node("Cast", [count], f"{name}.end", to=INT64), self.integer(1)], name)

    # Parts

    def conv1d(self, x, name, weight, bias):
        """GPT-2's linear layers: Gemm over [batch * seq, in]."""
        batch, seq = self.size(x, 0), self.size(x, 1)
        flat = self.reshape(x, f"{name}.flat", -1, weight.shape[1])
        flat = self.node("Gemm", [flat, self.float_constant(f"{name}.weight", weight.T), self.float_constant(f"{name}.bias", bias)],
                         f"{name}.gemm", alpha=1.0, beta=1.0)
        return self.reshape(flat, name, batch, seq, weight.shape[0])

    def linear(self, x, name, weight, bias=None):
        is_conv1d = self.decoder and not self.decoder.is_rotary
        if is_conv1d and bias is not None and self.weights.name in Dialect.weight_types:
            return self.conv1d(x, name, weight, bias)
        if bias is None:
            return self.weights.product(self, x, name, weight)
        product = self.weights.product(self, x, f"{name}.product", weight)
        return self.node("Add", [self.float_constant(f"{name}.bias", bias), product], name)

    def rms_norm(self, x, name, scale, epsilon):
        wide = self.node("Cast", [x], f"{name}.wide", to=FLOAT)
        two, one = (self.constant(f"float32.{number}", numpy.float32(number)) for number in (2, 1))
        squares = self.node("Pow", [wide, two], f"{name}.squares")
        mean = self.node("ReduceMean", [squares], f"{name}.mean", axes=[-1], keepdims=1)
        mean = self.node("Add", [mean, self.constant(f"float32.{epsilon}", numpy.float32(epsilon))], f"{name}.variance")
        inverse = self.node("Div", [one, self.node("Sqrt", [mean], f"{name}.root")], f"{name}.inverse")
        normed = self.node("Cast", [self.node("Mul", [wide, inverse], f"{name}.wide_normed")], f"{name}.normed", to=self.float_type)
        return self.node("Mul", [*self.parameters(name, scale), normed], name)

    def gelu(self, x, name):
        erf = self.node("Erf", [self.node("Div", [x, self.scalar(math.sqrt(2))], f"{name}.scaled")], f"{name}.erf")
        both = self.node("Mul", [x, self.node("Add", [erf, self.scalar(1.0)], f"{name}.more")], f"{name}.both")
        return self.node("Mul", [both, self.scalar(0.5)], name)

    def gelu_tanh(self, x, name):
        half = self.node("Mul", [x, self.scalar(0.5)], f"{name}.half")
        cubic = self.node("Mul", [self.node("Pow", [x, self.scalar(3.0)], f"{name}.cube"), self.scalar(0.044715)], f"{name}.cubic")
        inner = self.node("Mul", [self.node("Add", [x, cubic], f"{name}.inner"), self.scalar(math.sqrt(2 / math.pi))], f"{name}.scaled")
        more = self.node("Add", [self.node("Tanh", [inner], f"{name}.tanh"), self.scalar(1.0)], f"{name}.more")
        return self.node("Mul", [half, more], name)

    def split(self, x, name, count):
        outputs = [f"{name}.{i}" for i in range(count)]
        width = self.decoder.width
        self.node("Split", [x, self.integers(*[width] * count)], name, outputs[1:], first=outputs[0], axis=2)
        return outputs

    def split_heads(self, x, name, width, norm=None):
        """[batch, seq, heads * width] to [batch, head, seq, width]"""
        split = self.reshape(x, f"{name}.split", self.size(x, 0), self.size(x, 1), -1, width)
        if norm is not None:
            split = self.rms_norm(split, f"{name}.norm", norm, self.decoder.epsilon)
        return self.node("Transpose", [split], f"{name}.heads", perm=[0, 2, 1, 3])

    def join_heads(self, x, name):
        joined = self.node("Transpose", [x], f"{name}.joined", perm=[0, 2, 1, 3])
        return self.reshape(joined, name, self.size(joined, 0), self.size(joined, 1), -1)

    # Attention

    def encoder_positions(self, ids):
        """[:, :seq] of a table of 0, 1, 2 ..."""
        end = self.unsqueeze(self.size(ids, 1), "positions.end", 0)
        table = self.constant("positions.table", numpy.arange(512, dtype=numpy.int64)[None])
        return self.node("Slice", [table, self.integers(0), end, self.integers(1), self.integers(1)], "positions")

    def encoder_attention(self, query, key, value, name, heads, head_dim, mask):
        query, key, value = (self.split_heads(x, f"{name}.{part}", head_dim) for x, part in
                             ((query, "query"), (key, "key"), (value, "value")))
        return self.join_heads(self.dot_product(name, query, key, value, head_dim, mask), name)

    def begin(self, decoder):
        self.decoder = decoder
        self.ids, self.attention_mask = self.text_inputs()
        self.positions = self.input("position_ids", INT64, ["batch", "seq"])
        self.prepare_masks()
        if decoder.is_rotary:
            self.prepare_rotary()
        return self.ids, self.positions

    def rotate(self, x, name):
        """x * cos + rotate_half(x) * sin, x [batch, head, seq, width]"""
        cos, sin = (self.node("Unsqueeze", [table, self.integers(1)], f"{name}.{part}") for part, table in (("cos", self.cos), ("sin", self.sin)))
        half = self.node("Cast", [self.node("Div", [self.size(x, 3), self.integer(2)], f"{name}.half")], f"{name}.half_width", to=INT64)
        half = self.unsqueeze(half, f"{name}.middle", 0)
        axis, step = self.integers(3), self.integers(1)
        left = self.node("Slice", [x, self.integers(0), half, axis, step], f"{name}.left")
        right = self.node("Slice", [x, half, self.integers(INT64_MAX), axis, step], f"{name}.right")
        turned = self.node("Concat", [self.node("Neg", [right], f"{name}.minus_right"), left], f"{name}.turned", axis=-1)
        return self.node("Add", [self.node("Mul", [x, cos], f"{name}.along"), self.node("Mul", [turned, sin], f"{name}.across")], name)

    def repeat_heads(self, x, name, times):
        """Each head of x [batch, head, key, width] so many times, one after the other."""
        if times == 1:
            return x
        batch, heads, keys, width = (self.size(x, axis) for axis in range(4))
        repeated = self.expand(self.node("Unsqueeze", [x, self.integers(2)], f"{name}.one"), f"{name}.many", batch, heads, times, keys, width)
        return self.reshape(repeated, name, batch, self.node("Mul", [heads, self.integer(times)], f"{name}.count"), keys, width)

    def attention(self, layer, name, query, key, value, head_norms=None):
        decoder = self.decoder
        norms = (*(head_norms if head_norms is not None else (None, None)), None)
        query, key, value = (self.split_heads(x, f"{name}.{part}", decoder.head_dim, norm) for x, part, norm in
                             zip((query, key, value), ("query", "key", "value"), norms))
        if decoder.is_rotary:
            query, key = self.rotate(query, f"{name}.query_rotary"), self.rotate(key, f"{name}.key_rotary")
        pasts, presents = self.growing_caches(layer)
        for past, new, part, present in zip(pasts, (key, value), ("key", "value"), presents):
            self.node("Concat", [past, new], f"{name}.{part}_cache", first=present, axis=-2)
        times = decoder.query_heads // decoder.key_heads
        keys, values = (self.repeat_heads(x, f"{name}.{part}_repeated", times) for x, part in zip(presents, ("key", "value")))
        return self.join_heads(self.dot_product(name, query, keys, values, decoder.head_dim, self.mask), name)


class TorchScript14(TorchScript):
    """Eager attention: norms from ReduceMean, masks of the lowest float, rotary embedding from tables."""
    name = "torchscript_14"
    causal = None  # GPT-2's mask, which takes the place of scores

    def __init__(self, weights="fp32"):
        super().__init__(opset=14, ir_version=7, weights=weights)

    def layer_norm(self, x, name, scale, bias, epsilon):
        centred = self.node("Sub", [x, self.node("ReduceMean", [x], f"{name}.mean", axes=[-1])], f"{name}.centred")
        squares = self.node("Pow", [centred, self.scalar(2.0)], f"{name}.squares")
        variance = self.node("ReduceMean", [squares], f"{name}.variance", axes=[-1])
        root = self.node("Sqrt", [self.node("Add", [variance, self.scalar(epsilon)], f"{name}.more")], f"{name}.root")
        scale, bias = self.parameters(name, scale, bias)
        scaled = self.node("Mul", [self.node("Div", [centred, root], f"{name}.normed"), scale], f"{name}.scaled")
        return self.node("Add", [scaled, bias], name)

    def padding_mask(self, attention_mask):
        """(1 - mask) * lowest, [batch, 1, 1, key]"""
        mask = self.node("Cast", [self.unsqueeze(attention_mask, "padding.row", 1, 2)], "padding.seen", to=self.float_type)
        return self.node("Mul", [self.node("Sub", [self.scalar(1.0), mask], "padding.hidden"), self.scalar(self.lowest)], "padding")

    def prepare_masks(self):
        past = self.size("past_key_values.0.key", 2)
        seq = self.size(self.ids, 1)
        total = self.node("Add", [past, seq], "mask.total")
        if not self.decoder.is_rotary:  # GPT-2: a buffer of booleans, [seq:total, :total] of it
            context = self.decoder.context
            triangle = self.constant("mask.triangle", numpy.tril(numpy.ones((1, 1, context, context), bool)))
            begin, end = (self.unsqueeze(x, f"mask.{part}", 0) for part, x in (("begin", past), ("end", total)))
            rows = self.node("Slice", [triangle, begin, end, self.integers(2), self.integers(1)], "mask.rows")
            self.causal = self.node("Slice", [rows, self.integers(0), end, self.integers(3), self.integers(1)], "mask.causal")
            self.mask = self.padding_mask(self.attention_mask)
            return
        # Llama: a square of the lowest float with zeros below its diagonal, zeros for the past, and the padding added
        batch = self.size(self.ids, 0)
        square = self.expand(self.scalar(self.lowest), "mask.square", seq, seq)
        places = self.range(self.size(square, 1), "mask.places")
        next_places = self.node("Add", [places, self.integer(1)], "mask.next")
        next_places = self.reshape(next_places, "mask.column", self.size(square, 1), 1)
        square = self.node("Where", [self.node("Less", [places, next_places], "mask.seen"), self.scalar(0.0), square], "mask.triangle")
        behind = self.expand(self.scalar(0.0), "mask.past", seq, past)
        square = self.unsqueeze(self.node("Concat", [behind, square], "mask.causal", axis=-1), "mask.causal_one", 0, 1)
        causal = self.expand(square, "mask.causal_batch", batch, 1, seq, total)
        padding = self.expand(self.unsqueeze(self.attention_mask, "padding.row", 1, 2), "padding.expanded", batch, 1, seq, total)
        hidden = self.node("Sub", [self.scalar(1.0), self.node("Cast", [padding], "padding.floats", to=self.float_type)], "padding.hidden")
        is_hidden = self.node("Cast", [hidden], "padding.is_hidden", to=BOOL)
        padding = self.node("Where", [is_hidden, self.scalar(self.lowest), hidden], "padding")
        self.mask = self.node("Add", [padding, causal], "mask")

    def prepare_rotary(self):
        """Rows of tables [context, width], the halves alike."""
        for part, table in self.decoder.rotary_tables().items():
            table = self.float_constant(f"rotary.{part}", numpy.concatenate([table, table], axis=1))
            setattr(self, part, self.node("Gather", [table, self.positions], f"rotary.{part}.rows"))

    def dot_product(self, name, query, key, value, width, mask):
        turned = self.node("Transpose", [key], f"{name}.key_turned", perm=[0, 1, 3, 2])
        scores = self.node("Div", [self.node("MatMul", [query, turned], f"{name}.scores"), self.scalar(math.sqrt(width))], f"{name}.scaled")
        if self.causal:
            scores = self.node("Where", [self.causal, scores, self.scalar(self.lowest)], f"{name}.causal")
        scores = self.node("Add", [scores, mask], f"{name}.masked")
        weights = self.node("Softmax", [scores], f"{name}.weights", axis=-1)
        return self.node("MatMul", [weights, value], f"{name}.values")


class TorchScript17(TorchScript):
    """Scaled dot product attention: the root of the scale on both sides, masks of booleans, rows of NaN put right."""
    name = "torchscript_17"
    weight_types = (*TorchScript.weight_types, "int8_qdq")

    def __init__(self, weights="fp32"):
        super().__init__(opset=17, ir_version=8, weights=weights)

    def layer_norm(self, x, name, scale, bias, epsilon):
        return self.node("LayerNormalization", [x, *self.parameters(name, scale, bias)], name, axis=-1, epsilon=epsilon)

    def padding_mask(self, attention_mask):
        """[batch, 1, seq, key] of booleans."""
        batch, seq = self.size(attention_mask, 0), self.size(attention_mask, 1)
        seen = self.node("Cast", [attention_mask], "padding.seen", to=BOOL)
        return self.expand(self.unsqueeze(seen, "padding.row", 1, 2), "padding", batch, 1, seq, seq)

    def prepare_masks(self):
        """key <= query, and the padding's mask gathered for each batch and key."""
        seen = self.node("Cast", [self.attention_mask], "padding.seen", to=BOOL)
        past, seq, batch = self.size("past_key_values.0.key", 2), self.size(self.ids, 1), self.size(self.ids, 0)
        total = self.node("Add", [past, seq], "mask.total")
        batches = self.unsqueeze(self.range(batch, "mask.batch_range"), "mask.batches", 1, 2, 3)
        queries = self.node("Add", [self.range(seq, "mask.query_range"), past], "mask.query_places")
        queries = self.unsqueeze(queries, "mask.queries", 0, 1, 3)
        keys = self.unsqueeze(self.range(total, "mask.key_range"), "mask.keys", 0, 1, 2)
        every = self.node("ConstantOfShape", [self.constant("mask.scalar", numpy.zeros(0, numpy.int64))], "mask.every",
                          value=self.tensor(numpy.array([True])))
        causal = self.node("And", [every, self.node("LessOrEqual", [keys, queries], "mask.before")], "mask.causal")
        flat = self.node("Flatten", [seen], "padding.flat", axis=2)
        places = self.node("Add", [keys, self.node("Mul", [batches, self.size(seen, 1)], "padding.offsets")], "padding.places")
        padding = self.node("Gather", [flat, places], "padding", axis=0)
        padding = self.node("Reshape", [self.node("Reshape", [padding, self.integers(-1)], "padding.row"),
                                        self.node("Shape", [places], "padding.shape")], "padding.back")
        both = self.node("And", [causal, padding], "mask.both")
        self.mask = self.expand(both, "mask", batch, -1, seq, total)

    def prepare_rotary(self):
        """cos and sin of position * frequency, the halves alike."""
        positions = self.node("Cast", [self.unsqueeze(self.positions, "rotary.column", 2)], "rotary.positions", to=FLOAT)
        frequencies = self.constant("rotary.frequencies", self.decoder.frequencies().astype(numpy.float32))
        angles = self.node("Mul", [positions, frequencies], "rotary.half")
        angles = self.node("Concat", [angles, angles], "rotary.angles", axis=-1)
        one = self.constant("float32.1", numpy.float32(1))
        for part in ("cos", "sin"):
            table = self.node("Mul", [self.node(part.capitalize(), [angles], f"rotary.{part}"), one], f"rotary.{part}_scaled")
            setattr(self, part, self.node("Cast", [table], f"rotary.{part}_rows", to=self.float_type))

    def dot_product(self, name, query, key, value, width, mask):
        turned = self.node("Transpose", [key], f"{name}.key_turned", perm=[0, 1, 3, 2])
        root = self.scalar(width**-0.25)
        scores = self.node("MatMul", [self.node("Mul", [query, root], f"{name}.query_scaled"),
                                      self.node("Mul", [turned, root], f"{name}.key_scaled")], f"{name}.scores")
        hidden = self.float_constant("float.hidden", numpy.float32([-numpy.inf]))
        seen = self.float_constant("float.seen", numpy.float32([0]))
        added = self.node("Where", [mask, seen, hidden], f"{name}.mask")
        weights = self.node("Softmax", [self.node("Add", [scores, added], f"{name}.masked")], f"{name}.softmax", axis=-1)
        weights = self.node("Where", [self.node("IsNaN", [weights], f"{name}.is_nan"), seen, weights], f"{name}.weights")
        return self.node("MatMul", [weights, value], f"{name}.values")
