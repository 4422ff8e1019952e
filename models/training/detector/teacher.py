"""What the teacher detector sees: soft targets for every cell, and its features as hints.

A small network taught by labels alone needs millions of faces before its landmarks follow
the face. The teacher (YuNet, ``yunet_n_dynamic.onnx``) gives every cell of every picture a
target, and the features behind it (Romero et al., "FitNets: hints for thin deep nets",
2015), from which our own layers learn far faster. It runs on the device of the training.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper
from torch import Tensor

from .network import HEADS, STRIDES
from .targets import assign, cells

# Features of the teacher that guide ours: (weight of the first convolution of the block, our features).
HINTS = {
    "stage8": "backbone.model3.conv2.conv1.weight",
    "stage16": "backbone.model4.conv2.conv1.weight",
    "stage32": "backbone.model5.conv2.conv1.weight",
    "merge8": "neck.lateral_convs.0.conv1.weight",
    "merge16": "neck.lateral_convs.1.conv1.weight",
    "merge32": "neck.lateral_convs.2.conv1.weight",
    "tower8": "bbox_head.multi_level_share_convs.0.0.conv1.weight",
    "tower16": "bbox_head.multi_level_share_convs.1.0.conv1.weight",
    "tower32": "bbox_head.multi_level_share_convs.2.0.conv1.weight",
}
MISSED = 0.7  # a labelled face the teacher scores below this is taught from its label,
CLEAR = 14.0  # if its side has so many pixels; smaller ones are as sure as the teacher is
SURE = 0.9  # score of a face taught from its label


@dataclass
class Lesson:
    """Per cell [N, M, ...]: ``score`` 0..1, ``near`` (in or about a labelled box), ``raw`` box and
    landmarks as the heads encode them (14); and the teacher's features by name, [N, 64, h, w]."""

    score: Tensor
    near: Tensor
    raw: Tensor
    hints: dict[str, Tensor]


class Teacher:
    """A YuNet file as tensor operations, with its features as further outputs."""

    def __init__(self, path: Path, device: torch.device, guiding: bool = True) -> None:
        """Without ``guiding`` it gives no features."""
        graph = onnx.load(str(path)).graph
        self.nodes = [n for n in graph.node if n.op_type in ("Conv", "Relu", "MaxPool", "Resize", "Add", "Sigmoid")]
        self.attributes = [{a.name: onnx.helper.get_attribute_value(a) for a in n.attribute} for n in self.nodes]
        self.weights = {
            t.name: torch.from_numpy(numpy_helper.to_array(t).copy()).to(device)
            for t in graph.initializer if t.data_type == onnx.TensorProto.FLOAT
        }  # fmt: skip
        self.same = _reshaped(graph)
        self.hints = {ours: _activation(graph, weight) for ours, weight in HINTS.items()} if guiding else {}
        self.scales: dict[str, Tensor] = {}  # [64] per feature: what its channels are divided by

    @torch.no_grad()
    def __call__(self, pixels: Tensor) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Scores [N, M], raw box and landmarks [N, M, 14], features; of pictures float32 [N, 3, S, S] BGR."""
        values = {"input": pixels}
        for node, attributes in zip(self.nodes, self.attributes, strict=True):
            x = values[self.same.get(node.input[0], node.input[0])]
            values[node.output[0]] = self._computed(node, attributes, x, values)

        def head(name: str) -> Tensor:
            maps = [values[self.same.get(f"{name}_{s}", f"{name}_{s}")] for s in STRIDES]
            return torch.cat([m.flatten(2).transpose(1, 2) for m in maps], 1)

        cls, obj, box, kps = (head(name) for name, _ in HEADS)
        hints = {}
        for ours, theirs in self.hints.items():
            scale = self.scales.get(ours)
            hints[ours] = values[theirs] if scale is None else values[theirs] / scale[:, None, None]
        return (cls * obj).sqrt()[..., 0], torch.cat([box, kps], 2), hints

    def _computed(
        self, node: onnx.NodeProto, attributes: dict[str, list[int]], x: Tensor, values: dict[str, Tensor]
    ) -> Tensor:
        if node.op_type == "Conv":
            weight, bias = (self.weights[name] for name in node.input[1:3])
            return F.conv2d(
                x,
                weight,
                bias,
                attributes["strides"],
                attributes["pads"][:2],
                groups=int(attributes["group"]),  # type: ignore[call-overload]
            )
        if node.op_type == "Relu":
            return F.relu(x)
        if node.op_type == "MaxPool":
            return F.max_pool2d(x, 2)
        if node.op_type == "Resize":
            return F.interpolate(x, scale_factor=2, mode="nearest")
        if node.op_type == "Add":
            return x + values[node.input[1]]
        return x.sigmoid()

    def study(self, pixels: Tensor) -> None:
        """Set the scale of every feature channel to its deviation over pictures, at least a quarter of its level's."""
        self.scales = {}
        deviations = {k: v.std(dim=(0, 2, 3)) for k, v in self(pixels)[2].items()}
        self.scales = {k: torch.maximum(v, 0.25 * v.mean()) for k, v in deviations.items()}


