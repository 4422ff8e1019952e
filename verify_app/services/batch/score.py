"""From cached embeddings to rows: the one step that knows thresholds. It touches no image and no recording.

Rows follow the job's order of files, whatever the order the files were read in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from verify_app.domain import Comparison, Contract, Decision, Embedding, FloatArray, Quality
from verify_app.reasons import Reason, ReasonCode, StateError, VerifyAppError
from verify_app.services import calibrations
from verify_app.services.application import Application
from verify_app.services.batch.cache import CachedEmbedding, EmbeddingCache, part_key
from verify_app.services.batch.choices import Method
from verify_app.services.batch.group import group_embeddings, purity
from verify_app.services.batch.journal import Journal, Outcome
from verify_app.services.batch.matrix import Matrix
from verify_app.services.batch.place import PlaceKind
from verify_app.services.batch.rows import Row, RowDecision, compared, decided, during, skipped, unusable
from verify_app.services.batch.spec import JobKind, JobSpec
from verify_app.services.comparing import compare_one
from verify_app.services.identify import corrected
from verify_app.services.jobs import CancelledCheck, never_cancelled, stop_if
from verify_app.services.references import references_of
from verify_app.services.storage import store_errors

if TYPE_CHECKING:
    from verify_app.calibration.model import Calibration
    from verify_app.matching.similarity import Similarity


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
        return kinds[self.spec.kind]()

    # -- the kinds of job -------------------------------------------------------------------------

    def _verify(self) -> Iterator[Row]:
        references: dict[str, FloatArray | VerifyAppError] = {}
        for outcome, embedding in self._embedded():
            name, claim = outcome.item.name, outcome.item.claim
            if embedding is None:
                yield self._unusable(outcome, claim)
                continue
            if claim not in references:
                references[claim] = self._references(claim)
            enrolled = references[claim]
            if isinstance(enrolled, VerifyAppError):
                row = Row(name, claim, RowDecision.NOT_VERIFIED, reason=enrolled.reason.code.value,
                          quality=embedding.quality, message=enrolled.reason.message)  # fmt: skip
            else:
                row = self._verified(name, claim, embedding, enrolled)
            yield during(row, outcome.place)

    def _identify(self) -> Iterator[Row]:
        names, gallery, counts = self._gallery()
        for outcome, embedding in self._embedded():
            if embedding is None:
                yield self._unusable(outcome)
                continue
            best = self._nearest(embedding.vector, gallery, counts)
            name, count = outcome.item.name, counts[best]
            row = self._identified(name, names[best], embedding, gallery[best], count, len(names))
            yield during(row, outcome.place)

    def _pairs(self) -> Iterator[Row]:
        """Items stand in the journal as reference, probe, reference, probe …; each pair gives one row."""
        items = (one for one in self._embedded() if one[0].place is None or one[0].place.kind is not PlaceKind.REST)
        for (reference, reference_embedding), (probe, probe_embedding) in zip(items, items, strict=True):
            name, claim = probe.item.name, reference.item.name
            if probe_embedding is None:
                yield self._unusable(probe, claim)
            elif reference_embedding is None:
                yield self._refused(name, claim, _reason_of(reference))
            else:
                row = self._verified(name, claim, probe_embedding, reference_embedding.vector[None, :])
                yield during(row, probe.place)

    def _cross(self) -> Iterator[Row]:
        """Each file of the first source, against every file of the second: its matches, or its best non-match."""
        references = self._matrix(side=1)
        for outcome, embedding in self._embedded(side=0):
            yield from self._against(outcome, embedding, references)
        for outcome, embedding in self._embedded(side=1):
            if embedding is None:
                yield self._unusable(outcome)

    def _duplicates(self) -> Iterator[Row]:
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

    def _group(self) -> Iterator[Row]:
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
            else:
                if self._similarity(1).name == "cosine":
                    score = float((sums[label] - embedding.vector) / (size - 1) @ embedding.vector)
                else:
                    others = np.flatnonzero((labels == label) & (np.arange(len(labels)) != position))
                    score = float(matrix.scores(embedding.vector, self._similarity(1))[others].mean())
                row = self._grouped(outcome, embedding, score, label, size)
            yield during(row, outcome.place)

    # -- one row ----------------------------------------------------------------------------------

    def _unusable(self, outcome: Outcome, claim: str = "") -> Row:
        return during(self._refused(outcome.item.name, claim, _reason_of(outcome)), outcome.place)

    def _refused(self, name: str, claim: str, reason: Reason) -> Row:
        if self.spec.faces == "skip" and reason.code is ReasonCode.SEVERAL_FACES:
            return skipped(name, claim, reason)
        return unusable(name, claim, reason)

    def _verified(self, name: str, claim: str, probe: CachedEmbedding, references: FloatArray) -> Row:
        decision = self._decide(self._comparison(probe, references))
        return decided(name, claim, decision, decision.comparisons[0])

    def _identified(
        self, name: str, subject: str, probe: CachedEmbedding, reference: FloatArray, count: int, gallery: int
    ) -> Row:
        comparison = replace(self._comparison(probe, reference[None, :], count), references=count)
        decision = self._decide(comparison)
        chance = corrected(decision.predicted_fmr, gallery)
        if decision.verified and chance is not None and chance.value <= self.target_fmr:
            reason = Reason(ReasonCode.MATCHED, f"Matches {subject}, of {gallery} people searched.")
            return compared(name, subject, RowDecision.MATCHED, decision.comparisons[0], reason)
        reason = Reason(ReasonCode.UNKNOWN_SUBJECT, f"Nobody of {gallery} people is like enough; nearest is {subject}.")
        return compared(name, "", RowDecision.UNKNOWN, decision.comparisons[0], reason)

    def _against(
        self,
        outcome: Outcome,
        embedding: CachedEmbedding | None,
        references: Matrix,
    ) -> Iterator[Row]:
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
            comparison = self._compared(embedding, float(scores[best]))
            reason = Reason(ReasonCode.UNKNOWN_SUBJECT, f"No match; nearest is {references.names[best]}.")
            row = compared(outcome.item.name, "", RowDecision.UNKNOWN, comparison, reason)
            yield during(row, outcome.place)

    def _matched(self, outcome: Outcome, other: str, probe: CachedEmbedding, score: float) -> Row:
        reason = Reason(ReasonCode.MATCHED, f"Matches {other}.")
        row = compared(outcome.item.name, other, RowDecision.MATCHED, self._compared(probe, score), reason)
        return during(row, outcome.place)

    def _grouped(self, outcome: Outcome, probe: CachedEmbedding, score: float, label: int, size: int) -> Row:
        reason = Reason(
            ReasonCode.MATCHED,
            f"Grouped with {size - 1} other{'s' if size > 2 else ''}; the score is the mean over them.",
        )
        item = outcome.item
        return compared(item.name, item.claim, RowDecision.GROUPED, self._compared(probe, score), reason, label)

    def _compared(self, probe: CachedEmbedding, score: float) -> Comparison:
        """A comparison of one probe with one reference whose score is known already, with its meaning."""
        comparison = Comparison(
            modality=self.spec.modality,
            score=score,
            similarity=self._calibration(1).similarity,
            references=1,
            quality=probe.quality,
            contract_id=self._contract.id,
        )
        return self._decide(comparison).comparisons[0]

    def _comparison(self, probe: CachedEmbedding, references: FloatArray, count: int | None = None) -> Comparison:
        """A probe against the references of a subject; ``count`` says how many there were, if combined already."""
        return compare_one([self._embedding(probe)], references, self._similarity(count or len(references)))

    def _decide(self, comparison: Comparison) -> Decision:
        from verify_app.matching.decision import decide

        calibration = self._calibration(comparison.references)
        return decide([comparison], {self.spec.modality: calibration}, self.target_fmr)

    # -- where things come from -------------------------------------------------------------------

    @cached_property
    def _contract(self) -> Contract:
        return self.app.contract(self.spec.modality)

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

    def _embedding(self, cached: CachedEmbedding) -> Embedding:
        return Embedding(cached.vector, self._contract, self.spec.modality, Quality(cached.quality), "")

    def _embedded(self, side: int | None = None) -> Iterator[tuple[Outcome, CachedEmbedding | None]]:
        """Every file in the job's order, or every face of it, with its embedding; None for what is unusable."""
        for outcome in self.journal.outcomes(side=side):
            stop_if(self.cancelled)
            if outcome.sha256 is None or not outcome.usable:
                yield outcome, None
                continue
            for part in range(1, outcome.parts + 1):
                key = part_key(outcome.sha256, part)
                found = self.cache.get(key)
                one = _part_of(outcome, key, part)
                if isinstance(found, Reason):
                    yield replace(one, reason=found), None
                else:
                    yield one, found

    def _matrix(self, side: int | None = None) -> Matrix:
        return Matrix.of(self._embedded(side), self._contract.dimension)

    def _references(self, claim: str) -> FloatArray | VerifyAppError:
        if not claim:
            return StateError(ReasonCode.NO_SUCH_PERSON, "Nobody is claimed for this file.")
        try:
            with store_errors():
                person = self.app.store.person(claim)
            return references_of(self.app, person, self.spec.modality)
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
