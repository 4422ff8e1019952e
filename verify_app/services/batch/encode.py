"""One file to what is compared: an embedding, or one for each part of it.

The work on a file is a generator that stops where it needs embeddings, so that whoever drives it can gather
the faces of many files and encode them together, while the code that reads a file stays in one piece.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from verify_app.domain import Embedding, FloatArray, Modality, Sample
from verify_app.reasons import ReasonCode, UnusableInput
from verify_app.services.batch.cache import CachedEmbedding, Made
from verify_app.services.batch.parts import Parts
from verify_app.services.batch.place import Place, PlaceKind
from verify_app.services.batch.spec import JobSpec

if TYPE_CHECKING:
    from verify_app.capture.content import Content
    from verify_app.face.pipeline import FacePipeline
    from verify_app.matching.linking import Linking
    from verify_app.voice.pipeline import VoicePipeline

    Pipeline = FacePipeline | VoicePipeline

Analysis = Any
"""A face or a recording that a pipeline has analysed and can embed."""
Steps = Generator[list[Analysis], list[Embedding], Parts]
"""The work on a file: gives what it wants embedded, is sent the embeddings, returns what the file gives."""


def go_on(_seconds: float) -> None:
    """Nobody asks to stop."""


def embed_file(
    pipeline: Pipeline,
    spec: JobSpec,
    path: Path,
    links: Linking | None = None,
    check: Callable[[float], None] = go_on,
) -> Parts:
    """What a file gives: :func:`steps_of_file` with each step taken at once."""
    from verify_app.capture.content import identify

    steps = steps_of_file(pipeline, spec, path, identify(path), links, check)
    try:
        wanted = next(steps)
        while True:
            wanted = steps.send(pipeline.embed(wanted))
    except StopIteration as end:
        parts: Parts = end.value
        return parts


def steps_of_file(
    pipeline: Pipeline,
    spec: JobSpec,
    path: Path,
    content: Content,
    links: Linking | None = None,
    check: Callable[[float], None] = go_on,
) -> Steps:
    """What a file gives: one embedding, or one (or a refusal) for each part of it that the job tells apart.

    Args:
        pipeline: of the job's modality.
        spec: the job.
        path: the file.
        content: what it holds.
        links: what holds the parts of one person together; None in jobs that take files whole.
        check: called as a long file is read, with how far that is, in seconds; may raise to stop.

    Raises:
        UnusableInput: the first reason, when nothing in the file can be used.
    """
    from verify_app.capture.files import load_samples

    if spec.segments and links is not None and content.kind != "image":
        from verify_app.services.batch.segments import embed_recording

        return embed_recording(pipeline, spec, path, content, links, check)  # type: ignore[arg-type]
    if content.kind == "container" and spec.modality is Modality.FACE and links is not None:
        from verify_app.services.batch.tracks import embed_video

        return embed_video(pipeline, spec, path, content.format, links, check)  # type: ignore[arg-type]
    samples = load_samples(path, spec.modality, content)
    if spec.faces == "all" and not spec.aligned and len(samples) == 1:
        return (yield from _every_face(pipeline, spec, samples.pop()))
    usable: list[Analysis] = []
    refusal: UnusableInput | None = None
    while samples:  # each picture is let go of when it has been looked at: many files may wait for embeddings
        try:
            usable.append(pipeline.analyse(samples.pop(0), **options(spec)))
        except UnusableInput as error:
            refusal = refusal or error.with_traceback(None)
    if not usable:
        raise refusal or UnusableInput(ReasonCode.FILE_UNREADABLE, f"{path.name} holds nothing to compare.")
    embeddings = yield usable
    quality = float(np.mean([one.quality.score for one in embeddings]))
    return Parts((CachedEmbedding(_mean_direction([one.vector for one in embeddings]), quality),))


def options(spec: JobSpec) -> dict[str, Any]:
    """How a pipeline is asked to look at a sample of this job."""
    if spec.modality is Modality.VOICE:
        return {"gates": spec.gates}
    from verify_app.face.pipeline import FacePolicy

    policy = FacePolicy.LARGEST if spec.faces == "all" else FacePolicy(spec.faces)
    return {"faces": policy, "gates": spec.gates, "aligned": spec.aligned}


def _every_face(pipeline: Any, spec: JobSpec, sample: Sample) -> Steps:
    analyses = pipeline.analyse_all(sample, gates=False)
    refusals: list[UnusableInput | None] = [
        pipeline.refusal(analysis, sample) if spec.gates and analysis.quality.reasons else None for analysis in analyses
    ]
    del sample  # the picture is not kept while the file waits for its embeddings
    if (refusal := refusals[0]) is not None and all(refusals):
        raise refusal
    wanted = [analysis for analysis, refused in zip(analyses, refusals, strict=True) if refused is None]
    ready = iter((yield wanted))
    made: list[Made] = []
    for refused in refusals:
        if refused is None:
            embedding = next(ready)
            made.append(CachedEmbedding(embedding.vector, embedding.quality.score))
        else:
            made.append(refused.reason)
    places = []
    for number, analysis in enumerate(analyses, start=1):
        x, y, width, height = (round(side, 1) for side in analysis.box)
        places.append(Place(PlaceKind.FACE, number, box=(x, y, width, height)))
    return Parts(tuple(made), tuple(places))


def _mean_direction(vectors: list[FloatArray]) -> FloatArray:
    if len(vectors) == 1:
        return vectors[0]
    from verify_app.matching.references import combine

    return combine(np.stack(vectors))
