"""``verify-app identify``: one to many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from verify_app.cli import state, words
from verify_app.cli.options import Files, comparison_dict, interval_dict, left_out
from verify_app.reasons import ReasonCode

if TYPE_CHECKING:
    from verify_app.services.identify import Candidate

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def identify(
    files: Files,
    target_fmr: Annotated[
        float | None,
        typer.Option(
            metavar="RATE",
            help="Share of unknown people that may be named falsely, for the whole search (default 0.001, unless set).",
            show_default=False,
        ),
    ] = None,
    json: state.JsonFlag = False,
) -> None:
    """Search everybody enrolled for the person in the files; “unknown” is an answer.

    The search is exact. The more people are searched, the likelier a false match: the rate shown is corrected
    for the number of people N, as 1 - (1 - FMR)^N, and somebody is named only when it is within the target.

    \b
    Examples:
      verify-app identify visitor.jpg
      verify-app identify visitor.jpg visitor.wav --json | jq .match

    \b
    Exit codes: 0 matched, 1 unknown, 3 no file can be used, 4 nobody is enrolled.
    """
    from verify_app.services.identify import identify as search

    result = search(state.application(), files, target_fpir=state.check_target(target_fmr))
    matched = result.reason.code is ReasonCode.MATCHED
    rows = [
        (
            candidate.person.name,
            ", ".join(f"{one.modality} {one.score:.3f}" for one in candidate.decision.comparisons),
            words.rate_interval(candidate.predicted_fpir) + ("  *" if _extrapolated(candidate) else ""),
        )
        for candidate in result.candidates
    ]
    lines = [f"{words.strong('MATCHED' if matched else 'UNKNOWN', matched)}  {result.reason.message}"]
    lines.append(words.table(rows, ("candidate", "score", f"false-match rate in a search of {result.gallery}")))
    if any(_extrapolated(candidate) for candidate in result.candidates):
        lines.append(
            "  * extrapolated: fewer than ten comparisons of different people scored so high when this was calibrated, "
            "so the rate rests on the fitted tail of their scores, not on a count"
        )
    lines.append(f"  operating point: {words.rate(result.target_fpir)} unknown people named falsely")
    lines += left_out(result.samples)
    match = result.match
    payload = {
        "decision": "matched" if matched else "unknown",
        "match": {"id": match.id, "name": match.name} if match is not None else None,
        "reason": result.reason.as_dict(),
        "gallery": result.gallery,
        "target_fpir": result.target_fpir,
        "candidates": [
            {
                "person": {"id": candidate.person.id, "name": candidate.person.name},
                "llr": candidate.decision.llr,
                "predicted_fmr": interval_dict(candidate.decision.predicted_fmr),
                "predicted_fpir": interval_dict(candidate.predicted_fpir),
                "comparisons": [comparison_dict(comparison) for comparison in candidate.decision.comparisons],
            }
            for candidate in result.candidates
        ],
        "samples": [sample.as_dict() for sample in result.samples],
    }
    state.finish(payload, "\n".join(lines), 0 if matched else 1)


def _extrapolated(candidate: Candidate) -> bool:
    """Whether the rate of a candidate lies below what could be counted."""
    return any(comparison.extrapolated for comparison in candidate.decision.comparisons)
