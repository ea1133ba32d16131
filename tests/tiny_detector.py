"""A tiny ONNX model in the layout of a box detector: it gives the same rows for every image."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from dali_pipelines.thumbnail_settings import DetectorSettings

SIZE = 64  # px: grids of 8, 4 and 2 cells a side
ROWS = 64 + 16 + 4

Row = tuple[float, float, float, float, float, float]


def write_detector(
    folder: Path, rows: Mapping[int, Row], *, by_input: bool = False, shape: tuple[int, ...] = ()
) -> DetectorSettings:
    """The settings of a model that gives `rows` by their number, zeros else.

    With `by_input` their scores are times the mean of the image at the network, over 255.
    """
    onnx = pytest.importorskip("onnx", reason="onnx is not installed (the export extra has it)")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed (export extra)")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    table = np.zeros((1, ROWS, 6), np.float32)
    for index, row in rows.items():
        table[0, index] = row
    shape = shape or (1, ROWS, 6)
    nodes = [helper.make_node("ReduceMean", ["images"], ["mean"], keepdims=0)]
    scale = np.zeros((1, 1, 6), np.float32)
    scale[..., 4] = 1 / 255 if by_input else 0
    nodes += [
        helper.make_node("Mul", ["mean", "scale"], ["by_mean"]),
        helper.make_node("Add", ["by_mean", "plain"], ["factors"]),
        helper.make_node("Mul", ["table", "factors"], ["boxes"]),
        helper.make_node("Reshape", ["boxes", "shape"], ["output"]),
    ]
    plain = np.ones((1, 1, 6), np.float32)
    plain[..., 4] = 0 if by_input else 1
    constants = {"scale": scale, "plain": plain, "table": table, "shape": np.array(shape)}
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("images", kind, (1, 3, SIZE, SIZE))],
        [helper.make_tensor_value_info("output", kind, shape)],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = folder / "boxes.onnx"
    path.write_bytes(model.SerializeToString())
    return DetectorSettings(str(path), hashlib.sha256(path.read_bytes()).hexdigest(), SIZE)
