"""The face encoders ours learns from, as torch modules: they run on a GPU, and on faces nobody has embedded yet.

- MobileFaceNet (Apache-2.0): an ONNX file of plain layers, 112 x 112, 128 numbers.
- dlib's residual network (King, 2017; public domain, PyPI ``face_recognition_models``): 150 x 150, 128 numbers.

Only weights are read; the arithmetic around them is restated here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.training.faces_augment import ALIGNED, STORED
from models.training.prepare_faces import TEACHER_DEVIATION, TEACHER_MEAN

CHIP = 150
"""Side of the crop dlib's network wants."""

CHIP_REACH = 0.786
"""Side of dlib's crop over that of the stored one."""

CHIP_PLACE = (0.0, 0.246)
"""Centre of dlib's crop in the stored one, both axes -1..1. Both are medians where dlib's own landmarks were followed;
one cut for all crops errs less than those landmarks do (development EER of dlib's network 4.1 against 4.7 %)."""


def dlib_weights(path: Path) -> Iterator[NDArray[np.float32]]:
    """The parameter tensors of a dlib network file, flat, from the input to the output.

    A tensor is stored as a version (2), four lengths and its numbers; whole numbers as a count of bytes and the bytes.
    Raises ValueError where the file holds something else.
    """
    content = path.read_bytes()
    for name in (b"con_4", b"affine_", b"fc_2"):
        if name not in content:
            raise ValueError(f"{path} is not dlib's face recognition network")
    at = 0
    while True:
        found = [
            (place, len(name)) for name in (b"con_4", b"affine_", b"fc_2") if (place := content.find(name, at)) >= 0
        ]
        if not found:
            return
        place, length = min(found)
        at = place + length
        numbers: list[int] = []
        for _ in range(7 if content[place:at] == b"fc_2" else 5):  # the last layer tells its two sides first
            size = content[at]
            numbers.append(int.from_bytes(content[at + 1 : at + 1 + size], "little"))
            at += 1 + size
        count = int(np.prod(numbers[-4:]))
        yield np.frombuffer(content, "<f4", count, at)
        at += 4 * count


