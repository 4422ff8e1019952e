"""Networks. Each gives raw (not yet unit-length) embeddings; ``build`` reads a configuration.

The face network follows the residual design of He et al. (2016) with the "global depth-wise"
pooling of MobileFaceNet (Chen et al., 2018): every place of the last map has its own weight, since
in an aligned crop the eyes are always in the same place.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.training.voice_network import VoiceEncoder


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions around a shortcut; ``stride`` 2 halves the map."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(channels_out)
        self.second = nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(channels_out)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride, bias=False),
                nn.BatchNorm2d(channels_out),
            )

    def forward(self, maps: Tensor) -> Tensor:
        """``[B, in, H, W]`` to ``[B, out, H / stride, W / stride]``."""
        inner = functional.relu(self.first_norm(self.first(maps)))
        return functional.relu(self.second_norm(self.second(inner)) + self.shortcut(maps))


class PlacePooling(nn.Module):
    """A weighted sum over the map with one weight per channel and place.

    The weights are stored for ``side`` x ``side``; a map of another size (training at low
    resolution) gets them resized, so one set of weights serves every size.
    """

    def __init__(self, channels: int, side: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, channels, side, side) * 0.02 + 1.0 / side**2)

    def resized(self, height: int, width: int) -> Tensor:
        """The weights for a map of that size; they keep their sum."""
        old = self.weight.shape[-2:]
        if old == (height, width):
            return self.weight
        share = old[0] * old[1] / (height * width)
        return share * functional.interpolate(self.weight, (height, width), mode="bilinear", antialias=True)

    def forward(self, maps: Tensor) -> Tensor:
        """``[B, C, H, W]`` to ``[B, C]``."""
        return (maps * self.resized(maps.shape[-2], maps.shape[-1])).sum(dim=(2, 3))


class ResidualEncoder(nn.Module):
    """Residual network for aligned crops: 3 x 112 x 112 (or smaller) to ``dimension`` numbers.

    ``widths`` and ``depths`` give channels and blocks per stage. The stem halves the map; every
    stage halves it again, except a first stage that ``keep_first`` leaves at the stem's size.
    Input: float ``[B, 3, S, S]``, RGB, 0..255; pixels are scaled to -1..1 here.
    """

    def __init__(
        self,
        widths: list[int],
        depths: list[int],
        stem: int = 32,
        expansion: int = 512,
        dimension: int = 128,
        keep_first: bool = False,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, stem, 3, 2, 1, bias=False), nn.BatchNorm2d(stem), nn.ReLU(inplace=True))
        blocks: list[nn.Module] = []
        channels = stem
        for number, (width, depth) in enumerate(zip(widths, depths, strict=True)):
            for block in range(depth):
                halves = block == 0 and not (keep_first and number == 0)
                blocks.append(ResidualBlock(channels, width, 2 if halves else 1))
                channels = width
        self.blocks = nn.Sequential(*blocks)
        self.expand = nn.Sequential(
            nn.Conv2d(channels, expansion, 1, bias=False),
            nn.BatchNorm2d(expansion),
            nn.ReLU(inplace=True),
        )
        self.halvings = 1 + len(widths) - int(keep_first)
        self.pool = PlacePooling(expansion, self._side(112))
        self.pool_norm = nn.BatchNorm1d(expansion)
        self.project = nn.Linear(expansion, dimension)

    def _side(self, size: int) -> int:
        """Side of the last map for inputs of ``size`` pixels; every halving rounds up."""
        for _ in range(self.halvings):
            size = (size + 1) // 2
        return size

    def forward(self, pixels: Tensor) -> Tensor:
        """``[B, 3, S, S]`` in 0..255 to raw embeddings ``[B, dimension]``."""
        maps = self.expand(self.blocks(self.stem((pixels - 127.5) / 127.5)))
        raw: Tensor = self.project(self.pool_norm(self.pool(maps)))
        return raw

    @torch.no_grad()
    def fix_size(self, size: int) -> None:
        """Keep pooling weights for inputs of ``size`` pixels alone, as an export needs them."""
        side = self._side(size)
        self.pool.weight = nn.Parameter(self.pool.resized(side, side))


BACKBONES: dict[str, type[nn.Module]] = {"residual": ResidualEncoder, "voice-time": VoiceEncoder}
"""Networks by the ``kind`` used in a configuration."""


def build(options: dict[str, Any]) -> nn.Module:
    """The network a configuration's ``[backbone]`` table describes.

    Raises ValueError for an unknown ``kind`` or a setting the network does not take.
    """
    settings = dict(options)
    kind = str(settings.pop("kind", ""))
    if kind not in BACKBONES:
        raise ValueError(f"unknown backbone {kind!r}; choose from {', '.join(BACKBONES)}")
    try:
        return BACKBONES[kind](**settings)
    except TypeError as error:
        raise ValueError(f"backbone {kind!r}: {error}") from None
