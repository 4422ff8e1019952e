"""The encoders of this installation: what they are, and whether they run."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from verify_app.reasons import Reason, ReasonCode, StateError, UsageError
from verify_app.services.application import Application

if TYPE_CHECKING:
    from verify_app.encoders.manifest import ModelEntry


@dataclass(frozen=True, slots=True)
class ModelCheck:
    """What checking a model found.

    Attributes:
        entry: the model.
        works: True when the digest is right, the session loads and a run on zeros answers as it must.
        milliseconds: how long the run took.
        provider: which part of ONNX Runtime ran it, for encoders.
        reason: why it does not work.
    """

    entry: ModelEntry
    works: bool
    milliseconds: float = 0.0
    provider: str = ""
    reason: Reason | None = None


def check_model(app: Application, entry: ModelEntry) -> ModelCheck:
    """Check digest, session and a run on zeros; trouble is the result's reason."""
    try:
        entry.verify()
        run, provider = _runner(app, entry)
        run()
        began = time.perf_counter()
        run()
        elapsed = 1000 * (time.perf_counter() - began)
        return ModelCheck(entry, True, elapsed, provider())
    except StateError as error:
        return ModelCheck(entry, False, reason=error.reason)


@dataclass(frozen=True, slots=True)
class ChosenEncoder:
    """An encoder just put to use, and how many enrolled people have no template of it."""

    entry: ModelEntry
    people_without: int


def use_encoder(app: Application, name: str) -> ChosenEncoder:
    """Write to the settings that the encoder called ``name`` is the one of its modality.

    Raises:
        StateError: MODEL_MISSING for an unknown name, or as the model's own check raises when it is damaged.
        UsageError: the model is not an encoder.
    """
    entry = app.manifest.named(name)
    role = entry.role.replace("-", "_")
    if role not in ("face_encoder", "voice_encoder"):
        raise UsageError(ReasonCode.USAGE, f"{name} is not an encoder but a {entry.role.replace('-', ' ')}.")
    entry.verify()
    people = app.store.people()
    having = {template.person_id for template in app.store.templates(entry.contract.id)}
    app.settings.with_changes(**{role: name}).save()
    return ChosenEncoder(entry, sum(person.id not in having for person in people))


def card(entry: ModelEntry) -> str | None:
    """The model's card (Markdown), None when it has none."""
    file = entry.path.parent / "CARD.md"
    try:
        return file.read_text(encoding="utf-8")
    except OSError:
        return None


def _runner(app: Application, entry: ModelEntry) -> tuple[Any, Any]:
    """A function that runs the model on zeros, and one that names the provider afterwards."""
    if entry.role == "face-detector":
        from verify_app.face.detector import FaceDetector

        detector = FaceDetector(entry)
        return lambda: detector.detect(np.zeros((320, 320, 3), np.uint8)), lambda: "OpenCV"
    if entry.role == "face-landmarks":
        from verify_app.face.landmarks import SIDE, LandmarkFinder

        finder = LandmarkFinder(entry)
        return lambda: finder.find(np.zeros((SIDE, SIDE, 3), np.uint8)), lambda: finder.active_provider
    from verify_app.encoders.session import OnnxEncoder

    encoder = OnnxEncoder(entry, app.threads)
    zeros = np.zeros((1, 112, 112, 3), np.uint8) if entry.role == "face-encoder" else np.zeros((1, 32000), np.float32)
    return lambda: encoder.encode(zeros), lambda: encoder.active_provider