class DlibBlock(nn.Module):
    """Two convolutions with a scale and an offset each, around a shortcut that is averaged where the map is halved."""

    def __init__(self, channels_in: int, channels_out: int, halves: bool) -> None:
        super().__init__()
        self.halves, self.channels = halves, channels_out
        self.first = nn.Conv2d(channels_in, channels_out, 3, 2 if halves else 1, 0 if halves else 1)
        self.second = nn.Conv2d(channels_out, channels_out, 3, 1, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """``[B, in, H, W]`` to ``[B, out, H', W']``; what a smaller map or fewer channels lack counts as zero."""
        inner = self.second(functional.relu(self.first(maps)))
        short = functional.avg_pool2d(maps, 2) if self.halves else maps
        height, width = (max(inner.shape[side], short.shape[side]) for side in (2, 3))
        both = [
            functional.pad(
                part, (0, width - part.shape[3], 0, height - part.shape[2], 0, self.channels - part.shape[1])
            )
            for part in (inner, short)
        ]
        return functional.relu(both[0] + both[1])


class DlibEncoder(nn.Module):
    """dlib's face network: stored crops ``[B, 3, 128, 128]`` RGB 0..255 to raw embeddings ``[B, 128]``."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        plan = [(32, 3), (64, 4), (128, 3), (256, 3)]
        blocks: list[DlibBlock] = []
        channels = 32
        for number, (width, depth) in enumerate(plan):
            for block in range(depth):
                blocks.append(DlibBlock(channels, width, number > 0 and block == 0))
                channels = width
        blocks.append(DlibBlock(channels, channels, True))
        self.stem = nn.Conv2d(3, 32, 7, 2)
        self.blocks = nn.Sequential(*blocks)
        self.project = nn.Linear(256, 128, bias=False)
        tensors = dlib_weights(path)
        for layer in (self.stem, *(conv for block in blocks for conv in (block.first, block.second))):
            self._fill(layer, next(tensors), next(tensors))
        self.project.weight.data = torch.from_numpy(next(tensors).reshape(256, 128).T.copy())
        self.eval().requires_grad_(False)

    @staticmethod
    def _fill(layer: nn.Conv2d, values: NDArray[np.float32], affine: NDArray[np.float32]) -> None:
        """Convolution, then scale and offset, as one convolution."""
        count = layer.weight.numel()
        scale, offset = torch.from_numpy(affine.copy()).chunk(2)
        kernel = torch.from_numpy(values[:count].copy()).view_as(layer.weight)
        layer.weight.data = kernel * scale[:, None, None, None]
        assert layer.bias is not None
        layer.bias.data = torch.from_numpy(values[count:].copy()) * scale + offset

    def embed_chips(self, chips: Tensor) -> Tensor:
        """dlib's own crops ``[B, 3, 150, 150]`` to raw embeddings."""
        mean = chips.new_tensor([122.782, 117.001, 104.298]).view(1, 3, 1, 1)
        maps = functional.relu(self.stem((chips - mean) / 256.0))
        maps = self.blocks(functional.max_pool2d(maps, 3, 2))
        raw: Tensor = self.project(maps.mean(dim=(2, 3)))
        return raw


def cut_chips(images: Tensor) -> Tensor:
    """dlib's crops ``[B, 3, 150, 150]`` out of stored ones ``[B, 3, 128, 128]``."""
    matrix = images.new_tensor([[CHIP_REACH, 0.0, CHIP_PLACE[0]], [0.0, CHIP_REACH, CHIP_PLACE[1]]])
    grid = functional.affine_grid(matrix.expand(len(images), 2, 3), [len(images), 3, CHIP, CHIP], align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


LAYERS: dict[str, Callable[[Tensor], Tensor]] = {
    "Clip": functional.relu6,
    "Relu": functional.relu,
    "Reshape": lambda maps: maps.flatten(1),
}
"""Layers without weights by their kind in an ONNX file."""


class PlainNetwork(nn.Module):
    """An ONNX file of convolutions, rectifiers and sums, run by torch.

    Raises ValueError for any other kind of layer.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        import onnx
        from onnx import numpy_helper

        graph = onnx.load(str(path)).graph
        values = {item.name: numpy_helper.to_array(item) for item in graph.initializer}
        self.layers = nn.ModuleDict()
        self.plan: list[tuple[str, list[str], str]] = []
        self.given = graph.input[0].name
        for number, node in enumerate(graph.node):
            if node.op_type == "Constant":
                continue
            key, inputs = f"{node.op_type}:{number}", list(node.input)
            if node.op_type == "Conv":
                self.layers[key] = convolution(node, values[inputs[1]], values[inputs[2]])
            elif node.op_type != "Add" and node.op_type not in LAYERS:
                raise ValueError(f"{path}: a layer of kind {node.op_type}, which is not plain")
            self.plan.append((key, inputs[: 2 if node.op_type == "Add" else 1], node.output[0]))
        self.last_use = {name: key for key, inputs, _ in self.plan for name in inputs}
        self.eval().requires_grad_(False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Network input to flat network output ``[B, D]``."""
        found = {self.given: pixels}
        for key, inputs, output in self.plan:
            kind = key.partition(":")[0]
            first = found[inputs[0]]
            if kind == "Conv":
                found[output] = self.layers[key](first)
            elif kind == "Add":
                found[output] = first + found[inputs[1]]
            else:
                found[output] = LAYERS[kind](first)
            for name in {name for name in inputs if self.last_use[name] == key}:
                del found[name]  # all maps together would fill the memory
        return found[output]


def convolution(node: Any, weight: NDArray[np.float32], bias: NDArray[np.float32]) -> nn.Conv2d:
    """The torch layer of an ONNX ``Conv`` node."""
    options = {item.name: list(item.ints) or item.i for item in node.attribute}
    out, inner, height, width = weight.shape
    groups = int(options["group"])
    layer = nn.Conv2d(inner * groups, out, (height, width), options["strides"], options["pads"][:2], groups=groups)
    layer.weight.data, layer.bias.data = torch.from_numpy(weight.copy()), torch.from_numpy(bias.copy())
    return layer


class FaceTeachers(nn.Module):
    """Both teachers on stored crops, each with the mirror of every crop."""

    def __init__(self, mobilefacenet: Path, dlib: Path) -> None:
        super().__init__()
        self.small, self.large = PlainNetwork(mobilefacenet), DlibEncoder(dlib)
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", torch.from_numpy(TEACHER_MEAN).view(1, 3, 1, 1) * 255.0)
        self.register_buffer("deviation", torch.from_numpy(TEACHER_DEVIATION).view(1, 3, 1, 1) * 255.0)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @torch.inference_mode()
    def forward(self, stored: Tensor) -> Tensor:
        """Crops ``[B, 3, 128, 128]``, 0..255, to float32 ``[B, 256]``.

        The first half is MobileFaceNet's, the second dlib's; each of unit length.
        """
        margin = (STORED - ALIGNED) // 2
        aligned = (stored[:, :, margin:-margin, margin:-margin] - self.mean) / self.deviation
        pieces = []
        for network, images in ((self.small, aligned), (self.large.embed_chips, cut_chips(stored))):
            both = torch.cat([images, images.flip(3)]).contiguous(memory_format=torch.channels_last)
            plain, mirrored = network(both).chunk(2)
            pieces.append(functional.normalize(plain + mirrored, dim=1))
        return torch.cat(pieces, dim=1)
