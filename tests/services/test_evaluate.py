"""Evaluation and embedding of files, with real networks of random weights on aligned pictures."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from verify_app.domain import Modality
from verify_app.reasons import Cancelled, ReasonCode, StateError, UnusableInput, UsageError
from verify_app.services.application import Application
from verify_app.services.embed import EmbedOptions, embed_files, modality_of, write_npz
from verify_app.services.evaluate import EvaluateOptions, Evaluation, evaluate
from verify_app.services.settings import Settings

PEOPLE, EACH = 8, 4
ALIGNED = EvaluateOptions(aligned=True)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of aligned pictures: people differ much, pictures of one person a little."""
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(3)
    for person in range(PEOPLE):
        base = random.integers(0, 255, (7, 7, 3)).astype(np.float32)
        for number in range(EACH):
            varied = np.clip(base + random.normal(0, 12, base.shape), 0, 255).astype(np.uint8)
            picture = cv2.resize(varied, (112, 112), interpolation=cv2.INTER_NEAREST)
            cv2.imwrite(str(folder / f"{person}-{number}.png"), picture)
    (folder / "empty.png").write_bytes(b"")
    return folder


@pytest.fixture
def app(tmp_path: Path, tiny_models: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Application]:
    monkeypatch.setenv("VERIFY_APP_MODELS", str(tiny_models))
    with Application(Settings(tmp_path / "data", tmp_path / "config")) as application:
        yield application
        assert not (tmp_path / "data").exists(), "embeddings are kept in memory only"


def _table(folder: Path, extra: str = "") -> Path:
    rows = ["reference,probe,mated,fold,group"]
    for a in range(PEOPLE):
        for b in range(PEOPLE):
            for number in (2, 3):
                row = f"{a}-0.png;{a}-1.png,{b}-{number}.png,{int(a == b)},{number},{'low' if a < 4 else 'high'}"
                rows.append(row)
    file = folder / "trials.csv"
    file.write_text("\n".join(rows) + "\n" + extra, encoding="utf-8")
    return file


def test_figures_folds_groups_and_failures(app: Application, pictures: Path, tmp_path: Path) -> None:
    table = _table(tmp_path, "empty.png,0-1.png,1,2,low\n0-0.png,nowhere.png,1,2,low\n")

    result = evaluate(app, table, EvaluateOptions(root=pictures, aligned=True), scores_file=tmp_path / "scores.csv")

    assert result.modality is Modality.FACE
    assert result.files == PEOPLE * EACH + 2
    assert result.failures_by_reason() == {"file_empty": ["empty.png"], "file_not_found": ["nowhere.png"]}
    assert result.scored.sum() == len(result.scores) - 2
    assert result.failure_rate.low < 2 / result.files < result.failure_rate.high
    assert result.summary is not None
    assert result.summary.mated == 2 * PEOPLE
    assert result.summary.eer.value < 0.2
    assert result.summary.accuracy is not None
    assert result.discard is not None
    assert result.discard.kept[0] == result.summary.mated
    point = next(one for one in result.summary.operating_points if one.target_fmr == result.discard_fmr)
    assert result.discard.fnmr(0.0) == pytest.approx(point.fnmr.value)
    assert set(result.groups) == {"low", "high"}
    assert [row["failure"] for row in _rows(tmp_path / "scores.csv")][-2:] == ["file_empty", "file_not_found"]


def test_scores_are_the_cosine_with_the_combined_reference(app: Application, pictures: Path, tmp_path: Path) -> None:
    table = _table(tmp_path)
    result = evaluate(app, table, EvaluateOptions(root=pictures, aligned=True), scores_file=tmp_path / "scores.csv")
    files = ["0-0.png", "0-1.png", "1-2.png"]
    options = EmbedOptions(Modality.FACE, aligned=True, gates=False)
    vectors = [one.vector for one in embed_files(app, files, options, root=pictures)]
    first, second, probe = (vector for vector in vectors if vector is not None)
    reference = first + second

    row = next(
        row
        for row in _rows(tmp_path / "scores.csv")
        if row["reference"] == "0-0.png;0-1.png" and row["probe"] == files[2]
    )
    expected = float(reference @ probe / np.linalg.norm(reference))
    assert float(row["score"]) == pytest.approx(expected, abs=1e-5)
    assert np.isfinite(result.scores).all()


def test_each_file_is_embedded_once_and_paths_start_at_the_table(app: Application, pictures: Path) -> None:
    seen: list[str] = []
    table = _table(pictures)

    result = evaluate(app, table, ALIGNED, progress=lambda done, total, message="": seen.append(message))

    assert not result.failures
    assert sorted(seen) == sorted(result.table.files())


