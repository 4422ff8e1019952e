"""The report of a batch job: one HTML file that stands alone, with pictures of the rows that need a look."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from verify_app.domain import Modality
from verify_app.services.application import Application
from verify_app.services.batch.locate import PlaceFinder, nowhere
from verify_app.services.batch.previews import thumbnail
from verify_app.services.batch.results import (
    UNDECODABLE,
    nearest_to_threshold,
    read_results,
    typed,
    written_whole,
)

REPORT_NAME = "report.html"
BORDERLINE = 60
"""Rows nearest to the threshold that are shown with their picture: the ones worth a look."""
LISTED = 2000
"""Rows listed in the report; the table of all rows is ``results.csv``."""

_TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Batch {{ summary.kind }}: {{ summary.rows }} rows</title>
<style>
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1c2430}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}code{background:#f0f2f5;padding:.1rem .3rem}
table{border-collapse:collapse;width:100%}td,th{padding:.3rem .6rem;text-align:left;border-bottom:1px solid #e3e7ec}
td.n{text-align:right;font-variant-numeric:tabular-nums}.warn{background:#fff4d6;padding:.6rem .8rem;border-radius:6px}
.verified,.matched,.grouped{color:#12703a}.not_verified,.unknown{color:#a12622}.unusable{color:#7a5b00}
.sheet{display:grid;grid-template-columns:repeat(auto-fill,minmax(9rem,1fr));gap:.8rem}
.card{border:1px solid #e3e7ec;border-radius:8px;padding:.5rem;font-size:.85rem;overflow-wrap:anywhere}
.card img{width:100%;border-radius:4px}.muted{color:#5a6675}
</style></head><body>
<h1>Batch {{ summary.kind }} by {{ summary.modality }}</h1>
<p class="muted">{{ summary.sources | join(", ") }}</p>
{% if summary.warning %}<p class="warn">{{ summary.warning }}</p>{% endif %}
<h2>Results</h2>
<table><tr>
{% for name in summary.decisions %}<th class="{{ name }}">{{ name | replace("_", " ") }}</th>{% endfor %}</tr>
<tr>{% for count in summary.decisions.values() %}<td>{{ count }}</td>{% endfor %}</tr></table>
<h2>What decided</h2>
<p>Operating point: false-match rate {{ "%g" | format(summary.target_fmr) }}. Calibration
“{{ summary.calibration.name }}” ({{ summary.calibration.origin }}) of {{ summary.calibration.created }}{% if
summary.calibration.expires %}, valid until {{ summary.calibration.expires }}{% endif %}.
{{ summary.comparisons }} comparisons.{% if summary.groups %} {{ summary.groups }} groups by {{ summary.method }}
clustering.{% endif %}{% if summary.purity is not none %} Purity against the claims:
{{ "%.3f" | format(summary.purity) }}.{% endif %} A predicted false-match rate is the share of other people expected to
score at least as high.</p>
{% if summary.command %}<p>Repeat with: <code>{{ summary.command }}</code></p>{% endif %}
{% if borderline %}<h2>Nearest to the threshold</h2><div class="sheet">{% for row in borderline %}
<div class="card">{% if row.picture %}<img src="{{ row.picture }}" alt="">{% endif %}<b>{{ row.file }}</b>
{% if row.claim %}<br>{{ row.claim }}{% endif %}<br><span class="{{ row.decision }}">{{ row.decision | replace("_", " ")
}}</span> {{ "%.3f" | format(row.score) }} ({{ "%.3f" | format(row.threshold) }})</div>{% endfor %}</div>{% endif %}
<h2>Rows{% if summary.rows > listed %} (the first {{ listed }}; all are in results.csv){% endif %}</h2>
<table><tr><th>file</th><th>claim or match</th><th>decision</th><th>score</th><th>predicted FMR</th><th>reason</th></tr>
{% for row in rows %}<tr><td>{{ row.file }}</td>
<td>{{ row.claim }}{% if row.group %} group {{ row.group }}{% endif %}</td>
<td class="{{ row.decision }}">{{ row.decision | replace("_", " ") }}</td>
<td class="n">{% if row.score is not none %}{{ "%.3f" | format(row.score) }}{% endif %}</td>
<td class="n">{% if row.predicted_fmr is not none %}{{ "%.2g" | format(row.predicted_fmr) }}
({{ "%.2g" | format(row.predicted_fmr_low) }}–{{ "%.2g" | format(row.predicted_fmr_high) }}){% endif %}</td>
<td>{{ row.message or row.reason }}</td></tr>
{% endfor %}</table></body></html>
"""


def write_report(app: Application, folder: Path, summary: dict[str, Any], places: PlaceFinder = nowhere) -> Path:
    """Write ``report.html`` from the results on disk, streaming; gives its path."""
    import jinja2

    environment = jinja2.Environment(autoescape=True, trim_blocks=True)
    template = environment.from_string(_TEMPLATE)
    path = folder / REPORT_NAME
    stream = template.stream(
        summary=summary,
        rows=(typed(row) for row in itertools.islice(read_results(folder), LISTED)),
        listed=LISTED,
        borderline=list(_borderline(app, folder, summary, places)),
    )
    with written_whole(path) as temporary, temporary.open("w", encoding="utf-8", errors=UNDECODABLE) as out:
        out.writelines(stream)
    return path


def _borderline(
    app: Application, folder: Path, summary: dict[str, Any], places: PlaceFinder
) -> Iterator[dict[str, Any]]:
    for row in map(typed, nearest_to_threshold(folder, BORDERLINE)):
        yield {**row, "picture": _picture(app, str(row["file"]), summary, places)}


def _picture(app: Application, file: str, summary: dict[str, Any], places: PlaceFinder) -> str:
    """A small JPEG of an image file as a data address; empty where there is none."""
    if summary["modality"] != Modality.FACE.value:
        return ""
    image = thumbnail(app, Modality.FACE, summary["sources"], file, places)
    if image is None:
        return ""
    from verify_app.native import opencv

    cv2 = opencv()
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()
