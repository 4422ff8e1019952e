"""New faces out of two: every pixel lies between the two it came from, and seams are soft."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is for training only")

from models.training.made_faces import draw, load_made_faces, save_made_faces  # noqa: E402


def test_every_pixel_lies_between_its_parents() -> None:
    dark, light = torch.full((64, 128, 128, 3), 40, dtype=torch.uint8), torch.full((64, 128, 128, 3), 200).byte()
    made = draw(np.array([0, 1]), 64, np.random.default_rng(0)).join(dark, light)
    assert made.shape == (64, 128, 128, 3)
    assert int(made.min()) >= 40
    assert int(made.max()) <= 200
    assert len(made.unique()) > 50


def test_parents_come_from_the_rows_allowed() -> None:
    made = draw(np.array([3, 7]), 200, np.random.default_rng(0))
    assert set(made.first) == set(made.second) == {3, 7}


def test_half_the_masks_are_blends_and_the_others_seams() -> None:
    made = draw(np.arange(9), 400, np.random.default_rng(1))
    shares = made.masks(128, torch.device("cpu"))[..., 0].numpy()
    flat = np.ptp(shares, axis=(1, 2)) == 0.0
    assert 0.4 < flat.mean() < 0.6
    assert (shares[flat] >= 0.35).all()
    assert (shares[flat] <= 0.65).all()
    seams = shares[~flat]
    assert (np.ptp(seams, axis=(1, 2)) > 0.99).all(), "each side belongs to one parent"
    assert np.abs(np.diff(seams, axis=1)).max() < 0.15
    assert np.abs(np.diff(seams, axis=2)).max() < 0.15
    sideways = np.ptp(seams, axis=1).max(axis=1) < 1e-6
    assert (sideways == made.across[~flat]).all()


def test_what_was_kept_is_found_again(tmp_path: Path) -> None:
    made = draw(np.arange(50), 10, np.random.default_rng(2))
    targets = np.eye(10, 16, dtype=np.float32)
    save_made_faces(tmp_path, made, targets)
    again, teacher = load_made_faces(tmp_path)
    assert (again.first == made.first).all()
    assert (again.width == made.width).all()
    assert (teacher.numpy() == targets).all()


def test_nothing_kept_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="prepare_made_faces"):
        load_made_faces(tmp_path)
