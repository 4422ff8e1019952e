"""The recipe of the landmark network: labels follow the picture, the file says what the network says."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="the training extra (torch) is not installed")
pytest.importorskip("onnx", reason="the training extra (onnx) is not installed")

from models.training.landmarks.network import EYES, SIDE, TEMPLATE, Landmarks, save  # noqa: E402
from models.training.landmarks.train import MIRRORED, Crops, Recipe, Run, degraded, examples  # noqa: E402
from verify_app.face import landmarks as application  # noqa: E402

STEADY = Recipe(shift=0, scale=0, roll=0)


@pytest.fixture
def dots() -> Crops:
    """One crop: black, with a white dot at each landmark."""
    points = ((TEMPLATE - (SIDE - 1) / 2) * (100 / SIDE) + 63.5).round().astype(np.float32)
    pixels = np.zeros((1, 128, 128, 3), np.uint8)
    for x, y in points:
        cv2.circle(pixels[0], (int(x), int(y)), 3, (255, 255, 255), -1)
    half = torch.from_numpy(pixels).reshape(1, 64, 2, 64, 2, 3).float().mean(dim=(2, 4)).to(torch.uint8)
    return Crops(half, points[None], np.array([0]), np.array([0]))


def test_training_and_application_mean_the_same_place() -> None:
    assert application.SIDE == SIDE
    assert np.allclose(application._PLACE, TEMPLATE, atol=1e-4)
    assert MIRRORED.tolist() == application._MIRRORED


def test_labels_follow_the_picture(dots: Crops) -> None:
    pictures, every = examples(dots, np.zeros(20, np.int64), Recipe(), np.random.default_rng(0))
    for picture, points in zip(pictures.numpy(), every, strict=True):
        grey = picture.mean(axis=0)
        y, x = np.mgrid[0:SIDE, 0:SIDE]
        for point in points:
            if not ((point > 4) & (point < SIDE - 5)).all():
                continue
            near = grey * (np.hypot(x - point[0], y - point[1]) < 3)
            assert abs((near * x).sum() / near.sum() - point[0]) < 0.6
            assert abs((near * y).sum() / near.sum() - point[1]) < 0.6
        assert points[0, 0] < points[1, 0], "the left of the picture comes first, mirrored or not"


def test_without_jitter_faces_are_in_place(dots: Crops) -> None:
    _, points = examples(dots, np.array([0]), STEADY, np.random.default_rng(0))
    assert np.linalg.norm(points[0] - TEMPLATE, axis=1).mean() < 0.03 * EYES


def test_a_run_goes_on_as_if_it_had_not_been_stopped(dots: Crops, tmp_path: Path) -> None:
    recipe = Recipe(steps=4, batch=1)
    whole, first, second = (Run(recipe, torch.device("cpu")) for _ in range(3))
    crops = Crops(dots.pixels, dots.points, np.array([0]), np.array([0]))
    losses = [float(whole.learn(crops)) for _ in range(4)]
    parts = [float(first.learn(crops)) for _ in range(2)]
    first.save(tmp_path, None)
    second.load(tmp_path / "checkpoint.pt")
    parts += [float(second.learn(crops)) for _ in range(2)]
    assert parts == losses
    assert float(degraded(torch.full((4, 3, SIDE, SIDE), 300.0)).max()) <= 255


def test_the_file_says_what_the_network_says(tmp_path: Path) -> None:
    import onnxruntime

    torch.manual_seed(0)
    network = Landmarks()
    x = torch.randint(0, 256, (32, 3, SIDE, SIDE)).float()
    network.train()(x)  # batch statistics that are not the initial ones
    torch.nn.init.normal_(network.linear.weight, std=0.02)
    save(network, tmp_path / "model.onnx")
    pixels: NDArray[np.uint8] = x.permute(0, 2, 3, 1).numpy().astype(np.uint8)
    (said,) = onnxruntime.InferenceSession(str(tmp_path / "model.onnx")).run(None, {"image": pixels})
    with torch.no_grad():
        meant = network.eval()(x).numpy().reshape(-1, 5, 2) * EYES + TEMPLATE

    assert (tmp_path / "model.onnx").stat().st_size < 400_000
    assert np.abs(said - meant).max() < 0.05  # pixels; the file keeps its weights at half precision
