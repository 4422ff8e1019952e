"""Write the detector as an ONNX file that ``cv2.FaceDetectorYN`` reads.

Batch normalisation is folded into the convolutions, so the graph holds convolutions,
activations, additions, nearest resizes and the reshaping of the heads, nothing else.
The graph is built node by node: every name is ours and the file does not depend on the
version of a tracer.
"""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from .network import HEADS, STRIDES, Detector, Separable

Array = NDArray[np.float32]
OPSET = 13


def folded(block: nn.Sequential) -> tuple[Array, Array]:
    """Weight and bias of a convolution with its batch normalisation folded in."""
    conv, norm = block[0], block[1]
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_var is not None
    assert norm.running_mean is not None
    scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    weight = conv.weight.double() * scale[:, None, None, None]
    bias = norm.bias.double() - norm.running_mean.double() * scale
    return weight.detach().float().numpy(), bias.detach().float().numpy()


class _Graph:
    """Nodes and constants of the graph under construction."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        if all(c.name != name for c in self.constants):
            self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, op: str, inputs: list[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def conv(self, x: str, name: str, weight: Array, bias: Array, stride: int, groups: int) -> str:
        kernel = weight.shape[2]
        inputs = [x, self.constant(f"{name}.weight", weight), self.constant(f"{name}.bias", bias)]
        pads = [kernel // 2] * 4
        return self.node("Conv", inputs, name, kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=pads, group=groups)

    def block(self, x: str, name: str, block: nn.Sequential) -> str:
        weight, bias = folded(block)
        conv = block[0]
        assert isinstance(conv, nn.Conv2d)
        y = self.conv(x, name, weight, bias, conv.stride[0], conv.groups)
        return self.node("Relu", [y], f"{name}.relu") if len(block) > 2 else y

    def separable(self, x: str, name: str, module: Separable) -> str:
        y = self.block(x, f"{name}.depthwise", module.depthwise)
        y = self.block(y, f"{name}.pointwise", module.pointwise)
        if module.residual:
            y = self.node("Add", [x, y], f"{name}.add")
        return self.node("Relu", [y], f"{name}.relu")

    def stage(self, x: str, name: str, stage: nn.Sequential) -> str:
        for i, module in enumerate(stage):
            if isinstance(module, Separable):
                x = self.separable(x, f"{name}.{i}", module)
            else:
                assert isinstance(module, nn.Sequential)
                x = self.block(x, f"{name}.{i}", module)
        return x

    def upsampled(self, x: str, name: str) -> str:
        roi = self.constant("resize.roi", np.zeros(0, np.float32))
        scales = self.constant("resize.scales", np.array([1, 1, 2, 2], np.float32))
        return self.node(
            "Resize",
            [x, roi, scales],
            name,
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )


def _normalised_stem(detector: Detector) -> tuple[Array, Array]:
    """Fold 1/64 of ``(x - 127.5) / 64`` into the stem; the shift stays a node (padding is zero)."""
    weight, bias = folded(detector.stem)
    return weight / 64.0, bias


def build(detector: Detector) -> onnx.ModelProto:
    """The ONNX model of a trained detector; height, width and batch are free."""
    detector = copy.deepcopy(detector).eval().cpu()  # a training goes on with its own, where it is
    g = _Graph()
    x = g.node("Sub", ["input", g.constant("mid_grey", np.full((1, 1, 1, 1), 127.5, np.float32))], "centred")
    x = g.node("Relu", [g.conv(x, "stem", *_normalised_stem(detector), stride=2, groups=1)], "stem.relu")
    c4 = g.stage(x, "stage4", detector.stage4)
    c8 = g.stage(c4, "stage8", detector.stage8)
    c16 = g.stage(c8, "stage16", detector.stage16)
    c32 = g.stage(c16, "stage32", detector.stage32)

    pyramid: dict[int, str] = {}
    above: str | None = None
    for level, features in ((2, c32), (1, c16), (0, c8)):
        y = g.block(features, f"lateral.{level}", detector.lateral[level])  # type: ignore[arg-type]
        if above is not None:
            y = g.node("Add", [y, g.upsampled(above, f"up.{level}")], f"sum.{level}")
        above = pyramid[level] = g.separable(y, f"merge.{level}", detector.merge[level])  # type: ignore[arg-type]

    for level, stride in enumerate(STRIDES):
        y = g.separable(pyramid[level], f"tower.{level}", detector.tower[level])  # type: ignore[arg-type]
        predict = detector.predict[level]
        assert isinstance(predict, nn.Conv2d)
        assert predict.bias is not None
        first = 0
        for head, width in HEADS:
            weight = predict.weight[first : first + width].detach().numpy()
            bias = predict.bias[first : first + width].detach().numpy()
            name = f"{head}_{stride}"
            z = g.conv(y, f"{name}.conv", weight, bias, stride=1, groups=1)
            z = g.node("Transpose", [z], f"{name}.cells", perm=[0, 2, 3, 1])
            shape = g.constant(f"shape.{width}", np.array([0, -1, width], np.int64))
            sigmoid = head in ("cls", "obj")
            z = g.node("Reshape", [z, shape], f"{name}.logit" if sigmoid else name)
            if sigmoid:
                g.node("Sigmoid", [z], name)
            first += width

    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, "height", "width"])]
    outputs = [
        helper.make_tensor_value_info(f"{head}_{stride}", TensorProto.FLOAT, ["batch", f"cells_{stride}", width])
        for head, width in HEADS
        for stride in STRIDES
    ]
    graph = helper.make_graph(g.nodes, "face_detector", inputs, outputs, g.constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="verify_app")
    model.ir_version = 7
    onnx.checker.check_model(model)
    return model


def save(detector: Detector, path: Path) -> None:
    """Write the ONNX file in one step: a reader sees the old file or the new one, never half."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    onnx.save(build(detector), str(partial))
    partial.replace(path)
