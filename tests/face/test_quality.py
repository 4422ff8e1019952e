"""Quality falls with every harm done to a face, and names the harm."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify_app.domain import ImageArray
from verify_app.face.alignment import TEMPLATE
from verify_app.face.quality import assess, measure, pose
from verify_app.reasons import ReasonCode


@pytest.fixture
def crop() -> ImageArray:
    """Something with the contrast and the detail of a face in good light: smoothed noise of several sizes."""
    rng = np.random.default_rng(0)
    texture = sum(
        cv2.GaussianBlur(rng.normal(0, 1, (112, 112)).astype(np.float32), (0, 0), size) * size for size in (1.5, 4, 12)
    )
    texture = (texture - texture.mean()) / texture.std()
    return np.repeat(np.clip(135 + 38 * texture, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def _codes(crop: ImageArray, landmarks: np.ndarray | None = None) -> list[ReasonCode]:  # type: ignore[type-arg]
    return [reason.code for reason in assess(measure(crop, landmarks)).reasons]


def _motion(crop: ImageArray, length: int, upright: bool) -> ImageArray:
    kernel = np.full((length, 1) if upright else (1, length), 1 / length, np.float32)
    return np.asarray(cv2.filter2D(crop, -1, kernel))


def test_a_good_face_has_no_reason_against_it(crop: ImageArray) -> None:
    quality = assess(measure(crop, TEMPLATE * 2, 0.95))

    assert quality.reasons == ()
    assert quality.score > 0.6


@pytest.mark.parametrize("upright", [True, False])
def test_quality_falls_with_blur_and_motion(crop: ImageArray, upright: bool) -> None:
    blurred = [crop] + [np.asarray(cv2.GaussianBlur(crop, (0, 0), size)) for size in (1, 2, 4, 8)]
    moved = [crop] + [_motion(crop, length, upright) for length in (5, 11, 21, 75)]
    for series in (blurred, moved):
        scores = [assess(measure(picture)).score for picture in series]
        assert all(before > after for before, after in pairwise(scores))
        assert ReasonCode.FACE_BLURRED in _codes(series[-1])


def test_quality_falls_with_darkness_and_glare(crop: ImageArray) -> None:
    darker = [np.clip(crop.astype(float) * gain, 0, 255).astype(np.uint8) for gain in (0.6, 0.3, 0.15, 0.08)]
    brighter = [np.clip(crop.astype(float) + more, 0, 255).astype(np.uint8) for more in (60, 90, 110, 135)]
    for series, code in ((darker, ReasonCode.FACE_TOO_DARK), (brighter, ReasonCode.FACE_TOO_BRIGHT)):
        scores = [assess(measure(picture)).score for picture in series]
        assert all(before > after for before, after in pairwise(scores))
        assert _codes(series[-1])[0] is code


def test_quality_falls_with_distance(crop: ImageArray) -> None:
    scores = [assess(measure(crop, TEMPLATE * scale)).score for scale in (1, 0.6, 0.4, 0.2)]

    assert all(before > after for before, after in pairwise(scores))
    assert ReasonCode.FACE_TOO_SMALL in _codes(crop, TEMPLATE * 0.2)
    assert ReasonCode.FACE_TOO_SMALL not in _codes(crop, TEMPLATE * 0.4)


def test_a_turned_head_is_told(crop: ImageArray) -> None:
    turned = TEMPLATE.copy()
    turned[2, 0] += 45  # the nose beyond an eye

    assert pose(turned)[0] > 60
    assert ReasonCode.FACE_TURNED in _codes(crop, turned)


@given(st.floats(-60, 60), st.floats(0.1, 10), st.floats(-500, 500))
def test_pose_does_not_depend_on_place_and_size(angle: float, scale: float, shift: float) -> None:
    cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    moved = TEMPLATE.astype(float) @ (scale * np.array([[cosine, -sine], [sine, cosine]])).T + shift
    yaw, pitch, roll = pose(moved)
    upright_yaw, upright_pitch, upright_roll = pose(TEMPLATE)

    assert yaw == pytest.approx(upright_yaw, abs=1e-3)
    assert pitch == pytest.approx(upright_pitch, abs=1e-3)
    assert roll == pytest.approx(upright_roll + angle, abs=1e-3)


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_scores_stay_between_nought_and_one(seed: int, flat: bool) -> None:
    rng = np.random.default_rng(seed)
    crop = (
        np.full((112, 112, 3), rng.integers(0, 256), np.uint8)
        if flat
        else rng.integers(0, 256, (112, 112, 3), np.uint8)
    )
    landmarks = rng.normal(0, 300, (5, 2))

    assert 0 <= assess(measure(crop, landmarks, float(rng.random()))).score <= 1
