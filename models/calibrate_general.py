"""Fit the general calibrations that ship with the encoders, on the development splits, and document them.

    python -m models.calibrate_general --data ../shared/data

Every development sample is embedded by every encoder of the manifest, as the application does it (faces are
aligned crops; the speech of recordings is found first), all pairs are scored, and for one and for three
references one calibration is fitted and written to ``models/<name>/calibration.json``, and the trials themselves,
counted in bins, to ``models/<name>/trials.npz``. When both modalities are calibrated, the figures in
``docs/calibration.md`` are renewed; :mod:`models.measure_fusion` measures fusion.
Run it again whenever an encoder changes: a calibration holds for one encoder file only. It takes three minutes of
one core, and half of that again with what ``--cache`` kept.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from verify_app.calibration.fit import fit
from verify_app.calibration.model import Calibration
from verify_app.calibration.shipped import write, write_trials
from verify_app.domain import Modality, Sample
from verify_app.encoders.manifest import Manifest, ModelEntry, load_manifest
from verify_app.evaluation.report import summarise
from verify_app.face.pipeline import FacePipeline
from verify_app.matching.pairs import score_pairs
from verify_app.reasons import UnusableInput
from verify_app.services.vector_table import LabelledVectors
from verify_app.voice.pipeline import VoicePipeline

MARKERS = ("<!-- figures -->", "<!-- end of figures -->")
PACKS = {Modality.FACE: ("faces", "identity"), Modality.VOICE: ("speech", "speaker")}


def main() -> None:
    """Read the arguments and calibrate."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the data packs")
    parser.add_argument("--modality", choices=["face", "voice"], help="only this one")
    parser.add_argument("--references", type=int, nargs="+", default=[1, 3], help="numbers of references")
    parser.add_argument("--target-fmr", type=float, default=1e-3, help="operating point")
    parser.add_argument("--embeddings", type=Path, help="also keep the embeddings in this folder, as NPZ")
    parser.add_argument("--cache", type=Path, help="keep what the encoders are given in this folder, for the next run")
    parser.add_argument("--document", type=Path, default=Path("docs/calibration.md"), help="where the figures go")
    arguments = parser.parse_args()
    chosen = [modality for modality in Modality if arguments.modality in (None, modality.value)]
    manifest = load_manifest()
    embedded = {modality: embed(modality, manifest, arguments.data, arguments.cache) for modality in chosen}
    lines = [
        "| | mated | non-mated | EER | FNMR at FMR 1e-3 | threshold | worth, independent | claims down to | method |"
    ]
    lines.append("|---|---|---|---|---|---|---|---|---|")
    for modality, vectors in embedded.items():
        lines += calibrate(manifest.default(f"{modality.value}-encoder"), modality, vectors, arguments)
    for entry in manifest.models:
        if entry.role in {f"{modality.value}-encoder" for modality in chosen} and not entry.default:
            modality = Modality(entry.role.removesuffix("-encoder"))
            vectors = embed(modality, manifest.using(entry.role, entry.name), arguments.data, arguments.cache)
            lines += calibrate(entry, modality, vectors, arguments)
    if len(embedded) == 2:
        document(arguments.document, lines)


def calibrate(entry: ModelEntry, modality: Modality, embedded: LabelledVectors, arguments: Any) -> list[str]:
    """Fit and write the calibrations of one encoder; returns their rows for the document."""
    vectors, subjects = embedded.vectors, embedded.subjects
    if arguments.embeddings is not None:
        arguments.embeddings.mkdir(parents=True, exist_ok=True)
        file = arguments.embeddings / f"{entry.name}-dev.npz"
        np.savez(file, vectors=vectors, subjects=subjects, quality=embedded.quality, modality=modality.value)
    calibrations, rows, scored = [], [], {}
    for references in arguments.references:
        pairs = score_pairs(vectors, subjects, references=references)
        calibration = fit(
            pairs.trials,
            target_fmr=arguments.target_fmr,
            name=_name(entry, modality, references),
            modality=modality.value,
            contract_id=entry.contract.id,
            references=references,
            origin="general",
        )
        calibrations.append(calibration)
        scored[references] = pairs.trials
        rows.append(_tell(calibration, summarise(pairs.trials).as_dict()))
    print("wrote", write(entry.path.parent, calibrations))
    print("wrote", write_trials(entry.path.parent, entry.contract.id, scored))
    return rows


def _name(entry: ModelEntry, modality: Modality, references: int) -> str:
    which = modality.value if entry.default else entry.name
    return f"general {which}, {references} reference{'s' if references > 1 else ''}"


def embed(modality: Modality, manifest: Manifest, data: Path, cache: Path | None) -> LabelledVectors:
    """Embeddings of the development samples, with the subject and the quality of each."""
    pipeline: Any = (FacePipeline if modality is Modality.FACE else VoicePipeline)(manifest)
    subjects, analyses = _analyse(modality, pipeline, data, cache)
    vectors = np.stack([embedding.vector for embedding in pipeline.embed(analyses)])
    qualities = np.array([analysis.quality.score for analysis in analyses])
    return LabelledVectors(vectors, np.array(subjects), modality=modality.value, quality=qualities)


def _analyse(modality: Modality, pipeline: Any, data: Path, cache: Path | None) -> tuple[list[str], list[Any]]:
    """Subjects and analyses of the development samples: what the encoder is given. They are kept in ``cache``."""
    kept = None if cache is None else cache / f"{modality.value}-analyses.pickle"
    if kept is not None and kept.is_file():
        found: tuple[list[str], list[Any]] = pickle.loads(kept.read_bytes())  # noqa: S301  written below
        return found
    options: dict[str, Any] = {"gates": False} | ({"aligned": True} if modality is Modality.FACE else {})
    subjects, analyses = [], []
    for subject, sample in samples(modality, data):
        try:
            analyses.append(pipeline.analyse(sample, **options))
            subjects.append(subject)
        except UnusableInput as error:
            print(f"left out: {error}")
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(pickle.dumps((subjects, analyses)))
    return subjects, analyses


def document(file: Path, lines: list[str]) -> None:
    """Put the figures between the markers of the document."""
    text = file.read_text(encoding="utf-8")
    start, end = (text.index(marker) for marker in MARKERS)
    digests = [f"`{entry.name}` {entry.sha256[:12]}…" for entry in load_manifest().models if "encoder" in entry.role]
    head = f"Encoders: {', '.join(digests)}."
    text = "\n".join([text[:start] + MARKERS[0], "", head, "", *lines, "", text[end:]])
    file.write_text(text, encoding="utf-8")
    print("renewed", file)


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


def _tell(calibration: Calibration, summary: dict[str, Any]) -> str:
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
    cells = [
        calibration.name,
        f"{calibration.mated}",
        f"{calibration.non_mated}",
        _percent(summary["eer"]),
        _percent(figures["fnmr"]),
        f"{calibration.threshold:.4f}",
        f"{figures['effective_non_mated']:.0f}",
        f"{calibration.supported_fmr:.1e}",
        calibration.method,
    ]
    return f"| {' | '.join(cells)} |"


def _figure(interval: dict[str, float]) -> str:
    return f"{interval['value']:.5f} ({interval['low']:.5f}–{interval['high']:.5f})"


def _percent(interval: dict[str, float]) -> str:
    return f"{100 * interval['value']:.2f} % ({100 * interval['low']:.2f}–{100 * interval['high']:.2f})"


if __name__ == "__main__":
    main()
