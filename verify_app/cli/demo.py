"""``verify-app demo``: the main job on bundled people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from verify_app.cli import state, words
from verify_app.cli.options import decision_dict, interval_dict
from verify_app.cli.progress import shown_progress

if TYPE_CHECKING:
    from verify_app.services.demo.run import Demo

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def demo(
    report: Annotated[
        str, typer.Option(metavar="FILE.html", help="Where to write the report.")
    ] = "verify-app-demo.html",
    target_fmr: state.TargetFmr = None,
    json: state.JsonFlag = False,
) -> None:
    """Enrol bundled people, who do not exist, and verify them by face, by voice and by both.

    Everything happens offline, in a temporary folder that is erased: your own people are not touched. Everybody
    claims to be themselves and to be somebody else; then everybody is searched, with one stranger among them.
    The report shows each aligned face and each spectrogram with the decision, its score and its reason.

    \b
    Examples:
      verify-app demo
      verify-app demo --report /tmp/demo.html --target-fmr 0.01
    """
    from verify_app.services.demo.report import write_report
    from verify_app.services.demo.run import counts, run_demo
    from verify_app.services.output import output_file

    target = state.check_target(target_fmr)
    wanted = output_file(report)
    with shown_progress("demo", "steps") as progress:
        result = run_demo(target, threads=state.settings().threads, progress=progress)
    file = write_report(result, wanted)
    right = counts(result)
    payload: dict[str, Any] = {
        "claims": [
            {
                "claimed": claim.claimed,
                "shown": claim.shown,
                "mated": claim.mated,
                "by": claim.by,
                "right": claim.right,
                **decision_dict(claim.result.decision, claim.result.samples),
            }
            for claim in result.claims
        ],
        "searches": [
            {
                "shown": search.shown,
                "enrolled": search.enrolled,
                "match": search.result.match.name if search.result.match else None,
                "right": search.right,
                "reason": search.result.reason.as_dict(),
                "predicted_fpir": interval_dict(search.result.candidates[0].predicted_fpir),
            }
            for search in result.searches
        ],
        "right": {name: {"right": pair[0], "of": pair[1]} for name, pair in right.items()},
        "target_fmr": result.target_fmr,
        "seconds": round(result.seconds, 2),
        "report": str(file),
    }
    lines = [
        _text(result),
        "",
        f"{right['mated'][0]} of {right['mated'][1]} true claims verified, "
        f"{right['non_mated'][0]} of {right['non_mated'][1]} false claims refused, "
        f"{right['searches'][0]} of {right['searches'][1]} searches answered rightly.",
        f"Operating point: false-match rate {words.rate(result.target_fmr)}. {result.seconds:.1f} s. Report: {file}",
    ]
    state.finish(payload, "\n".join(lines))


def _text(result: Demo) -> str:
    head = ("shows", "claims to be", "by", "decision", "score", "predicted false-match rate (95 %)", "reason")
    rows = [
        (
            claim.shown,
            claim.claimed,
            claim.by,
            "verified" if claim.result.decision.verified else "not verified",
            ", ".join(f"{comparison.score:.3f}" for comparison in claim.result.decision.comparisons),
            words.rate_bound(claim.result.decision.predicted_fmr),
            claim.result.decision.reason.code.value + ("" if claim.right else " (wrong)"),
        )
        for claim in result.claims
    ]
    searches = [
        (
            search.shown,
            "anybody",
            "both",
            search.result.match.name if search.result.match else "unknown",
            "",
            words.rate_bound(search.result.candidates[0].predicted_fpir),
            search.result.reason.code.value + ("" if search.right else " (wrong)"),
        )
        for search in result.searches
    ]
    return words.table([*rows, *searches], head, indent="")
