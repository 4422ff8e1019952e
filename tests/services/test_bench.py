"""The bench: every way to compare, fusion of chimeras, saliency, and the report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.people import vectors
from verify_app.cli.main import run
from verify_app.reasons import Cancelled, UnusableInput, UsageError
from verify_app.services.bench.fusion import measure_fusion
from verify_app.services.bench.maps import TSNE, UMAP, EmbeddingMap, embedding_map, methods_installed, redrawn
from verify_app.services.bench.report import render
from verify_app.services.bench.run import run_bench
from verify_app.services.bench.saliency import BAND_EDGES, TIME_CELLS, face_saliency, voice_saliency
from verify_app.services.vector_table import LabelledVectors

X, Y = vectors(40, 5, within=0.8)
NAMES = np.array([f"person {one}" for one in Y])


def test_every_way_is_measured_on_the_same_trials() -> None:
    bench = run_bench(X, NAMES, "a test", dimensions=(4, 12, 99))
    rows = {row.name: row for row in bench.rows}
    assert list(rows) == [
        *("cosine", "euclidean", "mahalanobis", "lda", "plda", "kernel", "as-norm cosine", "local cosine"),
        *("pca-4 cosine", "truncated-4 cosine", "pca-12 cosine", "truncated-12 cosine"),
    ]
    assert (bench.fitted_subjects, bench.measured_subjects) == (20, 20)
    assert (bench.mated, bench.non_mated) == (20 * 10, 100 * 99 // 2 - 200)
    assert rows["euclidean"].eer.value == pytest.approx(rows["cosine"].eer.value)  # unit vectors: one ranking
    assert rows["pca-4 cosine"].eer.value > rows["cosine"].eer.value
    for row in bench.rows:
        assert row.eer.low <= row.eer.value <= row.eer.high
        assert 0 <= row.min_cllr <= 1
    html = render(bench)
    assert html.count("data:image/png;base64,") == 4
    assert "truncated-12 cosine" in html


def test_too_few_subjects_and_cancelling() -> None:
    with pytest.raises(UnusableInput, match="8 subjects"):
        run_bench(X[:30], NAMES[:30], "a test")
    with pytest.raises(Cancelled):
        run_bench(X, NAMES, "a test", cancelled=lambda: True)


def test_the_map_shows_the_best_represented_subjects() -> None:
    drawn = embedding_map(X, NAMES, most=3)
    assert drawn.coordinates.shape == (15, 2)
    assert np.unique(drawn.subjects).size == 3
    assert drawn.share is not None
    assert 0 < drawn.share <= 1
    assert drawn.coordinates.mean(axis=0) == pytest.approx([0, 0], abs=1e-9)


def neighbours_of_the_same_person(drawn: EmbeddingMap) -> float:
    """Share of points whose nearest neighbour is of the same person."""
    distances = np.linalg.norm(drawn.coordinates[:, None] - drawn.coordinates[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    return float(np.mean(drawn.subjects[distances.argmin(axis=1)] == drawn.subjects))


@pytest.mark.filterwarnings("ignore:Tensorflow not installed")
@pytest.mark.parametrize("method", [TSNE, UMAP])
def test_maps_that_keep_neighbours_together(method: str) -> None:
    if method == UMAP:
        pytest.importorskip("umap", reason="UMAP is an extra")
    close, names = vectors(10, 6, within=0.4)
    components = embedding_map(close, names)
    seen: list[int] = []
    drawn = redrawn(components, method, progress=lambda done, _total, _text="": seen.append(done))
    assert drawn.coordinates.shape == (60, 2)
    assert drawn.share is None
    assert neighbours_of_the_same_person(drawn) > max(0.8, neighbours_of_the_same_person(components))
    assert seen == sorted(seen)
    with pytest.raises(Cancelled):
        redrawn(components, method, cancelled=lambda: True)


def test_maps_that_cannot_be_drawn() -> None:
    components = embedding_map(X, NAMES, most=1)
    with pytest.raises(UnusableInput, match="8 samples"):
        redrawn(components, TSNE)
    with pytest.raises(UsageError, match="magic"):
        redrawn(components, "magic")
    if UMAP not in methods_installed():
        with pytest.raises(UsageError, match="not installed"):
            redrawn(components, UMAP)


def test_fusion_of_chimeras_beats_either_modality() -> None:
    faces, face_names = vectors(40, 5, within=0.8, seed=1)
    voices, voice_names = vectors(50, 4, within=0.8, seed=2)
    quality = np.random.default_rng(0).choice([0.2, 0.9], size=len(faces))
    figures = measure_fusion(
        LabelledVectors(faces, face_names, quality=quality), LabelledVectors(voices, voice_names), splits=2
    )
    assert (figures.faces, figures.voices, figures.splits) == (40, 50, 2)
    assert figures.ratio.high < 0.6
    assert figures.fused_eer.low <= figures.fused_eer.value <= figures.fused_eer.high
    assert [level.predicted for level in figures.levels] == [1e-1, 1e-2, 1e-3, 1e-4]
    for level in figures.levels:
        assert level.decided <= level.counted  # the upper bound decides
        assert level.decided_fnmr >= level.fnmr
    with pytest.raises(UnusableInput, match="4 people have more samples"):
        measure_fusion(LabelledVectors(faces[:20], face_names[:20]), LabelledVectors(voices, voice_names))


def test_the_part_of_a_face_that_decides_is_found() -> None:
    rng = np.random.default_rng(0)
    crop = rng.integers(0, 255, size=(112, 112, 3)).astype(np.uint8)
    part = (slice(30, 46), slice(60, 84))
    template = crop[part].astype(float) - crop[part].mean()
    found = face_saliency(crop, lambda crops: (crops[:, 30:46, 60:84] * template).mean(axis=(1, 2, 3)))
    assert found.map.shape == (112, 112)
    assert found.map[part].mean() > 10 * np.abs(found.map[80:, :40]).max()
    top, left = np.unravel_index(int(np.argmax(found.map)), found.map.shape)
    assert 20 <= top <= 56
    assert 50 <= left <= 94


def test_the_time_and_band_of_a_voice_that_decide_are_found() -> None:
    rate, seconds = 16_000, 2.0
    time = np.arange(int(rate * seconds)) / rate
    rng = np.random.default_rng(1)
    tone = np.sin(2 * np.pi * 1500 * time) * ((time > 1.0) & (time < 1.5))
    speech = (0.5 * tone + 0.02 * rng.normal(size=time.size)).astype(np.float32)
    found = voice_saliency(speech, lambda sound: float(np.mean(sound * tone)))
    band, cell = np.unravel_index(int(np.argmax(found.map)), found.map.shape)
    assert BAND_EDGES[band] <= 1500 < BAND_EDGES[band + 1]
    assert 1.0 <= (cell + 0.5) * seconds / TIME_CELLS <= 1.5
    assert np.abs(np.delete(found.map, band, axis=0)).max() < 0.2 * found.map.max()


def test_the_shell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tiny_models: Path
) -> None:
    monkeypatch.setenv("VERIFY_APP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("VERIFY_APP_MODELS", str(tiny_models))
    np.savez(tmp_path / "x.npz", vectors=X, subjects=NAMES)
    out = tmp_path / "bench.html"
    assert run(["bench", "--embeddings", str(tmp_path / "x.npz"), "--dimension", "6", "--out", str(out), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in found["rows"]][-1] == "truncated-6 cosine"
    assert out.stat().st_size > 10_000
    assert run(["bench", "fusion", str(tmp_path / "x.npz"), str(tmp_path / "x.npz"), "--splits", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["subjects"] == {"face": 40, "voice": 40}
    assert run(["bench", "--json"]) == 2
    assert run(["bench", "--people", "--folder", "x", "--json"]) == 2


@pytest.mark.shared_data
def test_saliency_of_a_real_recording(
    shared_data: Path, tiny_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import csv
    import zipfile

    monkeypatch.setenv("VERIFY_APP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("VERIFY_APP_MODELS", str(tiny_models))
    with (shared_data / "speech" / "index.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == "dev" and row["shard"] == "0"][:40]
    longest = sorted(rows, key=lambda row: -float(row["seconds"]))[:2]
    with zipfile.ZipFile(shared_data / "speech" / "speech-00.zip") as shard:
        files = [shard.extract(row["file"], tmp_path) for row in longest]
    picture = tmp_path / "why.png"
    assert run(["bench", "explain", *files, "--out", str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
