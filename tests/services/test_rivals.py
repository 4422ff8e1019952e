"""The same trials by another similarity, another encoder or embeddings from a file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.people import vectors
from verify_app.domain import Modality
from verify_app.reasons import StateError, UnusableInput
from verify_app.services import rivals
from verify_app.services.application import Application
from verify_app.services.calibrate import from_vector_file
from verify_app.services.settings import load_settings
from verify_app.services.trial_sets import from_folder


def vector_file(folder: Path, files: bool = True, seed: int = 0, skip: int = 0) -> Path:
    x, y = vectors(14, 3, seed=seed)
    names = np.array([f"{folder.name}/p{one}/{row % 3}.png" for row, one in enumerate(y)])
    file = folder / f"x{seed}.npz"
    columns = {"files": names[skip:]} if files else {}
    np.savez(file, vectors=x[skip:], subjects=np.array([f"p{one}" for one in y])[skip:], **columns)
    return file


def test_embeddings_of_the_same_samples_are_found_by_name(tmp_path: Path) -> None:
    whole = from_vector_file(vector_file(tmp_path))
    first, second = rivals.by_vectors(whole, vector_file(tmp_path, seed=1, skip=2))
    assert len(first.trials) == len(second.trials) == 40 * 39 // 2  # two samples have no embedding there
    assert np.array_equal(first.trials.mated, second.trials.mated)
    assert not np.allclose(first.trials.scores, second.trials.scores)
    assert second.vectors is not None
    assert second.reference is not None
    assert second.probe is not None
    again = np.sum(second.vectors[second.reference] * second.vectors[second.probe], axis=1)
    assert second.trials.scores == pytest.approx(again, abs=1e-6)


def test_without_names_the_order_has_to_be_the_same(tmp_path: Path) -> None:
    whole = from_vector_file(vector_file(tmp_path))
    assert len(rivals.by_vectors(whole, vector_file(tmp_path, files=False, seed=1))[1].trials) == len(whole.trials)
    with pytest.raises(UnusableInput, match="other samples"):
        rivals.by_vectors(whole, vector_file(tmp_path, files=False, seed=2, skip=1))


def test_a_fitted_similarity_of_the_same_people(tmp_path: Path) -> None:
    whole = from_vector_file(vector_file(tmp_path))
    first, second = rivals.by_similarity(whole, "lda")
    assert first is whole
    assert (second.similarity, len(second.trials)) == ("lda", len(whole.trials))
    assert second.parameters is not None
    back = second.compared_by("cosine")
    assert back.parameters is None
    assert back.trials.scores == pytest.approx(whole.trials.scores)


def test_a_sample_left_out_is_not_fitted_to(tmp_path: Path) -> None:
    plain, reason = from_vector_file(vector_file(tmp_path)), "another person"
    fitted = plain.compared_by("as-norm")
    less = fitted.without(fitted.rows_of(5), reason)
    assert 5 not in less.used
    assert less.parameters == plain.without(plain.rows_of(5), reason).compared_by("as-norm").parameters


@pytest.fixture
def two_encoders(
    write_models: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Application]:
    """An installation with a second face encoder: the same network, which sees pictures and their mirror images."""
    models = write_models(tmp_path / "models")
    light = write_models(tmp_path / "light", "face-112-mirror-1") / "face-encoder" / "model.onnx"
    (models / "light").mkdir()
    content = light.read_bytes()
    (models / "light" / "model.onnx").write_bytes(content)
    with (models / "manifest.toml").open("a", encoding="utf-8") as stream:
        stream.write(
            '[[model]]\nname = "light"\nrole = "face-encoder"\nversion = "1"\nfile = "light/model.onnx"\n'
            f'sha256 = "{hashlib.sha256(content).hexdigest()}"\nbytes = {len(content)}\n'
            'preprocessing = "face-112-mirror-1"\ndimension = 32\nnormalisation = "l2"\ndefault = false\n'
        )
    monkeypatch.setenv("VERIFY_APP_MODELS", str(models))
    monkeypatch.setenv("VERIFY_APP_HOME", str(tmp_path / "home"))
    with Application(load_settings()) as app:
        yield app


def pictures(folder: Path) -> Path:
    import cv2

    rng = np.random.default_rng(0)
    for person in range(3):
        (folder / f"p{person}").mkdir(parents=True)
        base = rng.integers(0, 255, size=(7, 7, 3)).astype(np.uint8)
        for sample in range(2):
            crop = cv2.resize(base, (112, 112), interpolation=cv2.INTER_CUBIC)
            noisy = np.clip(crop + rng.normal(0, 8, crop.shape), 0, 255).astype(np.uint8)
            cv2.imwrite(str(folder / f"p{person}" / f"{sample}.png"), noisy)
    return folder


def test_another_encoder_embeds_the_same_files(two_encoders: Application, tmp_path: Path) -> None:
    assert rivals.other_encoders(two_encoders, "face") == ["light"]
    assert rivals.other_encoders(two_encoders, "voice") == rivals.other_encoders(two_encoders, "vectors") == []
    whole = from_folder(two_encoders, pictures(tmp_path / "people"), Modality.FACE, aligned=True)
    first, second = rivals.by_encoder(two_encoders, whole, "light")
    assert len(first.trials) == len(second.trials) == 15
    assert "light" in second.contract_id
    assert first.contract_id == two_encoders.contract(Modality.FACE).id
    assert not np.allclose(first.trials.scores, second.trials.scores)
    with pytest.raises(StateError, match="no model called"):
        rivals.by_encoder(two_encoders, whole, "none")


def test_where_nothing_can_be_embedded_again(two_encoders: Application, tmp_path: Path) -> None:
    from tests.services.test_trial_sets import pairs

    whole = pairs()
    stored = tuple(replace(sample, stored=True) for sample in whole.samples)
    with pytest.raises(StateError, match="not kept"):
        rivals.by_encoder(two_encoders, replace(whole, samples=stored), "light")
