"""Faces followed through a video: sightings in single frames become tracks, one for each person who appears.

Two steps. From frame to frame a face is followed by where it is and by whether it still looks like the same
person. A run that ends (somebody turns away, leaves, the picture cuts) is joined with an earlier one only when
both look like one person and were never seen at the same time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from verify_app.domain import FloatArray, ImageArray, Quality, Sample
from verify_app.matching.linking import Linking
from verify_app.native import opencv

if TYPE_CHECKING:
    from verify_app.face.pipeline import FaceAnalysis, FacePipeline

BEST = 8
"""Sightings of a track that are kept."""
APART_SECONDS = 0.4
"""Frames closer together than this show the same view; only the better one is kept."""
MAX_GAP_SECONDS = 1.6
"""Longer than this a face that is not seen is not followed any more."""
_MOST_FACES = 30  # faces of one frame that are followed, the largest
_REACH = 1.0  # face sizes that a face may move between two frames, beyond where it was heading
_CUT = 30.0  # mean change of brightness (0..255) from frame to frame that means another scene
_SMALL_PICTURE = (32, 18)


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """A face in one frame.

    Attributes:
        time: seconds from the beginning.
        box: x, y, width, height in pixels.
        vector: its embedding, unit norm.
        quality: how usable it is.
        score: how sure the detector is.
        off_centre: distance from the middle of the frame, 0..1 with 1 in a corner.
    """

    time: float
    box: tuple[float, float, float, float]
    vector: FloatArray
    quality: Quality
    score: float
    off_centre: float

    @property
    def size(self) -> float:
        """The longer side of the face, in pixels."""
        return max(self.box[2], self.box[3])


@dataclass(slots=True, eq=False)
class Track:
    """One person through a video.

    Attributes:
        number: 1 for who appears first.
        spans: when the face was in the picture, in seconds, ascending.
        sightings: in how many frames it was seen.
        best: up to :data:`BEST` sightings, without a reason to refuse them first, then by quality.
    """

    number: int
    spans: list[tuple[float, float]]
    sightings: int
    best: list[Sighting]
    total: NDArray[np.float64]

    @property
    def start(self) -> float:
        """When it is seen first."""
        return self.spans[0][0]

    @property
    def end(self) -> float:
        """When it is seen last."""
        return self.spans[-1][1]

    @property
    def size(self) -> float:
        """Middling size in the best sightings, in pixels."""
        return float(np.median([one.size for one in self.best]))

    @property
    def score(self) -> float:
        """How sure the detector was at its surest."""
        return max(one.score for one in self.best)

    @property
    def off_centre(self) -> float:
        """Middling distance from the middle of the frame."""
        return float(np.median([one.off_centre for one in self.best]))


@dataclass(slots=True, eq=False)
class _Run:
    """A face followed without a break."""

    last: Sighting
    first: float
    total: NDArray[np.float64]
    count: int = 1
    step: tuple[float, float] = (0.0, 0.0)  # of its middle, in pixels a second
    best: list[Sighting] = field(default_factory=list)

    @classmethod
    def of(cls, seen: Sighting) -> _Run:
        return cls(seen, seen.time, seen.vector.astype(np.float64), best=[seen])

    def go_on(self, seen: Sighting) -> None:
        passed = max(seen.time - self.last.time, 1e-3)
        (x, y), (before_x, before_y) = _middle(seen.box), _middle(self.last.box)
        self.step = ((x - before_x) / passed, (y - before_y) / passed)
        self.last, self.count = seen, self.count + 1
        self.total += seen.vector
        self.best = _best([*self.best, seen])

    def away(self, seen: Sighting) -> float:
        """How far the face is from where this one was heading, or from where it was, in face sizes."""
        passed = seen.time - self.last.time
        size = (self.last.size + seen.size) / 2
        x, y = _middle(seen.box)
        was_x, was_y = _middle(self.last.box)
        heading = np.hypot(x - was_x - self.step[0] * passed, y - was_y - self.step[1] * passed)
        return float(min(heading, np.hypot(x - was_x, y - was_y))) / max(size, 1.0)


class FaceTracker:
    """Takes frames in the order of time, gives the tracks. Memory grows with the number of people, not of frames."""

    def __init__(self, pipeline: FacePipeline, linking: Linking) -> None:
        self._pipeline = pipeline
        self._linking = linking
        self._open: list[_Run] = []
        self._tracks: list[Track] = []
        self._scene: NDArray[np.float32] | None = None
        self.frames = 0
        self.time = 0.0

    def add(self, frame: Sample) -> None:
        """Look at one frame; its ``details`` name the ``time`` in seconds."""
        self.frames += 1
        self.time = float(frame.details["time"])
        if self._is_cut(frame.data):
            self._close(self._open)
        self._close([run for run in self._open if self.time - run.last.time > MAX_GAP_SECONDS])
        found = self._pipeline.look(frame)[:_MOST_FACES]
        self._follow(self._sightings(found, frame.data))

    def tracks(self) -> list[Track]:
        """The tracks so far, in the order of appearance.

        What was seen in a single frame only is most likely no face, unless there are hardly any frames.
        """
        self._close(self._open)
        kept = [track for track in self._tracks if track.sightings > 1 or self.frames < 3]
        kept.sort(key=lambda track: (track.start, track.best[0].box))
        for number, track in enumerate(kept, start=1):
            track.number = number
        return kept

    # -- from frame to frame ----------------------------------------------------------------------

    def _sightings(self, found: list[FaceAnalysis], image: ImageArray) -> list[Sighting]:
        height, width = image.shape[:2]
        return [
            Sighting(self.time, one.box, embedding.vector, one.quality, one.score, _off_centre(one.box, width, height))
            for one, embedding in zip(found, self._pipeline.embed(found), strict=True)
        ]

    def _follow(self, seen: list[Sighting]) -> None:
        """Each face goes on with the run it fits best; who fits none begins a new one."""
        fits = []
        for (number, run), (index, one) in product(enumerate(self._open), enumerate(seen)):
            likeness = float(_unit(run.total) @ one.vector)
            away = run.away(one)
            near = away <= _REACH and 0.5 <= one.size / run.last.size <= 2.0
            if (near and likeness >= self._linking.follow) or likeness >= self._linking.same:
                fits.append((likeness - 0.1 * min(away, 5.0), number, index))
        taken_runs: set[int] = set()
        taken: set[int] = set()
        for _, number, index in sorted(fits, key=lambda fit: (-fit[0], fit[1], fit[2])):
            if number not in taken_runs and index not in taken:
                taken_runs.add(number)
                taken.add(index)
                self._open[number].go_on(seen[index])
        self._open += [_Run.of(one) for index, one in enumerate(seen) if index not in taken]

    def _is_cut(self, image: ImageArray) -> bool:
        cv2 = opencv()
        small = cv2.resize(image, _SMALL_PICTURE, interpolation=cv2.INTER_AREA)
        scene = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.float32)
        before, self._scene = self._scene, scene
        return before is not None and float(np.abs(scene - before).mean()) > _CUT

    # -- from run to track ------------------------------------------------------------------------

    def _close(self, runs: Iterable[_Run]) -> None:
        closed = list(runs)
        self._open = [run for run in self._open if run not in closed]
        for run in sorted(closed, key=lambda one: (one.first, one.last.box)):
            self._join(run)

    def _join(self, run: _Run) -> None:
        """Go on with the track of the same person, if there is one that was not in the picture meanwhile."""
        span, mean = (run.first, run.last.time), _unit(run.total)
        alike = [
            (float(_unit(track.total) @ mean), -number)
            for number, track in enumerate(self._tracks)
            if not any(begin <= span[1] and span[0] <= end for begin, end in track.spans)
        ]
        score, number = max(alike, default=(-1.0, 0))
        if score < self._linking.same:
            self._tracks.append(Track(0, [span], run.count, run.best, run.total))
            return
        track = self._tracks[-number]
        track.spans = sorted([*track.spans, span])
        track.sightings += run.count
        track.total = track.total + run.total
        track.best = _best([*track.best, *run.best])


def follow(pipeline: FacePipeline, frames: Iterable[Sample], linking: Linking) -> list[Track]:
    """The tracks in a video, in the order of appearance."""
    tracker = FaceTracker(pipeline, linking)
    for frame in frames:
        tracker.add(frame)
    return tracker.tracks()


def _best(sightings: list[Sighting]) -> list[Sighting]:
    kept: list[Sighting] = []
    for one in sorted(sightings, key=lambda seen: (bool(seen.quality.reasons), -seen.quality.score, seen.time)):
        if len(kept) < BEST and all(abs(one.time - other.time) >= APART_SECONDS for other in kept):
            kept.append(one)
    return kept


def _unit(total: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(total / max(float(np.linalg.norm(total)), 1e-9))


def _middle(box: tuple[float, float, float, float]) -> tuple[float, float]:
    return box[0] + box[2] / 2, box[1] + box[3] / 2


def _off_centre(box: tuple[float, float, float, float], width: int, height: int) -> float:
    x, y = _middle(box)
    return float(np.hypot(x / width - 0.5, y / height - 0.5) / np.hypot(0.5, 0.5))
