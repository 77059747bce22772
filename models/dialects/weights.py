"""The types of weights: how each stores a matrix, and what it writes for a product with it.

`product(graph, x, name, weight)` takes x [batch, seq, in] and weight [out, in], as PyTorch keeps it; MatMul's own are [in, out].
"""
import numpy
from onnx_graph import BFLOAT16, FLOAT, FLOAT16

BLOCK = 32  # weights of one scale, along `in`


class Floats:
    """Weights, activations and caches of one type."""

    def __init__(self, name, float_type):
        self.name, self.float_type = name, float_type

    def product(self, graph, x, name, weight):
        return graph.node("MatMul", [x, graph.float_constant(f"{name}.weight", weight.T)], name)


class DynamicInt8:
    """What onnxruntime's quantize_dynamic writes: bytes on both sides, a scale for each column of the weights and, found
    at each run, one for all of x."""
    name, float_type = "int8_dynamic", FLOAT

    @staticmethod
    def columns(weight):
        """(int8 [in, out], scale f32 [out]), symmetric, and from -64 to 64: on processors without VNNI onnxruntime adds
        products of bytes in pairs in 16 bits, which the whole range would overflow."""
        scale = numpy.abs(weight).max(axis=1) / 64
        return numpy.rint(weight.T / scale).astype(numpy.int8), scale.astype(numpy.float32)

    def product(self, graph, x, name, weight):
        integers, scale = self.columns(weight)
        weights = graph.constant(f"{name}.weight_quantized", integers)
        scale = graph.constant(f"{name}.weight_scale", scale)
        x_scale, x_zero = f"{x}.scale", f"{x}.zero_point"
        quantized = graph.node_once("DynamicQuantizeLinear", [x], f"{x}.quantized", [x_scale, x_zero])
        product = graph.node("MatMulInteger", [quantized, weights, x_zero], f"{name}.integers")
        scales = graph.node("Mul", [x_scale, scale], f"{name}.scales")
        return graph.node("Mul", [graph.node("Cast", [product], f"{name}.floats", to=FLOAT), scales], name)


class QdqInt8:
    """QuantizeLinear and DequantizeLinear around each product, with scales fixed beforehand."""
    name, float_type = "int8_qdq", FLOAT
    largest = 8.0  # of activations: what normalised values hardly exceed

    def product(self, graph, x, name, weight):
        integers, scale = DynamicInt8.columns(weight)
        weights = graph.node("DequantizeLinear", [
            graph.constant(f"{name}.weight_quantized", integers), graph.constant(f"{name}.weight_scale", scale),
            graph.constant(f"{name}.weight_zero_point", numpy.zeros(len(scale), numpy.int8))], f"{name}.weight", axis=1)
        x_scale = graph.constant("activations.scale", numpy.float32(2 * self.largest / 255))
        x_zero = graph.constant("activations.zero_point", numpy.uint8(128))
        quantized = graph.node_once("QuantizeLinear", [x, x_scale, x_zero], f"{x}.quantized")
        x = graph.node_once("DequantizeLinear", [quantized, x_scale, x_zero], f"{x}.dequantized")
        return graph.node("MatMul", [x, weights], name)


class Int4:
    """Four bits from -8 to 7 and a scale for each block of 32. `accuracy_level` is MatMulNBits's: 4 allows activations in
    bytes."""
    float_type = FLOAT

    def __init__(self, name, accuracy_level):
        self.name, self.accuracy_level = name, accuracy_level

    @staticmethod
    def blocks(weight):
        """(integers [out, blocks, 32], scale f32 [out, blocks]); `in` is whole blocks."""
        blocks = weight.reshape(len(weight), -1, BLOCK)
        largest = numpy.take_along_axis(blocks, numpy.abs(blocks).argmax(axis=2)[..., None], 2)
        scale = largest / -8  # so that the largest becomes -8, the longer end
        integers = numpy.clip(numpy.rint(blocks / scale), -8, 7).astype(numpy.int8)
        return integers, scale[..., 0].astype(numpy.float32)

    def product(self, graph, x, name, weight):
        integers, scale = self.blocks(weight)
        return graph.int4_product(x, name, integers, scale)


WEIGHTS = {weights.name: weights for weights in (
    Floats("fp32", FLOAT), Floats("fp16", FLOAT16), Floats("bf16", BFLOAT16), DynamicInt8(), QdqInt8(),
    Int4("int4", 0), Int4("int4_dynamic", 4))}
