"""The shipped face detector, through OpenCV's own decoder, on the demo portraits and real photographs."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "models/face-detector/model.onnx"
PORTRAITS = sorted((ROOT / "assets/demo").glob("*/face-*.jpg"))
SCORE = 0.6

Pixels = NDArray[np.uint8]


def faces(image: Pixels, score: float = SCORE) -> NDArray[np.float32]:
    detector = cv2.FaceDetectorYN.create(str(MODEL), "", (image.shape[1], image.shape[0]), score, 0.3)
    found = detector.detect(image)[1]
    return np.zeros((0, 15), np.float32) if found is None else found


def portrait(index: int) -> Pixels:
    image = cv2.imread(str(PORTRAITS[index]))
    assert image is not None
    return image.astype(np.uint8)


def test_the_file_is_small_and_has_the_heads_of_yunet() -> None:
    assert MODEL.stat().st_size <= 500_000
    session = ort.InferenceSession(str(MODEL), providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    assert names == [f"{head}_{stride}" for head in ("cls", "obj", "bbox", "kps") for stride in (8, 16, 32)]
    outputs = session.run(None, {"input": np.zeros((2, 3, 64, 96), np.float32)})
    widths = [1] * 6 + [4] * 3 + [10] * 3
    cells = [96, 24, 6] * 4
    assert [o.shape for o in outputs] == [(2, c, w) for c, w in zip(cells, widths, strict=True)]


@pytest.mark.parametrize("index", range(len(PORTRAITS)))
def test_one_face_in_every_portrait(index: int) -> None:
    found = faces(portrait(index))
    assert len(found) == 1
    x, y, w, h = found[0, :4]
    assert 80 < w < 220
    assert 100 < h < 280
    left, right, nose, mouth_left, mouth_right = found[0, 4:14].reshape(5, 2)
    assert left[0] < nose[0] < right[0]
    assert mouth_left[0] < mouth_right[0]
    assert max(left[1], right[1]) < nose[1] < min(mouth_left[1], mouth_right[1])
    assert x <= left[0]
    assert right[0] <= x + w
    assert y <= left[1]


@pytest.mark.parametrize("side", [96, 192, 480, 640])
def test_a_face_is_found_at_any_size(side: int) -> None:
    image = cv2.resize(portrait(0), (side, side), interpolation=cv2.INTER_AREA).astype(np.uint8)
    assert len(faces(image)) == 1


def test_sizes_that_are_no_multiple_of_32_work() -> None:
    image = cv2.copyMakeBorder(portrait(4), 5, 18, 27, 2, cv2.BORDER_CONSTANT, value=(0, 0, 0)).astype(np.uint8)
    plain, padded = faces(portrait(4))[0], faces(image)[0]
    side = np.sqrt(plain[2] * plain[3])
    assert np.abs(padded[4:14] - plain[4:14] - np.array([27, 5] * 5)).max() < 0.12 * side


def test_a_group_is_counted() -> None:
    group = np.vstack([np.hstack([portrait(4 * k + 4 * row * 3) for k in range(3)]) for row in range(2)])
    small = cv2.resize(group, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA).astype(np.uint8)
    assert len(faces(small)) == 6


def test_nothing_is_found_where_nothing_is() -> None:
    rng = np.random.default_rng(0)
    plain = [np.full((256, 320, 3), v, np.uint8) for v in (0, 127, 255)]
    noise = rng.integers(0, 256, (256, 320, 3)).astype(np.uint8)
    checks = np.kron(np.indices((8, 10)).sum(0) % 2, np.ones((32, 32)))[..., None].repeat(3, 2) * 255
    for image in (*plain, noise, checks.astype(np.uint8)):
        assert len(faces(image)) == 0


@pytest.mark.shared_data
@pytest.mark.slow
def test_development_photographs(shared_data: Path) -> None:
    pytest.importorskip("scipy")
    from models.training.detector.data import load_photos
    from models.training.detector.evaluate import measure, report

    photos = load_photos(shared_data / "detection", "dev")
    figures = report(measure(MODEL, photos, (1.0,)), SCORE, smallest=40.0)
    assert figures["recall"] > 0.95
    assert figures["empty_with_false_face"] <= 4
