"""The detector network: a small convolutional pyramid with YuNet's head layout.

Three levels (strides 8, 16, 32) predict, for every cell, a class probability, an
objectness, a box and five landmarks, encoded as YuNet encodes them (Wu, Peng and Yu,
"YuNet: a tiny millisecond-level face detector", 2023), so that OpenCV's
``FaceDetectorYN`` decodes the exported file:

    score = sqrt(class * objectness)
    centre = (cell + box[0:2]) * stride        size = exp(box[2:4]) * stride
    landmark = (cell + point) * stride
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

STRIDES = (8, 16, 32)
HEADS = (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10))
HEAD_CHANNELS = sum(width for _, width in HEADS)


@dataclass(frozen=True)
class Layout:
    """Widths and depths of the network; the defaults are what ships."""

    stem: int = 16
    quarter: int = 32
    eighth: int = 64
    sixteenth: int = 64
    thirtysecond: int = 80
    neck: int = 64
    depths: tuple[int, int, int, int] = (0, 2, 3, 3)


def _conv(inp: int, out: int, kernel: int, stride: int = 1, groups: int = 1, relu: bool = True) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(inp, out, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out, momentum=0.03),
    ]
    if relu:
        layers.append(nn.ReLU(inplace=True))
    return nn.Sequential(*layers)


class Separable(nn.Module):
    """Depthwise then pointwise convolution, then the activation; ``residual`` adds the input before it."""

    def __init__(self, inp: int, out: int, stride: int = 1, kernel: int = 3, residual: bool = False) -> None:
        super().__init__()
        self.depthwise = _conv(inp, inp, kernel, stride, groups=inp)
        self.pointwise = _conv(inp, out, 1, relu=False)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        y = self.pointwise(self.depthwise(x))
        return torch.relu(x + y if self.residual else y)


def _stage(inp: int, out: int, depth: int, kernel: int = 3) -> nn.Sequential:
    blocks = [Separable(inp, out, stride=2)]
    blocks += [Separable(out, out, kernel=kernel, residual=True) for _ in range(depth)]
    return nn.Sequential(*blocks)


class Detector(nn.Module):
    """Photograph to raw head maps.

    ``forward`` takes float pixels [N, 3, H, W], BGR, 0 to 255, H and W multiples of 32,
    and returns one tensor per stride, [N, 16, H/s, W/s]: class and objectness logits,
    then box (4) and landmarks (10).
    """

    def __init__(self, layout: Layout | None = None) -> None:
        super().__init__()
        w = layout or Layout()
        self.layout = w
        self.stem = _conv(3, w.stem, 3, 2)
        # Early maps are large and thin: a plain convolution is faster there than a separable one.
        early = [Separable(w.quarter, w.quarter, residual=True) for _ in range(w.depths[0])]
        self.stage4 = nn.Sequential(_conv(w.stem, w.quarter, 3, 2), *early)
        self.stage8 = _stage(w.quarter, w.eighth, w.depths[1])
        self.stage16 = _stage(w.eighth, w.sixteenth, w.depths[2])
        self.stage32 = _stage(w.sixteenth, w.thirtysecond, w.depths[3], kernel=5)
        self.lateral = nn.ModuleList(
            _conv(width, w.neck, 1, relu=False) for width in (w.eighth, w.sixteenth, w.thirtysecond)
        )
        self.merge = nn.ModuleList(Separable(w.neck, w.neck) for _ in STRIDES)
        self.tower = nn.ModuleList(Separable(w.neck, w.neck) for _ in STRIDES)
        self.predict = nn.ModuleList(nn.Conv2d(w.neck, HEAD_CHANNELS, 1) for _ in STRIDES)
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        for layer in self.predict:
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)
            nn.init.constant_(layer.bias[:2], -4.0)  # faces are rare: start near "no face"

    def forward(self, x: Tensor) -> list[Tensor]:
        return self.study(x)[0]

    def study(self, x: Tensor) -> tuple[list[Tensor], dict[str, Tensor]]:
        """The head maps, and the features that a teacher may guide, by the names it uses."""
        x = (x - 127.5) / 64.0
        c8 = self.stage8(self.stage4(self.stem(x)))
        c16 = self.stage16(c8)
        c32 = self.stage32(c16)
        p32 = self.merge[2](self.lateral[2](c32))
        p16 = self.merge[1](self.lateral[1](c16) + self.up(p32))
        p8 = self.merge[0](self.lateral[0](c8) + self.up(p16))
        pyramid = (p8, p16, p32)
        towers = [tower(p) for p, tower in zip(pyramid, self.tower, strict=True)]
        maps = [predict(t) for t, predict in zip(towers, self.predict, strict=True)]
        features = {}
        for kind, levels in (("stage", (c8, c16, c32)), ("merge", pyramid), ("tower", towers)):
            features.update({f"{kind}{s}": level for s, level in zip(STRIDES, levels, strict=True)})
        return maps, features


class Deployed(nn.Module):
    """The network as exported: one tensor per head and stride, named by :func:`output_names`."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        maps = self.detector(x)
        outputs: list[Tensor] = []
        first = 0
        for name, width in HEADS:
            for level in maps:
                part = level[:, first : first + width].permute(0, 2, 3, 1).reshape(x.shape[0], -1, width)
                outputs.append(torch.sigmoid(part) if name in ("cls", "obj") else part)
            first += width
        return tuple(outputs)


def output_names() -> list[str]:
    """YuNet's output names, in its order: cls_8, cls_16, cls_32, obj_8, ... kps_32."""
    return [f"{name}_{stride}" for name, _ in HEADS for stride in STRIDES]