def _reshaped(graph: onnx.GraphProto) -> dict[str, str]:
    """Names of values that are others with their cells in a row: the map behind each."""
    source: dict[str, str] = {}
    for node in graph.node:
        if node.op_type in ("Transpose", "Reshape"):
            source[node.output[0]] = source.get(node.input[0], node.input[0])
    return source


def _activation(graph: onnx.GraphProto, weight: str) -> str:
    """Name of the first activation after the convolution that uses ``weight``."""
    name = next(n.output[0] for n in graph.node if weight in n.input)
    while True:
        node = next(n for n in graph.node if name in n.input)
        name = node.output[0]
        if node.op_type == "Relu":
            return str(name)


@torch.no_grad()
def lesson(teacher: Teacher, clean: Tensor, faces: Tensor) -> Lesson:
    """The lesson of a batch: the teacher's word near labelled boxes, background elsewhere, the landmarks
    of the labels, and the label itself for faces the teacher misses. ``clean`` are the pictures before
    light and occlusion, ``faces`` [N, K, 15] as in their plan."""
    size = clean.shape[-1]
    score, raw, hints = teacher(clean)
    corner, stride = cells(size, clean.device)
    centre, half = faces[..., None, :2] + faces[..., None, 2:4] / 2, faces[..., None, 2:4] / 2
    away = (corner - centre).abs()  # [N, K, M, 2]
    known, certain = faces[..., 14:] >= 0, faces[..., 14:] == 1
    inside = (away < half + stride).all(3) & known
    near = inside.any(1)
    # The label was read from a larger picture: better landmarks than from this one.
    distance = torch.where((away < 0.6 * half).all(3) & certain, away.amax(3), torch.inf)
    nearest, which = distance.min(1)
    labelled = encoded(faces.gather(1, which[..., None].expand(-1, -1, 15)), corner, stride)
    raw[..., 4:] = torch.where(nearest.isfinite()[..., None], labelled[..., 4:], raw[..., 4:])

    best = torch.where(inside, score[:, None], 0.0).amax(2)
    missed = (faces[..., 14] == 1) & (best < MISSED) & (faces[..., 2:4].clamp(min=0).prod(-1) >= CLEAR**2)
    owner = assign(faces, size)
    mine = (owner >= 0) & missed.gather(1, owner.clamp(min=0))
    taught = encoded(faces.gather(1, owner.clamp(min=0)[..., None].expand(-1, -1, 15)), corner, stride)
    raw = torch.where(mine[..., None], taught, raw)
    return Lesson(torch.where(mine, SURE, score) * near, near, raw, hints)


def encoded(faces: Tensor, corner: Tensor, stride: Tensor) -> Tensor:
    """Box and landmarks [N, M, 14] of the face of each cell [N, M, 15], as the heads give them."""
    centre = (faces[..., :2] + faces[..., 2:4] / 2 - corner) / stride
    extent = (faces[..., 2:4].clamp(min=1e-3) / stride).log()
    points = (faces[..., 4:14] - corner.repeat(1, 5)) / stride
    return torch.cat([centre, extent, points], -1)