def test_one_class_of_trials_has_no_error_rates_but_its_scores(
    app: Application, pictures: Path, tmp_path: Path
) -> None:
    table = tmp_path / "mated.csv"
    table.write_text("reference,probe,mated\n0-0.png,0-1.png,1\n", encoding="utf-8")

    result: Evaluation = evaluate(app, table, EvaluateOptions(root=pictures, aligned=True))

    assert result.summary is None
    assert result.unsummarised is not None
    assert result.unsummarised.code is ReasonCode.TRIALS_ONE_CLASS
    assert np.isfinite(result.scores).all()


def test_when_every_file_fails_the_first_reason_is_told(app: Application, tmp_path: Path) -> None:
    with pytest.raises(UnusableInput, match="Not one of") as refusal:
        evaluate(app, _table(tmp_path), EvaluateOptions(Modality.FACE, root=tmp_path, aligned=True))

    assert refusal.value.reason.code is ReasonCode.FILE_NOT_FOUND
    assert "--root" in refusal.value.reason.advice


def test_cancelling_stops_between_files(app: Application, pictures: Path, tmp_path: Path) -> None:
    done: list[int] = []

    with pytest.raises(Cancelled):
        evaluate(
            app,
            _table(tmp_path),
            EvaluateOptions(root=pictures, aligned=True),
            progress=lambda number, total, message="": done.append(number),
            cancelled=lambda: len(done) >= 3,
        )

    assert len(done) == 3


def test_scores_that_cannot_be_written_are_told(app: Application, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        evaluate(
            app,
            _table(tmp_path),
            EvaluateOptions(root=pictures, aligned=True),
            scores_file=tmp_path / "no-folder" / "scores.csv",
        )


def test_many_files_keep_their_order(app: Application, pictures: Path) -> None:
    names = [f"{person}-{number}.png" for number in range(EACH) for person in range(PEOPLE)] * 5
    names[70] = "empty.png"
    options = EmbedOptions(Modality.FACE, aligned=True, gates=False)

    results = list(embed_files(app, names, options, root=pictures))

    assert [one.file for one in results] == names
    failed = [place for place, one in enumerate(results) if one.reason is not None]
    assert failed == [70]
    first, again = results[0].vector, results[PEOPLE * EACH].vector
    assert first is not None
    assert again is not None
    np.testing.assert_allclose(first, again, atol=1e-6)


def test_npz_holds_what_is_promised(app: Application, pictures: Path, tmp_path: Path) -> None:
    options = EmbedOptions(Modality.FACE, aligned=True, gates=False)
    results = list(embed_files(app, ["0-0.png", "empty.png", "1-0.png"], options, root=pictures))
    contract = app.contract(Modality.FACE)

    file = write_npz(tmp_path / "x.npz", results, contract, Modality.FACE)

    with np.load(file) as content:
        assert content["vectors"].shape == (2, contract.dimension)
        assert content["vectors"].dtype == np.float32
        assert content["files"].tolist() == ["0-0.png", "1-0.png"]
        assert str(content["contract"]) == contract.id
        assert str(content["modality"]) == "face"
        assert content["quality"].shape == (2,)
    assert file.stat().st_mode & 0o077 == 0


def test_the_modality_is_that_of_the_first_readable_file(pictures: Path, tmp_path: Path) -> None:
    assert modality_of(["empty.png", "0-0.png"], pictures) is Modality.FACE
    with pytest.raises(UnusableInput) as refusal:
        modality_of(["empty.png"], pictures)
    assert refusal.value.reason.code is ReasonCode.FILE_EMPTY


def _rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_cached_embeddings_are_not_made_again(
    write_models: Callable[[Path], Path], pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = write_models(tmp_path / "models")
    monkeypatch.setenv("VERIFY_APP_MODELS", str(models))
    table, options = _table(tmp_path), EvaluateOptions(root=pictures, aligned=True, cache=True)
    with Application(Settings(tmp_path / "data", tmp_path / "config")) as application:
        first = evaluate(application, table, options)
    files = list((tmp_path / "data").iterdir())
    vector = next(iter(first.vectors.values())).astype("<f4").tobytes()
    assert files
    assert not any(vector in file.read_bytes() for file in files if file.is_file())
    (models / "face-encoder" / "model.onnx").unlink()  # from here on nothing can be embedded
    seen: list[int] = []
    with Application(Settings(tmp_path / "data", tmp_path / "config")) as application:
        again = evaluate(application, table, options, progress=lambda done, _total, message="": seen.append(done))
        assert np.array_equal(again.scores, first.scores)
        assert seen == list(range(1, again.files + 1))
        with pytest.raises(StateError):
            evaluate(application, table, replace(options, gates=True))  # of other options there is nothing
