"""Fit the voice quality score on training speakers, and measure it on the development speakers.

    python -m models.quality.voices --fit    # writes verify_app/voice/quality.json
    python -m models.quality.voices          # figures, discard.json and discard.png beside the encoder

Every recording is searched for speech, measured and embedded as the application does it, as it is and harmed in one
way. Run both again when the encoder changes; ``--cache`` keeps what does not depend on it (the speech found).
"""

from __future__ import annotations

import argparse
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from models.quality.curves import Samples, draw, figures, mated, threshold_at
from models.quality.fit import fit, write
from models.quality.recordings import harm, noises, read
from verify_app.capture.sound import clipped_share
from verify_app.domain import Modality, Sample
from verify_app.encoders.manifest import load_manifest
from verify_app.reasons import UnusableInput
from verify_app.voice.pipeline import VoiceAnalysis, VoicePipeline
from verify_app.voice.quality import assess, model_measures

FIT_FMR = 1e-2
SPEAKERS = 200
EACH = {"train": 3, "dev": 8}
RISING = {
    "log_speech_seconds": True,
    "snr": True,
    "clipped_share": False,
    "decay": True,
    "bandwidth": True,
}
WORST = {
    "log_speech_seconds": -2.3,
    "snr": 0.0,
    "clipped_share": 1.0,
    "decay": 0.0,
    "bandwidth": 0.0,
}
Pairs = list[tuple[str, VoiceAnalysis, VoiceAnalysis]]


def analyse(data: Path, split: str) -> Pairs:
    """Speaker, analysis of the recording and of its harmed copy; recordings without speech in both are left out."""
    chance = np.random.default_rng(5)
    recordings = read(data / "speech", split, EACH[split], chance, SPEAKERS if split == "train" else None)
    surroundings = noises(data / "noise", held_out=split == "dev")
    voices = [recording.sound for recording in recordings[::7]]
    pipeline = VoicePipeline(load_manifest(), threads=1)
    found = []
    for recording in recordings:
        harmed = harm(recording.sound, surroundings, voices, chance)
        try:
            found.append((recording.speaker, speech(pipeline, recording.sound), speech(pipeline, harmed)))
        except UnusableInput:
            continue
    print(f"{len(found)} of {len(recordings)} recordings", flush=True)
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--fit", action="store_true", help="fit on the training split instead of measuring")
    parser.add_argument("--cache", type=Path, help="folder that keeps the speech that was found")
    arguments = parser.parse_args()
    split = "train" if arguments.fit else "dev"
    pairs = _kept(arguments.cache, arguments.data, split)
    pipeline = VoicePipeline(load_manifest(), threads=1)
    subjects = np.array([speaker for speaker, _, _ in pairs])
    vectors, measures = [], []
    for kind in (1, 2):
        vectors.append(np.stack([one.vector for one in pipeline.embed([pair[kind] for pair in pairs])]))
        measures.append([dict(pair[kind].quality.measures) for pair in pairs])
    if arguments.fit:
        _fit(subjects, vectors, measures)
    else:
        _measure(subjects, vectors, measures)


def _fit(subjects: Any, vectors: Any, measures: Any) -> None:
    threshold = threshold_at(Samples(vectors[0], subjects, np.ones(len(subjects))), FIT_FMR)
    same = (subjects[:, None] == subjects[None, :]) & ~np.eye(len(subjects), dtype=bool)
    counts = same.sum(1)
    accepted = [((own @ vectors[0].T >= threshold) & same).sum(1) / np.maximum(counts, 1) for own in vectors]
    taken = [model_measures(one) for one in [*measures[0], *measures[1]]]
    by_name = {name: np.array([one[name] for one in taken]) for name in RISING}
    model = fit(by_name, np.concatenate(accepted), np.tile(counts, 2).astype(float), RISING, WORST)
    print("accepted", [round(float(share.mean()), 3) for share in accepted])
    for name, part in model.parts.items():
        print(f"{name:18} {part.at} {part.worth}")
    print("wrote", write(model, Path("verify_app/voice")))


def _measure(subjects: Any, vectors: Any, measures: Any) -> None:
    folder = load_manifest().default("voice-encoder").path.parent
    sets = [
        Samples(own, subjects, np.array([assess(one).score for one in parts]))
        for own, parts in zip(vectors, measures, strict=True)
    ]
    comparisons = {"recordings as they are": mated(sets[0], sets[0]), "harmed probes": mated(sets[1], sets[0])}
    found = {name: figures(one) for name, one in comparisons.items()}
    print(json.dumps(found, indent=1))
    (folder / "discard.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    draw({name: {"quality score": one.curve()} for name, one in comparisons.items()}, folder / "discard.png")


def speech(pipeline: VoicePipeline, sound: Any) -> VoiceAnalysis:
    """The speech found in a recording, whatever its quality.

    Raises:
        UnusableInput: nobody speaks.
    """
    details = {"clipped_share": clipped_share(sound)}
    return pipeline.analyse(Sample(Modality.VOICE, sound, "recording", "", details=details), gates=False)


def _kept(cache: Path | None, data: Path, split: str) -> Pairs:
    file = None if cache is None else cache / f"quality-voices-{split}.pickle"
    if file is not None and file.is_file():
        found: Pairs = pickle.loads(file.read_bytes())  # noqa: S301  written below
        return found
    pairs = analyse(data, split)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(pickle.dumps(pairs))
    return pairs


if __name__ == "__main__":
    main()
