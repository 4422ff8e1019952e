"""Tables and DET plots of finished comparisons: ``python -m models.training.comparison.report``.

Reads the development embeddings that ``run.py`` left; needs NumPy, SciPy and matplotlib, not torch. Every
network is resampled with the same subjects, so the interval of a difference is that of a paired bootstrap. The
tables go between the markers of ``docs/objectives.md``, the plots beside it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from models.training.comparison.plan import Comparison, load
from models.training.evaluate import Floats, Pairs, all_pairs, error_curve, middle, rates, replicates
from models.training.prepare_faces import default_cache

SHOWN = {"eer": "EER", "tar@fmr=0.01": "TAR at FMR 1e-2", "tar@fmr=0.001": "TAR at FMR 1e-3"}
"""Rates of the tables and their headings."""

COLOURS = {"labels": "#1f5fa8", "none": "#8a8a8a", "teacher": "#c2571a", "teacher and labels": "#2e7d4f"}
"""Colour of a DET curve by the signal its network learned from."""

DASHES = ("solid", "dashed", "dotted", "dashdot", (0, (6, 1, 1, 1, 1, 1)))


@dataclass(frozen=True)
class Row:
    """A network on the development split: what it is, its comparisons, its bootstrapped rates.

    ``single``: one objective alone, in its first seed: a candidate for the best one.
    """

    title: str
    signal: str
    rate: str
    single: bool
    pairs: Pairs
    rounds: int

    @cached_property
    def found(self) -> dict[str, float]:
        """The rates over all pairs."""
        return rates(self.pairs)

    @cached_property
    def drawn(self) -> dict[str, Floats]:
        """The rates in every round of the bootstrap."""
        return replicates(self.pairs, self.rounds)


def difference(one: Row, other: Row, name: str) -> tuple[float, float, float]:
    """Rate ``name`` of ``one`` minus that of ``other``, and its 95 % interval from paired rounds."""
    return (one.found[name] - other.found[name], *middle(one.drawn[name] - other.drawn[name]))


def rows_of(comparison: Comparison, folder: Path, rounds: int) -> list[Row]:
    """Every finished network of a comparison, the references last. Raises ValueError where there is none."""

    def pairs(run: str) -> Pairs:
        with np.load(folder / run / "development.npz") as stored:
            return all_pairs(stored["embeddings"], stored["subjects"])

    rows = []
    for name, contender in comparison.contender.items():
        for seed in contender.seeds:
            run, first = f"{name}-{seed}", seed == contender.seeds[0]
            if (folder / run / "finished.json").exists():
                rate = json.loads((folder / run / "finished.json").read_text(encoding="utf-8"))["learning_rate"]
                title = contender.title if first else f"{contender.title}, seed {seed}"
                rows.append(Row(title, contender.signal, f"{rate:g}", contender.single and first, pairs(run), rounds))
    if not any(row.single for row in rows):
        raise ValueError(f"{folder}: no finished training; start models.training.comparison.run first")
    for run, title in (("untrained", "Untrained network"), ("teacher", "The teacher itself")):
        if (folder / run / "finished.json").exists():
            rows.append(Row(title, "", "", False, pairs(run), rounds))
    return rows


def best_single(rows: Sequence[Row]) -> Row:
    """The objective of the lowest EER among those that stand alone."""
    return min((row for row in rows if row.single), key=lambda row: row.found["eer"])


def points(value: float, low: float, high: float) -> str:
    """A difference in percentage points; bold where its interval leaves out zero."""
    text = f"{value * 100:+.1f} ({low * 100:+.1f} to {high * 100:+.1f})"
    return f"**{text}**" if low > 0 or high < 0 else text


def table(rows: Sequence[Row]) -> str:
    """The comparison as a Markdown table, networks by rising EER."""
    best = best_single(rows)
    head = ["objective", "learns from", "rate", *(f"{text}, %" for text in SHOWN.values())]
    head += [f"{text} against the best single, points" for text in SHOWN.values()]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in sorted(rows, key=lambda row: row.found["eer"]):
        cells = [row.title, row.signal, row.rate]
        for name in SHOWN:
            low, high = middle(row.drawn[name])
            cells.append(f"{row.found[name] * 100:.1f} ({low * 100:.1f} to {high * 100:.1f})")
        cells += ["the best single" if row is best else points(*difference(row, best, name)) for name in SHOWN]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw(rows: Sequence[Row], path: Path, heading: str, floor: float = 1e-4) -> None:
    """DET curves: FNMR over FMR on probit axes, down to an FMR of ``floor``."""
    import matplotlib
    from scipy.special import ndtri

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(8.2, 5.4), layout="constrained")
    used: dict[str, int] = {}
    for row in sorted(rows, key=lambda row: -row.found["eer"]):
        if ", seed " in row.title:
            continue
        fmr, fnmr = error_curve(row.pairs)
        kept = np.unique(np.searchsorted(fmr, np.geomspace(floor, 0.6, 160)).clip(max=len(fmr) - 1))
        number = used.get(row.signal, 0)
        used[row.signal] = number + 1
        look: dict[str, Any] = {"color": COLOURS.get(row.signal, "black"), "linestyle": DASHES[number % len(DASHES)]}
        inside = np.clip(np.stack([fmr[kept], fnmr[kept]]), floor, 1 - floor)
        axis.plot(*ndtri(inside), label=row.title, linewidth=1.4, **look)
    ticks = np.array([1e-4, 1e-3, 1e-2, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.95])
    names = [f"{tick * 100:g} %" for tick in ticks]
    axis.set_xticks(ndtri(ticks), names, fontsize=8)
    axis.set_yticks(ndtri(ticks), names, fontsize=8)
    axis.set_xlim(ndtri(floor), ndtri(0.6))
    axis.set_ylim(ndtri(0.01), ndtri(0.995))
    axis.set_xlabel("FMR")
    axis.set_ylabel("FNMR")
    axis.set_title(heading, fontsize=10)
    axis.grid(alpha=0.3)
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside right upper", fontsize=7.5, frameon=False)
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def put(text: str, name: str, content: str) -> str:
    """``text`` with ``content`` between ``<!-- name -->`` and ``<!-- end name -->``."""
    start, end = f"<!-- {name} -->", f"<!-- end {name} -->"
    before, found, rest = text.partition(start)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the markers {start} and {end} are missing")
    return f"{before}{start}\n{content}\n{end}{after}"


def main() -> None:
    """Command line."""
    here = Path(__file__).parent
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("comparisons", type=Path, nargs="*", default=[here / "faces.toml", here / "voices.toml"])
    parser.add_argument("--runs", type=Path, default=default_cache() / "runs" / "comparison")
    parser.add_argument("--bootstrap", type=int, default=500)
    parser.add_argument("--document", type=Path, default=Path("docs/objectives.md"))
    arguments = parser.parse_args()
    try:
        for path in arguments.comparisons:
            comparison = load(path)
            rows = rows_of(comparison, arguments.runs / comparison.name, arguments.bootstrap)
            content = table(rows)
            print(content, flush=True)
            text = put(arguments.document.read_text(encoding="utf-8"), f"{comparison.name} table", content)
            arguments.document.write_text(text, encoding="utf-8")
            picture = arguments.document.with_name(f"objectives-{comparison.name}.png")
            draw(rows, picture, f"{comparison.name}: development split, all pairs")
    except (ValueError, FileNotFoundError) as error:
        parser.exit(2, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
