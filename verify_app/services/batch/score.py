"""From cached embeddings to rows: the one step that knows thresholds. It touches no image and no recording.

Rows follow the job's order of files, whatever the order the files were read in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from verify_app.domain import Comparison, Contract, Decision, FloatArray
from verify_app.reasons import Reason, ReasonCode, StateError, VerifyAppError
from verify_app.services import calibrations
from verify_app.services.application import Application
from verify_app.services.batch.blocks import blocks
from verify_app.services.batch.cache import CachedEmbedding, EmbeddingCache, part_key
from verify_app.services.batch.choices import Method
from verify_app.services.batch.group import group_embeddings, purity
from verify_app.services.batch.journal import Journal, Outcome
from verify_app.services.batch.matrix import Matrix
from verify_app.services.batch.place import Place, PlaceKind
from verify_app.services.batch.rows import Row, RowDecision, compared, decided, during, skipped, unusable
from verify_app.services.batch.spec import JobKind, JobSpec
from verify_app.services.identify import corrected
from verify_app.services.jobs import CancelledCheck, never_cancelled, stop_if
from verify_app.services.references import references_of
from verify_app.services.storage import store_errors

if TYPE_CHECKING:
    from verify_app.calibration.model import Calibration
    from verify_app.matching.similarity import Similarity


@dataclass(frozen=True, slots=True, eq=False)
class _Open:
    """A row whose comparison is still to be made and to be given its meaning: both is done for many at once.

    Attributes:
        probe: one side.
        reference: the other: combined references, float32 [d], or the score where it is known already.
        references: how many stand behind it.
        row: makes the row of the decision.
        place: where in the file the probe is.
    """

    probe: CachedEmbedding
    reference: FloatArray | float
    references: int
    row: Callable[[Decision], Row]
    place: Place | None


@dataclass
class Scorer:
    """Scores one job.

    Attributes:
        app: the application, whose store holds the enrolled people.
        spec: the job.
        journal: how each file came out.
        cache: their embeddings.
        target_fmr: false-match rate of the operating point.
        method: how groups are found.
        cancelled: asked between rows and between the steps of grouping.
        purity: share of files whose group is mostly of their own claim; known once a grouping job with claims
            gave its first row.
    """

    app: Application
    spec: JobSpec
    journal: Journal
    cache: EmbeddingCache
    target_fmr: float
    method: Method = Method.AGGLOMERATIVE
    cancelled: CancelledCheck = never_cancelled
    purity: float | None = None

    def rows(self) -> Iterator[Row]:
        """The results, one after the other.

        Raises:
            StateError: NO_CALIBRATION and the like: a job without an operating point decides nothing.
        """
        kinds = {
            JobKind.VERIFY: self._verify,
            JobKind.IDENTIFY: self._identify,
            JobKind.PAIRS: self._pairs,
            JobKind.CROSS: self._cross,
            JobKind.DUPLICATES: self._duplicates,
            JobKind.GROUP: self._group,
        }
        for block in blocks(kinds[self.spec.kind]()):
            yield from self._decided(block)

    # -- the kinds of job -------------------------------------------------------------------------

    def _verify(self) -> Iterator[Row | _Open]:
        references: dict[str, tuple[FloatArray, int] | VerifyAppError] = {}
        for outcome, embedding in self._embedded():
            claim = outcome.item.claim
            if embedding is None:
                yield self._unusable(outcome, claim)
                continue
            if claim not in references:
                references[claim] = self._references(claim)
            enrolled = references[claim]
            if isinstance(enrolled, VerifyAppError):
                row = Row(outcome.item.name, claim, RowDecision.NOT_VERIFIED, reason=enrolled.reason.code.value,
                          quality=embedding.quality, message=enrolled.reason.message)  # fmt: skip
                yield during(row, outcome.place)
            else:
                yield self._verified(outcome, claim, embedding, *enrolled)

    def _identify(self) -> Iterator[Row | _Open]:
        names, gallery, counts = self._gallery()
        references: dict[int, FloatArray] = {}
        for outcome, embedding in self._embedded():
            if embedding is None:
                yield self._unusable(outcome)
                continue
            best = self._nearest(embedding.vector, gallery, counts)
            if best not in references:
                references[best] = _combined(gallery[best][None, :])
            yield self._identified(outcome, names[best], embedding, references[best], counts[best], len(names))

    def _pairs(self) -> Iterator[Row | _Open]:
        """Items stand in the journal as reference, probe, reference, probe …; each pair gives one row."""
        items = (one for one in self._embedded() if one[0].place is None or one[0].place.kind is not PlaceKind.REST)
        for (reference, reference_embedding), (probe, probe_embedding) in zip(items, items, strict=True):
            name, claim = probe.item.name, reference.item.name
            if probe_embedding is None:
                yield self._unusable(probe, claim)
            elif reference_embedding is None:
                yield self._refused(name, claim, _reason_of(reference))
            else:
                yield self._verified(probe, claim, probe_embedding, _combined(reference_embedding.vector[None, :]), 1)

    def _cross(self) -> Iterator[Row | _Open]:
        """Each file of the first source, against every file of the second: its matches, or its best non-match."""
        references = self._matrix(side=1)
        for outcome, embedding in self._embedded(side=0):
            yield from self._against(outcome, embedding, references)
        for outcome, embedding in self._embedded(side=1):
            if embedding is None:
                yield self._unusable(outcome)

    def _duplicates(self) -> Iterator[Row | _Open]:
        """Every pair within the source that matches, once, and the files that cannot be read."""
        matrix = self._matrix()
        position = -1
        for outcome, embedding in self._embedded():
            if embedding is None:
                yield self._unusable(outcome)
                continue
            position += 1
            scores = matrix.scores(embedding.vector, self._similarity(1))
            for later in position + 1 + np.flatnonzero(scores[position + 1 :] >= self._threshold):
                yield self._matched(outcome, matrix.names[later], embedding, float(scores[later]))

    def _group(self) -> Iterator[Row | _Open]:
        matrix = self._matrix()
        check: Callable[[], None] = lambda: stop_if(self.cancelled)  # noqa: E731
        of_content = group_embeddings(matrix.vectors, self._threshold, self.method, check, self._similarity(1))
        labels = of_content[matrix.index]
        self.purity = _purity(labels, matrix.claims)
        sizes = np.bincount(labels, minlength=1)
        sums = np.zeros((len(sizes), matrix.dimension))
        copies = np.bincount(matrix.index, minlength=len(of_content))
        np.add.at(sums, of_content, matrix.vectors * copies[:, None])
        position = -1
        for outcome, embedding in self._embedded():
            if embedding is None:
                yield self._unusable(outcome, outcome.item.claim)
                continue
            position += 1
            label = int(labels[position])
            size = int(sizes[label])
            if size == 1:
                reason = Reason(ReasonCode.UNKNOWN_SUBJECT, "Belongs to no group.")
                row = Row(outcome.item.name, outcome.item.claim, RowDecision.SINGLE, reason=reason.code.value,
                          group=label, threshold=self._threshold, quality=embedding.quality,
                          message=reason.message)  # fmt: skip
                yield during(row, outcome.place)
            else:
                if self._similarity(1).name == "cosine":
                    score = float((sums[label] - embedding.vector) / (size - 1) @ embedding.vector)
                else:
                    others = np.flatnonzero((labels == label) & (np.arange(len(labels)) != position))
                    score = float(matrix.scores(embedding.vector, self._similarity(1))[others].mean())
                yield self._grouped(outcome, embedding, score, label, size)

    # -- one row ----------------------------------------------------------------------------------

    def _unusable(self, outcome: Outcome, claim: str = "") -> Row:
        return during(self._refused(outcome.item.name, claim, _reason_of(outcome)), outcome.place)

    def _refused(self, name: str, claim: str, reason: Reason) -> Row:
        if self.spec.faces == "skip" and reason.code is ReasonCode.SEVERAL_FACES:
            return skipped(name, claim, reason)
        return unusable(name, claim, reason)

    def _verified(
        self, outcome: Outcome, claim: str, probe: CachedEmbedding, reference: FloatArray, count: int
    ) -> _Open:
        def row(decision: Decision) -> Row:
            return decided(outcome.item.name, claim, decision, decision.comparisons[0])

        return _Open(probe, reference, count, row, outcome.place)

    def _identified(
        self, outcome: Outcome, subject: str, probe: CachedEmbedding, reference: FloatArray, count: int, gallery: int
    ) -> _Open:
        name = outcome.item.name

        def row(decision: Decision) -> Row:
            chance = corrected(decision.predicted_fmr, gallery)
            if decision.verified and chance is not None and chance.value <= self.target_fmr:
                reason = Reason(ReasonCode.MATCHED, f"Matches {subject}, of {gallery} people searched.")
                return compared(name, subject, RowDecision.MATCHED, decision.comparisons[0], reason)
            message = f"Nobody of {gallery} people is like enough; nearest is {subject}."
            reason = Reason(ReasonCode.UNKNOWN_SUBJECT, message)
            return compared(name, "", RowDecision.UNKNOWN, decision.comparisons[0], reason)

        return _Open(probe, reference, count, row, outcome.place)

    def _against(
        self,
        outcome: Outcome,
        embedding: CachedEmbedding | None,
        references: Matrix,
    ) -> Iterator[Row | _Open]:
        if embedding is None:
            yield self._unusable(outcome)
            return
        if not references.names:
            reason = Reason(ReasonCode.UNKNOWN_SUBJECT, "The second folder holds nothing to compare with.")
            row = Row(outcome.item.name, "", RowDecision.UNKNOWN, reason=reason.code.value, message=reason.message)
            yield during(row, outcome.place)
            return
        scores = references.scores(embedding.vector, self._similarity(1))
        matches = np.flatnonzero(scores >= self._threshold)
        for match in matches:
            yield self._matched(outcome, references.names[match], embedding, float(scores[match]))
        if not len(matches):
            best = int(np.argmax(scores))
            reason = Reason(ReasonCode.UNKNOWN_SUBJECT, f"No match; nearest is {references.names[best]}.")
            yield self._bulk(outcome, "", RowDecision.UNKNOWN, embedding, float(scores[best]), reason)

    def _matched(self, outcome: Outcome, other: str, probe: CachedEmbedding, score: float) -> _Open:
        reason = Reason(ReasonCode.MATCHED, f"Matches {other}.")
        return self._bulk(outcome, other, RowDecision.MATCHED, probe, score, reason)

    def _grouped(self, outcome: Outcome, probe: CachedEmbedding, score: float, label: int, size: int) -> _Open:
        message = f"Grouped with {size - 1} other{'s' if size > 2 else ''}; the score is the mean over them."
        reason = Reason(ReasonCode.MATCHED, message)
        return self._bulk(outcome, outcome.item.claim, RowDecision.GROUPED, probe, score, reason, label)

    def _bulk(
        self,
        outcome: Outcome,
        claim: str,
        decision: RowDecision,
        probe: CachedEmbedding,
        score: float,
        reason: Reason,
        group: int | None = None,
    ) -> _Open:
        """The row of a probe and one reference whose score is known and judged already; its meaning is not."""

        def row(made: Decision) -> Row:
            return compared(outcome.item.name, claim, decision, made.comparisons[0], reason, group)

        return _Open(probe, score, 1, row, outcome.place)

    def _decided(self, block: Sequence[Row | _Open]) -> Iterator[Row]:
        """The rows of a block in their order, compared and decided."""
        from verify_app.matching.decision import decide_each

        waiting: dict[int, list[_Open]] = {}
        for one in block:
            if isinstance(one, _Open):
                waiting.setdefault(one.references, []).append(one)
        decisions = {
            count: iter(decide_each(self._comparisons(count, each), self._calibration(count), self.target_fmr))
            for count, each in waiting.items()
        }
        for one in block:
            stop_if(self.cancelled)
            yield during(one.row(next(decisions[one.references])), one.place) if isinstance(one, _Open) else one

    def _comparisons(self, references: int, each: Sequence[_Open]) -> list[Comparison]:
        """Rows with so many references each, compared; all those with one subject at once."""
        chosen = self._similarity(references)
        scores = [one.reference if isinstance(one.reference, float) else 0.0 for one in each]
        of_subject: dict[int, list[int]] = {}
        for number, one in enumerate(each):
            if not isinstance(one.reference, float):
                of_subject.setdefault(id(one.reference), []).append(number)
        for numbers in of_subject.values():
            probes = np.stack([each[number].probe.vector for number in numbers])
            found = chosen.compare(probes, np.asarray(each[numbers[0]].reference)[None, :])[:, 0].tolist()
            for number, score in zip(numbers, found, strict=True):
                scores[number] = score
        return [
            Comparison(self.spec.modality, score, chosen.name, references, one.probe.quality, self._contract_id)
            for score, one in zip(scores, each, strict=True)
        ]

    # -- where things come from -------------------------------------------------------------------

    @cached_property
    def _contract(self) -> Contract:
        return self.app.contract(self.spec.modality)

    @cached_property
    def _contract_id(self) -> str:
        return self._contract.id

    @cached_property
    def _calibrations(self) -> dict[int, Calibration]:
        return {}

    @cached_property
    def _similarities(self) -> dict[int, Similarity]:
        return {}

    def _calibration(self, references: int) -> Calibration:
        if references not in self._calibrations:
            self._calibrations[references] = calibrations.active(self.app, self.spec.modality, references)
        return self._calibrations[references]

    def _similarity(self, references: int) -> Similarity:
        from verify_app.matching.records import similarity_of

        if references not in self._similarities:
            self._similarities[references] = similarity_of(self._calibration(references), self._contract.dimension)
        return self._similarities[references]

    def _nearest(self, probe: FloatArray, gallery: FloatArray, counts: list[int]) -> int:
        """The row of the gallery most like a probe; where scores are of several kinds, by their likelihood ratios."""
        kinds = {self._similarity(count).name for count in set(counts)}
        if kinds == {"cosine"}:
            return int(np.argmax(gallery @ probe))
        found = []
        for count in sorted(set(counts)):
            rows = np.flatnonzero(np.array(counts) == count)
            scores = self._similarity(count).compare(probe[None, :], gallery[rows])[0]
            best = int(np.argmax(scores))
            found.append((self._calibration(count).llr(float(scores[best])), int(rows[best])))
        return max(found)[1]

    @property
    def calibration(self) -> Calibration:
        """The calibration for one reference, which names and dates every output."""
        return self._calibration(1)

    @cached_property
    def _threshold(self) -> float:
        """Bulk comparisons are of one reference with one probe.

        Raises:
            StateError: TARGET_UNSUPPORTED.
        """
        calibration = self._calibration(1)
        if not calibration.supports(self.target_fmr):
            raise StateError(
                ReasonCode.TARGET_UNSUPPORTED,
                f"The calibration “{calibration.name}” has too few comparisons to support a false-match rate "
                f"of {self.target_fmr:g}.",
                "Ask for a larger --target-fmr, or calibrate with more people.",
            )
        return float(calibration.threshold_at(self.target_fmr))

    def _embedded(self, side: int | None = None) -> Iterator[tuple[Outcome, CachedEmbedding | None]]:
        """Every file in the job's order, or every face of it, with its embedding; None for what is unusable."""
        for block in blocks(self.journal.outcomes(side=side)):
            parts = [
                (outcome, part_key(outcome.sha256 or "", part), part)
                for outcome in block
                for part in range(1, (outcome.parts if outcome.usable else 1) + 1)
            ]
            found = iter(self.cache.get_each([key for outcome, key, _ in parts if outcome.usable]))
            for outcome, key, part in parts:
                stop_if(self.cancelled)
                if not outcome.usable:
                    yield outcome, None
                    continue
                one, made = _part_of(outcome, key, part), next(found)
                if isinstance(made, Reason):
                    yield replace(one, reason=made), None
                else:
                    yield one, made

    def _matrix(self, side: int | None = None) -> Matrix:
        return Matrix.of(self._embedded(side), self._contract.dimension)

    def _references(self, claim: str) -> tuple[FloatArray, int] | VerifyAppError:
        """The combined references of a person and their number, or why there are none."""
        if not claim:
            return StateError(ReasonCode.NO_SUCH_PERSON, "Nobody is claimed for this file.")
        try:
            with store_errors():
                person = self.app.store.person(claim)
            references = references_of(self.app, person, self.spec.modality)
            return _combined(references), len(references)
        except StateError as error:
            if error.reason.code in (ReasonCode.NO_SUCH_PERSON, ReasonCode.NOT_ENROLLED, ReasonCode.CONTRACT_MISMATCH):
                return error
            raise

    def _gallery(self) -> tuple[list[str], FloatArray, list[int]]:
        """Name, combined reference and number of references of everybody enrolled in this modality."""
        from verify_app.matching.references import combine

        by_person: dict[str, list[FloatArray]] = {}
        with store_errors():
            people = {person.id: person.name for person in self.app.store.people()}
            for template in self.app.store.templates(self._contract.id):
                vector = np.frombuffer(template.vector, "<f4").astype(np.float32)
                by_person.setdefault(template.person_id, []).append(vector)
        if not by_person:
            raise StateError(
                ReasonCode.NOBODY_ENROLLED,
                f"Nobody is enrolled by {self.spec.modality}.",
                "Enrol people first: verify-app enroll NAME FILE…",
            )
        ordered = sorted(by_person, key=lambda person_id: (people[person_id], person_id))
        gallery = np.stack([combine(np.stack(by_person[person_id])) for person_id in ordered])
        return [people[person_id] for person_id in ordered], gallery, [len(by_person[one]) for one in ordered]


def _combined(references: FloatArray) -> FloatArray:
    from verify_app.matching.references import combine

    return combine(references)


def _part_of(outcome: Outcome, key: str, part: int) -> Outcome:
    """One of several parts, named after its file and its place there."""
    if not outcome.places:
        return outcome
    place = outcome.places[part - 1]
    name = outcome.item.name + (place.suffix if place is not None else "")
    return replace(outcome, sha256=key, item=replace(outcome.item, name=name), places=(place,))


def _purity(labels: NDArray[np.int64], claims: list[str]) -> float | None:
    """Over the files whose identity is claimed; None when there are none."""
    known = np.array([bool(claim) for claim in claims], bool)
    if not known.any():
        return None
    _, truth = np.unique(np.array(claims)[known], return_inverse=True)
    return purity(labels[known], truth)


def _reason_of(outcome: Outcome) -> Reason:
    if outcome.reason is not None:
        return outcome.reason
    return Reason(
        ReasonCode.FILE_UNREADABLE,
        "The embedding of this file is no longer in the cache.",
        "Repeat the command to compute it again.",
    )
