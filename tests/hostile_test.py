#!/usr/bin/python3
"""Models that mean harm: hostile_test.py PATH_TO_HEED. Each is refused by an error that says what is wrong, or gives the right
result, within 2 seconds and 256 MB. A row makes its model, and names what its error says or what its output is."""
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from onnx import AttributeProto, ModelProto, SparseTensorProto, TensorProto, TypeProto, helper, numpy_helper

HEED = Path(sys.argv[1]).resolve()
MOST_SECONDS, MOST_BYTES = 2, 256 << 20
F, I, S, B = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING, TensorProto.BOOL
FAR = 1 << 40
LAST = (1 << 63) - 1
rows = {}


def hostile(expected):
    """A row: what makes a model, a file's bytes or a folder's files; expected is a part of the error, or the output's text."""
    def add(make):
        rows[make.__name__] = make, expected
        return make
    return add


# ---- what models are made of

node = helper.make_node


def value(name, dims, kind=F):
    return helper.make_tensor_value_info(name, kind, dims)


def constant(name, values, kind=np.int64):
    return numpy_helper.from_array(np.array(values, kind), name)


def graph(nodes, outputs=("y",), inputs=(), initializers=(), kind=F, dims=None):
    outputs = [value(name, dims, kind) if isinstance(name, str) else name for name in outputs]
    return helper.make_graph(nodes, "g", list(inputs), outputs, list(initializers))


def model(nodes, outputs=("y",), inputs=(), initializers=(), kind=F, dims=None, opset=17, functions=(), domains=()):
    made = helper.make_model(graph(nodes, outputs, inputs, initializers, kind, dims), functions=list(functions),
                             opset_imports=[helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)])
    made.ir_version = 8
    return made


def function(name, inputs, outputs, nodes, attributes=()):
    return helper.make_function("local", name, list(inputs), list(outputs), nodes,
                                [helper.make_opsetid("", 17), helper.make_opsetid("local", 1)], list(attributes))


def of_constants(op_type, *inputs, kind=F, opset=17, **attributes):
    """A node whose inputs are constants: (numpy array or list of int64)."""
    names = [f"c{i}" if given is not None else "" for i, given in enumerate(inputs)]
    constants = [numpy_helper.from_array(given if isinstance(given, np.ndarray) else np.array(given, np.int64), name)
                 for given, name in zip(inputs, names) if given is not None]
    return model([node(op_type, names, ["y"], **attributes)], kind=kind, initializers=constants, opset=opset)


def raw_tensor(name, kind, dims, data=b"", **fields):
    tensor = TensorProto(name=name, data_type=kind, dims=dims, **fields)
    if data:
        tensor.raw_data = data
    return tensor


def of_weight(tensor, op_type="Identity"):
    return model([node(op_type, ["w"], ["y"])], initializers=[tensor])


def external(location, *, offset=None, length=None, dims=(2,), **more):
    tensor = TensorProto(name="w", data_type=F, dims=dims, data_location=TensorProto.EXTERNAL)
    for key, given in {"location": location, "offset": offset, "length": length, **more}.items():
        if given is not None:
            tensor.external_data.add(key=key, value=str(given))
    return of_weight(tensor)


def loop(body_nodes, trips, *, carried=(), outputs=("y",), initializers=(), condition=True, body_outputs=None, kind=F):
    """Loop<body> over carried values [(name in the body, name after it, initial name)]."""
    body = helper.make_graph(body_nodes, "body", [value("i", [], I), value("keep", [], B)] + [value(before, None, kind) for before, _, _ in carried],
                             [value("keep_out", [], B)] + [value(after, None, kind) for _, after, _ in carried] + list(body_outputs or ()))
    return model([node("Loop", ["trips", "go"] + [initial for _, _, initial in carried], list(outputs), body=body)], kind=kind,
                 initializers=[constant("trips", trips), constant("go", condition, bool), *initializers])


KEEP = node("Identity", ["keep"], ["keep_out"])
ONE = constant("one", [1.0], np.float32)

# ---- nesting


