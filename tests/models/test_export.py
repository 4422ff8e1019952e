"""ONNX export: the file computes what the network computes and can start a training again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the training extra (torch) is not installed")
onnxruntime = pytest.importorskip("onnxruntime")

from models.training.backbones import ResidualEncoder, build  # noqa: E402
from models.training.export import FaceGraph, export_face, weights_of  # noqa: E402

SMALL = {"kind": "residual", "widths": [16, 32], "depths": [1, 1], "stem": 8, "expansion": 64, "dimension": 16}


@pytest.fixture
def network() -> ResidualEncoder:
    """A small network whose normalisation statistics are not the trivial ones."""
    torch.manual_seed(0)
    made = build(SMALL)
    made.train()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
        for _ in range(5):
            made(torch.rand(8, 3, 112, 112) * 255)
    return made.eval()


def crops(count: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, 112, 112, 3), dtype=np.uint8)


def run(path: Path, images: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(["embedding"], {"image": images})[0]


@pytest.mark.parametrize("half", [True, False])
@pytest.mark.parametrize("size", [112, 64])
def test_file_and_network_agree(network: ResidualEncoder, tmp_path: Path, half: bool, size: int) -> None:
    path = tmp_path / "model.onnx"
    export_face(network, path, size=size, half=half)
    images = crops(5)
    found = run(path, images)
    with torch.no_grad():
        expected = FaceGraph(network, size)(torch.from_numpy(images)).numpy()
    assert found.dtype == np.float32
    assert np.allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-5)
    gap = 1.0 - (found * expected).sum(axis=1)
    assert np.abs(gap).max() <= (1e-4 if half else 1e-6)
    assert not list(tmp_path.glob("*.partial"))


def test_a_batch_gives_what_single_crops_give(network: ResidualEncoder, tmp_path: Path) -> None:
    export_face(network, tmp_path / "model.onnx")
    images = crops(7)
    together = run(tmp_path / "model.onnx", images)
    alone = np.concatenate([run(tmp_path / "model.onnx", one[None]) for one in images])
    assert np.allclose(together, alone, atol=1e-5)


def test_half_precision_storage_halves_the_file(network: ResidualEncoder, tmp_path: Path) -> None:
    export_face(network, tmp_path / "half.onnx")
    export_face(network, tmp_path / "full.onnx", half=False)
    assert (tmp_path / "half.onnx").stat().st_size < 0.7 * (tmp_path / "full.onnx").stat().st_size


def test_a_training_can_start_from_the_file(network: ResidualEncoder, tmp_path: Path) -> None:
    export_face(network, tmp_path / "model.onnx")
    weights = weights_of(tmp_path / "model.onnx")
    own = network.state_dict()
    missing = [name for name in own if name not in weights and not name.endswith("num_batches_tracked")]
    assert missing == []
    for name, value in weights.items():
        if name in own:
            assert torch.allclose(value, own[name], rtol=1e-3, atol=1e-4), name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "transformer"}, "unknown backbone 'transformer'"),
        ({"kind": "residual", "wide": 1}, "backbone 'residual'"),
    ],
)
def test_a_wrong_backbone_is_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(options)
