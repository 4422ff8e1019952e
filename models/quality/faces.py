"""Fit the face quality score on training people, and measure it on the development people.

    python -m models.quality.faces --fit    # writes verify_app/face/quality.json
    python -m models.quality.faces          # figures, discard.json and discard.png beside the encoder

Every sample is measured and embedded as the application does it; degraded copies widen what a pack of good crops
shows. Run both again when the encoder changes. A minute of one core.
"""

from __future__ import annotations

import argparse
import csv
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.quality.curves import Samples, draw, figures, mated, threshold_at
from models.quality.fit import fit, write
from models.training.faces_report import DEGRADATIONS, inner
from models.training.prepare_faces import MARGIN
from verify_app.encoders.manifest import load_manifest
from verify_app.face.alignment import TEMPLATE
from verify_app.face.pipeline import FaceAnalysis, FacePipeline
from verify_app.face.quality import assess, measure, model_measures

Images = NDArray[np.uint8]
FIT_FMR = 1e-3
PEOPLE, EACH = 240, 5
SOURCES = ("celeba", "celeba10k", "pins")
"""Training sources with several crops each; a fourth names some people twice, which spoils the threshold."""
RISING = {
    "sharpness": True,
    "contrast": True,
    "symmetry": True,
    "light": True,
    "glare": False,
    "log_eye_distance": True,
    "misfit": False,
    "turned_yaw": False,
    "turned_pitch": False,
}
WORST = {
    "sharpness": 0.0,
    "contrast": 0.0,
    "symmetry": -1.0,
    "light": 0.0,
    "glare": 1.0,
    "log_eye_distance": 0.0,
    "misfit": 20.0,
    "turned_yaw": 90.0,
    "turned_pitch": 90.0,
}
_POINTS = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")


@dataclass(frozen=True)
class Crops:
    """Stored crops of a split.

    Attributes:
        images: uint8 (n, 128, 128, 3).
        subjects: (n,).
        landmarks: float64 (n, 5, 2), in pixels of the photograph they were cut from.
    """

    images: Images
    subjects: NDArray[Any]
    landmarks: NDArray[np.float64]


