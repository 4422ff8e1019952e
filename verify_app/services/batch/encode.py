"""One file to what is compared: an embedding, or one for each face of an image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from verify_app.domain import FloatArray, Modality, Sample
from verify_app.reasons import ReasonCode, UnusableInput
from verify_app.services.batch.cache import CachedEmbedding, Made
from verify_app.services.batch.spec import JobSpec

if TYPE_CHECKING:
    from verify_app.face.pipeline import FacePipeline
    from verify_app.voice.pipeline import VoicePipeline

    Pipeline = FacePipeline | VoicePipeline


def embed_file(pipeline: Pipeline, spec: JobSpec, path: Path) -> list[Made]:
    """What a file gives: one embedding, or with the policy ``all`` one (or a refusal) for each face of an image.

    The usable frames of a video are combined into one embedding, whatever the policy.

    Raises:
        UnusableInput: the first reason, when nothing in the file can be used.
    """
    from verify_app.capture.files import load_samples

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
    return [CachedEmbedding(_mean_direction(vectors), float(np.mean(qualities)))]


def options(spec: JobSpec) -> dict[str, Any]:
    """How a pipeline is asked to look at a sample of this job."""
    if spec.modality is Modality.VOICE:
        return {"gates": spec.gates}
    from verify_app.face.pipeline import FacePolicy

    policy = FacePolicy.LARGEST if spec.faces == "all" else FacePolicy(spec.faces)
    return {"faces": policy, "gates": spec.gates, "aligned": spec.aligned}


def _every_face(pipeline: Any, spec: JobSpec, sample: Sample) -> list[Made]:
    made: list[Made] = []
    refusal: UnusableInput | None = None
    for analysis in pipeline.analyse_all(sample, gates=spec.gates):
        if isinstance(analysis, UnusableInput):
            refusal = refusal or analysis
            made.append(analysis.reason)
        else:
            # One face at a time, so that an embedding does not depend on who else is in the picture.
            made.append(CachedEmbedding(pipeline.embed([analysis])[0].vector, analysis.quality.score))
    if refusal is not None and not any(isinstance(one, CachedEmbedding) for one in made):
        raise refusal
    return made


def _encode(pipeline: Any, spec: JobSpec, sample: Sample) -> tuple[FloatArray, float]:
    _, embedding = pipeline.encode(sample, **options(spec))
    return embedding.vector, embedding.quality.score


def _mean_direction(vectors: list[FloatArray]) -> FloatArray:
    if len(vectors) == 1:
        return vectors[0]
    from verify_app.matching.references import combine

    return combine(np.stack(vectors))
