"""Fit the general calibrations that ship with the encoders, on the development splits.

    python -m models.calibrate_general --data ../shared/data

Every development sample is embedded by the encoder of the manifest, as the application does it (faces are
aligned crops; the speech of recordings is found first), all pairs are scored, and for one and for three
references one calibration is fitted and written to ``models/<name>/calibration.json``. Run it again
whenever an encoder changes: a calibration holds for one encoder file only. It takes about two minutes.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from verify_app.calibration.fit import fit
from verify_app.calibration.model import Calibration
from verify_app.calibration.shipped import write
from verify_app.domain import Modality, Sample
from verify_app.encoders.manifest import load_manifest
from verify_app.evaluation.report import summarise
from verify_app.face.pipeline import FacePipeline
from verify_app.matching.pairs import score_pairs
from verify_app.reasons import UnusableInput
from verify_app.voice.pipeline import VoicePipeline

PACKS = {Modality.FACE: ("faces", "identity"), Modality.VOICE: ("speech", "speaker")}


def main() -> None:
    """Read the arguments and calibrate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the data packs")
    parser.add_argument("--modality", choices=["face", "voice"], help="only this one")
    parser.add_argument("--references", type=int, nargs="+", default=[1, 3], help="numbers of references")
    parser.add_argument("--target-fmr", type=float, default=1e-3, help="operating point")
    parser.add_argument("--embeddings", type=Path, help="also keep the embeddings in this folder, as NPZ")
    arguments = parser.parse_args()
    for modality in Modality:
        if arguments.modality in (None, modality.value):
            calibrate(modality, arguments)


def calibrate(modality: Modality, arguments: Any) -> None:
    """Embed the development split of one modality, and fit and write its calibrations."""
    vectors, subjects, qualities = embed(modality, arguments.data)
    if arguments.embeddings is not None:
        arguments.embeddings.mkdir(parents=True, exist_ok=True)
        file = arguments.embeddings / f"{modality.value}-dev.npz"
        np.savez(file, vectors=vectors, subjects=subjects, quality=qualities)
    entry = load_manifest().default(f"{modality.value}-encoder")
    calibrations = []
    for references in arguments.references:
        pairs = score_pairs(vectors, subjects, references=references)
        calibration = fit(
            pairs.trials,
            target_fmr=arguments.target_fmr,
            name=f"general {modality.value}, {references} reference{'s' if references > 1 else ''}",
            modality=modality.value,
            contract_id=entry.contract.id,
            references=references,
            origin="general",
        )
        calibrations.append(calibration)
        _tell(calibration, summarise(pairs.trials).as_dict())
    print("wrote", write(entry.path.parent, calibrations))


def embed(modality: Modality, data: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Embeddings (n, d), subjects (n,) and qualities (n,) of the development samples."""
    pipeline = (FacePipeline if modality is Modality.FACE else VoicePipeline)(load_manifest())
    options: dict[str, Any] = {"gates": False} | ({"aligned": True} if modality is Modality.FACE else {})
    vectors, subjects, qualities = [], [], []
    for subject, sample in samples(modality, data):
        try:
            analysis, embedding = pipeline.encode(sample, **options)
        except UnusableInput as error:
            print(f"left out: {error}")
            continue
        vectors.append(embedding.vector)
        subjects.append(subject)
        qualities.append(analysis.quality.score)
    return np.stack(vectors), np.array(subjects), np.array(qualities)


def samples(modality: Modality, data: Path) -> Iterator[tuple[str, Sample]]:
    """Subject and sample of every entry of the development split, in the order of the index."""
    pack, subject = PACKS[modality]
    with (data / pack / "index.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == "dev"]
    shards = {
        shard: zipfile.ZipFile(data / pack / f"{pack}-{int(shard):02d}.zip") for shard in {r["shard"] for r in rows}
    }
    for row in rows:
        content = shards[row["shard"]].read(row["file"])
        decoded = _crop(content) if modality is Modality.FACE else _sound(content)
        yield row[subject], Sample(modality, decoded, row["file"], hashlib.sha256(content).hexdigest())


def _crop(content: bytes) -> np.ndarray:
    import cv2

    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
    return np.ascontiguousarray(image[8:120, 8:120])


def _sound(content: bytes) -> np.ndarray:
    import soundfile

    sound, rate = soundfile.read(io.BytesIO(content), dtype="float32")
    if rate != 16_000 or sound.ndim != 1:
        raise ValueError(f"the pack holds 16 kHz mono, but this is {rate} Hz with {sound.ndim} dimensions")
    return sound


def _tell(calibration: Calibration, summary: dict[str, Any]) -> None:
    figures = calibration.figures
    print(f"{calibration.name}: {calibration.mated} mated, {calibration.non_mated} non-mated of {calibration.subjects}")
    for name in ("eer", "auc"):
        print(f"  {name:14} {_figure(summary[name])}")
    for target, point in summary["fnmr_at_fmr"].items():
        print(f"  FNMR@{target:9} {_figure(point['fnmr'])}  supported: {point['supported']}")
    print(f"  threshold      {calibration.threshold:.4f} for FMR {calibration.target_fmr:g}")
    print(f"  counted FMR    {_figure(figures['fmr'])}")
    print(f"  Cllr           {figures['cllr']:.4f}, min Cllr {figures['min_cllr']:.4f}, method {calibration.method}")
    costs = ", ".join(f"{name} {cost:.4f}" for name, cost in figures["cross_validated_cllr"].items())
    print(f"  cross-validated Cllr: {costs}")
    print(f"  worth {figures['effective_non_mated']:.0f} independent non-mated comparisons")
    print(f"  smallest FMR that may be claimed: {calibration.supported_fmr:.2g}")


def _figure(interval: dict[str, float]) -> str:
    return f"{interval['value']:.5f} ({interval['low']:.5f}–{interval['high']:.5f})"


if __name__ == "__main__":
    main()
