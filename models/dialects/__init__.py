"""The dialects in which exporters write transformers: one class each, all with the same methods, and the types of weights."""
from .microsoft import Microsoft, MicrosoftRotary
from .standard import Standard23, Standard24
from .torchscript import TorchScript14, TorchScript17
from .weights import WEIGHTS

DIALECTS = {dialect.name: dialect for dialect in (TorchScript14, TorchScript17, Standard23, Standard24, Microsoft, MicrosoftRotary)}