def nested_ifs(depth):
    inner = graph([node("Constant", [], ["y0"], value_float=1.0)], ["y0"])
    for level in range(depth):
        inner = graph([node("If", ["c"], [f"y{level + 1}"], then_branch=inner, else_branch=inner if level == 0 else
                            graph([node("Constant", [], ["z"], value_float=2.0)], ["z"]))], [f"y{level + 1}"])
    inner.initializer.append(constant("c", True, bool))
    inner.node[0].output[0] = inner.output[0].name = "y"
    made = helper.make_model(inner, opset_imports=[helper.make_opsetid("", 17)])
    made.ir_version = 8
    return made


@hostile("y  f32 []  1")
def ten_ifs_in_each_other():
    return nested_ifs(10)


@hostile("deep in each other")
def ifs_nested_below_what_protobuf_reads():
    return nested_ifs(200)


@hostile("error[")
def a_million_bytes_of_open_messages():
    data = b""
    for _ in range(5000):  # ModelProto.graph (7) ... GraphProto.node (1), attribute (5), g (6): each one level more
        for field in (6, 5, 1):
            data = bytes([field << 3 | 2]) + varint(len(data)) + data
    return bytes([7 << 3 | 2]) + varint(len(data)) + data


def varint(number):
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


@hostile("too deep")
def a_type_of_sequences_of_sequences():
    type_ = TypeProto()
    inner = type_
    for _ in range(90):
        inner = inner.sequence_type.elem_type
    inner.tensor_type.elem_type = F
    made = model([node("Identity", ["x"], ["y"])], inputs=[value("x", [1])])
    made.graph.input[0].type.CopyFrom(type_)
    return made


@hostile("y  f32 [1]  1")
def loops_of_no_trip_in_each_other():
    body = [node("Identity", ["v"], ["w"])]
    for level in range(12):
        inner = helper.make_graph(body + [node("Identity", ["keep"], ["keep_out"])], "b", [value("i", [], I), value("keep", [], B), value("v", None)],
                                  [value("keep_out", [], B), value("w", None)])
        body = [node("Constant", [], [f"n{level}"], value_int=0), node("Loop", [f"n{level}", "", "v"], ["w"], body=inner)]
    body[-1].input[2], body[-1].output[0] = "one", "y"
    return model(body, initializers=[ONE])


# ---- functions


@hostile("circle")
def a_function_that_calls_itself():
    f = function("f", ["a"], ["b"], [node("f", ["a"], ["b"], domain="local")])
    return model([node("f", ["one"], ["y"], domain="local")], initializers=[ONE], functions=[f], domains=["local"])


@hostile("circle")
def functions_that_call_each_other():
    f = function("f", ["a"], ["b"], [node("g", ["a"], ["b"], domain="local")])
    g = function("g", ["a"], ["b"], [node("f", ["a"], ["b"], domain="local")])
    return model([node("f", ["one"], ["y"], domain="local")], initializers=[ONE], functions=[f, g], domains=["local"])


@hostile("nodes")
def functions_that_double_forty_times():
    functions = [function("f0", ["a"], ["b"], [node("Neg", ["a"], ["b"])])]
    for level in range(1, 41):
        functions.append(function(f"f{level}", ["a"], ["b"], [node(f"f{level - 1}", ["a"], ["m"], domain="local"),
                                                              node(f"f{level - 1}", ["m"], ["b"], domain="local")]))
    return model([node("f40", ["one"], ["y"], domain="local")], initializers=[ONE], functions=functions, domains=["local"])


@hostile("y  f32 [1]  -1")
def a_chain_of_sixty_functions():
    functions = [function("f0", ["a"], ["b"], [node("Neg", ["a"], ["b"])])]
    functions += [function(f"f{level}", ["a"], ["b"], [node(f"f{level - 1}", ["a"], ["b"], domain="local")]) for level in range(1, 60)]
    return model([node("f59", ["one"], ["y"], domain="local")], initializers=[ONE], functions=functions, domains=["local"])


@hostile("deep")
def a_chain_of_ten_thousand_functions():
    functions = [function("f0", ["a"], ["b"], [node("Neg", ["a"], ["b"])])]
    functions += [function(f"f{level}", ["a"], ["b"], [node(f"f{level - 1}", ["a"], ["b"], domain="local")]) for level in range(1, 10000)]
    return model([node("f9999", ["one"], ["y"], domain="local")], initializers=[ONE], functions=functions, domains=["local"])


