"""What an ONNX file says, read as the protobuf message that it is: its version, and whether its weights are in it.

Numbers of fields are those of onnx.proto (ONNX IR version 3 to 13).
"""

from collections.abc import Iterator

__all__ = ["keeps_data_outside", "opset_of"]

# Fields of ModelProto, GraphProto, NodeProto, AttributeProto, SparseTensorProto and TensorProto.
_GRAPH, _OPSET, _FUNCTIONS = 7, 8, 25
_GRAPH_NODES, _GRAPH_TENSORS, _GRAPH_SPARSE = 1, 5, 15
_NODE_ATTRIBUTES, _FUNCTION_NODES = 5, 7
_ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS, _ATTRIBUTE_SPARSE = (5, 10), (6, 11), (22, 23)
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
#: Graphs within graphs; nobody needs more.
_MOST_DEPTH = 16


def opset_of(data: bytes) -> int:
    """Version of ONNX's own operators that a file asks for; 0 where it does not say."""
    for number, value in _fields(memoryview(data)):
        if number == _OPSET and isinstance(value, memoryview):
            inner = dict(_fields(value))
            domain, version = inner.get(1, memoryview(b"")), inner.get(2)
            if (
                isinstance(domain, memoryview)
                and bytes(domain) in (b"", b"ai.onnx")
                and isinstance(version, int)
            ):
                return version
    return 0


def keeps_data_outside(data: bytes) -> bool:
    """Whether a tensor points to another file: whoever reads the network would open what it names."""
    for number, value in _fields(memoryview(data)):
        if number == _GRAPH and _graph_points(value, 0):
            return True
        if number == _FUNCTIONS and any(_node_points(node, 0) for node in _of(value, _FUNCTION_NODES)):
            return True
    return False


def _graph_points(graph: "int | memoryview", depth: int) -> bool:
    if depth > _MOST_DEPTH:
        return True
    return (
        any(_tensor_points(tensor) for tensor in _of(graph, _GRAPH_TENSORS))
        or any(_sparse_points(tensor) for tensor in _of(graph, _GRAPH_SPARSE))
        or any(_node_points(node, depth) for node in _of(graph, _GRAPH_NODES))
    )


def _node_points(node: "int | memoryview", depth: int) -> bool:
    for attribute in _of(node, _NODE_ATTRIBUTES):
        if (
            any(_tensor_points(tensor) for tensor in _of(attribute, *_ATTRIBUTE_TENSORS))
            or any(_sparse_points(tensor) for tensor in _of(attribute, *_ATTRIBUTE_SPARSE))
            or any(_graph_points(graph, depth + 1) for graph in _of(attribute, *_ATTRIBUTE_GRAPHS))
        ):
            return True
    return False


def _sparse_points(tensor: "int | memoryview") -> bool:
    return any(_tensor_points(part) for part in _of(tensor, 1, 2))


def _tensor_points(tensor: "int | memoryview") -> bool:
    if not isinstance(tensor, memoryview):
        return False
    return any(
        number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value != 0)
        for number, value in _fields(tensor)
    )


def _of(message: "int | memoryview", *numbers: int) -> "Iterator[memoryview]":
    """Messages in a message, by the numbers of their fields."""
    if isinstance(message, memoryview):
        for number, value in _fields(message):
            if number in numbers and isinstance(value, memoryview):
                yield value


def _fields(data: memoryview) -> "Iterator[tuple[int, int | memoryview]]":
    """Number and value of each field of a message: whole numbers, and views of what has a length."""
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        kind = key & 7
        if kind == 0:
            value, place = _varint(data, place)
            yield key >> 3, value
        elif kind == 2:
            size, place = _varint(data, place)
            yield key >> 3, data[place : place + size]
            place += size
        else:
            place += 8 if kind == 1 else 4


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    """A number of seven bits per byte, lowest first, and the place after it."""
    value = shift = 0
    while place < len(data) and shift < 64:
        byte = data[place]
        place += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            break
    return value, place