def read(pack: Path, split: str, chance: np.random.Generator) -> Crops:
    """The whole development split; of the training split some people with several crops each."""
    with (pack / "index.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == split]
    if split == "train":
        rows = _some_people(rows, chance)
    shards = {shard: zipfile.ZipFile(pack / f"faces-{int(shard):02d}.zip") for shard in {row["shard"] for row in rows}}
    images = np.stack([_decoded(shards[row["shard"]].read(row["file"])) for row in rows])
    crops = np.array([[[float(row[f"{point}_{axis}"]) for axis in "xy"] for point in _POINTS] for row in rows])
    scale = np.array([float(row["downscale"]) for row in rows])
    return Crops(images, np.array([row["identity"] for row in rows]), crops * scale[:, None, None])


def degraded(crops: Crops, chance: np.random.Generator, extremes: bool = False) -> tuple[Images, NDArray[np.float64]]:
    """One harm to each crop, of the kinds and levels of the card or too much light; crops and landmarks."""
    kinds = [(function, level) for function, _, levels in DEGRADATIONS.values() for level in levels]
    kinds += [(_overexposed, level) for level in (1.4, 1.8, 2.5)]
    if extremes:  # what no door sees, so that the curves go on to where nothing is left of a face
        kinds += [(DEGRADATIONS["darkness"][0], 0.01), (DEGRADATIONS["blur"][0], 10.0), (_overexposed, 8.0)]
    chosen = chance.integers(0, len(kinds), len(crops.images))
    images = inner(crops.images).copy()
    landmarks = crops.landmarks.copy()
    for number, (function, level) in enumerate(kinds):
        rows = np.flatnonzero(chosen == number)
        if not rows.size:
            continue
        images[rows] = function(crops.images[rows], level)
        if function is DEGRADATIONS["low resolution"][0]:  # a small face in the photograph, too
            eyes = np.linalg.norm(landmarks[rows, 1] - landmarks[rows, 0], axis=1)
            small = np.linalg.norm(TEMPLATE[1] - TEMPLATE[0]) * level / images.shape[1]
            landmarks[rows] *= np.minimum(1.0, small / eyes)[:, None, None]
    return images, landmarks


def embed(
    pipeline: FacePipeline, images: Images, landmarks: NDArray[np.float64]
) -> tuple[NDArray[np.float32], list[dict[str, float]]]:
    """Embeddings and measures of aligned crops."""
    analyses = []
    for image, points in zip(images, landmarks, strict=True):
        quality = assess(measure(image, points))
        analyses.append(FaceAnalysis((0, 0, 1, 1), points.astype(np.float32), 1.0, image, quality, ""))
    vectors = np.stack([embedding.vector for embedding in pipeline.embed(analyses)])
    return vectors, [dict(analysis.quality.measures) for analysis in analyses]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", type=Path, default=Path("../shared/data/faces"))
    parser.add_argument("--fit", action="store_true", help="fit on the training split instead of measuring")
    arguments = parser.parse_args()
    pipeline = FacePipeline(load_manifest(), threads=1)
    chance = np.random.default_rng(7)
    crops = read(arguments.pack, "train" if arguments.fit else "dev", chance)
    clean = embed(pipeline, inner(crops.images), crops.landmarks)
    harmed = embed(pipeline, *degraded(crops, chance, extremes=arguments.fit))
    if arguments.fit:
        _fit(crops, clean, harmed)
    else:
        _measure(crops, clean, harmed)


def _fit(crops: Crops, clean: Any, harmed: Any) -> None:
    threshold = threshold_at(Samples(clean[0], crops.subjects, np.ones(len(crops.subjects))), FIT_FMR)
    same = (crops.subjects[:, None] == crops.subjects[None, :]) & ~np.eye(len(crops.subjects), dtype=bool)
    accepted = [((vectors @ clean[0].T >= threshold) & same).sum(1) / same.sum(1) for vectors in (clean[0], harmed[0])]
    taken = [model_measures(one) for one in [*clean[1], *harmed[1]]]
    measures = {name: np.array([one[name] for one in taken]) for name in RISING}
    model = fit(measures, np.concatenate(accepted), np.tile(same.sum(1), 2).astype(float), RISING, WORST)
    print("accepted", [round(float(share.mean()), 3) for share in accepted])
    for name, part in model.parts.items():
        print(f"{name:18} {part.at} {part.worth}")
    print("wrote", write(model, Path("verify_app/face")))


def _measure(crops: Crops, clean: Any, harmed: Any) -> None:
    folder = load_manifest().default("face-encoder").path.parent
    sets = [
        Samples(vectors, crops.subjects, np.array([assess(one).score for one in measures]))
        for vectors, measures in (clean, harmed)
    ]
    comparisons = {"crops as they are": mated(sets[0], sets[0]), "degraded probes": mated(sets[1], sets[0])}
    found = {name: figures(one) for name, one in comparisons.items()}
    print(json.dumps(found, indent=1))
    (folder / "discard.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    draw({name: {"quality score": one.curve()} for name, one in comparisons.items()}, folder / "discard.png")


def _some_people(rows: list[dict[str, str]], chance: np.random.Generator) -> list[dict[str, str]]:
    people: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        if row["source"] in SOURCES:
            people.setdefault(row["identity"], []).append(row)
    several = [own for own in people.values() if len(own) >= EACH - 1]
    chosen = chance.choice(len(several), min(PEOPLE, len(several)), replace=False)
    return [several[n][k] for n in chosen for k in chance.permutation(len(several[n]))[:EACH]]


def _decoded(content: bytes) -> Images:
    import cv2

    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if picture.shape[0] < 2 * MARGIN:
        raise SystemExit("a crop of the pack is too small")
    return np.ascontiguousarray(picture[..., ::-1])


def _overexposed(stored: Images, level: float) -> Images:
    """``level`` times the light, cut off at white."""
    return np.clip(inner(stored).astype(np.float32) * level, 0, 255).astype(np.uint8)


if __name__ == "__main__":
    main()
