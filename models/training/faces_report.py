"""Measure a face encoder on the development crops and draw how it fails.

``python -m models.training.faces_report`` needs the decoded pack (``prepare_faces``) and ONNX
Runtime, not torch. It writes ``report.json`` and ``robustness.png`` beside the model and prints the
tables of the card. The peer (the teacher) sees the same crops under the same conditions.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.training.evaluate import all_pairs, error_curve, rates, summary
from models.training.prepare_faces import (
    CROP,
    MARGIN,
    default_cache,
    read_index,
    teacher_input,
    unit,
)

Images = NDArray[np.uint8]
Vectors = NDArray[np.float32]
Embed = Callable[[Images], Vectors]

SIDE = CROP - 2 * MARGIN


def session(path: Path | bytes, threads: int) -> Any:
    """An ONNX Runtime CPU session with ``threads`` threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    given = path if isinstance(path, bytes) else str(path)
    return onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])


def encoder(path: Path, threads: int = 1) -> Embed:
    """Our encoder: aligned uint8 crops ``[N, 112, 112, 3]`` to unit vectors ``[N, D]``."""
    network = session(path, threads)

    def embed(crops: Images) -> Vectors:
        parts = [network.run(None, {"image": crops[n : n + 16]})[0] for n in range(0, len(crops), 16)]
        return np.concatenate(parts)

    return embed


def teacher(path: Path, threads: int = 1) -> Embed:
    """The teacher on the crop alone (no mirror), as our encoder is used."""
    network = session(path, threads)
    name = network.get_inputs()[0].name

    def embed(crops: Images) -> Vectors:
        rows = [network.run(None, {name: teacher_input(crop[None])})[0] for crop in crops]
        return unit(np.concatenate(rows))

    return embed


def inner(stored: Images) -> Images:
    """The aligned crops out of stored ones, ``[N, 128, 128, 3]`` to ``[N, 112, 112, 3]``."""
    return np.ascontiguousarray(stored[:, MARGIN : MARGIN + SIDE, MARGIN : MARGIN + SIDE])


def blurred(stored: Images, level: float) -> Images:
    """Gaussian blur; ``level`` is its standard deviation in pixels."""
    import cv2

    return inner(np.stack([cv2.GaussianBlur(one, (0, 0), level) for one in stored]))


def compressed(stored: Images, level: float) -> Images:
    """JPEG of quality ``level`` (1..100)."""
    import cv2

    flags = [cv2.IMWRITE_JPEG_QUALITY, int(level)]
    packed = [cv2.imencode(".jpg", one[..., ::-1], flags)[1] for one in inner(stored)]
    return np.stack([cv2.imdecode(one, cv2.IMREAD_COLOR)[..., ::-1] for one in packed])


def darkened(stored: Images, level: float) -> Images:
    """``level`` times the light, then sensor noise of two grey levels, then rounding."""
    generator = np.random.default_rng(0)
    light = inner(stored).astype(np.float32) * level
    return np.clip(light + generator.normal(0.0, 2.0, light.shape), 0, 255).round().astype(np.uint8)


def shrunk(stored: Images, level: float) -> Images:
    """Shrink the aligned crop to ``level`` pixels a side and enlarge it again."""
    import cv2

    size = (int(level), int(level))
    small = [cv2.resize(one, size, interpolation=cv2.INTER_AREA) for one in inner(stored)]
    return np.stack([cv2.resize(one, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR) for one in small])


def occluded(stored: Images, level: float) -> Images:
    """A flat grey square over ``level`` of the crop's area, at a random place per crop."""
    generator = np.random.default_rng(0)
    crops = inner(stored)
    side = round(SIDE * level**0.5)
    for one, (top, left) in zip(crops, generator.integers(0, SIDE - side + 1, (len(crops), 2)), strict=True):
        one[top : top + side, left : left + side] = 128
    return crops


