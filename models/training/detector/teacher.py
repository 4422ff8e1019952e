"""What the teacher detector sees: soft targets for every cell, and its features as hints.

A small network taught by labels alone needs millions of faces before its landmarks follow
the face. The teacher (YuNet, ``yunet_n_dynamic.onnx``) gives every cell of every picture a
target, and the features behind it (Romero et al., "FitNets: hints for thin deep nets",
2015), from which our own layers learn far faster.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import helper

from .data import Floats, Pixels
from .network import HEADS, STRIDES
from .targets import Targets

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
MISSED = 0.5  # a labelled face the teacher scores below this is taught from its label


@dataclass
class Lesson:
    """Per cell [N, M, ...]: ``score`` 0..1, ``near`` (in or about a labelled box), ``raw`` box and
    landmarks as the heads encode them (14); and the teacher's features by name, [N, 64, h, w]."""

    score: Floats
    near: NDArray[np.bool_]
    raw: Floats
    hints: dict[str, NDArray[np.float16]]


class Teacher:
    """The teacher with its features as further outputs; one thread."""

    def __init__(self, path: Path, scales: dict[str, Floats] | None = None, guiding: bool = True) -> None:
        """``scales`` [64] per feature, from :meth:`spread`: what its channels are divided by; without
        ``guiding`` it gives no features."""
        self.scales = scales or {}
        model = onnx.load(str(path))
        hints = [_activation(model.graph, weight) for weight in HINTS.values()] if guiding else []
        model.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in hints)
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self.session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        self.names = [f"{head}_{s}" for head, _ in HEADS for s in STRIDES] + hints

    def __call__(self, pixels: Pixels) -> tuple[Floats, Floats, dict[str, NDArray[np.float16]]]:
        """Scores [N, M], raw box and landmarks [N, M, 14], features; of pictures uint8 [N, S, S, 3] BGR."""
        x = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)).astype(np.float32)
        out = self.session.run(self.names, {"input": x})
        cls, obj, box, kps = (np.concatenate(out[3 * k : 3 * k + 3], axis=1) for k in range(4))
        hints = {}
        for name, value in zip(HINTS, out[12:], strict=False):
            scale = self.scales.get(name)
            hints[name] = (value if scale is None else value / scale[:, None, None]).astype(np.float16)
        return np.sqrt(cls * obj)[..., 0], np.concatenate([box, kps], axis=2), hints

    def spread(self, pixels: Pixels) -> dict[str, Floats]:
        """Standard deviation of every feature channel over pictures, at least a quarter of its level's mean."""
        hints = Teacher.__call__(self, pixels)[2]
        deviations = {k: v.astype(np.float32).std(axis=(0, 2, 3)) for k, v in hints.items()}
        return {k: np.maximum(v, 0.25 * v.mean()) for k, v in deviations.items()}


def _activation(graph: onnx.GraphProto, weight: str) -> str:
    """Name of the first activation after the convolution that uses ``weight``."""
    name = next(n.output[0] for n in graph.node if weight in n.input)
    while True:
        node = next(n for n in graph.node if name in n.input)
        name = node.output[0]
        if node.op_type == "Relu":
            return str(name)


def lesson(teacher: Teacher, clean: Pixels, faces: list[Floats], targets: list[Targets]) -> Lesson:
    """The lesson of a batch: the teacher's word near labelled boxes, background elsewhere, the landmarks
    of the labels, and the label itself for faces the teacher misses. ``clean`` are the pictures before
    light and occlusion."""
    size = clean.shape[1]
    score, raw, hints = teacher(clean)
    corner, stride = _cells(size)
    near = np.zeros(score.shape, bool)
    for k, (rows, target) in enumerate(zip(faces, targets, strict=True)):
        for face in rows:
            centre, half = face[:2] + face[2:4] / 2, face[2:4] / 2
            inside = (np.abs(corner - centre) < half + stride[:, None]).all(1)
            near[k] |= inside
            if face[14] == 1:  # the label was read from a larger picture: better landmarks than from this one
                middle = (np.abs(corner - centre) < 0.6 * half).all(1)
                raw[k][middle, 4:] = (np.tile(-corner[middle], 5) + face[4:14]) / stride[middle, None]
            if face[14] == 1 and score[k][inside].max(initial=0) < MISSED:
                mine = (target.state == 1) & (np.abs(target.box[:, :2] - centre) < 0.01).all(1)
                score[k][mine] = 0.9
                raw[k][mine] = _encoded(target, corner, stride)[mine]
    return Lesson((score * near).astype(np.float32), near, raw.astype(np.float32), hints)


def _cells(size: int) -> tuple[Floats, Floats]:
    corners, strides = [], []
    for stride in STRIDES:
        axis = np.arange(size // stride, dtype=np.float32) * stride
        gx, gy = np.meshgrid(axis, axis)
        corners.append(np.stack([gx.ravel(), gy.ravel()], 1))
        strides.append(np.full(gx.size, stride, np.float32))
    return np.concatenate(corners), np.concatenate(strides)


def _encoded(target: Targets, corner: Floats, stride: Floats) -> Floats:
    s = stride[:, None]
    centre = (target.box[:, :2] - corner) / s
    size = np.log(np.maximum(target.box[:, 2:], 1e-3) / s)
    points = (target.points - np.tile(corner, 5)) / s
    return np.concatenate([centre, size, points], axis=1).astype(np.float32)
