"""One file to what is compared: an embedding, or one for each part of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from verify_app.domain import FloatArray, Modality, Sample
from verify_app.reasons import ReasonCode, UnusableInput
from verify_app.services.batch.cache import CachedEmbedding, Made
from verify_app.services.batch.parts import Parts
from verify_app.services.batch.place import Place, PlaceKind
from verify_app.services.batch.spec import JobSpec

if TYPE_CHECKING:
    from verify_app.face.pipeline import FacePipeline
    from verify_app.matching.linking import Linking
    from verify_app.voice.pipeline import VoicePipeline

    Pipeline = FacePipeline | VoicePipeline


def go_on(_seconds: float) -> None:
    """Nobody asks to stop."""


def embed_file(
    pipeline: Pipeline,
    spec: JobSpec,
    path: Path,
    links: Linking | None = None,
    check: Callable[[float], None] = go_on,
) -> Parts:
    """What a file gives: one embedding, or one (or a refusal) for each part of it that the job tells apart.

    Args:
        pipeline: of the job's modality.
        spec: the job.
        path: the file.
        links: what holds the parts of one person together; None in jobs that take files whole.
        check: called as a long file is read, with how far that is, in seconds; may raise to stop.

    Raises:
        UnusableInput: the first reason, when nothing in the file can be used.
    """
    from verify_app.capture.content import identify
    from verify_app.capture.files import load_samples

    content = identify(path)
    if spec.segments and links is not None and content.kind != "image":
        from verify_app.services.batch.segments import embed_recording

        return embed_recording(pipeline, spec, path, content, links, check)  # type: ignore[arg-type]
    if content.kind == "container" and spec.modality is Modality.FACE and links is not None:
        from verify_app.services.batch.tracks import embed_video

        return embed_video(pipeline, spec, path, content.format, links, check)  # type: ignore[arg-type]
    samples = load_samples(path, spec.modality)
    if spec.faces == "all" and not spec.aligned and len(samples) == 1:
        return _every_face(pipeline, spec, samples[0])
    vectors, qualities, refusal = [], [], None
    for sample in samples:
        try:
            vector, quality = _encode(pipeline, spec, sample)
        except UnusableInput as error:
            refusal = refusal or error
        else:
            vectors.append(vector)
            qualities.append(quality)
    if not vectors:
        raise refusal or UnusableInput(ReasonCode.FILE_UNREADABLE, f"{path.name} holds nothing to compare.")
    return Parts((CachedEmbedding(_mean_direction(vectors), float(np.mean(qualities))),))


def options(spec: JobSpec) -> dict[str, Any]:
    """How a pipeline is asked to look at a sample of this job."""
    if spec.modality is Modality.VOICE:
        return {"gates": spec.gates}
    from verify_app.face.pipeline import FacePolicy

    policy = FacePolicy.LARGEST if spec.faces == "all" else FacePolicy(spec.faces)
    return {"faces": policy, "gates": spec.gates, "aligned": spec.aligned}


def _every_face(pipeline: Any, spec: JobSpec, sample: Sample) -> Parts:
    made: list[Made] = []
    places: list[Place] = []
    refusal: UnusableInput | None = None
    for number, analysis in enumerate(pipeline.analyse_all(sample, gates=False), start=1):
        x, y, width, height = (round(side, 1) for side in analysis.box)
        places.append(Place(PlaceKind.FACE, number, box=(x, y, width, height)))
        if spec.gates and analysis.quality.reasons:
            refused = pipeline.refusal(analysis, sample)
            refusal = refusal or refused
            made.append(refused.reason)
        else:
            # One face at a time, so that an embedding does not depend on who else is in the picture.
            made.append(CachedEmbedding(pipeline.embed([analysis])[0].vector, analysis.quality.score))
    if refusal is not None and not any(isinstance(one, CachedEmbedding) for one in made):
        raise refusal
    return Parts(tuple(made), tuple(places))


def _encode(pipeline: Any, spec: JobSpec, sample: Sample) -> tuple[FloatArray, float]:
    _, embedding = pipeline.encode(sample, **options(spec))
    return embedding.vector, embedding.quality.score


def _mean_direction(vectors: list[FloatArray]) -> FloatArray:
    if len(vectors) == 1:
        return vectors[0]
    from verify_app.matching.references import combine

    return combine(np.stack(vectors))
