"""Fit the last linear step of the voice encoder on training speakers and export the shipped file.

    python -m models.training.whiten_voice runs/voice-encoder/checkpoint.pt models/voice-encoder/model.onnx

Every chosen clip is embedded clean and degraded, so that noise and channels count among what one speaker does.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from models.training.backbones import build
from models.training.config import load
from models.training.voice_network import HOP, VoiceEncoder, Whitening
from models.training.voices import VoiceTask, export_voice
from models.training.voices_augment import VoiceAugmentation

CLEAN = VoiceAugmentation(room=0, telephone=0, low_pass=0, tilt=0, noise=0, clipping=0, coarse=0, mask=0)


def fit_whitening(vectors: NDArray[np.float32], labels: NDArray[np.int64], shrinkage: float = 0.2) -> Whitening:
    """Mean and inverse square root of the within-speaker covariance of ``vectors`` ``[N, D]``.

    ``shrinkage`` (0..1) moves the covariance's eigenvalues towards their mean; the matrix is scaled to leave
    lengths as they are on average.
    """
    members = np.bincount(labels)
    means = np.zeros((len(members), vectors.shape[1]))
    np.add.at(means, labels, vectors)
    inside = vectors - (means / np.maximum(members, 1)[:, None])[labels]
    inside = inside[members[labels] > 1]
    values, directions = np.linalg.eigh(inside.T @ inside / len(inside))
    values = (1 - shrinkage) * values + shrinkage * values.mean()
    matrix = directions / np.sqrt(values / values.mean()) @ directions.T
    whitening = Whitening(vectors.shape[1])
    whitening.mean.copy_(torch.from_numpy(vectors.mean(0)))
    whitening.matrix.copy_(torch.from_numpy(matrix))
    return whitening


def choose_clips(task: VoiceTask, most: int, size: int, chance: np.random.Generator) -> NDArray[np.int64]:
    """Unperturbed clips of every named speaker, as numbers of ``task.clips``: up to ``most`` crops a speaker.

    A clip stands in the answer once for every ``size`` hundredths of a second it holds, at least once.
    """
    usable = np.flatnonzero((task.clips[:, 0] == 0) & (task.clip_labels >= 0))
    lengths = np.array([len(task.recordings[0].clip(row)) for row in task.clips[usable, 1]])
    usable = np.repeat(usable, np.maximum(1, lengths // (size * HOP)))
    chance.shuffle(usable)
    counts: dict[int, int] = {}
    kept = []
    for clip in usable:
        label = int(task.clip_labels[clip])
        counts[label] = counts.get(label, 0) + 1
        if counts[label] <= most:
            kept.append(clip)
    return np.array(kept)


@torch.no_grad()
def embed(encoder: VoiceEncoder, task: VoiceTask, clips: NDArray[np.int64], size: int) -> NDArray[np.float32]:
    """Unit embeddings ``[N, D]`` of crops of the clips under the task's present degradations."""
    first_draw = torch.from_numpy(np.searchsorted(task.draws, clips))
    found = []
    for places in first_draw.split(64):
        maps = task.inputs(places, size, torch.device("cpu")).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            raw = encoder(maps)
        found.append(functional.normalize(raw.float(), dim=1))
    return torch.cat(found).numpy()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--configuration", type=Path, default=Path(__file__).with_name("voice.toml"))
    parser.add_argument("--most", type=int, default=4, help="crops a speaker")
    parser.add_argument("--size", type=int, default=300, help="crop in hundredths of a second")
    parser.add_argument("--shrinkage", type=float, default=0.2, help="0: full whitening, 1: centring alone")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(5)
    experiment = load(arguments.configuration)
    encoder = build(experiment.backbone)
    assert isinstance(encoder, VoiceEncoder)
    encoder.load_state_dict(torch.load(arguments.checkpoint, map_location="cpu", weights_only=True)["averaged"])
    encoder.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    task = VoiceTask({**experiment.data, "speeds": [], "nameless_speeds": [], "changed": []}, experiment.augmentation)
    clips = choose_clips(task, arguments.most, arguments.size, np.random.default_rng(5))
    degraded = embed(encoder, task, clips, arguments.size)
    task.options = dataclasses.replace(CLEAN)
    clean = embed(encoder, task, clips, arguments.size)
    labels = task.clip_labels[clips]
    whitening = fit_whitening(np.concatenate([clean, degraded]), np.concatenate([labels, labels]), arguments.shrinkage)
    export_voice(encoder.to(memory_format=torch.contiguous_format), arguments.model, whitening=whitening)
    print(f"{len(clips)} clips of {len(np.unique(labels))} speakers; wrote {arguments.model}")


if __name__ == "__main__":
    main()
