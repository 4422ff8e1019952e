"""Degradations of clean speech: rooms, noise, babble, telephone, low-pass, tilt, clipping, coarse samples.

Everything that is a linear filter (room, telephone, low-pass, tilt) is one multiplication in the
frequency domain; the rest happens to the samples. Loudness is not varied: the front end removes it.
What is dear to make (rooms, artificial noise, babble) is made once, before training.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

RATE = 16_000
ROOM_SAMPLES = 8_000
"""Longest simulated room response: half a second."""


@dataclass(frozen=True)
class VoiceAugmentation:
    """Shares (0..1) of the samples that a degradation meets, and its range."""

    room: float = 0.35
    telephone: float = 0.12
    low_pass: float = 0.15
    tilt: float = 0.4
    noise: float = 0.6
    snr: tuple[float, float] = (0.0, 22.0)
    """Signal-to-noise ratio in dB, drawn evenly."""
    clipping: float = 0.05
    coarse: float = 0.05
    mask: float = 0.4
    """Share of spectrograms with a hidden band and a hidden stretch (Park et al., 2019)."""


def simulate_rooms(count: int, generator: torch.Generator) -> Tensor:
    """Room responses ``[count, 8000]``: a direct sound, a few early echoes, a decaying tail.

    Reverberation time (60 dB) 0.1 to 0.8 s; the direct sound is 3 to 15 dB above the rest.
    """
    time = torch.arange(ROOM_SAMPLES) / RATE
    decay = 0.1 + 0.7 * torch.rand(count, 1, generator=generator)
    tail = torch.randn(count, ROOM_SAMPLES, generator=generator) * 10 ** (-3.0 * time / decay)
    tail[:, : RATE // 400] = 0.0
    echoes = torch.randint(16, 800, (count, 6), generator=generator)
    strength = torch.randn(count, 6, generator=generator) * 3.0 * 10 ** (-3.0 * echoes / RATE / decay)
    tail.scatter_add_(1, echoes, strength)
    tail /= tail.square().sum(1, keepdim=True).sqrt()
    direct = 10 ** ((3.0 + 12.0 * torch.rand(count, generator=generator)) / 20.0)
    tail[:, 0] = direct
    return tail / tail.square().sum(1, keepdim=True).sqrt()


def roll_off(frequency: Tensor, corner: Tensor, order: float, rising: bool) -> Tensor:
    """Magnitude of a Butterworth low-pass (or, ``rising``, high-pass) at ``frequency`` in Hz."""
    ratio = corner / frequency.clamp(min=1.0) if rising else frequency / corner
    return (1.0 + ratio.clamp(max=1e3) ** (2 * order)).rsqrt()


def channel(count: int, options: VoiceAugmentation, device: torch.device) -> Tensor:
    """Magnitude responses ``[count, 257]`` of random microphones and lines, 0 to 8 kHz."""
    frequency = torch.linspace(0, RATE / 2, 257, device=device)

    def chosen(share: float) -> Tensor:
        return torch.rand(count, 1, device=device) < share

    response = torch.ones(count, len(frequency), device=device)
    knots = 6.0 * torch.randn(count, 1, 7, device=device)
    tilt = functional.interpolate(knots, len(frequency), mode="linear", align_corners=True)[:, 0]
    response = torch.where(chosen(options.tilt), 10 ** (tilt.clamp(-15, 15) / 20.0), response)
    corner = 2_500.0 + 4_500.0 * torch.rand(count, 1, device=device)
    low = roll_off(frequency, corner, 8.0, rising=False)
    response = torch.where(chosen(options.low_pass), response * low, response)
    lowest, highest = frequency.new_full((), 300.0), frequency.new_full((), 3_400.0)
    line = roll_off(frequency, lowest, 4.0, rising=True) * roll_off(frequency, highest, 10.0, rising=False)
    return torch.where(chosen(options.telephone), response * line, response)


def coloured_noise(count: int, samples: int) -> Tensor:
    """Noise ``[count, samples]`` whose power falls by 0 to 6 dB per octave."""
    spectrum = torch.fft.rfft(torch.randn(count, samples))
    slope = torch.rand(count, 1)
    frequency = torch.arange(spectrum.shape[1]).clamp(min=1).float()
    return torch.fft.irfft(spectrum * frequency**-slope, samples)


def babble(speech: Tensor) -> Tensor:
    """Mixtures ``[B, T]`` of one to six equally loud rows of ``speech`` ``[B, T]``."""
    level = speech.square().mean(1, keepdim=True).sqrt().clamp(min=1e-5)
    count = len(speech)
    loudness = torch.rand(count, 6) * (torch.arange(6)[None] < torch.randint(1, 7, (count, 1)))
    mixture = torch.zeros(count, count).scatter_add_(1, torch.randint(count, (count, 6)), loudness)
    return mixture @ (speech / level)


def add_noise(speech: Tensor, noise: Tensor, options: VoiceAugmentation) -> Tensor:
    """Speech ``[B, T]`` plus, in some rows, ``noise`` ``[B, T]`` at a random signal-to-noise ratio."""
    low, high = options.snr
    ratio = low + (high - low) * torch.rand(len(speech), 1, device=speech.device)
    wanted = speech.square().mean(1, keepdim=True) * 10 ** (-ratio / 10.0)
    gain = (wanted / noise.square().mean(1, keepdim=True).clamp(min=1e-10)).sqrt()
    return torch.addcmul(speech, noise, gain * (torch.rand(len(speech), 1, device=speech.device) < options.noise))


def chosen_rows(count: int, share: float, device: torch.device) -> Tensor:
    """Numbers of a random ``share`` of ``count`` rows, drawn on the CPU: a GPU need not tell how many they are."""
    return (torch.rand(count) < share).nonzero().flatten().to(device, non_blocking=True)


def distort(speech: Tensor, options: VoiceAugmentation) -> Tensor:
    """Clip some rows at a share of their peak; give others the steps of an 8-bit mu-law line."""
    rows = chosen_rows(len(speech), options.clipping, speech.device)
    if len(rows):
        share = 0.1 + 0.5 * torch.rand(len(rows), 1, device=speech.device)
        limit = speech[rows].abs().amax(1, keepdim=True).clamp(min=1e-5) * share
        speech = speech.index_copy(0, rows, torch.minimum(torch.maximum(speech[rows], -limit), limit))
    rows = chosen_rows(len(speech), options.coarse, speech.device)
    if len(rows):
        peak = speech[rows].abs().amax(1, keepdim=True).clamp(min=1e-5)
        small = speech[rows] / peak
        pressed = torch.sign(small) * torch.log1p(255 * small.abs()) / 5.545
        steps = (pressed * 127).round() / 127
        speech = speech.index_copy(0, rows, torch.sign(steps) * torch.expm1(5.545 * steps.abs()) / 255 * peak)
    return speech


def transform_length(samples: int) -> int:
    """Length of the Fourier transform for crops of ``samples``: the next multiple of 4096, a quick one.

    It leaves no room for echoes: those of the end wrap round to the beginning.
    """
    return -(-samples // 4_096) * 4_096


def augment(speech: Tensor, noise: Tensor, rooms: Tensor, options: VoiceAugmentation) -> Tensor:
    """Degrade clean speech ``[B, T]``; the result has the same shape.

    ``noise`` ``[B, T]``: one stretch a row. ``rooms``: spectra ``[R, F]`` of room responses at ``transform_length(T)``.
    """
    count, samples = speech.shape
    length = transform_length(samples)
    noise_first = bool(torch.rand(()) < 0.3)
    if noise_first:
        speech = add_noise(speech, noise, options)
    spectrum = torch.fft.rfft(speech, length)
    response = channel(count, options, speech.device)[:, None]
    spectrum *= functional.interpolate(response, spectrum.shape[1], mode="linear", align_corners=True)[:, 0]
    inside = chosen_rows(count, options.room, speech.device)
    spectrum[inside] *= rooms[torch.randint(len(rooms), (len(inside),)).to(speech.device, non_blocking=True)]
    filtered = torch.fft.irfft(spectrum, length)[:, :samples]
    # Noise that came before the filter passed through the same room and line; otherwise it is added behind it.
    return distort(filtered if noise_first else add_noise(filtered, noise, options), options)


def mask(maps: Tensor, share: float) -> Tensor:
    """Hide one band (up to 8 rows) and one stretch (up to 20 frames) in some log-mel pictures."""
    count, _, bands, frames = maps.shape
    device = maps.device
    chosen = torch.rand(count, 1, device=device) < share
    for size, widest, shape in ((bands, 8, (count, 1, bands, 1)), (frames, 20, (count, 1, 1, frames))):
        width = torch.rand(count, 1, device=device) * widest
        start = torch.rand(count, 1, device=device) * (size - width)
        place = torch.arange(size, device=device)[None]
        hidden = (place >= start) & (place < start + width) & chosen
        maps = maps.masked_fill(hidden.view(shape), 0.0)
    return maps
