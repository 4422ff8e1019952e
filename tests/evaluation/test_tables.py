"""Error rates by group and subject."""

import numpy as np
import pytest

from tests.evaluation.people import people
from verify_app.evaluation.tables import Animal, by_group, by_subject
from verify_app.evaluation.trials import TrialScores


def test_groups() -> None:
    scores = np.array([0.9, 0.2, 0.8, 0.1, 0.7, 0.6])
    mated = np.array([True, True, False, False, True, False])
    rows = by_group(TrialScores(scores, mated, group=np.array(["b", "b", "b", "a", "b", "b"])), 0.5)
    assert [row.group for row in rows] == ["a", "b"]
    assert rows[0].fnmr is None
    assert rows[0].fmr is not None
    assert rows[1].fnmr is not None
    assert rows[1].fmr is not None
    assert (rows[0].fmr.value, rows[1].fmr.value) == (0.0, 1.0)
    assert rows[1].fnmr.value == pytest.approx(1 / 3)
    assert by_group(TrialScores(scores, mated), 0.5) == []


def test_planted_animals_are_found_and_sheep_stay_sheep() -> None:
    plain = people(subjects=30, samples=8, within=0.5, seed=4)
    scores = plain.scores.copy()
    reference, probe = plain.reference_subject, plain.probe_subject
    assert reference is not None
    assert probe is not None
    scores[plain.mated & (reference == 3)] -= 0.6
    rng = np.random.default_rng(0)
    wolfish = ~plain.mated & (probe == 20) & (rng.random(len(plain)) < 0.3)
    scores[wolfish] += 0.8
    rows = by_subject(TrialScores(scores, plain.mated, reference, probe), 0.6)
    animals = {row.subject: row.animals for row in rows}
    assert Animal.GOAT in animals["3"]
    assert Animal.WOLF in animals["20"]
    assert Animal.LAMB not in animals["20"]
    assert sum(kinds == (Animal.SHEEP,) for kinds in animals.values()) >= 24
    assert sum(row.mated for row in rows) == plain.mated_count
    assert sum(row.non_mated_as_probe for row in rows) == plain.non_mated_count


def test_without_subjects_there_is_no_table() -> None:
    assert by_subject(TrialScores(np.array([0.1, 0.9]), np.array([False, True])), 0.5) == []
