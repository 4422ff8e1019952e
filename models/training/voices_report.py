"""Draw how voice encoders fail, and tell whom ours fails, from what ``measure_voice`` printed.

    python -m models.training.measure_voice ours resemblyzer thin-resnet --keep kept > measured.jsonl
    python -m models.training.voices_report measured.jsonl --vectors kept/ours.npz

Writes ``report.json`` (every condition, every encoder) and ``robustness.png`` beside the model and prints the rows of
the card. The packs say neither sex nor age of the development speakers; the pitch of their voices stands in.
"""

from __future__ import annotations

import argparse
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.training.evaluate import all_pairs, error_curve, rates
from models.training.prepare_voices import RATE, default_cache
from models.training.voice_conditions import RATIOS, SECONDS, Material, Wave

NAMES = {"ours": "this network", "resemblyzer": "Resemblyzer", "thin-resnet": "thin ResNet"}
STYLES = {"ours": "o-", "resemblyzer": "s--", "thin-resnet": "^:"}

PANELS: dict[str, list[tuple[str, str]]] = {
    "recorded noise, dB": [("clean, 4 clips", "none"), *((f"recorded noise {r} dB", str(r)) for r in RATIOS)],
    "four people talking, dB": [("clean, 4 clips", "none"), *((f"babble {r} dB", str(r)) for r in RATIOS)],
    "seconds of speech": [(f"{s} s", str(s)) for s in SECONDS],
    "line and codec": [("clean, 4 clips", "none"), ("mp3", "MP3"), ("opus", "Opus"), ("telephone", "telephone")],
}
"""Title of each chart; which conditions it shows, and how they are called there."""

PITCH_EDGES = (165.0, 235.0)
"""Hertz between the groups: few men speak above the first, few women above the second."""

Found = dict[str, dict[str, dict[str, Any]]]


def read(paths: list[Path]) -> Found:
    """Encoder, condition, figures; a later line replaces an earlier one."""
    found: Found = {}
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            figures = json.loads(line)
            if "condition" in figures:
                found.setdefault(figures.pop("encoder"), {})[figures.pop("condition")] = figures
    return found


def rounded(value: Any) -> Any:
    """The same figures to five decimals, for a file that people read."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [rounded(inner) for inner in value]
    return round(value, 5) if isinstance(value, float) else value


def cell(figures: dict[str, Any] | None) -> str:
    """An EER with its interval in per cent, as the card prints it."""
    if figures is None or "eer" not in figures:
        return "–"
    text = f"{figures['eer'] * 100:.1f}"
    if "intervals" in figures:
        low, high = figures["intervals"]["eer"]
        text += f" ({low * 100:.1f}–{high * 100:.1f})"
    return text


def table(found: Found) -> str:
    """Markdown: EER of every condition, and of degraded probes against clean references."""
    encoders = [name for name in NAMES if name in found]
    lines = ["| condition | " + " | ".join(NAMES[name] for name in encoders) + " |", "|---" * (len(encoders) + 1) + "|"]
    for condition in dict.fromkeys(condition for name in encoders for condition in found[name]):
        rows = {condition: [found[name].get(condition) for name in encoders]}
        rows[f"{condition}, the probe alone"] = [(figures or {}).get("probe_only") for figures in rows[condition]]
        for title, figures in rows.items():
            if any(one and "eer" in one for one in figures):
                lines.append(f"| {title} | " + " | ".join(cell(one) for one in figures) + " |")
    return "\n".join(lines)


def draw(found: Found, path: Path) -> None:
    """Four small charts: EER against noise, babble, seconds of speech, line and codec."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 2, figsize=(8.4, 5.6), sharey=True, layout="constrained")
    for axis, (title, conditions) in zip(axes.flat, PANELS.items(), strict=True):
        for name, label in NAMES.items():
            measured = [(text, found[name][key]) for key, text in conditions if key in found.get(name, {})]
            eer = np.array([figures["eer"] for _, figures in measured]) * 100
            ends = np.array([figures["intervals"]["eer"] for _, figures in measured]).T * 100
            axis.errorbar(
                [text for text, _ in measured],
                eer,
                np.abs(ends - eer),
                fmt=STYLES[name],
                label=label,
                markersize=4,
                elinewidth=0.7,
            )
        axis.set_title(title, fontsize=10)
        axis.tick_params(labelsize=8)
        axis.grid(alpha=0.3)
    for axis in axes[:, 0]:
        axis.set_ylabel("EER, %", fontsize=9)
    axes.flat[0].legend(fontsize=8)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def pitch(wave: Wave) -> float:
    """Median fundamental frequency in Hz of a clip: the first high peak of each 40 ms frame's autocorrelation.

    Frames whose peak is below half their energy count as unvoiced; NaN where none is voiced.
    """
    frames = np.lib.stride_tricks.sliding_window_view(wave, 640)[::320] * np.hanning(640)
    spectrum = np.abs(np.fft.rfft(frames, 2048)) ** 2
    correlation = np.fft.irfft(spectrum)[:, :640]
    window = np.fft.irfft(np.abs(np.fft.rfft(np.hanning(640), 2048)) ** 2)[:640]
    shortest, longest = RATE // 450, RATE // 70
    share = correlation / np.maximum(correlation[:, :1], 1e-9) * window[0] / np.maximum(window, 1e-3)
    inside = share[:, shortest:longest]
    peak = (inside >= share[:, shortest - 1 : longest - 1]) & (inside >= share[:, shortest + 1 : longest + 1])
    # A multiple of the period scores as well as the period: the first high peak is the voice's.
    lags = shortest + (peak & (inside > 0.9 * inside.max(1, keepdims=True))).argmax(1)
    loud = correlation[:, 0] > 0.05 * correlation[:, 0].max()
    voiced = loud & (share[np.arange(len(lags)), lags] > 0.5)
    return float(RATE / np.median(lags[voiced])) if voiced.any() else float("nan")


