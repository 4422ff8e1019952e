"""From pictures to embeddings, with the real detector where there is one."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import pytest

from verify_app.capture.images import load_image
from verify_app.domain import ImageArray, Modality, Sample
from verify_app.encoders.manifest import load_manifest
from verify_app.face.alignment import TEMPLATE, similarity_transform
from verify_app.face.detector import FaceDetector
from verify_app.face.landmarks import LandmarkFinder
from verify_app.face.pipeline import FacePipeline, FacePolicy
from verify_app.reasons import ReasonCode, StateError, UnusableInput


def _sample(image: ImageArray) -> Sample:
    return Sample(Modality.FACE, image, "picture.png", hashlib.sha256(image.tobytes()).hexdigest())


@pytest.fixture
def crops() -> list[Sample]:
    rng = np.random.default_rng(4)
    fields = rng.integers(40, 215, (5, 14, 14, 3), np.uint8)
    return [_sample(np.asarray(cv2.resize(field, (112, 112), interpolation=cv2.INTER_NEAREST))) for field in fields]


@pytest.fixture
def tiny(tiny_models: Path) -> FacePipeline:
    return FacePipeline(load_manifest(tiny_models))


def test_nothing_heavy_is_imported_before_it_is_used() -> None:
    code = (
        "import sys, verify_app.face.pipeline, verify_app.voice.pipeline, verify_app.capture.files;"
        "print(sorted({'cv2', 'onnxruntime', 'soundfile', 'soxr', 'librosa', 'scipy', 'av'} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert answer.stdout.strip() == "[]"


def test_importing_opencv_leaves_qt_alone() -> None:
    code = (
        "import os; from verify_app.native import opencv; os.environ.pop('QT_QPA_FONTDIR', None); opencv();"
        "print([name for name in os.environ if name.startswith('QT_QPA_')])"
    )
    environment = {"PATH": "", "PYTHONPATH": str(Path(__file__).parents[2])}
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)

    assert answer.stdout.strip() == "[]"


def test_aligned_faces_are_encoded_without_detection(tiny: FacePipeline, crops: list[Sample]) -> None:
    analyses = [tiny.analyse(crop, aligned=True) for crop in crops]
    embeddings = tiny.embed(analyses)

    assert all(np.array_equal(face.crop, crop.data) for face, crop in zip(analyses, crops, strict=True))
    assert [embedding.sample_sha256 for embedding in embeddings] == [crop.sha256 for crop in crops]
    assert all(embedding.contract == tiny.contract for embedding in embeddings)
    for crop, embedding in zip(crops, embeddings, strict=True):
        _, alone = tiny.encode(crop, aligned=True)
        assert np.abs(alone.vector - embedding.vector).max() < 1e-5
        assert np.array_equal(alone.vector, tiny.encode(crop, aligned=True)[1].vector)
    assert tiny.embed([]) == []


@pytest.mark.parametrize("threads", [1, 2])
def test_an_embedding_is_the_same_bit_for_bit_alone_and_in_company(crops: list[Sample], threads: int) -> None:
    pipeline = FacePipeline(load_manifest(), threads)
    analyses = [pipeline.analyse(crop, aligned=True, gates=False) for crop in crops] * 4
    one = FacePipeline(load_manifest(), 1)

    together = pipeline.embed(analyses)

    for crop, mine in zip(crops, together, strict=False):
        assert np.array_equal(mine.vector, one.encode(crop, aligned=True, gates=False)[1].vector)
    assert all(
        np.array_equal(first.vector, again.vector) for first, again in zip(together[:15], together[5:], strict=True)
    )


def test_the_mirrored_face_is_the_same_where_the_contract_says_so(
    write_models: Callable[..., Path], tmp_path: Path, crops: list[Sample]
) -> None:
    pipeline = FacePipeline(load_manifest(write_models(tmp_path / "models", "face-112-mirror-1")))
    mirrored = _sample(np.ascontiguousarray(crops[0].data[:, ::-1]))

    one, other = (pipeline.encode(sample, aligned=True)[1].vector for sample in (crops[0], mirrored))

    assert np.allclose(one, other, atol=1e-6)
    assert np.linalg.norm(one) == pytest.approx(1, abs=1e-5)


def test_unknown_preprocessing_is_refused(write_models: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(StateError) as refusal:
        FacePipeline(load_manifest(write_models(tmp_path / "models", "face-224-float-9")))
    assert refusal.value.reason.code is ReasonCode.MODEL_CORRUPT


def test_a_broken_detector_is_told(tiny: FacePipeline, crops: list[Sample], capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(StateError) as refusal:
        tiny.analyse(crops[0])

    assert refusal.value.reason.code is ReasonCode.MODEL_CORRUPT
    assert capfd.readouterr() == ("", "")


def test_what_is_no_aligned_face_is_refused(tiny: FacePipeline) -> None:
    voice = Sample(Modality.VOICE, np.zeros(16000, np.float32), "voice.wav", "0")
    with pytest.raises(UnusableInput) as refusal:
        tiny.analyse(voice)
    assert refusal.value.reason.code is ReasonCode.MODALITY_MISMATCH

    with pytest.raises(UnusableInput) as refusal:
        tiny.analyse(_sample(np.zeros((100, 120, 3), np.uint8)), aligned=True)
    assert refusal.value.reason.code is ReasonCode.FORMAT_UNSUPPORTED


def test_gates_refuse_and_can_be_opened(tiny: FacePipeline) -> None:
    black = _sample(np.zeros((112, 112, 3), np.uint8))
    with pytest.raises(UnusableInput) as refusal:
        tiny.analyse(black, aligned=True)
    assert refusal.value.reason.code is ReasonCode.FACE_TOO_DARK
    assert refusal.value.reason.message.startswith("picture.png")

    assert tiny.analyse(black, aligned=True, gates=False).quality.score < 0.1


@pytest.fixture(scope="session")
def shipped(shipped_models: Path) -> FacePipeline:
    return FacePipeline(load_manifest(shipped_models))


Portrait = tuple[ImageArray, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]


@pytest.fixture(scope="session")
def labelled(shared_data: Path) -> list[Portrait]:
    """Photographs of one large face each, and where its landmarks are."""
    folder = shared_data / "detection"
    rows = [
        row
        for row in json.loads((folder / "labels.json").read_text())
        if row["split"] == "dev" and row["source"] == "celeba" and len(row["faces"]) == 1
    ]
    pictures = []
    for row in [row for row in rows if row["faces"][0]["score"] > 0.9][:12]:
        with zipfile.ZipFile(folder / f"detection-{row['shard']:02d}.zip") as archive:
            pixels = cv2.imdecode(np.frombuffer(archive.read(row["file"]), np.uint8), cv2.IMREAD_COLOR)
        landmarks = np.array(row["faces"][0]["landmarks"], float).reshape(5, 2)
        pictures.append((np.ascontiguousarray(pixels[..., ::-1]), landmarks))
    return pictures


@pytest.fixture(scope="session")
def portraits(labelled: list[Portrait]) -> list[ImageArray]:
    return [picture for picture, _ in labelled]


@pytest.mark.shared_data
def test_a_closer_look_gives_better_landmarks(shipped_models: Path, labelled: list[Portrait]) -> None:
    manifest = load_manifest(shipped_models)
    detector, closer = (
        FaceDetector(manifest.default("face-detector")),
        LandmarkFinder(manifest.default("face-landmarks")),
    )
    first, refined = [], []
    for picture, landmarks in labelled:
        face = detector.detect(picture)[0]
        again = closer.refine(picture, detector.refine(picture, face))
        for errors, points in ((first, face.landmarks), (refined, again.landmarks)):
            eyes = np.linalg.norm(landmarks[1] - landmarks[0])
            errors.append(np.linalg.norm(points - landmarks, axis=1).mean() / eyes)

    assert np.mean(refined) < 0.08
    assert np.mean(refined) < np.mean(first)


@pytest.mark.shared_data
def test_faces_are_found_at_every_size(shipped: FacePipeline, portraits: list[ImageArray]) -> None:
    """In a large photograph, in their own, and cropped until they fill the picture: the same face."""
    for portrait in portraits[:4]:
        there = shipped.analyse(_sample(portrait), faces=FacePolicy.LARGEST, gates=False)
        (vector,) = shipped.embed([there])
        scene = np.full((1500, 2000, 3), 120, np.uint8)
        scene[700 : 700 + portrait.shape[0], 1100 : 1100 + portrait.shape[1]] = portrait
        x, y, width, height = (round(value) for value in there.box)
        tight = portrait[max(y, 0) : y + height, max(x, 0) : x + width]
        enlarged = np.asarray(cv2.resize(portrait, None, fx=9, fy=9, interpolation=cv2.INTER_CUBIC))
        for picture in (scene, tight, enlarged):
            _, embedding = shipped.encode(_sample(picture), faces=FacePolicy.LARGEST, gates=False)
            assert float(embedding.vector @ vector.vector) > 0.5


@pytest.mark.shared_data
@pytest.mark.parametrize(("pixels", "share"), [(20, 0.4), (36, 0.5)])
def test_small_faces_are_found_in_a_large_photograph(
    shipped: FacePipeline, portraits: list[ImageArray], pixels: int, share: float
) -> None:
    found = 0
    for portrait in portraits[:8]:
        face = shipped.analyse(_sample(portrait), faces=FacePolicy.LARGEST, gates=False)
        scale = pixels / face.box[2]
        small = cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        scene = np.full((1080, 1920, 3), 120, np.uint8)
        scene[300 : 300 + small.shape[0], 900 : 900 + small.shape[1]] = small
        with suppress(UnusableInput):
            box = shipped.analyse(_sample(scene), faces=FacePolicy.LARGEST, gates=False).box
            middle = np.array([box[0] + box[2] / 2 - 900, box[1] + box[3] / 2 - 300])
            wanted = scale * (np.array(face.box[:2]) + np.array(face.box[2:]) / 2)
            found += np.abs(middle - wanted).max() < pixels / 2
    assert found >= share * 8


@pytest.mark.shared_data
def test_landmarks_and_crop_belong_together(shipped: FacePipeline, portraits: list[ImageArray]) -> None:
    for portrait in portraits[:4]:
        face = shipped.analyse(_sample(portrait), faces=FacePolicy.LARGEST, gates=False)
        matrix = similarity_transform(face.landmarks, TEMPLATE)
        residual = face.landmarks @ matrix[:, :2].T + matrix[:, 2] - TEMPLATE

        assert np.abs(residual).max() < 12
        assert face.crop.shape == (112, 112, 3)
        x, y, width, height = face.box
        assert (face.landmarks >= [x - 1, y - 1]).all()
        assert (face.landmarks <= [x + width + 1, y + height + 1]).all()


@pytest.mark.shared_data
def test_several_faces_are_refused_unless_one_may_be_chosen(shipped: FacePipeline, portraits: list[ImageArray]) -> None:
    large, small = (
        np.asarray(cv2.resize(picture, (220, 300), interpolation=cv2.INTER_AREA)) for picture in portraits[:2]
    )
    scene = np.full((400, 900, 3), 120, np.uint8)
    scene[50:350, 20:240] = large
    scene[50:350, 340:560] = small
    with pytest.raises(UnusableInput) as refusal:
        shipped.analyse(_sample(scene))
    assert refusal.value.reason.code is ReasonCode.SEVERAL_FACES
    assert "2 faces" in refusal.value.reason.message

    largest = shipped.analyse(_sample(scene), faces=FacePolicy.LARGEST, gates=False)
    centred = shipped.analyse(_sample(scene), faces=FacePolicy.LARGEST_CENTRED, gates=False)
    assert largest.faces == 2
    assert 340 < centred.box[0] + centred.box[2] / 2 < 560


@pytest.mark.shared_data
def test_files_of_the_same_picture_give_the_same_person(
    shipped: FacePipeline, portraits: list[ImageArray], tmp_path: Path
) -> None:
    vectors = []
    for ending in (".png", ".jpg", ".webp", ".bmp", ".tiff"):
        file = tmp_path / f"face{ending}"
        cv2.imwrite(str(file), portraits[0][..., ::-1])
        vectors.append(
            shipped.encode(load_image(file, {".jpg": "jpeg"}.get(ending, ending[1:])), gates=False)[1].vector
        )

    assert all(float(vector @ vectors[0]) > 0.95 for vector in vectors)


def test_without_a_face_there_is_nothing_to_encode(shipped_models: Path) -> None:
    pipeline = FacePipeline(load_manifest(shipped_models))
    for picture in (np.full((300, 400, 3), 128, np.uint8), np.full((20, 2000, 3), 90, np.uint8)):
        with pytest.raises(UnusableInput) as refusal:
            pipeline.analyse(_sample(picture))
        assert refusal.value.reason.code is ReasonCode.NO_FACE