@hostile("inputs")
def a_function_called_with_too_much():
    f = function("f", ["a"], ["b"], [node("Neg", ["a"], ["b"])])
    return model([node("f", ["one"] * 5, ["y"], domain="local")], initializers=[ONE], functions=[f], domains=["local"])


@hostile("error[")
def a_function_whose_output_nothing_makes():
    f = function("f", ["a"], ["b"], [node("Neg", ["a"], ["c"])])
    return model([node("f", ["one"], ["y"], domain="local")], initializers=[ONE], functions=[f], domains=["local"])


@hostile("y  f32 [1]  1")
def a_function_that_refers_to_an_attribute_nobody_gives():
    inner = node("Elu", ["a"], ["b"])
    inner.attribute.append(AttributeProto(name="alpha", ref_attr_name="nobody", type=AttributeProto.FLOAT))
    f = function("f", ["a"], ["b"], [inner])
    return model([node("f", ["one"], ["y"], domain="local")], initializers=[ONE], functions=[f], domains=["local"])


@hostile("error[")
def two_functions_of_one_name():
    f = function("f", ["a"], ["b"], [node("Neg", ["a"], ["b"])])
    g = function("f", ["a"], ["b"], [node("Abs", ["a"], ["b"])])
    return model([node("f", ["one"], ["y"], domain="local")], initializers=[ONE], functions=[f, g], domains=["local"])


# ---- loops


@hostile("limit")
def a_loop_without_end():
    return loop([KEEP, node("Neg", ["v"], ["w"])], LAST, carried=[("v", "w", "one")], initializers=[ONE])


@hostile("limit")
def a_loop_in_a_loop_in_a_loop():
    body, names = [node("Neg", ["v"], ["w"])], "v"
    for level in range(3):
        inner = helper.make_graph(body + [KEEP], "b", [value("i", [], I), value("keep", [], B), value("v", None)],
                                  [value("keep_out", [], B), value("w", None)])
        body = [node("Constant", [], [f"n{level}"], value_int=1 << 20), node("Loop", [f"n{level}", "", names], ["w"], body=inner)]
    body[-1].input[2], body[-1].output[0] = "one", "y"
    return model(body, initializers=[ONE])


@hostile("error[")
def a_loop_that_doubles_what_it_carries():
    return loop([KEEP, node("Concat", ["v", "v"], ["w"], axis=0)], 60, carried=[("v", "w", "one")], initializers=[ONE])


@hostile("error[")
def a_text_doubled_fifty_times():
    nodes = [node("StringConcat", [f"s{i}", f"s{i}"], [f"s{i + 1}"]) for i in range(50)]
    nodes[-1].output[0] = "y"
    return model(nodes, initializers=[helper.make_tensor("s0", S, [1], [b"abcdefgh"])], kind=S, opset=20)


@hostile("error[")
def a_loop_that_collects_for_ever():
    return loop([KEEP, node("Identity", ["i"], ["each"])], LAST, body_outputs=[value("each", [], I)], kind=I)


@hostile("error[")
def a_loop_that_collects_shapes_that_differ():
    return loop([KEEP, node("Concat", ["v", "v"], ["w"], axis=0), node("Identity", ["v"], ["each"])], 3, carried=[("v", "w", "one")],
                outputs=["last", "y"], body_outputs=[value("each", None)], initializers=[ONE])


@hostile("error[")
def a_loop_whose_body_gives_too_little():
    body = helper.make_graph([KEEP], "body", [value("i", [], I), value("keep", [], B), value("v", None)], [value("keep_out", [], B)])
    return model([node("Loop", ["", "", "one"], ["y"], body=body)], initializers=[ONE])


@hostile("error[")
def a_loop_without_a_body():
    return model([node("Loop", ["", "", "one"], ["y"])], initializers=[ONE])


@hostile("error[")
def a_scan_over_nothing_that_says_a_million_inputs():
    body = helper.make_graph([node("Identity", ["v"], ["w"])], "body", [value("v", None)], [value("w", None)])
    return model([node("Scan", ["one"], ["y"], body=body, num_scan_inputs=1 << 40)], initializers=[ONE])


@hostile("error[")
def an_if_of_one_branch():
    return model([node("If", ["c"], ["y"], then_branch=graph([node("Constant", [], ["z"], value_float=1.0)], ["z"]))],
                 initializers=[constant("c", True, bool)])