def by_pitch(vectors: NDArray[np.float32], material: Material) -> list[dict[str, float]]:
    """Rates inside groups of speakers of similar pitch, at one threshold for all (FMR 1e-2 over everyone)."""
    hertz = np.array([pitch(wave) for wave in material.clips])
    people = np.arange(int(material.subjects.max()) + 1)
    usual = np.array([np.nanmedian(hertz[material.subjects == person]) for person in people])
    everyone = all_pairs(vectors, material.subjects)
    fmr, _ = error_curve(everyone)
    threshold = everyone.scores[int(np.searchsorted(fmr, 1e-2, side="right")) - 1]
    found = []
    for low, high in itertools.pairwise((0.0, *PITCH_EDGES, np.inf)):
        members = people[(usual >= low) & (usual < high)]
        rows = np.flatnonzero(np.isin(material.subjects, members))
        pairs = all_pairs(vectors[rows], material.subjects[rows])
        accepted = pairs.scores >= threshold
        found.append(
            {
                "speakers": len(members),
                "lowest_hertz": float(usual[members].min()),
                "highest_hertz": float(usual[members].max()),
                "eer": rates(pairs)["eer"],
                "fmr": float(accepted[~pairs.mated].mean()),
                "fnmr": float(1 - accepted[pairs.mated].mean()),
            }
        )
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("measured", type=Path, nargs="+", help="what measure_voice printed")
    parser.add_argument("--vectors", type=Path, help="ours.npz that measure_voice kept, for the groups")
    parser.add_argument("--cache", type=Path, default=default_cache())
    parser.add_argument("--out", type=Path, default=Path("models/voice-encoder"))
    arguments = parser.parse_args()
    found = read(arguments.measured)
    report: dict[str, Any] = {"conditions": found}
    if arguments.vectors is not None:
        report["by_pitch"] = by_pitch(np.load(arguments.vectors)["clean"], Material(arguments.cache))
        print(*report["by_pitch"], sep="\n")
    print(table(found))
    (arguments.out / "report.json").write_text(json.dumps(rounded(report), indent=1) + "\n", encoding="utf-8")
    draw(found, arguments.out / "robustness.png")


if __name__ == "__main__":
    main()
