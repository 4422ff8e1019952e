"""The bench as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
from datetime import datetime
from pathlib import Path

from verify_app import __version__
from verify_app.domain import Interval
from verify_app.reasons import ReasonCode, UsageError
from verify_app.services.bench.pictures import det_picture, map_picture
from verify_app.services.bench.run import Bench
from verify_app.services.rates import grouped

TEMPLATE = "report.html.jinja"
KINDS = {"similarity": "Similarities", "normalisation": "Normalisations", "dimension": "Shorter embeddings"}


def write_report(bench: Bench, file: str | Path) -> Path:
    """Write the report.

    Raises:
        UsageError: the file cannot be written.
    """
    target = Path(file)
    try:
        target.write_text(render(bench), encoding="utf-8")
    except OSError as error:
        raise UsageError(
            ReasonCode.USAGE, f"{target} cannot be written: {error.strerror}.", "Choose another file with --out."
        ) from None
    return target


def render(bench: Bench) -> str:
    """The report as HTML."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("verify_app.services.bench", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    best = min(bench.rows, key=lambda row: row.eer.value)
    groups = [
        {
            "title": title,
            "det": _data_uri(det_picture([row for row in bench.rows if row.kind == kind or row.name == "cosine"])),
            "rows": [
                {
                    "name": row.name,
                    "best": row is best,
                    "eer": _percent(row.eer),
                    "fnmr": _percent(row.fnmr),
                    "cllr": f"{row.min_cllr:.4f}",
                    "cost": f"{row.min_cost:.4f}",
                }
                for row in bench.rows
                if row.kind == kind or row.name == "cosine"
            ],
        }
        for kind, title in KINDS.items()
        if any(row.kind == kind for row in bench.rows)
    ]
    return environment.get_template(TEMPLATE).render(
        version=__version__,
        when=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
        bench=bench,
        mated=grouped(bench.mated),
        non_mated=grouped(bench.non_mated),
        best=best.name,
        groups=groups,
        map=_data_uri(map_picture(bench.map)),
    )


def _percent(interval: Interval) -> str:
    return f"{100 * interval.value:.2f} % ({100 * interval.low:.2f}–{100 * interval.high:.2f})"


def _data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