@hostile("error[")
def an_if_whose_branches_give_unlike_counts():
    one = graph([node("Constant", [], ["z"], value_float=1.0)], ["z"])
    two = graph([node("Constant", [], ["z"], value_float=1.0), node("Neg", ["z"], ["zz"])], ["z", "zz"])
    return model([node("If", ["c"], ["y"], then_branch=one, else_branch=two)], initializers=[constant("c", True, bool)])


@hostile("error[")
def an_if_of_a_condition_of_many():
    one = graph([node("Constant", [], ["z"], value_float=1.0)], ["z"])
    return model([node("If", ["c"], ["y"], then_branch=one, else_branch=one)], initializers=[constant("c", [True] * 7, bool)])


# ---- sizes

BIG = {
    "ConstantOfShape": ([FAR],), "ConstantOfShape_of_many_axes": ([1 << 20] * 3,), "ConstantOfShape_overflowing": ([LAST, LAST, 2],),
    "ConstantOfShape_negative": ([-1],), "Expand": (np.ones(1, np.float32), [FAR]), "Tile": (np.ones(2, np.float32), [FAR]),
    "Tile_overflowing": (np.ones([2, 2], np.float32), [LAST, LAST]), "Tile_negative": (np.ones(2, np.float32), [-3]),
    "Range": (np.array(0), np.array(LAST), np.array(1)), "Range_of_tiny_steps": (np.array(0.0, np.float32), np.array(1e30, np.float32), np.array(1e-30, np.float32)),
    "Range_of_no_step": (np.array(0), np.array(5), np.array(0)), "Range_of_nan": (np.array(0.0), np.array(np.nan), np.array(1.0)),
    "Pad": (np.ones(2, np.float32), [FAR, FAR]), "Pad_overflowing": (np.ones(2, np.float32), [LAST, LAST]),
    "Pad_away": (np.ones(2, np.float32), [-LAST, -LAST]), "OneHot": (np.zeros(4, np.int64), np.array(FAR), np.array([0, 1], np.float32)),
    "OneHot_negative": (np.zeros(4, np.int64), np.array(-4), np.array([0, 1], np.float32)),
    "Reshape": (np.ones(6, np.float32), [LAST, -1]), "Reshape_of_two_unknown": (np.ones(6, np.float32), [-1, -1]),
    "Reshape_overflowing": (np.ones(6, np.float32), [1 << 32, 1 << 32]), "Slice_far": (np.ones(6, np.float32), [-LAST], [LAST], [0], [LAST]),
    "Slice_of_no_step": (np.ones(6, np.float32), [0], [5], [0], [0]), "Gather_far": (np.ones(6, np.float32), [LAST]),
    "Gather_before": (np.ones(6, np.float32), [-LAST - 1]), "GatherND_far": (np.ones([2, 2], np.float32), np.array([[LAST, LAST]])),
    "ScatterND_far": (np.ones(4, np.float32), np.array([[FAR]]), np.ones(1, np.float32)),
    "ScatterElements_far": (np.ones(4, np.float32), [FAR], np.ones(1, np.float32)),
    "MatMul_of_an_outer_product": (np.ones([200000, 1], np.float32), np.ones([1, 200000], np.float32)),
    "Add_of_an_outer_product": (np.ones([200000, 1], np.float32), np.ones([1, 200000], np.float32)),
    "TopK_of_more_than_there_is": (np.ones(4, np.float32), [FAR]), "TopK_of_less_than_none": (np.ones(4, np.float32), [-1]),
    "Split_into_more_than_there_is": (np.ones(4, np.float32), [FAR, 1]), "Unsqueeze_far": (np.ones(4, np.float32), [FAR]),
    "Squeeze_twice": (np.ones([1, 4], np.float32), [0, 0]), "Trilu_far": (np.ones([2, 2], np.float32), np.array(LAST)),
    "CumSum_of_no_axis": (np.ones(4, np.float32), np.array(LAST)), "Mod_by_zero": (np.ones(4, np.int64), np.zeros(4, np.int64)),
    "Div_by_zero": (np.ones(4, np.int64), np.zeros(4, np.int64)), "Div_of_the_least": (np.array([-LAST - 1]), np.array([-1])),
    "Compress": (np.ones(4, np.float32), np.ones(9, bool)), "BitShift_far": (np.ones(4, np.uint64), np.full(4, 200, np.uint64)),
    "ReduceSum_of_an_axis_far": (np.ones(4, np.float32), [LAST]), "Pow_of_integers": (np.full(2, 3, np.int64), np.full(2, LAST, np.int64)),
}
# Rows that have a result: zeros for what Slice, Pad and Trilu leave out; ONNX leaves integers divided by zero open.
RIGHT = {"Slice_far": "y  f32 [1]  1", "Trilu_far": "y  f32 [2, 2]  0, 0, 0, 0", "Mod_by_zero": "y  i64 [4]", "Div_by_zero": "y  i64 [4]", "Div_of_the_least": "y  i64 [1]",
         "BitShift_far": "y  u64 [4]", "Pow_of_integers": "y  i64 [2]", "TopK_of_more_than_there_is": "error["}
