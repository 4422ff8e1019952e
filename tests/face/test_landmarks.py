"""The closer look at a face: the shipped network, and networks that are not what they should be."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from verify_app.capture.images import load_image
from verify_app.domain import ImageArray
from verify_app.encoders.manifest import ModelEntry, load_manifest
from verify_app.face.detector import Face, FaceDetector
from verify_app.face.landmarks import LandmarkFinder
from verify_app.reasons import ReasonCode, StateError


@pytest.fixture(scope="module")
def finder(shipped_models: Path) -> LandmarkFinder:
    return LandmarkFinder(load_manifest(shipped_models).default("face-landmarks"))


@pytest.fixture(scope="module")
def found(shipped_models: Path, repository: Path) -> list[tuple[ImageArray, Face]]:
    """Demo portraits, and the face the detector sees in each."""
    detector = FaceDetector(load_manifest(shipped_models).default("face-detector"))
    files = sorted((repository / "assets/demo").glob("*/face-*.jpg"))[::4]
    pictures = [load_image(file, "jpeg").data for file in files]
    return [(picture, detector.detect(picture)[0]) for picture in pictures]


def _eyes(face: Face) -> float:
    return float(np.linalg.norm(face.landmarks[1] - face.landmarks[0]))


def _moved(face: Face, degrees: float, scale: float, shift: tuple[float, float]) -> Face:
    """The face with landmarks turned, stretched and shifted (in inter-eye distances) about their centre."""
    turn = np.deg2rad(degrees)
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    centre = face.landmarks.mean(axis=0)
    points = (face.landmarks - centre) @ linear.T + centre + _eyes(face) * np.array(shift)
    return replace(face, landmarks=points.astype(np.float32))


@pytest.mark.parametrize(
    ("degrees", "scale", "shift"), [(8, 1, (0, 0)), (0, 1.12, (0, 0)), (0, 1, (0.1, 0.1)), (-6, 0.92, (-0.08, 0))]
)
def test_where_the_detector_errs_the_landmarks_come_back(
    finder: LandmarkFinder,
    found: list[tuple[ImageArray, Face]],
    degrees: float,
    scale: float,
    shift: tuple[float, float],
) -> None:
    before, after = [], []
    for picture, face in found:
        best = finder.refine(picture, face)
        wrong = _moved(best, degrees, scale, shift)
        again = finder.refine(picture, wrong)
        for errors, points in ((before, wrong.landmarks), (after, again.landmarks)):
            errors.append(np.linalg.norm(points - best.landmarks, axis=1).mean() / _eyes(best))

    assert np.mean(after) < 0.5 * np.mean(before)


def test_a_mirror_image_has_the_mirrored_landmarks(
    finder: LandmarkFinder, found: list[tuple[ImageArray, Face]]
) -> None:
    picture, face = found[0]
    x, y, width, height = face.box
    across = picture.shape[1]
    points = (face.landmarks[[1, 0, 2, 4, 3]] * [-1, 1] + [across - 1, 0]).astype(np.float32)
    mirrored = finder.refine(
        np.ascontiguousarray(picture[:, ::-1]), Face((across - x - width, y, width, height), points, 1)
    )

    back = mirrored.landmarks[[1, 0, 2, 4, 3]] * [-1, 1] + [across - 1, 0]
    assert np.abs(back - finder.refine(picture, face).landmarks).max() < 0.02 * _eyes(face)


def _entry(folder: Path, content: bytes) -> ModelEntry:
    (folder / "model.onnx").write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    return ModelEntry(
        "face-landmarks",
        "face-landmarks",
        "1",
        folder / "model.onnx",
        digest,
        len(content),
        "face-48-1",
        0,
        "none",
        "",
        True,
    )


def _answering(points: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> bytes:
    """A network that says the same about every picture."""
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels"], ["mean"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Mul", ["mean", "nothing"], ["zero"]),
        helper.make_node("Squeeze", ["zero", "last"], ["flat"]),
        helper.make_node("Add", ["flat", "points"], ["landmarks"]),
    ]
    constants = [
        numpy_helper.from_array(np.zeros(1, np.float32), "nothing"),
        numpy_helper.from_array(np.array([3], np.int64), "last"),
        numpy_helper.from_array(points[None].astype(np.float32), "points"),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["N", 48, 48, 3])
    output = helper.make_tensor_value_info("landmarks", TensorProto.FLOAT, ["N", *points.shape])
    model = helper.make_model(
        helper.make_graph(nodes, "constant", [image], [output], constants), opset_imports=[helper.make_opsetid("", 13)]
    )
    model.ir_version = 7
    return bytes(model.SerializeToString())


def test_a_face_that_is_lost_keeps_its_landmarks(tmp_path: Path, found: list[tuple[ImageArray, Face]]) -> None:
    picture, face = found[0]
    astray = LandmarkFinder(_entry(tmp_path, _answering(np.full((5, 2), 400, np.float32))))

    assert np.array_equal(astray.refine(picture, face).landmarks, face.landmarks)


@pytest.mark.parametrize("content", [b"no network", _answering(np.zeros((4, 2), np.float32))])
def test_what_is_no_landmark_network_is_refused(
    tmp_path: Path, found: list[tuple[ImageArray, Face]], content: bytes
) -> None:
    with pytest.raises(StateError) as refusal:
        LandmarkFinder(_entry(tmp_path, content)).refine(*found[0])
    assert refusal.value.reason.code is ReasonCode.MODEL_CORRUPT
