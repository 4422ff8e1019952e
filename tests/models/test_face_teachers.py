"""The face encoders that teach ours: read from their files, joined into one space."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.training.prepare_faces import TeacherSpace

SHARED = Path(__file__).resolve().parents[3] / "shared"


def packed(number: int) -> bytes:
    """A whole number as dlib stores it."""
    body = number.to_bytes(max(1, (number.bit_length() + 7) // 8), "little")
    return bytes([len(body)]) + body


def tensor(values: np.ndarray, shape: tuple[int, int, int, int]) -> bytes:
    """A tensor as dlib stores it: version 2, four lengths, numbers."""
    return b"".join(packed(number) for number in (2, *shape)) + values.astype("<f4").tobytes()


def test_dlib_tensors_are_read_in_order(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the training extra (torch) is not installed")
    from models.training.face_teachers import dlib_weights

    kernel, affine, last = np.arange(300.0), np.array([-1.5, 2.0]), np.arange(6.0)
    file = tmp_path / "network.dat"
    file.write_bytes(
        b"\x01loss" + b"con_4" + tensor(kernel, (300, 1, 1, 1)) + b"affine_" + tensor(affine, (2, 1, 1, 1))
        + b"fc_2" + packed(3) + packed(2) + tensor(last, (2, 3, 1, 1))
    )  # fmt: skip
    found = list(dlib_weights(file))
    assert [part.tolist() for part in found] == [kernel.tolist(), affine.tolist(), last.tolist()]


def test_another_file_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the training extra (torch) is not installed")
    from models.training.face_teachers import dlib_weights

    (tmp_path / "network.dat").write_bytes(b"affine_ only")
    with pytest.raises(ValueError, match="is not dlib's face recognition network"):
        list(dlib_weights(tmp_path / "network.dat"))


@pytest.mark.shared_data
def test_mobilefacenet_in_torch_equals_onnx_runtime() -> None:
    torch = pytest.importorskip("torch", reason="the training extra (torch) is not installed")
    file = SHARED / "teachers" / "mobilefacenet.onnx"
    if not file.exists():
        pytest.skip("../shared/teachers is absent")
    import onnxruntime

    from models.training.face_teachers import PlainNetwork

    pixels = np.random.default_rng(0).normal(size=(1, 3, 112, 112)).astype(np.float32)
    wanted = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"]).run(None, {"input0": pixels})
    with torch.inference_mode():
        found = PlainNetwork(file)(torch.from_numpy(pixels)).numpy()
    np.testing.assert_allclose(found, wanted[0], atol=1e-4)


def test_the_joined_space_keeps_the_cosines_of_both_teachers() -> None:
    chance = np.random.default_rng(1)
    hidden = chance.normal(size=(400, 10))
    halves = [hidden @ chance.normal(size=(10, 20)) + 3.0 * chance.normal(size=20) for _ in range(2)]
    both = np.concatenate([half / np.linalg.norm(half, axis=1, keepdims=True) for half in halves], axis=1)
    space = TeacherSpace.fit(both.astype(np.float32), kept=24)
    joined = space.joined(both.astype(np.float32))
    targets = space(both.astype(np.float32))
    np.testing.assert_allclose(np.linalg.norm(targets, axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(targets @ targets.T, joined @ joined.T / 2.0, atol=1e-4)


def test_a_space_is_found_again(tmp_path: Path) -> None:
    both = np.random.default_rng(2).normal(size=(50, 8)).astype(np.float32)
    space = TeacherSpace.fit(both, kept=4)
    space.save(tmp_path / "space.npz")
    np.testing.assert_array_equal(TeacherSpace.load(tmp_path / "space.npz")(both), space(both))
