"""Fitted similarities as JSON: written when a calibration is saved, read before a decision is taken.

Arrays are kept as float32, which is as precise as the embeddings are.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify_app.calibration.model import UNFITTED, Calibration
from verify_app.matching.learned import Kernel, Plda, Projected
from verify_app.matching.normalisation import AsNorm, Local
from verify_app.matching.reduction import Reduced
from verify_app.matching.similarity import Cosine, Euclidean, Similarity, similarity
from verify_app.reasons import ReasonCode, StateError

KINDS: dict[str, type[Any]] = {
    "cosine": Cosine,
    "euclidean": Euclidean,
    "projected": Projected,
    "plda": Plda,
    "kernel": Kernel,
    "as-norm": AsNorm,
    "local": Local,
    "reduced": Reduced,
}
HOLDING = ("cohort", "landmarks")
"""Parts of a similarity that are embeddings of people."""


def as_record(chosen: Any) -> dict[str, Any]:
    """A similarity of one of :data:`KINDS` with its parameters, ready for JSON; :func:`from_record` reads it back."""
    kind = next(name for name, made in KINDS.items() if isinstance(chosen, made))
    record: dict[str, Any] = {"kind": kind}
    for item in fields(KINDS[kind]):
        value = getattr(chosen, item.name)
        if isinstance(value, np.ndarray):
            record[item.name] = _packed(value)
        elif isinstance(value, tuple(KINDS.values())):
            record[item.name] = as_record(value)
        else:
            record[item.name] = value
    return record


def from_record(record: Any) -> Similarity:
    """Read a similarity.

    Raises:
        ValueError: the record is not one of :func:`as_record`, or holds a number that is not finite.
    """
    if not isinstance(record, dict) or record.get("kind") not in KINDS:
        raise ValueError("its similarity is of no known kind")
    made = KINDS[record["kind"]]
    try:
        values = {item.name: _unpacked(record[item.name]) for item in fields(made)}
        found: Similarity = made(**values)
    except KeyError as error:
        raise ValueError(f"the parameter {error.args[0]} of its similarity is missing") from None
    return found


def embeddings_in(record: dict[str, Any]) -> int:
    """How many embeddings of people a record holds: a cohort, or landmarks."""
    own = sum(int(record[name]["shape"][0]) for name in HOLDING if name in record)
    return own + sum(embeddings_in(part) for part in record.values() if isinstance(part, dict) and "kind" in part)


def similarity_of(calibration: Calibration, dimension: int) -> Similarity:
    """The similarity that a calibration holds for, with its parameters.

    Args:
        calibration: one that is valid for the embeddings to be compared.
        dimension: length of those embeddings.

    Raises:
        StateError: CALIBRATION_INVALID when the parameters are missing, damaged or made for another length.
    """
    if calibration.similarity in UNFITTED:
        return similarity(calibration.similarity)
    try:
        if calibration.parameters is None:
            raise ValueError("the parameters of its similarity are missing")
        found = from_record(calibration.parameters["record"])
        if found.name != calibration.similarity:
            raise ValueError(f"its parameters are those of {found.name}, not of {calibration.similarity}")
        scores = found.compare(np.eye(2, dimension), np.eye(2, dimension))
        if scores.shape != (2, 2) or not np.isfinite(scores).all():
            raise ValueError("its parameters give no scores")
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise StateError(
            ReasonCode.CALIBRATION_INVALID,
            f"The calibration {calibration.name!r} cannot be used: {error}.",
            "Calibrate again with the present model and samples.",
        ) from None
    return found


def dimension_of(calibration: Calibration) -> int:
    """Length of the embeddings a calibration's parameters were fitted to, as the record tells; 1 when it does not."""
    record = (calibration.parameters or {}).get("record", {})
    for name in ("projection", "centre", "landmarks", "cohort"):
        shape = record.get(name, {}).get("shape") if isinstance(record.get(name), dict) else None
        if shape:
            return int(shape[0] if name in ("projection", "centre") else shape[-1])
    return 1


def _packed(values: NDArray[Any]) -> dict[str, Any]:
    content = np.ascontiguousarray(values, dtype="<f4")
    return {"shape": list(content.shape), "float32": base64.b64encode(content.tobytes()).decode("ascii")}


def _unpacked(value: Any) -> Any:
    if isinstance(value, dict) and "kind" in value:
        return from_record(value)
    if not isinstance(value, dict):
        return value
    try:
        content = np.frombuffer(base64.b64decode(value["float32"], validate=True), dtype="<f4")
        values = content.reshape(value["shape"]).astype(np.float64)
    except (binascii.Error, KeyError, TypeError, ValueError):
        raise ValueError("a parameter of its similarity is damaged") from None
    if not np.isfinite(values).all():
        raise ValueError("a parameter of its similarity is not a finite number")
    return values
