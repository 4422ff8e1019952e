"""The landmark network and its ONNX file.

A second, closer look at a found face: the face is brought roughly into place by the
detector's landmarks, and the network says where the landmarks really are. Seven plain
convolutions and one linear layer, which sees the whole face at once.
"""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

SIDE = 48  # pixels of the input, both ways
OPSET = 13

# Where the landmarks of a face in place lie in the input: the ArcFace template (J. Deng et al.,
# CVPR 2019), about its centre, at the scale at which 100 of its pixels fill the input.
_ARCFACE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float32
)
TEMPLATE = ((_ARCFACE - _ARCFACE.mean(0)) * (SIDE / 100) + (SIDE - 1) / 2).astype(np.float32)
EYES = float(np.linalg.norm(TEMPLATE[1] - TEMPLATE[0]))  # inter-eye distance in place, the unit of the output


def _conv(inp: int, out: int, stride: int, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inp, out, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(out, momentum=0.02)
    )


class Landmarks(nn.Module):
    """Float pixels [N, 3, 48, 48], RGB, 0 to 255, to landmarks [N, 10], x and y in turn, as distances
    from :data:`TEMPLATE` in inter-eye distances."""

    def __init__(self) -> None:
        super().__init__()
        shapes = ((3, 20, 2), (20, 40, 2), (40, 40, 1), (40, 80, 2), (80, 80, 1), (80, 80, 1), (80, 32, 1, 1))
        self.layers = nn.ModuleList(_conv(*shape) for shape in shapes)
        self.linear = nn.Linear(32 * 36, 10)
        nn.init.normal_(self.linear.weight, std=0.002)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = (x - 127.5) / 64.0
        for layer in self.layers:
            y = layer(x)
            x = torch.relu(x + y if y.shape == x.shape else y)
        return torch.as_tensor(self.linear(x.flatten(1)))


def _folded(layer: nn.Sequential) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weight and bias of a convolution with its batch normalisation folded in."""
    conv, norm = layer[0], layer[1]
    assert isinstance(conv, nn.Conv2d)
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_var is not None
    assert norm.running_mean is not None
    scale = norm.weight.double() / torch.sqrt(norm.running_var.double() + norm.eps)
    weight = (conv.weight.double() * scale[:, None, None, None]).detach().float().numpy()
    return weight, (norm.bias.double() - norm.running_mean.double() * scale).detach().float().numpy()


def build(network: Landmarks) -> onnx.ModelProto:
    """The ONNX model: ``image`` uint8 [N, 48, 48, 3] RGB to ``landmarks`` float32 [N, 5, 2] in its pixels.

    Weights are kept at half precision and widened when the session opens.
    """
    network = copy.deepcopy(network).eval().cpu()
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []

    def constant(name: str, value: NDArray[np.generic]) -> str:
        constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(op: str, inputs: list[str], output: str, **attributes: object) -> str:
        nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def half(name: str, value: NDArray[np.float32]) -> str:
        constant(f"{name}.half", value.astype(np.float16))
        return node("Cast", [f"{name}.half"], name, to=TensorProto.FLOAT)

    x = node("Cast", ["image"], "pixels", to=TensorProto.FLOAT)
    x = node("Transpose", [x], "planes", perm=[0, 3, 1, 2])
    x = node("Sub", [x, constant("mid_grey", np.full((1, 1, 1, 1), 127.5, np.float32))], "centred")
    x = node("Mul", [x, constant("contrast", np.full((1, 1, 1, 1), 1 / 64, np.float32))], "scaled")
    for i, layer in enumerate(network.layers):
        assert isinstance(layer, nn.Sequential)
        conv = layer[0]
        assert isinstance(conv, nn.Conv2d)
        weight, bias = _folded(layer)
        inputs = [x, half(f"{i}.weight", weight), constant(f"{i}.bias", bias)]
        size, stride = conv.kernel_size[0], conv.stride[0]
        pads = [size // 2] * 4
        y = node("Conv", inputs, f"{i}.conv", kernel_shape=[size] * 2, strides=[stride] * 2, pads=pads)
        if conv.in_channels == conv.out_channels:
            y = node("Add", [x, y], f"{i}.sum")
        x = node("Relu", [y], f"{i}.relu")
    x = node("Flatten", [x], "flat")
    # In pixels of the input: the linear layer speaks of inter-eye distances from the template.
    weight = half("linear.weight", (network.linear.weight * EYES).detach().numpy())
    bias = (network.linear.bias * EYES).detach().numpy() + TEMPLATE.ravel()
    x = node("Gemm", [x, weight, constant("linear.bias", bias)], "points", transB=1)
    node("Reshape", [x, constant("shape", np.array([-1, 5, 2], np.int64))], "landmarks")
    graph = helper.make_graph(
        nodes,
        "face_landmarks",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("landmarks", TensorProto.FLOAT, ["batch", 5, 2])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="verify_app")
    model.ir_version = 7
    onnx.checker.check_model(model)
    return model


def save(network: Landmarks, path: Path) -> None:
    """Write the ONNX file in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    onnx.save(build(network), str(partial))
    partial.replace(path)
