"""A microphone that is not there is a reason, not a crash."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import pytest

from verify_app.capture.microphone import Microphone, list_microphones
from verify_app.domain import Modality
from verify_app.reasons import Reason, ReasonCode, UnusableInput

T = TypeVar("T")


def _reason_or_result(attempt: Callable[[], T]) -> tuple[Reason | None, T | None]:
    try:
        return None, attempt()
    except UnusableInput as refusal:
        return refusal.reason, None


def test_microphones_are_listed_or_the_reason_is_given(capfd: pytest.CaptureFixture[str]) -> None:
    reason, devices = _reason_or_result(list_microphones)

    assert capfd.readouterr() == ("", "")
    if devices is None:
        assert reason is not None
        assert reason.code is ReasonCode.MICROPHONE_UNAVAILABLE
        assert "libportaudio2" in reason.advice
    else:
        assert all(device.name for device in devices)
        assert sum(device.default for device in devices) <= 1


def test_recording_gives_a_sample_or_the_reason(capfd: pytest.CaptureFixture[str]) -> None:
    microphone = Microphone()
    reason, sample = _reason_or_result(lambda: microphone.read(0.3))
    microphone.close()

    assert capfd.readouterr() == ("", "")
    if sample is None:
        assert reason is not None
        assert reason.code is ReasonCode.MICROPHONE_UNAVAILABLE
        assert reason.advice
    else:
        assert sample.modality is Modality.VOICE
        assert sample.device_class == "microphone"
        assert np.isfinite(sample.data).all()