def misaligned(stored: Images, level: float) -> Images:
    """Shift by ``level`` pixels (at most 8) in a random direction per crop."""
    generator = np.random.default_rng(0)
    angles = generator.uniform(0, 2 * np.pi, len(stored))
    across = MARGIN + np.round(level * np.cos(angles)).astype(int)
    down = MARGIN + np.round(level * np.sin(angles)).astype(int)
    return np.stack([one[y : y + SIDE, x : x + SIDE] for one, x, y in zip(stored, across, down, strict=True)])


DEGRADATIONS: dict[str, tuple[Callable[[Images, float], Images], str, list[float]]] = {
    "blur": (blurred, "standard deviation, pixels", [1, 2, 3, 4]),
    "JPEG": (compressed, "quality", [40, 20, 10, 5]),
    "darkness": (darkened, "share of the light", [0.4, 0.2, 0.1, 0.05]),
    "low resolution": (shrunk, "pixels a side", [56, 32, 24, 16]),
    "occlusion": (occluded, "share of the crop", [0.05, 0.1, 0.2, 0.3]),
    "misalignment": (misaligned, "pixels", [2, 4, 6, 8]),
}
"""What is done to the probe: function, unit of its level, levels from mild to severe."""


def probe_eer(probes: Vectors, templates: Vectors, subjects: NDArray[np.int64]) -> float:
    """EER of degraded probes against clean templates, never a crop against itself."""
    apart = ~np.eye(len(subjects), dtype=bool)
    scores = (probes @ templates.T)[apart].astype(np.float64)
    mated = (subjects[:, None] == subjects[None, :])[apart]
    order = np.argsort(-scores)
    accepted_mated, accepted_other = np.cumsum(mated[order]), np.cumsum(~mated[order])
    fnmr = 1.0 - accepted_mated / accepted_mated[-1]
    fmr = accepted_other / accepted_other[-1]
    place = int(np.argmax(fmr >= fnmr))
    return float((fmr[place] + fnmr[place]) / 2.0)


def robustness(networks: dict[str, Embed], stored: Images, subjects: NDArray[np.int64]) -> dict[str, Any]:
    """Probe EER per degradation and level for each network; level None is the clean crop.

    Every second crop of the split is enough for a curve and halves the time.
    """
    stored, subjects = stored[::2], subjects[::2]
    clean = {name: embed(inner(stored)) for name, embed in networks.items()}
    found: dict[str, Any] = {}
    for kind, (function, unit_name, levels) in DEGRADATIONS.items():
        curves: dict[str, list[float]] = {
            name: [probe_eer(vectors, vectors, subjects)] for name, vectors in clean.items()
        }
        for level in levels:
            probes = function(stored, level)
            for name, embed in networks.items():
                curves[name].append(probe_eer(embed(probes), clean[name], subjects))
        found[kind] = {"unit": unit_name, "levels": [None, *levels], "eer": curves}
        print(kind, {name: [round(value, 4) for value in curve] for name, curve in curves.items()}, flush=True)
    return found


def threshold_at(vectors: Vectors, subjects: NDArray[np.int64], target: float) -> float:
    """The lowest cosine at which the split's FMR does not exceed ``target``."""
    pairs = all_pairs(vectors, subjects)
    fmr, _ = error_curve(pairs)
    return float(pairs.scores[max(int(np.searchsorted(fmr, target, side="right")) - 1, 0)])


def source_rates(
    embed: Embed, crops: Images, rows: list[dict[str, str]], threshold: float, each: int = 600
) -> dict[str, Any]:
    """FMR inside each unlabelled source at ``threshold``: pairs of different crops taken as non-mated.

    A few pairs of one person may hide among them, so a rate is an upper estimate.
    """
    generator = np.random.default_rng(0)
    found: dict[str, Any] = {}
    for source in ("aaf", "utk", "scut", "humans"):
        places = np.array([n for n, row in enumerate(rows) if row["source"] == source])
        drawn = np.sort(generator.choice(places, min(each, len(places)), replace=False))
        vectors = embed(inner(crops[drawn]))
        scores = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
        found[source] = {"fmr": float((scores >= threshold).mean()), "pairs": len(scores)}
    return found


