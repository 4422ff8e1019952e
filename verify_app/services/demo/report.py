"""The demonstration as one HTML file that needs nothing else: crops and spectrograms are inside."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from verify_app import __version__
from verify_app.domain import Comparison, ImageArray, Interval
from verify_app.reasons import ReasonCode, UsageError
from verify_app.services.demo.run import Demo, DemoClaim, DemoSearch, counts
from verify_app.services.rates import rate_text, threshold_text

if TYPE_CHECKING:
    from verify_app.services.samples import SampleOutcome

TEMPLATE = "report.html.jinja"
SPECTROGRAM_ROWS = 96
LONGEST_SPECTROGRAM = 400
"""Columns of a spectrogram picture: four seconds."""


def write_report(demo: Demo, file: str | Path) -> Path:
    """Write the report.

    Raises:
        UsageError: the file cannot be written.
    """
    target = Path(file)
    try:
        target.write_text(render(demo), encoding="utf-8")
    except OSError as error:
        raise UsageError(
            ReasonCode.USAGE, f"{target} cannot be written: {error.strerror}.", "Choose another file with --report."
        ) from None
    return target


def render(demo: Demo) -> str:
    """The report as HTML."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("verify_app.services.demo", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(TEMPLATE).render(
        version=__version__,
        when=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
        seconds=f"{demo.seconds:.1f}",
        target=rate_text(demo.target_fmr),
        counts=counts(demo),
        people=[_person(enrolment.person.name, enrolment.outcomes) for enrolment in demo.enrolments],
        claims=[_claim(claim) for claim in demo.claims],
        searches=[_search(search) for search in demo.searches],
    )


def _person(name: str, outcomes: Sequence[SampleOutcome]) -> dict[str, Any]:
    return {"name": name, "samples": [_sample(outcome) for outcome in outcomes]}


def _claim(claim: DemoClaim) -> dict[str, Any]:
    decision = claim.result.decision
    return {
        "claimed": claim.claimed,
        "shown": claim.shown,
        "mated": claim.mated,
        "right": claim.right,
        "by": claim.by,
        "verified": decision.verified,
        "reason": decision.reason.message,
        **_rate(decision.predicted_fmr),
        "scores": [_score(comparison) for comparison in decision.comparisons],
        "samples": [_sample(outcome) for outcome in claim.result.samples],
    }


def _search(search: DemoSearch) -> dict[str, Any]:
    result = search.result
    return {
        "shown": search.shown,
        "enrolled": search.enrolled,
        "right": search.right,
        "match": result.match.name if result.match is not None else None,
        "reason": result.reason.message,
        "gallery": result.gallery,
        "candidates": [
            {"name": candidate.person.name, **_rate(candidate.predicted_fpir)} for candidate in result.candidates[:2]
        ],
        "samples": [_sample(outcome) for outcome in result.samples],
    }


def _rate(interval: Interval | None) -> dict[str, str]:
    if interval is None:
        return {"rate": "–", "rate_high": "–"}
    return {"rate": rate_text(interval.value), "rate_high": rate_text(interval.high)}


def _score(comparison: Comparison) -> dict[str, str]:
    return {
        "modality": comparison.modality.value,
        "score": f"{comparison.score:.3f}",
        "threshold": threshold_text(comparison.threshold),
    }


def _sample(outcome: SampleOutcome) -> dict[str, Any]:
    picture = outcome.crop if outcome.crop is not None else _spectrogram(outcome)
    return {
        "modality": outcome.modality.value if outcome.modality is not None else "",
        "file": Path(outcome.source).name,
        "picture": _data_uri(picture) if picture is not None else None,
        "quality": f"{outcome.quality.score:.2f}" if outcome.quality is not None else "–",
        "refused": outcome.reason.message if outcome.reason is not None else None,
    }


def _spectrogram(outcome: SampleOutcome) -> ImageArray | None:
    """The speech as a picture, low sounds at the bottom."""
    if outcome.analysis is None:
        return None
    from verify_app.native import opencv

    cv2 = opencv()
    decibels = outcome.analysis.spectrogram()[:, :LONGEST_SPECTROGRAM]  # type: ignore[union-attr]
    grey = np.round((decibels[::-1] + 80) / 80 * 255).astype(np.uint8)
    small = cv2.resize(grey, (grey.shape[1], SPECTROGRAM_ROWS), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.applyColorMap(small, cv2.COLORMAP_MAGMA)[:, :, ::-1], np.uint8)


def _data_uri(picture: ImageArray) -> str:
    """An RGB picture as WebP inside the page."""
    from verify_app.native import opencv

    cv2 = opencv()
    _, encoded = cv2.imencode(".webp", np.ascontiguousarray(picture[:, :, ::-1]), [cv2.IMWRITE_WEBP_QUALITY, 80])
    return "data:image/webp;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")