ATTRIBUTES = {"BitShift_far": {"direction": "LEFT"}, "OneHot": {"axis": -1}, "Trilu_far": {"upper": 1}}
for name, inputs in BIG.items():
    def make(name=name, inputs=inputs):
        return of_constants(name.split("_")[0], *inputs, kind=0, **ATTRIBUTES.get(name, {})) if name.split("_")[0] != "TopK" else model(
            [node("TopK", ["x", "k"], ["y", "at"])], initializers=[numpy_helper.from_array(inputs[0], "x"), constant("k", inputs[1])])
    rows[name] = make, RIGHT.get(name, "error[")


@hostile("error[")
def a_random_tensor_of_terabytes():
    return model([node("RandomNormal", [], ["y"], shape=[FAR])])


@hostile("error[")
def a_tensor_doubled_forty_times():
    nodes = [node("Concat", [f"x{i}", f"x{i}"], [f"x{i + 1}"], axis=0) for i in range(40)]
    nodes[0].input[:], nodes[-1].output[0] = ["one", "one"], "y"
    return model(nodes, initializers=[ONE])


@hostile("y  f32 [1]  1")
def ten_thousand_nodes_in_a_row():
    nodes = [node("Neg", [f"x{i}"], [f"x{i + 1}"]) for i in range(10000)]
    nodes[0].input[0], nodes[-1].output[0] = "one", "y"
    return model(nodes, initializers=[ONE])


@hostile("y  f32 [1, 1]  1")
def ten_thousand_views_in_a_row():
    nodes = [node("Transpose", [f"x{i}"], [f"x{i + 1}"]) for i in range(10000)]
    nodes[0].input[0], nodes[-1].output[0] = "one", "y"
    return model(nodes, initializers=[constant("one", [[1.0]], np.float32)])


@hostile("error[")
def an_if_of_two_branches_that_fit_no_run():
    branch = graph([node("Add", ["one", "two"], ["z"])], ["z"])
    return model([node("If", ["c"], ["y"], then_branch=branch, else_branch=branch)], inputs=[value("c", [], B)],
                 initializers=[constant("one", [1.0, 2.0, 3.0], np.float32), constant("two", [1.0, 2.0], np.float32)])


@hostile("y  f32 [1]  10000")
def a_node_of_ten_thousand_inputs():
    return model([node("Sum", ["one"] * 10000, ["y"])], initializers=[ONE])


@hostile("y  f32 [1, 1, 1")
def a_tensor_of_a_thousand_axes():
    return of_weight(raw_tensor("w", F, [1] * 1000, np.float32(1).tobytes()))


@hostile("error[")
def a_convolution_of_a_kernel_of_petabytes():
    return of_constants("MaxPool", np.ones([1, 1, 4, 4], np.float32), kernel_shape=[FAR, FAR])


@hostile("error[")
def a_pool_padded_by_petabytes():
    return of_constants("MaxPool", np.ones([1, 1, 4, 4], np.float32), kernel_shape=[2, 2], pads=[FAR, FAR, FAR, FAR])


@hostile("error[")
def a_convolution_of_no_stride():
    return of_constants("Conv", np.ones([1, 1, 4, 4], np.float32), np.ones([1, 1, 2, 2], np.float32), strides=[0, 0])


@hostile("error[")
def a_convolution_of_no_group():
    return of_constants("Conv", np.ones([1, 1, 4, 4], np.float32), np.ones([1, 1, 2, 2], np.float32), group=0)


