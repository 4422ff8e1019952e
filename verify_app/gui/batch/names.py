"""Jobs and results in words."""

from __future__ import annotations

from verify_app.gui.text import translate
from verify_app.services.batch.spec import JobKind


def question(kind: JobKind) -> str:
    """What a kind of job asks."""
    return {
        JobKind.VERIFY: translate("Batch", "Is each file of the person claimed?"),
        JobKind.IDENTIFY: translate("Batch", "Who is on each file?"),
        JobKind.PAIRS: translate("Batch", "Do the two files of each pair match?"),
        JobKind.CROSS: translate("Batch", "Who of folder A is in folder B too?"),
        JobKind.DUPLICATES: translate("Batch", "Which files show the same person?"),
        JobKind.GROUP: translate("Batch", "Which files belong to one person?"),
    }[kind]


def decision_name(decision: str) -> str:
    """How a row came out."""
    known = {
        "verified": translate("Batch", "Verified"),
        "not_verified": translate("Batch", "Not verified"),
        "matched": translate("Batch", "Matched"),
        "unknown": translate("Batch", "No match"),
        "grouped": translate("Batch", "Grouped"),
        "single": translate("Batch", "Alone"),
        "unusable": translate("Batch", "Unusable"),
        "skipped": translate("Batch", "Skipped"),
    }
    return known.get(decision, decision)


def tone(decision: str) -> str:
    """The colour of a decision."""
    return {
        "verified": "good",
        "matched": "good",
        "grouped": "good",
        "not_verified": "bad",
        "unknown": "bad",
        "unusable": "warn",
    }.get(decision, "muted")


def claim_heading(kind: str) -> str:
    """What the column ``claim`` holds in a kind of job."""
    return {
        "verify": translate("Batch", "Claimed"),
        "identify": translate("Batch", "Person found"),
        "pairs": translate("Batch", "Reference"),
        "cross": translate("Batch", "Match in B"),
        "duplicates": translate("Batch", "Same as"),
        "group": translate("Batch", "Known as"),
    }.get(kind, translate("Batch", "Claim"))
