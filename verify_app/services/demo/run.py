"""Run the demonstration: enrol, verify mated and non-mated claims by face, by voice and by both, then search."""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from verify_app.domain import Modality
from verify_app.reasons import ReasonCode
from verify_app.services.application import Application
from verify_app.services.demo.people import DemoPerson, demo_people
from verify_app.services.enrol import Enrolment, enrol
from verify_app.services.identify import Identification, identify
from verify_app.services.jobs import CancelledCheck, ProgressCallback, never_cancelled, no_progress, stop_if
from verify_app.services.samples import SampleOutcome, examine
from verify_app.services.settings import Settings
from verify_app.services.verify import Verification, verify

FEWEST_WITH_STRANGER = 4
"""From so many demo people on, the last is not enrolled and plays the stranger."""


@dataclass(frozen=True, slots=True, eq=False)
class DemoClaim:
    """One claim of the demonstration.

    Attributes:
        claimed: who is claimed.
        shown: who the samples really show.
        by: ``face``, ``voice`` or ``both``.
        result: the decision.
    """

    claimed: str
    shown: str
    by: str
    result: Verification

    @property
    def mated(self) -> bool:
        """Whether the claim is true."""
        return self.claimed == self.shown

    @property
    def right(self) -> bool:
        """Whether the decision is."""
        return self.result.decision.verified is self.mated


@dataclass(frozen=True, slots=True, eq=False)
class DemoSearch:
    """One search of the demonstration; ``enrolled`` says whether it should find anybody."""

    shown: str
    enrolled: bool
    result: Identification

    @property
    def right(self) -> bool:
        """Whether the answer is: the right person, or unknown for a stranger."""
        match = self.result.match
        return match is not None and match.name == self.shown if self.enrolled else match is None


@dataclass(frozen=True, slots=True, eq=False)
class Demo:
    """What the demonstration did.

    Attributes:
        enrolments: who was enrolled with what.
        claims: the claims, mated and non-mated.
        searches: the searches.
        target_fmr: the operating point.
        seconds: how long it took.
    """

    enrolments: tuple[Enrolment, ...]
    claims: tuple[DemoClaim, ...]
    searches: tuple[DemoSearch, ...]
    target_fmr: float
    seconds: float


def run_demo(
    target_fmr: float | None = None,
    *,
    people: Sequence[DemoPerson] | None = None,
    threads: int = 0,
    progress: ProgressCallback = no_progress,
    cancelled: CancelledCheck = never_cancelled,
) -> Demo:
    """Run the demonstration in a temporary folder; the people of this user are not touched.

    Raises:
        StateError: a model, a calibration or the demo people are missing or damaged.
    """
    began = time.monotonic()
    people = demo_people() if people is None else people
    with tempfile.TemporaryDirectory(prefix="verify-app-demo-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        # A passphrase of its own, so that nothing is left in the keyring of the desktop.
        settings = Settings(home / "data", home / "config", passphrase=secrets.token_hex(16), threads=threads)
        if target_fmr is not None:
            settings = settings.with_changes(target_fmr=target_fmr)
        with Application(settings) as app:
            stranger = people[-1] if len(people) >= FEWEST_WITH_STRANGER else None
            enrolled = [person for person in people if person is not stranger]
            steps = 2 * len(people) + 7 * len(enrolled)
            done = 0

            def step(message: str) -> None:
                nonlocal done
                stop_if(cancelled)
                progress(done, steps, message)
                done += 1

            probes = {}
            enrolments = []
            for person in people:
                step(f"looking at {person.name}")
                probes[person.name] = _probes(app, person)
            for person in enrolled:
                step(f"enrolling {person.name}")
                enrolments.append(enrol(app, person.name, person.enrolment))
            claims = []
            for claimed, shown in _pairs(enrolled):
                for by, samples in probes[shown.name].items():
                    step(f"{shown.name} claims to be {claimed.name}")
                    result = verify(app, claimed.name, [one.sample for one in samples if one.sample is not None])
                    claims.append(DemoClaim(claimed.name, shown.name, by, result))
            searches = []
            for person in people:
                step(f"searching {person.name}")
                most = list(probes[person.name].values())[-1:]
                probe = [one.sample for outcomes in most for one in outcomes if one.sample is not None]
                searches.append(DemoSearch(person.name, person is not stranger, identify(app, probe)))
            return Demo(
                tuple(enrolments),
                tuple(claims),
                tuple(searches),
                settings.target_fmr,
                time.monotonic() - began,
            )


def _probes(app: Application, person: DemoPerson) -> dict[str, tuple[SampleOutcome, ...]]:
    """The first probe of each modality that can be used, by what it is shown as."""
    found: dict[str, tuple[SampleOutcome, ...]] = {}
    for modality, files in ((Modality.FACE, person.probe_faces), (Modality.VOICE, person.probe_voices)):
        outcomes = examine(app, files[:1], modality=modality)
        if outcomes and outcomes[0].accepted:
            found[modality.value] = outcomes
    if len(found) == len(Modality):
        found["both"] = tuple(outcome for outcomes in found.values() for outcome in outcomes)
    return found


def _pairs(people: Sequence[DemoPerson]) -> list[tuple[DemoPerson, DemoPerson]]:
    """Who is claimed, and who is shown: first everybody by themselves, then by the one two places before them."""
    others = [(people[(index + 2) % len(people)], person) for index, person in enumerate(people)]
    return [(person, person) for person in people] + [(claimed, shown) for claimed, shown in others if claimed != shown]


def counts(demo: Demo) -> dict[str, tuple[int, int]]:
    """How many decisions were right, of how many: mated claims, non-mated claims, searches."""
    mated = [claim.right for claim in demo.claims if claim.mated]
    non_mated = [claim.right for claim in demo.claims if not claim.mated]
    searches = [search.right for search in demo.searches]
    return {
        "mated": (sum(mated), len(mated)),
        "non_mated": (sum(non_mated), len(non_mated)),
        "searches": (sum(searches), len(searches)),
    }


def refused_enrolments(demo: Demo) -> list[tuple[str, SampleOutcome]]:
    """Bundled samples that could not be used: none, unless something is wrong with this machine."""
    return [
        (enrolment.person.name, outcome)
        for enrolment in demo.enrolments
        for outcome in enrolment.outcomes
        if outcome.reason is not None and outcome.reason.code is not ReasonCode.CANCELLED
    ]
