"""False-match rates in words that mean something to a person: "about 1 in 4 000"."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from verify_app.domain import Interval
from verify_app.gui.text import translate
from verify_app.reasons import Reason

THIN_SPACE = "\u202f"
RAREST = 1e-6
"""Rarer than this is said as "less than": no calibration here has seen so many comparisons."""


def number(value: int) -> str:
    """A whole number with thin spaces between the thousands: ``12 500``."""
    return f"{value:,}".replace(",", THIN_SPACE)


def _two_figures(value: float) -> int:
    """``value`` rounded to two significant figures (to a whole number below 100)."""
    if value < 100:
        return max(1, round(value))
    step = int(10 ** (math.floor(math.log10(value)) - 1))
    return round(value / step) * step


def one_in(rate: float) -> str:
    """A rate as odds: ``1 in 4 000``; 0 is ``none seen`` because a rate of zero is never known."""
    if not math.isfinite(rate) or rate <= 0:
        return translate("words", "none seen")
    if rate < RAREST:
        return translate("words", "less than {odds}").format(odds=one_in(RAREST))
    if rate >= 0.95:
        return translate("words", "almost everybody")
    if rate > 0.4:
        return translate("words", "{count} in 10").format(count=round(rate * 10))
    return translate("words", "1 in {count}").format(count=number(_two_figures(1 / rate)))


def rate_sentence(rate: Interval) -> str:
    """What a predicted false-match rate means, in one sentence without the interval."""
    if rate.value >= 0.95:
        return translate("words", "Almost everybody else would score this high")
    if rate.value > 0.4:
        share = translate("words", "{count} in 10").format(count=round(rate.value * 10))
        return translate("words", "About {share} other people would score this high").format(share=share)
    if rate.value < RAREST:
        return translate("words", "Fewer than {odds} other people would score this high").format(odds=one_in(RAREST))
    return translate("words", "About {odds} other people would score this high").format(odds=one_in(rate.value))


def interval_phrase(rate: Interval) -> str:
    """The interval of a rate, the more frequent end first: ``95 %: 1 in 2 500 to 1 in 7 000``."""
    confidence = round(rate.confidence * 100)
    if rate.low <= 0 and rate.high >= RAREST:
        return translate("words", "{confidence} %: {often} or rarer").format(
            confidence=confidence, often=one_in(rate.high)
        )
    often, rarely = one_in(rate.high), one_in(rate.low)
    if often == rarely or 0 < rate.high < RAREST:
        return translate("words", "{confidence} %: {often}").format(confidence=confidence, often=often)
    return translate("words", "{confidence} %: {often} to {rarely}").format(
        confidence=confidence, often=often, rarely=rarely
    )


def percent(rate: float) -> str:
    """A rate as a percentage with as many figures as its size deserves: ``3.2 %``, ``0.04 %``."""
    if rate <= 0:
        return "0 %"
    value = rate * 100
    if value >= 1:
        return f"{value:.1f} %"
    digits = min(9, 1 - math.floor(math.log10(value)))
    return f"{f'{value:.{digits}f}'.rstrip('0').rstrip('.')} %"


def modality_name(modality: str) -> str:
    """``face`` and ``voice`` as headings."""
    return {"face": translate("words", "Face"), "voice": translate("words", "Voice")}.get(modality, modality)


_PARTS = {
    "sharpness": lambda: translate("words", "Sharpness"),
    "brightness": lambda: translate("words", "Brightness"),
    "contrast": lambda: translate("words", "Contrast"),
    "eye_distance": lambda: translate("words", "Between the eyes"),
    "yaw": lambda: translate("words", "Turned sideways"),
    "pitch": lambda: translate("words", "Turned up or down"),
    "roll": lambda: translate("words", "Tilted"),
    "detector_score": lambda: translate("words", "Detector score"),
    "speech_seconds": lambda: translate("words", "Speech"),
    "snr": lambda: translate("words", "Signal to noise"),
    "clipped_share": lambda: translate("words", "Overdriven"),
    "level": lambda: translate("words", "Level"),
    "decay": lambda: translate("words", "Fades by, per second"),
    "bandwidth": lambda: translate("words", "Bandwidth"),
    "standing_tones": lambda: translate("words", "Standing tones"),
    "beat": lambda: translate("words", "Beat"),
    "one_voice": lambda: translate("words", "Alike throughout"),
    "symmetry": lambda: translate("words", "Left like right"),
    "misfit": lambda: translate("words", "Off a frontal face"),
}


def measure_name(name: str) -> str:
    """A quality measure's name for people; unknown names are shown as words."""
    known = _PARTS.get(name)
    return known() if known else name.replace("_", " ").capitalize()


_UNITS: dict[str, Callable[[float], str]] = {
    "yaw": lambda value: f"{value:.0f}°",
    "pitch": lambda value: f"{value:.0f}°",
    "roll": lambda value: f"{value:.0f}°",
    "eye_distance": lambda value: f"{value:.0f} px",
    "speech_seconds": lambda value: f"{value:.1f} s",
    "snr": lambda value: f"{value:.0f} dB",
    "level": lambda value: f"{value:.0f} dB",
    "decay": lambda value: f"{value:.0f} dB",
    "bandwidth": lambda value: f"{value:.1f} kHz",
    "misfit": lambda value: f"{value:.1f} px",
    "clipped_share": percent,
}


def measure_value(name: str, value: float) -> str:
    """A quality measure in its own unit."""
    known = _UNITS.get(name)
    return known(value) if known else f"{value:.2f}"


def source_name(source: str) -> str:
    """Where a sample came from: a device by name, a file by its last part."""
    known = {"camera": translate("words", "Camera"), "microphone": translate("words", "Microphone")}
    return known.get(source) or source.replace("\\", "/").rsplit("/", 1)[-1]


def shorter(reason: Reason, source: str) -> Reason:
    """The reason with the last part of a file's path in place of the whole path, which the window shows elsewhere."""
    return replace(reason, message=reason.message.replace(source, source_name(source)))
