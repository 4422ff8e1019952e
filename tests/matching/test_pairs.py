"""All trials of a labelled set."""

import numpy as np
import pytest

from tests.evaluation.people import vectors
from verify_app.matching.pairs import score_pairs
from verify_app.matching.references import combine
from verify_app.reasons import UnusableInput


def test_one_reference_takes_every_pair_once() -> None:
    x, y = vectors(5, 3)
    pairs = score_pairs(x, y)
    assert (len(pairs.trials), pairs.trials.mated_count) == (15 * 14 // 2, 5 * 3)
    assert (pairs.reference_rows < pairs.probe_rows).all()
    row = 17
    i, j = pairs.reference_rows[row], pairs.probe_rows[row]
    assert pairs.trials.scores[row] == pytest.approx(x[i] @ x[j])
    assert pairs.trials.mated[row] == (y[i] == y[j])


def test_combined_references_never_meet_their_own_samples() -> None:
    x, y = vectors(4, 5)
    order = np.random.default_rng(0).permutation(20)
    x, y = x[order], y[order]
    pairs = score_pairs(x, y, references=2)
    assert pairs.groups.shape == (8, 2)  # two disjoint pairs of each subject's five samples
    assert len(pairs.trials) == 8 * 18
    assert pairs.trials.mated_count == 8 * 3
    for row in range(0, len(pairs.trials), 13):
        group, probe = pairs.groups[pairs.reference_rows[row]], pairs.probe_rows[row]
        assert probe not in group
        assert len(set(y[group])) == 1
        assert pairs.trials.scores[row] == pytest.approx(float(combine(x[group]) @ x[probe]), abs=1e-6)
        assert pairs.trials.mated[row] == (y[group[0]] == y[probe])


def test_too_few_samples_leave_nothing_to_score() -> None:
    x, y = vectors(3, 2)
    with pytest.raises(UnusableInput):
        score_pairs(x, y, references=3)
    with pytest.raises(UnusableInput):
        score_pairs(x[:1], y[:1])
