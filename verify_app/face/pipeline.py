"""From a face sample to an embedding: detect, align, measure, encode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from verify_app.domain import Contract, Embedding, FloatArray, ImageArray, Modality, Quality, Sample
from verify_app.encoders.manifest import Manifest
from verify_app.encoders.session import OnnxEncoder
from verify_app.face.alignment import SIDE, TEMPLATE, align, as_aligned
from verify_app.face.detector import Face, FaceDetector
from verify_app.face.landmarks import LandmarkFinder
from verify_app.face.quality import assess, measure
from verify_app.native import opencv
from verify_app.reasons import ReasonCode, StateError, UnusableInput

# Faces of one inference, each with its mirror image: more do not fit into the nearest memory, and are slower.
_BATCH = 8
# A face less than this share of the largest one's width is a bystander in the background.
BYSTANDER = 0.3
# A face found with so much less certainty than the surest one is most likely none.
DOUBT = 0.2
PREPROCESSING = {"face-112-uint8-1": False, "face-112-mirror-1": True}


class FacePolicy(StrEnum):
    """What to do with a picture of several faces."""

    ONE = "one"
    LARGEST = "largest"
    LARGEST_CENTRED = "largest-centred"
    SKIP = "skip"


@dataclass(frozen=True, slots=True, eq=False)
class FaceAnalysis:
    """A face ready to be encoded.

    Attributes:
        box: x, y, width, height in pixels of the picture.
        landmarks: float32 (5, 2), x and y in the picture.
        score: how sure the detector is, 0..1 (1 for a picture that came aligned).
        crop: uint8 (112, 112, 3), RGB, aligned.
        quality: how usable it is.
        sample_sha256: digest of the sample it was found in.
        faces: how many faces the picture has, bystanders in the background included.
    """

    box: tuple[float, float, float, float]
    landmarks: NDArray[np.float32]
    score: float
    crop: ImageArray
    quality: Quality
    sample_sha256: str
    faces: int = 1


class FacePipeline:
    """The detector, the landmark network and the encoder of a manifest, as one.

    Nothing is loaded until it is needed. May be used from several threads. Without a landmark network
    in the manifest the landmarks are those of the detector's closer look.

    Args:
        manifest: where the models are.
        threads: threads of one inference; None means one per core.
    """

    def __init__(self, manifest: Manifest, threads: int | None = None) -> None:
        entry = manifest.default("face-encoder")
        if entry.preprocessing not in PREPROCESSING:
            raise StateError(
                ReasonCode.MODEL_CORRUPT,
                f"The model {entry.name} needs the preprocessing {entry.preprocessing!r}, which is not known here.",
                "Update the application, or restore the models folder that came with it.",
            )
        self._mirror = PREPROCESSING[entry.preprocessing]
        self._encoder = OnnxEncoder(entry, threads)
        self._detector = FaceDetector(manifest.default("face-detector"))
        closer = manifest.has("face-landmarks")
        self._landmarks = LandmarkFinder(manifest.default("face-landmarks")) if closer else None

    @property
    def contract(self) -> Contract:
        """What every embedding of this pipeline is bound to."""
        return self._encoder.contract

    @property
    def active_provider(self) -> str:
        """The execution provider that runs the encoder."""
        return self._encoder.active_provider

    def analyse(
        self, sample: Sample, *, faces: FacePolicy = FacePolicy.ONE, gates: bool = True, aligned: bool = False
    ) -> FaceAnalysis:
        """Find the face in a sample, align it and measure its quality.

        Args:
            sample: a face sample.
            faces: what to do when there are several.
            gates: refuse a face whose quality gives a reason to.
            aligned: the picture is an aligned crop already: no detection, square pictures only.

        Raises:
            UnusableInput: MODALITY_MISMATCH, NO_FACE, SEVERAL_FACES; with ``gates`` also FACE_TOO_SMALL,
                FACE_TOO_DARK, FACE_TOO_BRIGHT, FACE_BLURRED, FACE_TURNED.
            StateError: MODEL_MISSING or MODEL_CORRUPT.
        """
        if sample.modality is not Modality.FACE:
            raise UnusableInput(
                ReasonCode.MODALITY_MISMATCH, f"{sample.source} is not a picture.", "Use a picture of the face."
            )
        analysis = self._aligned(sample) if aligned else self._found(sample, faces)
        if gates and analysis.quality.reasons:
            raise self.refusal(analysis, sample)
        return analysis

    def analyse_all(self, sample: Sample, *, gates: bool = True) -> list[FaceAnalysis | UnusableInput]:
        """Every face in a picture, the largest first: ready to be encoded, or the reason why it is refused.

        Raises:
            UnusableInput: NO_FACE.
            StateError: MODEL_MISSING or MODEL_CORRUPT.
        """
        found = sorted(self._faces(sample), key=_size, reverse=True)
        analyses = [self._analysed(sample, face, len(found)) for face in found]
        return [self.refusal(each, sample) if gates and each.quality.reasons else each for each in analyses]

    @staticmethod
    def refusal(analysis: FaceAnalysis, sample: Sample) -> UnusableInput:
        """The worst reason that the quality of a face gives to refuse it."""
        worst = analysis.quality.reasons[0]
        return UnusableInput(worst.code, f"{sample.source}: {_lower(worst.message)}", worst.advice)

    def look(self, sample: Sample) -> list[FaceAnalysis]:
        """Every face in a frame of a video, the largest first, none refused; empty when there is none.

        Quicker than :meth:`analyse_all`: small faces far away are not searched for.

        Raises:
            StateError: MODEL_MISSING or MODEL_CORRUPT.
        """
        found = sorted(self._detector.detect(sample.data, thorough=False), key=_size, reverse=True)
        return [self._analysed(sample, face, len(found)) for face in found]

    def embed(self, analyses: Sequence[FaceAnalysis]) -> list[Embedding]:
        """Embed analysed faces, in batches."""
        embeddings: list[Embedding] = []
        step = _BATCH if len(analyses) > 1 and self._alike_in_batches else 1
        for start in range(0, len(analyses), step):
            part = analyses[start : start + step]
            for analysis, vector in zip(part, self._vectors(np.stack([face.crop for face in part])), strict=True):
                embeddings.append(
                    Embedding(vector, self.contract, Modality.FACE, analysis.quality, analysis.sample_sha256)
                )
        return embeddings

    def encode(self, sample: Sample, **options: Any) -> tuple[FaceAnalysis, Embedding]:
        """:meth:`analyse` with these options, then :meth:`embed`."""
        analysis = self.analyse(sample, **options)
        return analysis, self.embed([analysis])[0]

    @cached_property
    def _alike_in_batches(self) -> bool:
        """Whether the processor gives a face the same embedding, bit for bit, alone and in company.

        It does where the kernels of ONNX Runtime add up in one order whatever the size of a batch. Where it does
        not, faces are encoded one by one: an embedding may not depend on who happened to be encoded beside it.
        """
        noise = np.random.default_rng(1).integers(0, 256, (_BATCH, SIDE, SIDE, 3), np.uint8)
        alone = [self._vectors(noise[place : place + 1])[0] for place in (0, _BATCH - 1)]
        return bool(np.array_equal(self._vectors(noise)[[0, -1]], alone))

    def _vectors(self, crops: ImageArray) -> FloatArray:
        if not self._mirror:
            return self._encoder.encode(crops)
        both = self._encoder.encode(_with_mirror_images(crops))
        total = both[: len(crops)] + both[len(crops) :]
        return np.asarray(total / np.linalg.norm(total, axis=1, keepdims=True), np.float32)

    def _aligned(self, sample: Sample) -> FaceAnalysis:
        height, width = sample.data.shape[:2]
        if height != width:
            raise UnusableInput(
                ReasonCode.FORMAT_UNSUPPORTED,
                f"{sample.source} is not an aligned face: it has {width} × {height} pixels and is not square.",
                f"Give aligned crops of {SIDE} × {SIDE} pixels, or let the face be detected.",
            )
        crop = as_aligned(sample.data)
        quality = assess(measure(crop))
        landmarks = (TEMPLATE * (width / SIDE)).astype(np.float32)
        return FaceAnalysis((0.0, 0.0, float(width), float(height)), landmarks, 1.0, crop, quality, sample.sha256)

    def _found(self, sample: Sample, policy: FacePolicy) -> FaceAnalysis:
        found = self._faces(sample)
        return self._analysed(sample, _choose(found, policy, sample), len(found))

    def _faces(self, sample: Sample) -> list[Face]:
        found = self._detector.detect(sample.data)
        if not found:
            raise UnusableInput(
                ReasonCode.NO_FACE,
                f"{sample.source} shows no face that can be found.",
                "Use a picture in which the face is seen from the front, well lit and not covered.",
            )
        return found

    def _analysed(self, sample: Sample, face: Face, faces: int) -> FaceAnalysis:
        face = self._detector.refine(sample.data, face)
        if self._landmarks is not None:
            face = self._landmarks.refine(sample.data, face)
        crop = align(sample.data, face.landmarks)
        quality = assess(measure(crop, face.landmarks, face.score))
        return FaceAnalysis(face.box, face.landmarks, face.score, crop, quality, sample.sha256, faces)


def _with_mirror_images(crops: ImageArray) -> ImageArray:
    """The crops, uint8 (n, side, side, 3), and after them their mirror images."""
    cv2 = opencv()
    both = np.empty((2 * len(crops), *crops.shape[1:]), np.uint8)
    both[: len(crops)] = crops
    for crop, mirrored in zip(crops, both[len(crops) :], strict=True):
        cv2.flip(crop, 1, dst=mirrored)
    return both


def _choose(found: list[Face], policy: FacePolicy, sample: Sample) -> Face:
    found = [face for face in found if face.score >= found[0].score - DOUBT]
    largest = max(found, key=_size)
    near = [face for face in found if _size(face) >= BYSTANDER * _size(largest)]
    if policy is FacePolicy.LARGEST or len(near) == 1:
        return largest
    if policy is FacePolicy.LARGEST_CENTRED:
        height, width = sample.data.shape[:2]
        return max(near, key=lambda face: _size(face) / (1 + _off_centre(face, width, height)))
    raise UnusableInput(
        ReasonCode.SEVERAL_FACES,
        f"{sample.source} shows {len(near)} faces.",
        "Use a picture of one person, or choose to take the largest face.",
    )


def _size(face: Face) -> float:
    return max(face.box[2], face.box[3])


def _off_centre(face: Face, width: int, height: int) -> float:
    """Distance of the face from the middle of the picture, 0..1 with 1 in a corner."""
    x, y, across, down = face.box
    return float(np.hypot((x + across / 2) / width - 0.5, (y + down / 2) / height - 0.5) / np.hypot(0.5, 0.5))


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
