"""New faces out of two: every pixel lies between the two it came from, and seams are soft."""

from __future__ import annotations

import numpy as np

from models.training.prepare_made_faces import made_faces, masks


def test_every_pixel_lies_between_its_parents() -> None:
    dark, light = np.full((128, 128, 3), 40, np.uint8), np.full((128, 128, 3), 200, np.uint8)
    crops = np.stack([dark, light, np.zeros_like(dark)])
    made = made_faces(crops, np.array([0, 1]), 64, np.random.default_rng(0))
    assert made.shape == (64, 128, 128, 3)
    assert made.min() >= 40, "row 2 was not to be used"
    assert made.max() <= 200
    assert len(np.unique(made)) > 50


def test_half_the_masks_are_blends_and_the_others_seams() -> None:
    shares = masks(400, np.random.default_rng(1))[..., 0]
    flat = np.ptp(shares, axis=(1, 2)) == 0.0
    assert 0.4 < flat.mean() < 0.6
    assert (shares[flat] >= 0.35).all()
    assert (shares[flat] <= 0.65).all()
    seams = shares[~flat]
    assert (np.ptp(seams, axis=(1, 2)) > 0.99).all(), "each side belongs to one parent"
    assert np.abs(np.diff(seams, axis=1)).max() < 0.15
    assert np.abs(np.diff(seams, axis=2)).max() < 0.15
