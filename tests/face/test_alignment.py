"""Landmarks land on the template, whatever turned, scaled or moved the face."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify_app.face.alignment import SIDE, TEMPLATE, align, as_aligned, similarity_transform

angles = st.floats(-180, 180)
scales = st.floats(0.05, 20)
shifts = st.floats(-2000, 2000)


def _moved(points: np.ndarray, angle: float, scale: float, x: float, y: float) -> np.ndarray:  # type: ignore[type-arg]
    cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return np.asarray(points @ (scale * np.array([[cosine, -sine], [sine, cosine]])).T + [x, y])


@given(angles, scales, shifts, shifts)
def test_a_similarity_is_found_exactly(angle: float, scale: float, x: float, y: float) -> None:
    matrix = similarity_transform(_moved(TEMPLATE, angle, scale, x, y), TEMPLATE)
    found = _moved(TEMPLATE, angle, scale, x, y) @ matrix[:, :2].T + matrix[:, 2]

    assert np.abs(found - TEMPLATE).max() < 1e-6
    assert np.sqrt(np.linalg.det(matrix[:, :2])) == pytest.approx(1 / scale)


@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), min_size=5, max_size=5), angles, st.floats(0.5, 2))
def test_no_other_similarity_is_closer(noise: list[tuple[float, float]], angle: float, scale: float) -> None:
    source = TEMPLATE + np.array(noise)
    if np.ptp(source, axis=0).max() < 1:
        return
    matrix = similarity_transform(source, TEMPLATE)
    best = ((source @ matrix[:, :2].T + matrix[:, 2] - TEMPLATE) ** 2).sum()
    other = _moved(source, angle, scale, 0, 0)
    other += (TEMPLATE - other).mean(axis=0)

    assert best <= ((other - TEMPLATE) ** 2).sum() + 1e-6
    assert np.linalg.det(matrix[:, :2]) >= 0  # never mirrored


def test_points_that_coincide_have_no_similarity() -> None:
    with pytest.raises(ValueError, match="coincide"):
        similarity_transform(np.ones((5, 2)), TEMPLATE)


@pytest.mark.parametrize("scale", [0.3, 1.0, 2.7, 6.0, 11.0])
@pytest.mark.parametrize("angle", [0.0, 35.0, -90.0])
def test_the_crop_shows_what_the_landmarks_frame(scale: float, angle: float) -> None:
    """A smooth pattern, drawn into a large picture by the inverse transform, comes back in the crop."""
    size = 1600
    landmarks = _moved(TEMPLATE - SIDE / 2, angle, scale, size / 2 + 3, size / 2 - 7).astype(np.float32)
    matrix = similarity_transform(landmarks, TEMPLATE)
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float64)
    x = matrix[0, 0] * columns + matrix[0, 1] * rows + matrix[0, 2]
    y = matrix[1, 0] * columns + matrix[1, 1] * rows + matrix[1, 2]
    picture = np.dstack([128 + 100 * np.sin(x / 9), 128 + 100 * np.sin(y / 9), np.clip(x + y, 0, 255)]).astype(np.uint8)
    rows, columns = np.mgrid[0:SIDE, 0:SIDE].astype(np.float64)
    wanted = np.dstack([128 + 100 * np.sin(columns / 9), 128 + 100 * np.sin(rows / 9), columns + rows])

    error = np.abs(align(picture, landmarks).astype(float) - wanted)[4:-4, 4:-4]

    assert error.mean() < 2.5


def test_fine_patterns_do_not_turn_into_noise() -> None:
    """A checkerboard of single pixels, shrunk eightfold, is an even grey."""
    board = (np.indices((1200, 1200)).sum(axis=0) % 2 * 255).astype(np.uint8)
    landmarks = (TEMPLATE * 8 + 100).astype(np.float32)

    crop = align(cv2.cvtColor(board, cv2.COLOR_GRAY2RGB), landmarks)

    assert np.abs(crop.astype(int) - 127).max() <= 2


def test_outside_the_picture_is_black() -> None:
    crop = align(np.full((60, 60, 3), 200, np.uint8), TEMPLATE)

    assert (crop[:58, :58] == 200).all()
    assert (crop[62:] == 0).all()


def test_aligned_pictures_are_taken_as_they_are() -> None:
    crop = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), np.uint8)

    assert np.array_equal(as_aligned(crop), crop)
    assert as_aligned(np.zeros((250, 250, 3), np.uint8)).shape == (SIDE, SIDE, 3)
