"""What a dialect says: the parts of a transformer. x is [batch, seq, width] everywhere, weights are numpy's."""
import numpy
from onnx_graph import GraphWriter


class Dialect(GraphWriter):
    """What all exporters write alike."""
    name = None  # as make.py takes it

    def linear(self, x, name, weight, bias=None):
        """weight [out, in], as PyTorch keeps it; MatMul takes [in, out]."""
        product = self.node("MatMul", [x, self.constant(f"{name}.weight", weight.T)], f"{name}.product" if bias is not None else name)
        return product if bias is None else self.node("Add", [product, self.constant(f"{name}.bias", bias)], name)

    def embedding(self, ids, name, table):
        return self.node("Gather", [self.constant(f"{name}.weight", table), ids], name)

    def add(self, x, y, name):
        return self.node("Add", [x, y], name)