def median_ms(run: Callable[[], Any], rounds: int) -> float:
    """Median time of one call in milliseconds, after five to warm up."""
    times = []
    for number in range(rounds + 5):
        began = time.perf_counter()
        run()
        if number >= 5:
            times.append(time.perf_counter() - began)
    return float(np.median(times) * 1e3)


def speed(model: Path, peer: Path, threads: int, rounds: int = 200) -> dict[str, float]:
    """Median milliseconds for one crop, batch 1, of both networks, measured in turns."""
    ours, theirs = session(model, threads), session(peer, threads)
    crop = np.random.default_rng(0).integers(0, 256, (1, SIDE, SIDE, 3), dtype=np.uint8)
    scaled, name = teacher_input(crop), theirs.get_inputs()[0].name
    results: dict[str, list[float]] = {"encoder": [], "teacher": []}
    for _ in range(5):
        results["encoder"].append(median_ms(lambda: ours.run(None, {"image": crop}), rounds // 5))
        results["teacher"].append(median_ms(lambda: theirs.run(None, {name: scaled}), rounds // 5))
    return {key: float(np.median(values)) for key, values in results.items()}


def draw(found: dict[str, Any], path: Path) -> None:
    """Six small charts: EER against the level of each degradation."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 3, figsize=(9.6, 5.2), sharey=True, layout="constrained")
    for axis, (kind, curves) in zip(axes.flat, found.items(), strict=True):
        labels = ["clean", *(f"{level:g}" for level in curves["levels"][1:])]
        for (name, values), style in zip(curves["eer"].items(), ("o-", "s--"), strict=True):
            axis.plot(labels, np.array(values) * 100, style, label=name, markersize=4)
        axis.set_title(kind, fontsize=10)
        axis.set_xlabel(curves["unit"], fontsize=8)
        axis.tick_params(labelsize=8)
        axis.grid(alpha=0.3)
    for axis in axes[:, 0]:
        axis.set_ylabel("EER, %", fontsize=9)
    axes.flat[0].legend(fontsize=8)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, default=Path("models/face-encoder/model.onnx"))
    parser.add_argument("--teacher", type=Path, default=Path("../shared/teachers/mobilefacenet.onnx"))
    parser.add_argument("--pack", type=Path, default=Path("../shared/data/faces"))
    parser.add_argument("--cache", type=Path, default=default_cache())
    parser.add_argument("--bootstrap", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=Path("models/face-encoder"))
    arguments = parser.parse_args()
    rows = read_index(arguments.pack)
    crops = np.load(arguments.cache / "faces.npy", mmap_mode="r")
    dev = np.array([n for n, row in enumerate(rows) if row["split"] == "dev"])
    subjects = np.unique([rows[n]["identity"] for n in dev], return_inverse=True)[1].astype(np.int64)
    stored = np.asarray(crops[dev])
    networks = {"encoder": encoder(arguments.model), "teacher": teacher(arguments.teacher)}
    report: dict[str, Any] = {"development": {}, "sources": {}, "threshold_fmr_1e-3": {}}
    for name, embed in networks.items():
        vectors = embed(inner(stored))
        report["development"][name] = summary(vectors, subjects, arguments.bootstrap)
        threshold = threshold_at(vectors, subjects, 1e-3)
        report["threshold_fmr_1e-3"][name] = threshold
        report["sources"][name] = source_rates(embed, crops, rows, threshold)
        print(name, json.dumps(report["development"][name]), report["sources"][name], flush=True)
        if name == "encoder":
            mirrored = unit(vectors + embed(np.ascontiguousarray(inner(stored)[:, :, ::-1])))
            report["development"]["encoder, crop + mirror"] = rates(all_pairs(mirrored, subjects))
    report["robustness"] = robustness(networks, stored, subjects)
    report["speed_ms"] = {
        f"{threads} threads": speed(arguments.model, arguments.teacher, threads) for threads in (1, 2)
    }
    report["machine"] = platform.processor() or platform.machine()
    print(report["speed_ms"])
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    draw(report["robustness"], arguments.out / "robustness.png")


if __name__ == "__main__":
    main()
