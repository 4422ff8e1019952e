"""The int8 variant answers nearly as the float network, whatever the batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the training extra (torch) is not installed")
onnxruntime = pytest.importorskip("onnxruntime")

from models.training.quantise import crop_samples, quantise  # noqa: E402

TRAINED = Path("models/training/weights/face-encoder.onnx")


def embed(path: Path, images: np.ndarray) -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"image": images})[0]


def smooth_crops(count: int, seed: int) -> np.ndarray:
    """Blurred noise: as little like a face as any, but with a picture's statistics."""
    coarse = np.random.default_rng(seed).uniform(0, 256, (count, 8, 8, 3))
    return coarse.repeat(14, axis=1).repeat(14, axis=2).astype(np.uint8)


def test_the_int8_file_is_small_and_close_to_the_float_one(tmp_path: Path) -> None:
    narrow = tmp_path / "int8.onnx"
    quantise(TRAINED, narrow, crop_samples(smooth_crops(32, seed=0)))
    images = smooth_crops(6, seed=1)
    wanted, found = embed(TRAINED, images), embed(narrow, images)
    assert narrow.stat().st_size < 0.7 * TRAINED.stat().st_size  # float16 beside int8
    assert np.allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-5)
    assert (found * wanted).sum(axis=1).min() > 0.95
    alone = np.concatenate([embed(narrow, one[None]) for one in images])
    assert np.array_equal(alone, found)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["int8.onnx"]
