"""The voice encoder: waveform in, unit vector out, every step a node of the exported graph."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

RATE = 16_000
WINDOW = 400
"""Samples under one analysis window (25 ms)."""

HOP = 160
"""Samples from one frame to the next (10 ms)."""

TRANSFORM = 512
"""Length of the Fourier transform."""


def mel_filters(bands: int, low: float, high: float) -> Tensor:
    """Triangular filters ``[bands, 257]`` on the HTK mel scale (2595 log10(1 + f / 700)), f in Hz."""

    def mel(hertz: float) -> float:
        return 2595.0 * math.log10(1.0 + hertz / 700.0)

    edges = 700.0 * (10.0 ** (torch.linspace(mel(low), mel(high), bands + 2, dtype=torch.float64) / 2595.0) - 1.0)
    bins = torch.arange(TRANSFORM // 2 + 1, dtype=torch.float64) * RATE / TRANSFORM
    rising = (bins[None] - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins[None]) / (edges[2:] - edges[1:-1])[:, None]
    return torch.minimum(rising, falling).clamp(min=0).float()


def fourier_kernels() -> Tensor:
    """Hann-windowed cosines, then sines, ``[514, 1, 400]``: a convolution that is a Fourier transform."""
    time = torch.arange(WINDOW, dtype=torch.float64)
    frequency = torch.arange(TRANSFORM // 2 + 1, dtype=torch.float64)[:, None]
    angle = 2 * math.pi * frequency * time / TRANSFORM
    window = torch.hann_window(WINDOW, dtype=torch.float64)
    return torch.cat([torch.cos(angle) * window, -torch.sin(angle) * window])[:, None].float()


class LogMel(nn.Module):
    """Log-mel spectrogram ``[N, 1, bands, frames]`` of waveforms ``[N, T]``; loudness does not matter.

    The waveform is scaled to unit root mean square, a floor 80 dB below the mean power keeps digital
    silence finite, and every band has its mean over time subtracted (cepstral mean normalisation).

    ``as_convolution`` chooses the exported arithmetic; training takes the equal, faster Fourier transform.
    """

    def __init__(self, bands: int, low: float = 20.0, high: float = 7_600.0) -> None:
        super().__init__()
        self.as_convolution = False
        self.register_buffer("filters", mel_filters(bands, low, high), persistent=False)
        self.register_buffer("kernels", fourier_kernels(), persistent=False)
        self.register_buffer("window", torch.hann_window(WINDOW), persistent=False)

    def power(self, waveform: Tensor) -> Tensor:
        """Power spectrum ``[N, 257, frames]``."""
        if self.as_convolution:
            real, imaginary = functional.conv1d(waveform[:, None], self.kernels, stride=HOP).chunk(2, dim=1)
            return real * real + imaginary * imaginary
        frames = waveform.unfold(1, WINDOW, HOP) * self.window
        spectrum = torch.fft.rfft(frames, TRANSFORM)
        return torch.addcmul(spectrum.real.square(), spectrum.imag, spectrum.imag).transpose(1, 2)

    def forward(self, waveform: Tensor) -> Tensor:
        waveform = waveform - waveform.mean(1, keepdim=True)
        level = waveform.square().mean(1, keepdim=True).clamp(min=1e-14).sqrt()
        mel = torch.matmul(self.filters, self.power(waveform / level))
        logarithm = torch.log(mel + 1e-4)
        return (logarithm - logarithm.mean(2, keepdim=True))[:, None]


class TimeBlock(nn.Module):
    """A convolution over time (kernel 3) and one over channels around a shortcut (He et al., 2016)."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, (1, 3), padding=(0, dilation), dilation=(1, dilation), bias=False)
        self.first_norm = nn.BatchNorm2d(channels)
        self.second = nn.Conv2d(channels, channels, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(channels)

    def forward(self, frames: Tensor) -> Tensor:
        inner = functional.relu_(self.first_norm(self.first(frames)))
        return functional.relu_(self.second_norm(self.second(inner)) + frames)


class AttentivePooling(nn.Module):
    """Weighted mean and deviation over time (Okabe et al. 2018): ``[N, C, T]`` to ``[N, 2 C]``."""

    def __init__(self, channels: int, hidden: int = 128) -> None:
        super().__init__()
        self.hidden = nn.Conv1d(channels, hidden, 1)
        self.score = nn.Conv1d(hidden, channels, 1)

    def forward(self, frames: Tensor) -> Tensor:
        weight = torch.softmax(self.score(torch.tanh(self.hidden(frames))).float(), dim=2)
        frames = frames.float()
        mean = (weight * frames).sum(2)
        variance = (weight * frames.square()).sum(2) - mean.square()
        return torch.cat([mean, variance.clamp(min=1e-5).sqrt()], dim=1)


class VoiceEncoder(nn.Module):
    """Residual network over time: log-mel pictures ``[N, 1, bands, frames]`` to ``dimension`` raw numbers.

    A small two-dimensional stem (``stem`` filters, halving time and frequency) finds local patterns; from there on a
    frame is a vector of channels and every layer a wide, dense convolution over time, at 20 ms a frame
    (``widths[0]`` channels, ``depths[0]`` blocks), then at 40 ms (``widths[1]`` channels, one block for each of
    ``dilations``). Few large matrix products and small maps in between suit processors with matrix units.
    Tensors stay four-dimensional, ``[N, channels, 1, frames]``, for the faster convolution kernels.
    """

    def __init__(
        self,
        bands: int = 80,
        stem: int = 8,
        widths: tuple[int, int] = (256, 384),
        depth: int = 1,
        dilations: Sequence[int] = (1, 2, 3),
        expansion: int = 512,
        dimension: int = 256,
    ) -> None:
        super().__init__()
        self.bands = bands
        first, second = widths
        self.stem = nn.Conv2d(1, stem, 3, 2, 1, bias=False)
        self.stem_norm = nn.BatchNorm2d(stem)
        self.entry = nn.Conv2d(stem * ((bands + 1) // 2), first, (1, 3), padding=(0, 1), bias=False)
        self.entry_norm = nn.BatchNorm2d(first)
        self.fast = nn.Sequential(*(TimeBlock(first, 1) for _ in range(depth)))
        self.halving = nn.Conv2d(first, second, (1, 3), (1, 2), (0, 1), bias=False)
        self.halving_norm = nn.BatchNorm2d(second)
        self.slow = nn.Sequential(*(TimeBlock(second, dilation) for dilation in dilations))
        self.expand = nn.Conv2d(second, expansion, 1, bias=False)
        self.expand_norm = nn.BatchNorm2d(expansion)
        self.pooling = AttentivePooling(expansion)
        self.pooled_norm = nn.BatchNorm1d(2 * expansion)
        self.projection = nn.Linear(2 * expansion, dimension)

    def frames(self, maps: Tensor) -> Tensor:
        """What the network says of every 40 ms, ``[N, widths[1], 1, frames / 4]``."""
        maps = functional.relu_(self.stem_norm(self.stem(maps)))
        frames = maps.flatten(1, 2)[:, :, None]
        frames = self.fast(functional.relu_(self.entry_norm(self.entry(frames))))
        slow: Tensor = self.slow(functional.relu_(self.halving_norm(self.halving(frames))))
        return slow

    def pool(self, frames: Tensor) -> Tensor:
        """Raw numbers ``[N, dimension]`` of the ``frames``."""
        frames = functional.relu_(self.expand_norm(self.expand(frames)))
        raw: Tensor = self.projection(self.pooled_norm(self.pooling(frames[:, :, 0])))
        return raw

    def forward(self, maps: Tensor) -> Tensor:
        return self.pool(self.frames(maps))


class VoiceGraph(nn.Module):
    """What is shipped: waveforms ``[N, T]`` (16 kHz, T >= 16 000) to unit embeddings ``[N, D]``."""

    def __init__(self, encoder: VoiceEncoder) -> None:
        super().__init__()
        self.front_end = LogMel(encoder.bands)
        self.encoder = encoder

    def forward(self, waveform: Tensor) -> Tensor:
        return functional.normalize(self.encoder(self.front_end(waveform)), dim=1)
