"""The dialects in which exporters write transformers: one class each, all with the methods of Dialect."""
from .standard import Standard23

DIALECTS = {dialect.name: dialect for dialect in (Standard23,)}