@hostile("error[")
def a_convolution_dilated_without_end():
    return of_constants("Conv", np.ones([1, 1, 4, 4], np.float32), np.ones([1, 1, 2, 2], np.float32), dilations=[LAST, LAST])


@hostile("error[")
def an_einsum_of_sixty_letters():
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return of_constants("Einsum", np.ones([2] * 8, np.float32), equation=letters + "->a")


@hostile("error[")
def an_einsum_of_a_million_characters():
    return of_constants("Einsum", np.ones([2], np.float32), equation="i" * 1000000)


@hostile("error[")
def a_depth_to_space_of_no_block():
    return of_constants("DepthToSpace", np.ones([1, 4, 1, 1], np.float32), blocksize=0)


@hostile("error[")
def a_quantization_of_blocks_of_nothing():
    return of_constants("DequantizeLinear", np.ones([4, 4], np.int8), np.ones([4, 4], np.float32), block_size=-7, opset=21)


@hostile("error[")
def an_eye_of_terabytes():
    return model([node("ConstantOfShape", ["s"], ["z"]), node("EyeLike", ["z"], ["y"])], initializers=[constant("s", [1 << 21, 1 << 21])])


@hostile("error[")
def attributes_that_are_not_what_they_are_called():
    return model([node("Elu", ["one"], ["y"], alpha="much")], initializers=[ONE])


@hostile("error[")
def an_attribute_given_twice():
    made = model([node("Elu", ["one"], ["y"], alpha=1.0)], initializers=[ONE])
    made.graph.node[0].attribute.append(helper.make_attribute("alpha", 2.0))
    return made


@hostile("error[")
def an_operator_named_by_a_megabyte():
    return model([node("N" * 1000000, ["one"], ["y"])], initializers=[ONE])


@hostile("y  f32 [1]  1")
def a_value_named_by_a_megabyte():
    name = "v" * 1000000
    return model([node("Neg", ["one"], [name]), node("Neg", [name], ["y"])], initializers=[ONE])


@hostile("error[")
def a_name_of_control_characters_and_broken_utf8():
    data = bytearray(model([node("Nothing", ["one"], ["y"], name="abcdefgh")], initializers=[ONE]).SerializeToString())
    at = data.index(b"abcdefgh")
    data[at:at + 8] = b"\x1b[31m\xff\xfe\x00"
    return bytes(data)


# ---- tensors that lie


@hostile("error[")
def a_tensor_of_less_than_it_says():
    return of_weight(raw_tensor("w", F, [FAR], b"1234"))


@hostile("error[")
def a_tensor_of_more_than_it_says():
    return of_weight(raw_tensor("w", F, [1], b"123456789"))


@hostile("error[")
def a_tensor_of_a_negative_size():
    return of_weight(raw_tensor("w", F, [-4], b"1234"))


@hostile("error[")
def a_tensor_whose_size_overflows():
    return of_weight(raw_tensor("w", F, [1 << 32, 1 << 32], b"1234"))


@hostile("y  f32 [1099511627776, 0]")
def a_tensor_of_nothing_by_much():
    return of_weight(raw_tensor("w", F, [FAR, 0]))


@hostile("error[")
def a_tensor_of_an_unknown_type():
    return of_weight(raw_tensor("w", 250, [1], b"1234"))


@hostile("error[")
def a_tensor_given_twice():
    tensor = raw_tensor("w", F, [1], b"1234")
    tensor.float_data.append(1)
    return of_weight(tensor)


@hostile("error[")
def texts_of_less_than_they_say():
    return of_weight(TensorProto(name="w", data_type=S, dims=[FAR], string_data=[b"a"]))


@hostile("error[")
def four_bits_of_less_than_they_say():
    return of_weight(TensorProto(name="w", data_type=22, dims=[9], raw_data=b"12"))


def sparse(dims, at, kind=F):
    values = raw_tensor("w", kind, [1], np.float32(1).tobytes())
    made = model([node("Identity", ["w"], ["y"])])
    made.graph.sparse_initializer.append(SparseTensorProto(values=values, indices=constant("", [at]), dims=dims))
    return made


@hostile("error[")
def a_sparse_tensor_of_petabytes():
    return sparse([FAR, FAR], 0)


@hostile("error[")
def a_sparse_tensor_of_terabytes():
    return sparse([FAR], 0)


