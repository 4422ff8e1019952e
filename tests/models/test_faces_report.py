"""The face report: degradations keep the contract, rates match cases counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from models.training import faces_report as report

pytest.importorskip("cv2")


def stored(count: int = 3) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (count, 128, 128, 3), dtype=np.uint8)


@pytest.mark.parametrize("kind", list(report.DEGRADATIONS))
def test_a_degradation_keeps_shape_and_type_and_grows_with_its_level(kind: str) -> None:
    function, _, levels = report.DEGRADATIONS[kind]
    source = stored()
    before = source.copy()
    clean = report.inner(source).astype(np.float32)
    made = [function(source, level) for level in levels]
    assert all(images.shape == (3, 112, 112, 3) and images.dtype == np.uint8 for images in made)
    assert np.array_equal(source, before)
    distance = [float(np.abs(images - clean).mean()) for images in made]
    assert distance[-1] > 0
    if kind != "misalignment":  # noise a few pixels away is as different as noise far away
        assert distance == sorted(distance)


def test_misalignment_moves_by_the_level() -> None:
    ramp = np.broadcast_to(np.arange(128, dtype=np.uint8)[None, None, :, None], (40, 128, 128, 3))
    across = report.misaligned(ramp, 6)[:, 0, 0, 0].astype(int) - 8
    assert np.abs(across).max() == 6
    assert across.min() < 0 < across.max()


def test_probe_eer_is_zero_for_separated_subjects_and_never_compares_a_crop_with_itself() -> None:
    subjects = np.array([0, 0, 1, 1])
    templates = np.eye(2, dtype=np.float32)[subjects]
    assert report.probe_eer(templates, templates, subjects) == 0.0
    # Every probe resembles itself and its non-mates alone: without self-comparison all is wrong.
    swapped = np.eye(2, dtype=np.float32)[1 - subjects]
    assert report.probe_eer(swapped, templates, subjects) == 1.0


def test_the_threshold_keeps_the_fmr_it_was_set_for() -> None:
    generator = np.random.default_rng(3)
    vectors = report.unit(generator.normal(size=(120, 32)).astype(np.float32))
    subjects = np.repeat(np.arange(60), 2)
    threshold = report.threshold_at(vectors, subjects, 1e-2)
    scores = vectors @ vectors.T
    other = np.triu(subjects[:, None] != subjects[None, :], 1)
    assert (scores[other] >= threshold).mean() <= 1e-2
    assert (scores[other] >= threshold - 0.05).mean() > 1e-2
