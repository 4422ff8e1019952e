"""Known answers and properties of the error-versus-discard curve."""

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from verify_app.evaluation.discard import discard_comparisons, discard_samples, pair_quality

TENTHS = st.integers(0, 10).map(lambda number: number / 10)
PAIRS = st.integers(1, 40).flatmap(lambda n: st.tuples(*[arrays(np.float64, n, elements=TENTHS)] * 2))


def test_a_small_set_by_hand() -> None:
    curve = discard_comparisons(np.array([0.1, 0.9, 0.2, 0.8]), [0.1, 0.2, 0.3, 0.4], threshold=0.5)

    assert curve.discarded.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert curve.fnmr([0, 0.25, 0.5, 0.75, 1]) == pytest.approx([2 / 4, 1 / 3, 1 / 2, 0, 0])
    assert curve.ideal([0, 0.25, 0.5]) == pytest.approx([0.5, 1 / 3, 0])


def test_equal_qualities_give_the_mean_of_every_order() -> None:
    curve = discard_comparisons(np.array([0.1, 0.9, 0.9, 0.9]), [0.5, 0.5, 0.7, 0.7], threshold=0.5)

    # One of the first two goes: the error in half of the ways, so half an error among three is left.
    assert curve.fnmr(0.25) == pytest.approx(0.5 / 3)
    assert curve.fnmr([0.5, 0.75]) == pytest.approx([0, 0])


def test_perfect_useless_and_misleading_qualities() -> None:
    rng = np.random.default_rng(0)
    scores = np.where(rng.random(100_000) < 0.1, 0.0, 1.0)

    perfect = discard_comparisons(scores, scores, 0.5)
    useless = discard_comparisons(scores, rng.random(scores.size), 0.5)
    misleading = discard_comparisons(scores, -scores, 0.5)

    assert perfect.efficacy() == pytest.approx(1, abs=1e-6)
    assert useless.efficacy() == pytest.approx(0, abs=0.02)
    assert misleading.efficacy() < -0.1
    assert perfect.fnmr(0.1) == pytest.approx(0, abs=0.01)
    assert useless.area() == pytest.approx(0.1, abs=0.003)


def test_without_errors_there_is_nothing_to_gain() -> None:
    curve = discard_comparisons(np.ones(5), np.arange(5), 0.5)

    assert (curve.fnmr(np.linspace(0, 1, 11)) == 0).all()
    assert curve.efficacy() == 0


def test_samples_go_with_all_their_comparisons() -> None:
    # Three samples of one subject; the poorest takes both of its comparisons, the failing ones, with it.
    first, second = np.array([0, 0, 1]), np.array([1, 2, 2])
    curve = discard_samples(np.array([0.1, 0.2, 0.9]), first, second, [0.1, 0.8, 0.9], 0.5)

    assert curve.discarded == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert curve.kept == pytest.approx([3, 1, 0, 0])
    assert curve.fnmr([0, 1 / 3]) == pytest.approx([2 / 3, 0])


def test_what_cannot_be_paired_is_refused() -> None:
    for scores, qualities in (([], []), ([1.0], [1.0, 2.0]), ([1.0], [np.nan])):
        with pytest.raises(ValueError, match="qualit"):
            discard_comparisons(np.array(scores), qualities, 0.5)


@given(PAIRS, TENTHS)
def test_the_curve_keeps_count(pairs: tuple[np.ndarray, np.ndarray], threshold: float) -> None:
    scores, qualities = pairs
    curve = discard_comparisons(scores, qualities, threshold)

    assert curve.fnmr(0) == pytest.approx(np.mean(scores < threshold))
    for level in np.unique(qualities):
        kept = qualities > level
        share = 1 - kept.mean()
        assert curve.fnmr(share) == pytest.approx(np.mean(scores[kept] < threshold) if kept.any() else 0)


@given(PAIRS, TENTHS, st.randoms(use_true_random=False))
def test_neither_order_nor_scale_of_qualities_matters(
    pairs: tuple[np.ndarray, np.ndarray], threshold: float, random: Random
) -> None:
    scores, qualities = pairs
    order = list(range(len(scores)))
    random.shuffle(order)
    shares = np.linspace(0, 1, 23)
    plain = discard_comparisons(scores, qualities, threshold)
    other = discard_comparisons(scores[order], np.exp(3 * qualities[order]), threshold)

    assert other.fnmr(shares) == pytest.approx(plain.fnmr(shares))
    assert (plain.fnmr(shares) >= plain.ideal(shares) - 1e-9).all()
    assert plain.efficacy() <= 1 + 1e-9


@given(PAIRS)
def test_a_pair_is_as_good_as_its_worse_sample(pairs: tuple[np.ndarray, np.ndarray]) -> None:
    quality = pair_quality(*pairs)

    assert (quality <= pairs[0]).all()
    assert (quality <= pairs[1]).all()
    assert ((quality == pairs[0]) | (quality == pairs[1])).all()
