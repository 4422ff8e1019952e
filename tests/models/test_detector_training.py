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
from models.training.detector.atlas import Atlas  # noqa: E402
from models.training.detector.augment import Plan, Pools, compose, transform_faces  # noqa: E402
from models.training.detector.data import Photo  # noqa: E402
from models.training.detector.network import HEADS, STRIDES, Deployed, Detector, output_names  # noqa: E402
from models.training.detector.render import blur, cover, disturb, paint  # noqa: E402
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
    corner, stride = (t.numpy() for t in cells(320, torch.device("cpu")))
    mine = assign(torch.from_numpy(face)[None], 320)[0].numpy() == 0
    assert mine.any()
    assert (
        np.abs(corner[mine] - [x * 320, y * 320]).max(1)
        <= np.maximum(1.5, 0.35 * side / stride[mine, 0]) * stride[mine, 0]
    ).all()


def test_doubtful_faces_teach_no_cell_and_the_nearer_of_two_wins() -> None:
    faces = np.concatenate([FACE, FACE + np.r_[[8, 0, 0, 0], [8, 0] * 5, 0], FACE]).astype(np.float32)
    faces[:, 14] = (1, 1, 0)
    owner = assign(torch.from_numpy(faces)[None], 160)[0].numpy()
    corner = cells(160, torch.device("cpu"))[0].numpy()
    level = np.abs(corner[:, 1] - 70) <= 4  # as high as both centres, which are at 70 and 78
    assert set(np.unique(owner)) == {-1, 0, 1}
    assert (corner[level & (owner == 0), 0] <= 74).all()
    assert (corner[level & (owner == 1), 0] >= 74).all()


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


@pytest.fixture
def atlas() -> Atlas:
    return Atlas([photo(), photo()], torch.device("cpu"))


@pytest.fixture
def pools(atlas: Atlas) -> Pools:
    return Pools.of([photo(), photo()], atlas.extent[:, 0].long().numpy())


def same(first: Plan, second: Plan) -> bool:
    return all(np.array_equal(value, getattr(second, name)) for name, value in vars(first).items())


def test_a_batch_depends_on_its_seed_alone(atlas: Atlas, pools: Pools) -> None:
    first, second, other = (compose(pools, 128, 4, seed) for seed in (3, 3, 4))
    assert same(first, second)
    assert not same(first, other)
    clean = paint(atlas, first)
    assert torch.equal(clean, paint(atlas, second))
    before = clean.clone()
    disturbed = disturb(clean, first)
    assert torch.equal(disturbed, disturb(clean, second))
    assert torch.equal(clean, before), "the picture that the teacher saw stays as it was"
    assert disturbed.min() >= 0
    assert disturbed.max() <= 255
    assert torch.equal(disturbed[torch.from_numpy(first.clean)], clean[torch.from_numpy(first.clean)])


def test_pictures_show_the_photograph_where_its_faces_are_said_to_be(atlas: Atlas, pools: Pools) -> None:
    """The test photograph's colours are its coordinates, so a landmark can be read off the picture."""
    checked = 0
    for seed in range(30):
        plan = compose(pools, 256, 2, seed)
        pictures = paint(atlas, plan).numpy()
        for picture, faces in zip(pictures, plan.faces, strict=True):
            for face in faces[(faces[:, 14] == 1) & (faces[:, 2] > 60)]:
                x, y = face[8], face[9]  # the nose, which is at 70, 75 and stays itself when mirrored
                if 2 <= x <= 253 and 2 <= y <= 253:
                    assert picture[0, round(float(y)), round(float(x))] == pytest.approx(70, abs=3)
                    assert picture[1, round(float(y)), round(float(x))] == pytest.approx(75, abs=3)
                    checked += 1
    assert checked > 10


def test_covers_and_blur_keep_to_their_places() -> None:
    pictures = torch.zeros(2, 3, 64, 64)
    square = torch.tensor([[16.0, 16], [32, 16], [48, 16], [48, 48], [32, 48], [16, 48]])
    painted = cover(pictures, torch.stack([square, square.flip(0)]), torch.full((2, 3), 200.0))
    assert torch.equal(painted[0], painted[1]), "either direction of the corners means the same polygon"
    assert (painted[:, :, 18:46, 18:46] == 200).all()
    assert painted[:, :, :15].max() == 0
    soft = blur(painted, torch.tensor([0.5, 2.5]))
    assert soft.mean() == pytest.approx(float(painted.mean()), rel=1e-3)
    assert soft[1, 0, 14, 32] > soft[0, 0, 14, 32]


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
