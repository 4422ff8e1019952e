"""Microphones."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from verify_app.capture.sound import clipped_share, to_16k
from verify_app.domain import FloatArray, Modality, Sample
from verify_app.native import quiet_stderr
from verify_app.reasons import ReasonCode, UnusableInput

MAX_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class MicrophoneDevice:
    """A microphone of this computer: the number to open it by, its name, and whether it is the usual one."""

    index: int
    name: str
    default: bool


def list_microphones() -> list[MicrophoneDevice]:
    """The microphones of this computer.

    Raises:
        UnusableInput: MICROPHONE_UNAVAILABLE when the sound library is missing.
    """
    library = _library()
    with quiet_stderr():
        devices = list(library.query_devices())
        usual = library.default.device[0]
    return [
        MicrophoneDevice(index, str(device["name"]), index == usual)
        for index, device in enumerate(devices)
        if device["max_input_channels"] > 0
    ]


class Microphone:
    """A source of voice samples: start, watch the level, stop.

    Args:
        device: number of a microphone; None means the usual one.
    """

    def __init__(self, device: int | None = None) -> None:
        self._device = device
        self._stream: Any = None
        self._rate = 0
        self._lock = threading.Lock()
        self._parts: list[FloatArray] = []
        self._level = 0.0

    def start(self) -> None:
        """Begin to record; UnusableInput MICROPHONE_UNAVAILABLE when that is impossible."""
        self.close()
        library = _library()
        try:
            with quiet_stderr():
                facts = library.query_devices(self._device, "input")
                self._rate = int(facts["default_samplerate"])
                self._parts, self._level = [], 0.0
                self._stream = library.InputStream(
                    samplerate=self._rate, device=self._device, channels=1, dtype="float32", callback=self._take
                )
                self._stream.start()
        except (library.PortAudioError, ValueError) as error:
            self._stream = None
            raise _unavailable(f"No microphone can be opened: {error}.") from None

    def level(self) -> float:
        """Peak of the last block, 0..1, for a level meter."""
        return self._level

    def seconds(self) -> float:
        """How much has been recorded so far."""
        with self._lock:
            return sum(map(len, self._parts)) / self._rate if self._rate else 0.0

    def stop(self) -> Sample:
        """End the recording and return it; UnusableInput MICROPHONE_UNAVAILABLE when nothing arrived."""
        self.close()
        with self._lock:
            recorded = np.concatenate(self._parts) if self._parts else np.empty(0, np.float32)
            self._parts = []
        if not len(recorded):
            raise _unavailable("The microphone gave no sound.")
        waveform = to_16k(recorded, self._rate)
        return Sample(
            Modality.VOICE,
            waveform,
            "microphone",
            hashlib.sha256(waveform.tobytes()).hexdigest(),
            device_class="microphone",
            details={
                "sample_rate": self._rate,
                "channels": 1,
                "seconds": len(recorded) / self._rate,
                "clipped_share": clipped_share(recorded),
            },
        )

    def read(self, seconds: float = 5.0) -> Sample:
        """Record for some seconds and return the recording; raises as :meth:`start` and :meth:`stop` do."""
        self.start()
        threading.Event().wait(min(seconds, MAX_SECONDS))
        return self.stop()

    def close(self) -> None:
        """Release the microphone; harmless when it is not in use."""
        if self._stream is not None:
            stream, self._stream = self._stream, None
            with quiet_stderr():
                stream.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _take(self, block: FloatArray, _frames: int, _time: Any, _status: Any) -> None:
        with self._lock:
            self._level = float(np.abs(block).max(initial=0.0))
            if sum(map(len, self._parts)) < MAX_SECONDS * self._rate:
                self._parts.append(block[:, 0].copy())


def _library() -> Any:
    try:
        with quiet_stderr():
            import sounddevice
    except (ImportError, OSError):
        raise UnusableInput(
            ReasonCode.MICROPHONE_UNAVAILABLE,
            "The microphone cannot be used: the sound library PortAudio is missing.",
            "On Debian and Ubuntu install it with: sudo apt install libportaudio2. Sound files work without it.",
        ) from None
    return sounddevice


def _unavailable(message: str) -> UnusableInput:
    return UnusableInput(
        ReasonCode.MICROPHONE_UNAVAILABLE,
        message,
        "Connect a microphone, allow the application to use it, or use a sound file.",
    )
