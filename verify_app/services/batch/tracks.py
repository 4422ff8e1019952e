"""A video to what is compared: the faces in it are followed, and each person gives one embedding."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from verify_app.matching.linking import Linking
from verify_app.reasons import Reason, ReasonCode, UnusableInput
from verify_app.services.batch.cache import CachedEmbedding, Made
from verify_app.services.batch.parts import Parts
from verify_app.services.batch.place import Place, PlaceKind
from verify_app.services.batch.spec import JobSpec

if TYPE_CHECKING:
    from verify_app.face.pipeline import FacePipeline
    from verify_app.face.tracking import Track


def embed_video(
    pipeline: FacePipeline, spec: JobSpec, path: Path, kind: str, links: Linking, check: Callable[[float], None]
) -> Parts:
    """One part for the person that the policy chooses, or one for each person; one more for what is damaged.

    Args:
        pipeline: finds and encodes faces.
        spec: the job, whose policy is applied to tracks as it is to the faces of a photograph.
        path: the video.
        kind: its container.
        links: what holds a track together.
        check: called between two frames with how far the reading is, in seconds; may raise to stop.

    Raises:
        UnusableInput: NO_FACE, SEVERAL_FACES, the reason for which every face was refused, or why the video cannot
            be decoded.
    """
    from verify_app.capture.video import read_frames
    from verify_app.face.tracking import FaceTracker

    tracker = FaceTracker(pipeline, links)
    damage: Reason | None = None
    try:
        for frame in read_frames(path, kind):
            check(tracker.time)
            tracker.add(frame)
    except UnusableInput as error:
        if not tracker.frames:
            raise
        damage = error.reason
    tracks = tracker.tracks()
    if not tracks:
        raise UnusableInput(
            ReasonCode.FILE_TRUNCATED if damage else ReasonCode.NO_FACE,
            damage.message if damage else f"{path} shows no face that can be followed.",
            "Use a video in which the face is seen from the front, well lit and not covered.",
        )
    chosen = tracks if spec.faces == "all" else [_choose(tracks, spec.faces, path)]
    made = [_made(track, spec, path) for track in chosen]
    if len(made) == 1 and isinstance(made[0], Reason) and damage is None:
        raise UnusableInput(made[0].code, made[0].message, made[0].advice)
    places = [_place(track) for track in chosen]
    if damage is not None:
        made.append(damage)
        places.append(Place(PlaceKind.REST, start=tracker.time, end=tracker.time))
    return Parts(tuple(made), tuple(places))


def _choose(tracks: list[Track], policy: str, path: Path) -> Track:
    from verify_app.face.pipeline import BYSTANDER, DOUBT

    surest = max(track.score for track in tracks)
    likely = [track for track in tracks if track.score >= surest - DOUBT]
    largest = max(likely, key=lambda track: track.size)
    near = [track for track in likely if track.size >= BYSTANDER * largest.size]
    if policy == "largest" or len(near) == 1:
        return largest
    if policy == "largest-centred":
        return max(near, key=lambda track: track.size / (1 + track.off_centre))
    raise UnusableInput(
        ReasonCode.SEVERAL_FACES,
        f"{path} shows {len(near)} faces, together or one after the other.",
        "Use a video of one person, or choose to take the largest face, or each.",
    )


def _made(track: Track, spec: JobSpec, path: Path) -> Made:
    from verify_app.matching.references import combine

    usable = [one for one in track.best if not (spec.gates and one.quality.reasons)]
    if not usable:
        worst = track.best[0].quality.reasons[0]
        return Reason(worst.code, f"{path}: {worst.message[:1].lower()}{worst.message[1:]}", worst.advice)
    quality = float(np.mean([one.quality.score for one in usable]))
    return CachedEmbedding(combine(np.stack([one.vector for one in usable])), quality)


def _place(track: Track) -> Place:
    best = track.best[0]
    x, y, width, height = (round(side, 1) for side in best.box)
    start, end, moment = (round(time, 3) for time in (track.start, track.end, best.time))
    return Place(PlaceKind.TRACK, track.number, start, end, moment, (x, y, width, height))
