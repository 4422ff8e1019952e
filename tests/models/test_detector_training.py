"""The recipe of the face detector: labels under warps, targets, losses, export."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="the training extra (torch) is not installed")
pytest.importorskip("onnx", reason="the training extra (onnx) is not installed")

from models.training.detector import export  # noqa: E402
from models.training.detector.augment import Pools, compose, disturb, transform_faces  # noqa: E402
from models.training.detector.data import Photo  # noqa: E402
from models.training.detector.network import HEADS, STRIDES, Deployed, Detector, output_names  # noqa: E402
from models.training.detector.targets import assign, cells, hint_loss, loss  # noqa: E402

FACE = np.array([[40, 30, 60, 80, 55, 60, 85, 60, 70, 75, 58, 92, 82, 92, 0.9]], np.float32)


def photo() -> Photo:
    y, x = np.mgrid[0:160, 0:140]
    pixels = np.stack([x, y, (x + y) % 256], -1).astype(np.uint8)
    return Photo("made here", "test", cv2.imencode(".png", pixels)[1].tobytes(), FACE)


@given(angle=st.floats(-40, 40), scale=st.floats(0.3, 3), mirrored=st.booleans())
def test_labels_follow_the_picture(angle: float, scale: float, mirrored: bool) -> None:
    turn = np.deg2rad(angle)
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    if mirrored:
        linear = linear @ np.diag([-1.0, 1.0])
    matrix = np.concatenate([linear, [[300.0], [20.0]]], axis=1)
    moved = transform_faces(FACE, matrix, mirrored)[0]
    eyes = moved[4:8].reshape(2, 2)
    assert eyes[0, 0] < eyes[1, 0], "the left of the picture comes first, mirrored or not"
    assert np.linalg.norm(eyes[1] - eyes[0]) == pytest.approx(30 * scale, rel=1e-4)
    centre = linear @ [70, 70] + [300, 20]
    assert moved[:2] + moved[2:4] / 2 == pytest.approx(centre, abs=1e-2)
    assert 60 * scale - 0.01 <= moved[2] <= 80 * scale + 0.01


@given(side=st.floats(10, 250), x=st.floats(0.3, 0.7), y=st.floats(0.3, 0.7))
@settings(max_examples=50)
def test_every_face_teaches_a_cell_near_its_centre(side: float, x: float, y: float) -> None:
    face = np.zeros((1, 15), np.float32)
    face[0, :4] = (x * 320 - side / 2, y * 320 - side / 2, side, side)
    face[0, 14] = 1
    targets = assign(face, 320)
    corner, stride = (t.numpy() for t in cells(320, torch.device("cpu")))
    mine = targets.state == 1
    assert mine.any()
    assert (
        np.abs(corner[mine] - [x * 320, y * 320]).max(1)
        <= np.maximum(1.5, 0.35 * side / stride[mine, 0]) * stride[mine, 0]
    ).all()


def test_doubtful_faces_are_left_alone() -> None:
    face = FACE.copy()
    face[0, 14] = 0
    state = assign(face, 160).state
    assert set(np.unique(state)) == {-1, 0}


def as_maps(flat: torch.Tensor, size: int) -> list[torch.Tensor]:
    parts = flat.split([(size // s) ** 2 for s in STRIDES], dim=1)
    return [p.transpose(1, 2).reshape(1, 16, size // s, size // s) for p, s in zip(parts, STRIDES, strict=True)]


def test_right_answers_cost_nothing_and_wrong_ones_something() -> None:
    generator = torch.Generator().manual_seed(0)
    count = len(cells(160, torch.device("cpu"))[0])
    score = torch.zeros(1, count)
    score[0, 40:50] = torch.linspace(0.3, 0.95, 10)
    target = torch.randn(1, count, 14, generator=generator)
    right = torch.cat([score.clamp(1e-4, 1 - 1e-4).logit()[..., None].repeat(1, 1, 2), target], 2)
    good = loss(as_maps(right, 160), score, target, 160)
    bad = loss(as_maps(right + torch.randn(right.shape, generator=generator), 160), score, target, 160)
    assert float(good["box"]) < 1e-4
    assert float(good["kps"]) < 1e-4
    assert float(good["score"]) < 0.05
    assert all(float(bad[k]) > float(good[k]) + 0.05 for k in good)


def test_hints_compare_the_first_channels_and_count_faces_more() -> None:
    near = torch.zeros(1, 25 + 100 + 400, dtype=torch.bool)
    near[0, :400] = True
    hint = torch.ones(1, 64, 20, 20)
    ours = torch.cat([hint, torch.full((1, 16, 20, 20), 9.0)], 1)
    assert float(hint_loss({"stage8": ours}, {"stage8": hint}, near, 160)) == 0
    assert float(hint_loss({"stage8": ours + 1}, {"stage8": hint}, near, 160)) == pytest.approx(1.0)


def test_a_batch_depends_on_its_seed_alone() -> None:
    pools = Pools([photo()], [photo()], [photo()])
    first, second = (compose(pools, 128, np.random.default_rng([7, 3])) for _ in range(2))
    assert np.array_equal(first.clean, second.clean)
    before = first.clean.copy()
    lights = [disturb(first, np.random.default_rng([7, 3, step])) for step in (1, 2, 1)]
    assert np.array_equal(lights[0], lights[2])
    assert not np.array_equal(lights[0], lights[1])
    assert np.array_equal(first.clean, before), "the picture that the teacher saw stays as it was"
    assert np.array_equal(first.faces, second.faces)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (96, 160)])
def test_the_exported_file_computes_what_the_network_does(tmp_path: Path, height: int, width: int) -> None:
    import onnxruntime as ort

    torch.manual_seed(0)
    network = Detector()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    path = tmp_path / "model.onnx"
    export.save(network, path)
    x = np.random.default_rng(0).uniform(0, 255, (1, 3, height, width)).astype(np.float32)
    with torch.no_grad():
        expected = Deployed(network.eval())(torch.from_numpy(x))
    got = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(output_names(), {"input": x})
    for want, have in zip(expected, got, strict=True):
        np.testing.assert_allclose(have, want.numpy(), atol=1e-4)
    assert len(got) == len(HEADS) * len(STRIDES)
    detector = cv2.FaceDetectorYN.create(str(path), "", (width, height), 0.001, 0.3)
    assert detector.detect(np.zeros((height, width, 3), np.uint8))[0] == 1
