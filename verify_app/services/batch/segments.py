"""A long recording to what is compared: each stretch of speech gives one embedding."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from verify_app.capture.content import Content
from verify_app.domain import FloatArray, Modality, Sample
from verify_app.matching.linking import Linking
from verify_app.reasons import Reason, ReasonCode, UnusableInput
from verify_app.services.batch.cache import CachedEmbedding, Made
from verify_app.services.batch.parts import Parts
from verify_app.services.batch.place import Place, PlaceKind
from verify_app.services.batch.spec import JobSpec

if TYPE_CHECKING:
    from verify_app.voice.pipeline import VoicePipeline
    from verify_app.voice.stretches import Stretch


def embed_recording(
    pipeline: VoicePipeline, spec: JobSpec, path: Path, content: Content, links: Linking, check: Callable[[float], None]
) -> Parts:
    """One part for each stretch of speech, however long the recording; one more for what is damaged.

    Args:
        pipeline: measures and encodes speech.
        spec: the job.
        path: the recording, or a video with sound.
        content: what it holds.
        links: what joins neighbouring runs of speech.
        check: called between two blocks with how far the reading is, in seconds; may raise to stop.

    Raises:
        UnusableInput: NO_SPEECH, the reason for which every stretch was refused, or why it cannot be decoded.
    """
    from verify_app.capture.sound_stream import read_waveform
    from verify_app.voice.stretches import MIN_SPEECH_SECONDS, StretchFinder

    def alike(left: FloatArray, right: FloatArray) -> bool:
        return float(pipeline.vector(left) @ pipeline.vector(right)) >= links.follow

    finder = StretchFinder(alike)
    made: list[Made] = []
    places: list[Place] = []

    def take(stretch: Stretch) -> None:
        made.append(_made(pipeline, spec, path, stretch))
        start, end = round(stretch.start, 3), round(stretch.end, 3)
        places.append(Place(PlaceKind.SPEECH, len(places) + 1, start, end))

    try:
        for block in read_waveform(path, content):
            check(finder.seconds)
            for stretch in finder.feed(block):
                take(stretch)
    except UnusableInput as error:
        if not finder.seconds:
            raise
        damage: Reason | None = error.reason
    else:
        damage = None
    for stretch in finder.finish():
        take(stretch)
    if not made:
        raise UnusableInput(
            damage.code if damage else ReasonCode.NO_SPEECH,
            damage.message if damage else f"{path}: nobody can be heard speaking for {MIN_SPEECH_SECONDS:.0f} second.",
            "Use a recording in which somebody speaks whole sentences, without music.",
        )
    refused = next((one for one in made if isinstance(one, Reason)), None)
    if damage is None and refused is not None and not any(isinstance(one, CachedEmbedding) for one in made):
        raise UnusableInput(refused.code, refused.message, refused.advice)
    if damage is not None:
        made.append(damage)
        places.append(Place(PlaceKind.REST, start=round(finder.seconds, 3), end=round(finder.seconds, 3)))
    return Parts(tuple(made), tuple(places))


def _made(pipeline: VoicePipeline, spec: JobSpec, path: Path, stretch: Stretch) -> Made:
    from verify_app.capture.sound import clipped_share

    facts = {"clipped_share": clipped_share(np.asarray(stretch.waveform, np.float32))}
    sample = Sample(Modality.VOICE, stretch.waveform, str(path), "", details=facts)
    try:
        analysis, embedding = pipeline.encode(sample, gates=spec.gates)
    except UnusableInput as error:
        return error.reason
    return CachedEmbedding(embedding.vector, analysis.quality.score)
