"""What the voice teachers are asked for besides an embedding a clip: moments, and one space of two teachers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the training extra (torch) is not installed")

from models.training.voice_campplus import CamPlusPlus, log_mel  # noqa: E402
from models.training.voice_joint import fit_space, join, without_source  # noqa: E402
from models.training.voice_moments import between, discriminant, write_moments  # noqa: E402
from tests.models.test_voice_campplus import random_weights  # noqa: E402


def test_the_discriminant_finds_what_clips_differ_in_and_not_what_varies_most() -> None:
    chance = np.random.default_rng(0)
    voice, sound = np.eye(8)[2], np.eye(8)[5]
    of_clips = chance.normal(size=(60, 1, 1))
    moments = of_clips * voice + 20 * chance.normal(size=(60, 40, 1)) * sound + 0.5 * chance.normal(size=(60, 40, 8))
    space = discriminant(moments.astype(np.float32), kept=3)
    told = (moments - space["mean"]) @ space["basis"]
    assert np.allclose(told.std((0, 1)), 1, atol=1e-3)
    assert abs(np.corrcoef(told[..., 0].mean(1), of_clips[:, 0, 0])[0, 1]) > 0.99
    assert between(told[..., :1]) > 0.7 > 0.1 > between(moments)
    assert abs(space["basis"][5, 0]) < 0.1 * abs(space["basis"][2, 0])


def test_moments_and_embeddings_of_a_copy_are_written_clip_after_clip(tmp_path: Path) -> None:
    torch.manual_seed(0)
    chance = np.random.default_rng(1)
    lengths = np.array([48_000, 0, 20_000, 49_000, 4_000, 20_100] + [48_000] * 6)
    audio = (3_000 * np.cumsum(chance.normal(size=lengths.sum())) / 100).clip(-30_000, 30_000).astype(np.int16)
    np.save(tmp_path / "voices.npy", audio)
    starts, split = np.cumsum(lengths) - lengths, np.array(["train"] * 11 + ["dev"])
    np.savez(tmp_path / "voices-index.npz", start=starts, length=lengths, split=split)
    teacher = CamPlusPlus(random_weights())
    write_moments(tmp_path, "voices", teacher)
    ends = np.load(tmp_path / "voices-moments-ends.npy")
    told = np.load(tmp_path / "voices-moments.npy")
    # Windows of 25 ms every 10 ms over whole quarters of a second, four of them together.
    assert np.diff(ends, prepend=0).tolist() == [74, 0, 31, 74, 0, 31] + [74] * 6
    assert told.shape == (ends[-1], 96)
    vectors = np.load(tmp_path / "voices-campplus.npy")
    assert (vectors.any(1) == (lengths >= 8_000)).all()
    clip = torch.from_numpy(audio[starts[3] : starts[3] + 48_000].astype(np.float32) / 32768)[None]
    with torch.inference_mode():
        wanted = torch.nn.functional.normalize(teacher.pooled(teacher.frames(log_mel(clip, teacher.bank))))
    assert float(wanted[0] @ torch.from_numpy(vectors[3])) > 0.99


def test_the_joint_space_keeps_what_both_teachers_tell() -> None:
    chance = np.random.default_rng(3)
    sources = np.repeat(["one", "two"], 100)
    shift = np.where(sources == "one", 2.0, -2.0)[:, None]
    strong = (chance.normal(size=(200, 6)) + shift).astype(np.float32)
    other = (0.1 * (chance.normal(size=(200, 5)) + shift)).astype(np.float32)
    space = fit_space(strong, other, sources, kept=11, whitening=0.0)
    joint = join(space, strong, other)
    inner = without_source(joint, sources)
    own = without_source(np.concatenate([strong, space["weight"] * other], 1), sources)
    assert np.allclose(inner @ inner.T, own @ own.T, atol=1e-3), "turned, not changed"
    parts = [np.square(without_source(part, sources)).sum(1).mean() for part in (strong, space["weight"] * other)]
    assert parts[1] / parts[0] == pytest.approx(0.25, rel=1e-3)
    level = fit_space(strong, other, sources, kept=11, whitening=0.5)
    spread = np.square(without_source(join(level, strong, other), sources)).mean(0)
    assert np.allclose(spread, spread[0], rtol=1e-3)
    assert not join(space, np.zeros_like(strong[:1]), other[:1]).any(), "not asked, nothing said"
