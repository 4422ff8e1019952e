"""The two speaker encoders our voice encoder learns from, in batches on the CPU.

- Resemblyzer (Apache-2.0, PyPI): GE2E LSTM, 256 numbers. Only its weights are used; the
  arithmetic around them is restated here so that many clips share one batch.
- thin ResNet (MIT, VoxCeleb): 64 numbers, an ONNX file.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

RATE = 16_000
HOP = 160
WINDOW = 400

PARTIAL = 160
"""Frames of one Resemblyzer window (1.6 s)."""

PARTIAL_STEP = 77
"""Frames from one window to the next: 1.3 windows a second."""

COVERAGE = 0.75
"""Share of the last window that must be audio for it to count."""

VAD_FRAME = 480
VAD_SMOOTHING = 8
VAD_DILATION = 7
LOUDNESS = 10 ** (-30 / 20)
"""Root mean square that quiet clips are raised to (-30 dBFS)."""


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows scaled to unit Euclidean length."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return (vectors / np.maximum(length, 1e-9)).astype(np.float32)


def trim_silence(waveform: NDArray[np.float32]) -> NDArray[np.float32]:
    """Raise a quiet waveform ``[T]`` to -30 dBFS and cut its long silences as Resemblyzer does."""
    import _webrtcvad
    from scipy.ndimage import binary_dilation

    level = float(np.sqrt(np.mean(waveform**2)))
    if 0 < level < LOUDNESS:
        waveform = waveform * (LOUDNESS / level)
    waveform = waveform[: len(waveform) // VAD_FRAME * VAD_FRAME]
    pcm = np.round(np.clip(waveform, -1, 1) * 32767).astype("<i2").tobytes()
    detector = _webrtcvad.create()
    _webrtcvad.init(detector)
    _webrtcvad.set_mode(detector, 3)
    step = VAD_FRAME * 2
    flags = np.array(
        [_webrtcvad.process(detector, RATE, pcm[at : at + step], VAD_FRAME) for at in range(0, len(pcm), step)],
        dtype=np.float64,
    )
    if not len(flags):
        return waveform
    padded = np.concatenate([np.zeros((VAD_SMOOTHING - 1) // 2), flags, np.zeros(VAD_SMOOTHING // 2)])
    smooth = np.round(np.convolve(padded, np.ones(VAD_SMOOTHING) / VAD_SMOOTHING, mode="valid")).astype(bool)
    keep = np.repeat(binary_dilation(smooth, np.ones(VAD_DILATION)), VAD_FRAME)
    return waveform[keep]


def partial_starts(samples: int) -> list[int]:
    """First frames of the windows that cover ``samples`` samples."""
    frames = -(-(samples + 1) // HOP)
    starts = list(range(0, max(1, frames - PARTIAL + PARTIAL_STEP + 1), PARTIAL_STEP))
    covered = (samples - starts[-1] * HOP) / (PARTIAL * HOP)
    return starts[:-1] if covered < COVERAGE and len(starts) > 1 else starts


class Resemblyzer:
    """Embeddings of the Resemblyzer package, many clips at a time."""

    dimension = 256

    def __init__(self) -> None:
        import librosa

        found = importlib.util.find_spec("resemblyzer")
        if found is None or not found.submodule_search_locations:
            raise SystemExit("The teacher is missing: pip install resemblyzer")
        weights = Path(found.submodule_search_locations[0]) / "pretrained.pt"
        state = torch.load(weights, map_location="cpu", weights_only=True)["model_state"]
        self.lstm = torch.nn.LSTM(40, 256, 3, batch_first=True)
        self.linear = torch.nn.Linear(256, 256)
        for prefix, module in (("lstm.", self.lstm), ("linear.", self.linear)):
            module.load_state_dict({k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)})
        self.mel = torch.from_numpy(librosa.filters.mel(sr=RATE, n_fft=WINDOW, n_mels=40))
        self.window = torch.hann_window(WINDOW)

    def windows(self, waveform: NDArray[np.float32]) -> torch.Tensor:
        """Mel power of the windows of one clip ``[T]`` as ``[K, 160, 40]``."""
        speech = trim_silence(waveform)
        if len(speech) < VAD_FRAME:
            speech = waveform
        starts = partial_starts(len(speech))
        needed = (starts[-1] + PARTIAL) * HOP
        signal = torch.zeros(max(needed, len(speech)))
        signal[: len(speech)] = torch.from_numpy(np.ascontiguousarray(speech))
        spectrum = torch.stft(
            signal, WINDOW, HOP, window=self.window, center=True, pad_mode="constant", return_complex=True
        )
        mel = (self.mel @ spectrum.abs().square()).T
        return torch.stack([mel[at : at + PARTIAL] for at in starts])

    @torch.inference_mode()
    def embed(self, waveforms: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Unit embeddings ``[N, 256]`` of 16 kHz clips, each the mean of its windows."""
        pieces = [self.windows(waveform) for waveform in waveforms]
        _, (hidden, _) = self.lstm(torch.cat(pieces))
        raw = torch.relu(self.linear(hidden[-1]))
        parts = torch.nn.functional.normalize(raw, dim=1).split([len(piece) for piece in pieces])
        return unit(np.stack([part.mean(0).numpy() for part in parts]))


class ThinResNet:
    """Embeddings of the thin ResNet, many clips at a time."""

    dimension = 64
    SEGMENT = 127

    def __init__(self, path: Path, threads: int = 1) -> None:
        import librosa
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session: Any = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.mel = torch.from_numpy(
            librosa.filters.mel(sr=RATE, n_fft=512, n_mels=80, fmin=20, fmax=7600, htk=True, norm=None)
        )
        self.window = torch.hann_window(WINDOW)

    def windows(self, waveform: NDArray[np.float32]) -> NDArray[np.float32]:
        """Normalised log-mel segments of one clip ``[T]`` as ``[K, 1, 80, 128]``."""
        samples = max(len(waveform), (self.SEGMENT - 1) * HOP + 512)
        signal = torch.zeros(samples)
        signal[: len(waveform)] = torch.from_numpy(np.ascontiguousarray(waveform))
        spectrum = torch.stft(
            signal, 512, HOP, win_length=WINDOW, window=self.window, center=False, return_complex=True
        )
        mel = torch.log(torch.clamp(self.mel @ spectrum.abs().square(), min=1e-9))
        count = max(1, round(mel.shape[1] / self.SEGMENT))
        starts = np.linspace(0, mel.shape[1] - self.SEGMENT, count).round().astype(int)
        segments = torch.zeros(count, 1, 80, 128)
        for number, start in enumerate(starts):
            segments[number, 0, :, : self.SEGMENT] = mel[:, start : start + self.SEGMENT]
        # The 128th frame stays zero, and the mean is taken before it is appended.
        body = segments[..., : self.SEGMENT]
        body -= body.mean(-1, keepdim=True)
        return segments.clamp(-6.8, 6.8).numpy()

    def embed(self, waveforms: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Unit embeddings ``[N, 64]`` of 16 kHz clips, each the mean of its segments."""
        pieces = [self.windows(waveform) for waveform in waveforms]
        name = self.session.get_inputs()[0].name
        raw = unit(self.session.run(None, {name: np.concatenate(pieces)})[0])
        edges = np.cumsum([len(piece) for piece in pieces])[:-1]
        return unit(np.stack([part.mean(0) for part in np.split(raw, edges)]))