@hostile("error[")
def a_sparse_tensor_with_a_number_outside():
    return sparse([4], 4)


@hostile("error[")
def a_sparse_tensor_with_a_number_before():
    return sparse([4], -1)


# ---- paths and links


@hostile("error[")
def weights_outside_of_the_folder():
    return external("../../../../etc/passwd", length=8)


@hostile("error[")
def weights_at_an_absolute_path():
    return external("/etc/passwd", length=8)


@hostile("error[")
def weights_in_a_device():
    return external("/dev/zero", length=8)


@hostile("error[")
def weights_behind_a_link():
    return {"model.onnx": external("weights", length=8), "weights": Path("/etc/passwd")}


@hostile("error[")
def weights_behind_a_linked_folder():
    return {"model.onnx": external("etc/passwd", length=8), "etc": Path("/etc")}


@hostile("error[")
def weights_in_a_link_to_itself():
    return {"model.onnx": external("weights", length=8), "weights": Path("weights")}


@hostile("error[")
def weights_in_a_folder():
    return {"model.onnx": external("weights", length=8), "weights": None}


@hostile("error[")
def weights_in_a_pipe():
    return {"model.onnx": external("weights", length=8), "weights": os.mkfifo}


@hostile("error[")
def weights_that_are_not_there():
    return external("nothing", length=8)


@hostile("error[")
def weights_without_a_place():
    return external(None, length=8)


@hostile("error[")
def weights_named_by_a_megabyte():
    return external("a" * 1000000, length=8)


@hostile("error[")
def weights_named_with_a_zero():
    return external("a\0b", length=8)


@hostile("error[")
def weights_behind_the_end_of_their_file():
    return {"model.onnx": external("weights", offset=FAR, length=8), "weights": b"12345678"}


@hostile("error[")
def weights_before_the_beginning_of_their_file():
    return {"model.onnx": external("weights", offset=-8, length=8), "weights": b"12345678"}


@hostile("error[")
def weights_whose_length_overflows():
    return {"model.onnx": external("weights", offset=8, length=LAST), "weights": b"12345678"}


@hostile("error[")
def weights_whose_offset_is_no_number():
    return {"model.onnx": external("weights", offset="0x10", length=8), "weights": b"12345678" * 4}


@hostile("error[")
def weights_of_less_than_they_say():
    return {"model.onnx": external("weights", length=8, dims=[100]), "weights": b"12345678"}


@hostile("error[")
def weights_that_are_the_model():
    return {"model.onnx": external("model.onnx", offset=FAR, length=8)}


# ---- fields that are missing or contradict each other


@hostile("error[")
def no_bytes():
    return b""


@hostile("error[")
def a_model_without_a_graph():
    return ModelProto(ir_version=8).SerializeToString()


@hostile("y  f32 [1]  -1")
def a_model_without_an_opset():
    made = model([node("Neg", ["one"], ["y"])], initializers=[ONE])
    del made.opset_import[:]
    return made


@hostile("error[")
def an_opset_of_the_far_future():
    return model([node("Neg", ["one"], ["y"])], initializers=[ONE], opset=LAST)


@hostile("error[")
def an_opset_before_the_first():
    return model([node("Neg", ["one"], ["y"])], initializers=[ONE], opset=-3)


@hostile("error[")
def two_opsets_that_contradict_each_other():
    made = model([node("Neg", ["one"], ["y"])], initializers=[ONE])
    made.opset_import.append(helper.make_opsetid("", 9))
    return made


@hostile("y  f32 [1]  -1")
def an_ir_version_of_the_far_future():
    made = model([node("Neg", ["one"], ["y"])], initializers=[ONE])
    made.ir_version = LAST
    return made


@hostile("error[")
def a_node_without_an_operator():
    return model([node("", ["one"], ["y"])], initializers=[ONE])


@hostile("error[")
def a_circle_of_a_thousand_nodes():
    return model([node("Neg", [f"x{i}"], [f"x{(i + 1) % 1000}"]) for i in range(1000)] + [node("Neg", ["x0"], ["y"])])


@hostile("error[")
def a_node_that_gives_one_value_twice():
    return model([node("Split", ["one"], ["y", "y"], axis=0)], initializers=[ONE])


@hostile("error[")
def an_output_that_nothing_makes():
    return model([node("Neg", ["one"], ["z"])], initializers=[ONE])


