"""A calibration: what a comparison score means, for one contract and one similarity, until a date."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify_app.domain import Interval
from verify_app.evaluation.intervals import CONFIDENCE
from verify_app.reasons import ReasonCode, StateError

SCHEMA = 1
UNFITTED = ("cosine", "euclidean")
"""Similarities that have no parameters; every other one decides only with those it was calibrated with."""
FEWEST_COUNTED = 10
"""From so many non-mated comparisons above a score on, its false-match rate is counted; below, it is extrapolated."""
ROUNDING = 1e-9
"""Relative slack of comparisons between rates, for floating-point noise."""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A score's meaning, tabulated; between two points it is interpolated, beyond the ends it stays level.

    Attributes:
        score: float64 array (k,), ascending.
        llr: float64 array (k,), natural-log likelihood ratio, never falling.
        fmr: float64 array (k,), predicted false-match rate, 0 < rate <= 1, never rising.
        fmr_low: float64 array (k,), lower 95 % bound.
        fmr_high: float64 array (k,), upper 95 % bound.
    """

    score: NDArray[np.float64]
    llr: NDArray[np.float64]
    fmr: NDArray[np.float64]
    fmr_low: NDArray[np.float64]
    fmr_high: NDArray[np.float64]

    def __post_init__(self) -> None:
        size = self.score.size
        for item in fields(self):
            column = getattr(self, item.name)
            if column.ndim != 1 or column.size != size or size < 2 or not np.isfinite(column).all():
                raise ValueError(f"{item.name} must be a list of at least two finite numbers, as long as score")
        if (np.diff(self.score) <= 0).any():
            raise ValueError("score must be rising")
        if (np.diff(self.llr) < 0).any():
            raise ValueError("llr must not fall")
        for column in (self.fmr, self.fmr_low, self.fmr_high):
            if (np.diff(column) > 0).any() or column.min() <= 0 or column.max() > 1:
                raise ValueError("false-match rates must lie above 0, not exceed 1 and not rise")
        if (self.fmr_low > self.fmr * (1 + ROUNDING)).any() or (self.fmr_high < self.fmr * (1 - ROUNDING)).any():
            raise ValueError("each false-match rate must lie within its bounds")


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """How scores of one contract and similarity translate into likelihood ratios and false-match rates.

    Attributes:
        name: what people call it.
        modality: ``"face"`` or ``"voice"``, or another word for vectors from elsewhere.
        contract_id: the embedding contract it holds for.
        similarity: the similarity it holds for.
        references: how many reference samples stand behind each score it was fitted on.
        origin: ``"general"`` when shipped with a model, ``"own"`` when fitted by the user.
        device_class: where its samples came from (``"file"``, ``"camera"`` …).
        method: how scores became likelihood ratios: ``"logistic"``, ``"isotonic"`` or ``"tail"``.
        created: day it was fitted.
        expires: first day on which it no longer holds; None for never.
        mated: number of mated comparisons it was fitted on.
        non_mated: number of non-mated comparisons.
        subjects: number of subjects; None when the trials did not name them.
        data_digest: SHA-256 of the scores and labels it was fitted on, hexadecimal.
        target_fmr: false-match rate of its own operating point, 0..1.
        threshold: score from which that operating point accepts; infinity (null in JSON) when no score can.
        supported_fmr: smallest false-match rate these data can show at 95 %.
        saved_anyway: True when it was saved although its target is below ``supported_fmr``.
        curve: the tabulated meaning of scores.
        figures: error rates and costs measured at fitting, ready for JSON.
        history: what was done to the data before the fit, one sentence each (exclusions with reasons).
        parameters: of a fitted similarity, else None: ``record`` (see :mod:`verify_app.matching.records`),
            ``contract`` (of the embeddings it was fitted to), ``embeddings`` (how many embeddings of people the
            record holds), ``samples`` (ids of the stored samples these are of) and ``subjects`` (how many people
            it was fitted to).
    """

    name: str
    modality: str
    contract_id: str
    similarity: str
    references: int
    origin: str
    device_class: str
    method: str
    created: date
    expires: date | None
    mated: int
    non_mated: int
    subjects: int | None
    data_digest: str
    target_fmr: float
    threshold: float
    supported_fmr: float
    saved_anyway: bool
    curve: Curve
    figures: dict[str, Any] = field(default_factory=dict)
    history: tuple[str, ...] = ()
    parameters: dict[str, Any] | None = None

    @property
    def embeddings(self) -> int:
        """How many embeddings of people its similarity holds: biometric data."""
        return 0 if self.parameters is None else int(self.parameters["embeddings"])

    def llr(self, score: float) -> float:
        """Natural-log likelihood ratio mated : non-mated of ``score``."""
        return self.meanings([score])[0][0]

    def predicted_fmr(self, score: float) -> Interval:
        """Share of non-mated comparisons expected to score at least ``score``, with its 95 % interval."""
        return self.meanings([score])[1][0]

    def meanings(self, scores: Sequence[float]) -> tuple[list[float], list[Interval]]:
        """:meth:`llr` and :meth:`predicted_fmr` of many scores, looked up at once."""
        llrs: list[float] = np.interp(scores, self.curve.score, self.curve.llr).tolist()
        columns = (
            np.interp(scores, self.curve.score, np.log(column)).tolist()
            for column in (self.curve.fmr, self.curve.fmr_low, self.curve.fmr_high)
        )
        rates = []
        for logs in zip(*columns, strict=True):
            value, low, high = map(math.exp, logs)
            rates.append(Interval(value, min(low, value), max(high, value), CONFIDENCE))
        return llrs, rates

    def extrapolates(self, score: float) -> bool:
        """Whether so few non-mated comparisons score this high that the predicted rate rests on the fitted tail."""
        return self.rests_on_tail(self.predicted_fmr(score).value)

    def rests_on_tail(self, fmr: float) -> bool:
        """:meth:`extrapolates` of a score whose predicted false-match rate is known already."""
        return fmr * self.non_mated < FEWEST_COUNTED

    def threshold_at(self, fmr: float) -> float:
        """Smallest score whose predicted false-match rate is at most ``fmr``; infinity when no score has that."""
        if not fmr > 0:
            return math.inf
        if abs(fmr - self.target_fmr) <= ROUNDING * self.target_fmr:
            return self.threshold
        within = self.curve.fmr <= fmr * (1 + ROUNDING)
        if not within.any():
            return math.inf
        place = int(np.argmax(within))
        if place == 0:
            return float(self.curve.score[0])
        before, after = np.log(self.curve.fmr[place - 1]), np.log(self.curve.fmr[place])
        part = min(1.0, (before - math.log(fmr)) / (before - after))
        left, right = self.curve.score[place - 1], self.curve.score[place]
        return float(left + part * (right - left))

    def threshold_at_llr(self, llr: float) -> float:
        """Smallest score whose log-likelihood ratio is at least ``llr``; infinity when no score has that."""
        within = self.curve.llr >= llr
        if not within.any():
            return math.inf
        place = int(np.argmax(within))
        if place == 0:
            return float(self.curve.score[0])
        before, after = self.curve.llr[place - 1], self.curve.llr[place]
        left, right = self.curve.score[place - 1], self.curve.score[place]
        return float(left + (llr - before) / (after - before) * (right - left))

    def supports(self, fmr: float) -> bool:
        """Whether these data are enough to claim a false-match rate of at most ``fmr`` at 95 %."""
        return fmr * (1 + ROUNDING) >= self.supported_fmr

    def check_valid(self, contract_id: str, similarity: str, today: date) -> None:
        """Do nothing when the calibration holds for this contract and similarity today.

        Raises:
            StateError: CALIBRATION_INVALID for another contract or similarity, or without the parameters of
                its similarity; CALIBRATION_EXPIRED from the day it expires.
        """
        advice = "Calibrate again with the present model and samples."
        if contract_id != self.contract_id:
            raise StateError(
                ReasonCode.CALIBRATION_INVALID,
                f"The calibration {self.name!r} was made for another model or preprocessing.",
                advice,
            )
        if similarity != self.similarity:
            raise StateError(
                ReasonCode.CALIBRATION_INVALID,
                f"The calibration {self.name!r} holds for {self.similarity} scores, not for {similarity}.",
                advice,
            )
        if self.similarity not in UNFITTED and (self.parameters or {}).get("contract") != contract_id:
            lack = "has lost" if self.parameters is None else "was made for another model or preprocessing than"
            raise StateError(
                ReasonCode.CALIBRATION_INVALID,
                f"The calibration {self.name!r} {lack} the parameters of its similarity, {self.similarity}.",
                advice,
            )
        if self.expires is not None and today >= self.expires:
            raise StateError(
                ReasonCode.CALIBRATION_EXPIRED, f"The calibration {self.name!r} expired on {self.expires}.", advice
            )

    def as_dict(self) -> dict[str, Any]:
        """The calibration, ready for JSON."""
        record: dict[str, Any] = {"schema": SCHEMA}
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, date):
                value = value.isoformat()
            elif isinstance(value, Curve):
                value = {key: column.tolist() for key, column in asdict(value).items()}
            elif isinstance(value, tuple):
                value = list(value)
            elif item.name == "threshold" and math.isinf(value):
                value = None
            record[item.name] = value
        return record

    def to_json(self) -> str:
        """The calibration as JSON text; :meth:`from_json` reads it back."""
        return json.dumps(self.as_dict(), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Calibration:
        """Read a calibration.

        Raises:
            StateError: CALIBRATION_INVALID when the text is not a calibration or not a consistent one.
        """
        try:
            return cls.from_dict(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise _invalid(str(error)) from None

    @classmethod
    def from_dict(cls, record: Any) -> Calibration:
        """Read a calibration from parsed JSON; errors as in :meth:`from_json`."""
        try:
            return _parse(record)
        except KeyError as error:
            raise _invalid(f"{error.args[0]} is missing") from None
        except (TypeError, ValueError, OverflowError) as error:
            raise _invalid(str(error)) from None


def choose(calibrations: Iterable[Calibration], references: int) -> Calibration | None:
    """The calibration for the most references that does not ask for more than ``references``."""
    usable = [calibration for calibration in calibrations if calibration.references <= references]
    return max(usable, key=lambda calibration: calibration.references, default=None)


def _invalid(why: str) -> StateError:
    return StateError(
        ReasonCode.CALIBRATION_INVALID, f"The calibration cannot be used: {why}.", "Export it again, or calibrate anew."
    )


def _parse(record: Any) -> Calibration:
    if not isinstance(record, dict):
        raise TypeError("it is not a JSON object")
    if record.get("schema") != SCHEMA:
        raise ValueError(f"its schema is {record.get('schema')!r}, and this version reads schema {SCHEMA}")
    curve = {item.name: np.array(record["curve"][item.name], dtype=np.float64) for item in fields(Curve)}
    subjects, expires = record["subjects"], record["expires"]
    calibration = Calibration(
        name=_text(record, "name"),
        modality=_text(record, "modality"),
        contract_id=_text(record, "contract_id"),
        similarity=_text(record, "similarity"),
        references=_count(record, "references", 1),
        origin=_text(record, "origin"),
        device_class=_text(record, "device_class"),
        method=_text(record, "method"),
        created=date.fromisoformat(record["created"]),
        expires=None if expires is None else date.fromisoformat(expires),
        mated=_count(record, "mated", 1),
        non_mated=_count(record, "non_mated", 1),
        subjects=None if subjects is None else _count(record, "subjects", 0),
        data_digest=_text(record, "data_digest"),
        target_fmr=_rate(record, "target_fmr"),
        threshold=math.inf if record["threshold"] is None else float(record["threshold"]),
        supported_fmr=_rate(record, "supported_fmr"),
        saved_anyway=record["saved_anyway"] is True,
        curve=Curve(**curve),
        figures=dict(record["figures"]),
        history=tuple(str(line) for line in record["history"]),
        parameters=_parameters(record.get("parameters")),
    )
    if calibration.origin not in {"general", "own"}:
        raise ValueError(f"its origin is {calibration.origin!r}")
    if math.isnan(calibration.threshold):
        raise ValueError("threshold must be a number")
    reachable = math.isfinite(calibration.threshold)
    if reachable and calibration.predicted_fmr(calibration.threshold).value > calibration.target_fmr * (1 + 1e-6):
        raise ValueError("its threshold accepts more false matches than its target allows")
    return calibration


def _parameters(found: Any) -> dict[str, Any] | None:
    if found is None:
        return None
    if not isinstance(found, dict) or not isinstance(found.get("record"), dict):
        raise TypeError("parameters must hold the record of a similarity")
    samples = found.get("samples")
    if not isinstance(samples, list) or not all(isinstance(one, str) for one in samples):
        raise TypeError("the samples of its parameters must be a list of ids")
    return {
        "record": found["record"],
        "contract": _text(found, "contract"),
        "embeddings": _count(found, "embeddings", 0),
        "samples": samples,
        "subjects": _count(found, "subjects", 1),
    }


def _text(record: dict[str, Any], key: str) -> str:
    if not isinstance(record[key], str) or not record[key]:
        raise TypeError(f"{key} must be text")
    return str(record[key])


def _count(record: dict[str, Any], key: str, least: int) -> int:
    value = record[key]
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise TypeError(f"{key} must be a whole number of at least {least}")
    return value


def _rate(record: dict[str, Any], key: str) -> float:
    value = record[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise TypeError(f"{key} must be a rate above 0 and at most 1")
    return float(value)