@hostile("error[")
def an_output_of_another_type():
    return model([node("Neg", ["one"], ["y"])], initializers=[ONE], kind=S)


@hostile("error[")
def an_output_of_another_shape():
    return model([node("Neg", ["one"], ["y"])], initializers=[ONE], dims=[7])


@hostile("y  f32 [1]")
def an_input_of_a_negative_size():
    return model([node("Neg", ["x"], ["y"])], inputs=[value("x", [-5])])


@hostile("error[")
def an_input_of_petabytes():
    return model([node("Neg", ["x"], ["y"])], inputs=[value("x", [FAR, FAR])])


@hostile("error[")
def an_input_of_terabytes():
    return model([node("Neg", ["x"], ["y"])], inputs=[value("x", [FAR])])


@hostile("error[")
def bytes_that_are_no_model():
    return bytes(range(256)) * 4000


@hostile("error[")
def a_model_cut_in_the_middle():
    whole = model([node("Neg", ["one"], ["y"])], initializers=[constant("one", np.ones(1000), np.float32)]).SerializeToString()
    return whole[:len(whole) // 2]


@hostile("error[")
def a_length_longer_than_the_file():
    return bytes([7 << 3 | 2]) + varint(LAST) + b"1234"


@hostile("error[")
def a_loop_of_types_that_change():
    return loop([KEEP, node("Cast", ["v"], ["w"], to=S)], 3, carried=[("v", "w", "one")], initializers=[ONE])


@hostile("error[")
def a_sequence_asked_for_its_millionth():
    return model([node("SequenceConstruct", ["one"], ["s"]), node("SequenceAt", ["s", "at"], ["y"])], initializers=[ONE, constant("at", 1000000)])


@hostile("error[")
def an_optional_of_nothing_asked_for_it():
    type_ = helper.make_optional_type_proto(helper.make_tensor_type_proto(F, [1]))
    return model([node("Optional", [], ["o"], type=type_), node("OptionalGetElement", ["o"], ["y"])])


@hostile("y  i64 [1]")
def a_cast_of_texts_that_are_no_numbers():
    return model([node("Cast", ["s"], ["y"], to=I)], kind=I, initializers=[helper.make_tensor("s", S, [1], [b"9" * 100000])])


# ---- running


def write(made, folder):
    for name, content in (made if isinstance(made, dict) else {"model.onnx": made}).items():
        path = folder / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, Path):
            path.symlink_to(content)
        elif content is None:
            path.mkdir()
        elif callable(content):
            content(path)
        else:
            for output in content.graph.output:  # a type that the row leaves open
                if output.type.tensor_type.elem_type == 0:
                    output.ClearField("type")
            path.write_bytes(content.SerializeToString())
    return folder / "model.onnx"


def run(path):
    """(status, what is written, seconds, bytes at most); a process that hangs is ended."""
    process = subprocess.Popen([str(HEED), "run", str(path), "--random", "--device", "cpu", "--threads", "2", *LIMITS],
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    killer = threading.Timer(20, process.kill)
    begin = time.monotonic()
    killer.start()
    text = process.stdout.read().decode(errors="replace")
    _, status, usage = os.wait4(process.pid, 0)
    killer.cancel()
    return os.waitstatus_to_exitcode(status), text, time.monotonic() - begin, usage.ru_maxrss * 1024


LIMITS = ["--memory-limit", "60", "--time-limit", "1"]


def main():
    failed = 0
    for name, (make, expected) in rows.items():
        with tempfile.TemporaryDirectory() as folder:
            status, text, seconds, peak = run(write(make(), Path(folder)))
        wrong = [] if status == (0 if expected.startswith("y ") else 1) else [f"exit status {status}"]
        wrong += [] if expected in text else [f"no {expected!r}"]
        wrong += [f"{seconds:.1f} s"] if seconds > MOST_SECONDS else []
        wrong += [f"{peak >> 20} MB"] if peak > MOST_BYTES else []
        wrong += [f"{len(text)} bytes of text"] if len(text) > 5000 else []
        failed += bool(wrong)
        if wrong:
            print(f"FAILED {name}: {', '.join(wrong)}\n    {text[:300]!r}")
    print(f"{len(rows) - failed} passed, {failed} failed, 0 skipped")
    sys.exit(1 if failed else 0)


main()
