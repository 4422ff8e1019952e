"""Fitted similarities: oracles, and that each does what it is for."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from verify_app.evaluation.rates import ErrorRates
from verify_app.matching.learned import Plda, fit_plda, scatter
from verify_app.matching.normalisation import AsNorm, Local, best_scores
from verify_app.matching.pairs import score_pairs
from verify_app.matching.reduction import dimension_costs, fit_pca, truncate
from verify_app.matching.similarity import Cosine, Euclidean, Similarity, names, similarity, unit
from verify_app.reasons import UnusableInput


def people_with_nuisance(subjects: int, samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings (n, 16) in which the first four directions vary from sample to sample, for everybody alike."""
    rng = np.random.default_rng(seed)
    within = np.r_[np.full(4, 1.6), np.full(12, 0.45)]
    x = rng.normal(size=(subjects, 1, 16)) + within * rng.normal(size=(subjects, samples, 16)) + 0.3
    return x.reshape(-1, 16).astype(np.float32), np.repeat(np.arange(subjects), samples)


FIT, FIT_SUBJECTS = people_with_nuisance(150, 6, 0)
TEST, TEST_SUBJECTS = people_with_nuisance(40, 6, 1)


def eer(chosen: Similarity) -> float:
    return ErrorRates.of(score_pairs(TEST, TEST_SUBJECTS, similarity=chosen).trials).eer()


@pytest.mark.parametrize("name", ["mahalanobis", "lda", "plda", "kernel"])
def test_what_varies_within_subjects_is_learned(name: str) -> None:
    fitted = similarity(name, vectors=FIT, subjects=FIT_SUBJECTS)
    assert fitted.name == name
    assert eer(fitted) < 0.75 * eer(Cosine())


@pytest.mark.parametrize("name", ["mahalanobis", "lda", "plda", "kernel"])
def test_fitted_similarities_are_symmetric_and_finite(name: str) -> None:
    fitted = similarity(name, vectors=FIT, subjects=FIT_SUBJECTS)
    scores = fitted.compare(TEST[:20], TEST[20:50])
    assert scores.shape == (20, 30)
    assert np.isfinite(scores).all()
    assert fitted.compare(TEST[20:50], TEST[:20]) == pytest.approx(scores.T, abs=1e-6)


def test_plda_is_the_likelihood_ratio_of_its_two_gaussians() -> None:
    fitted = fit_plda(FIT, FIT_SUBJECTS)
    assert isinstance(fitted, Plda)
    found = scatter(FIT, FIT_SUBJECTS)
    # The basis diagonalises both covariances, so the between one can be read back from it.
    inverse = np.linalg.inv(fitted.basis)
    between, within = inverse.T @ np.diag(fitted.between) @ inverse, inverse.T @ inverse
    assert within == pytest.approx(found.within, abs=1e-8)
    assert between == pytest.approx(found.between, abs=1e-8)
    total = between + within
    joint = np.block([[total, between], [between, total]])
    x, y = unit(TEST[:3]) - found.mean, unit(TEST[4:6]) - found.mean
    expected = [
        [
            multivariate_normal.logpdf(np.r_[a, b], cov=joint)
            - multivariate_normal.logpdf(a, cov=total)
            - multivariate_normal.logpdf(b, cov=total)
            for b in y
        ]
        for a in x
    ]
    assert fitted.compare(TEST[:3], TEST[4:6]) == pytest.approx(np.array(expected), rel=1e-6, abs=1e-6)


def test_scatter_recovers_the_covariances() -> None:
    rng = np.random.default_rng(2)
    subjects = np.repeat(np.arange(3000), 3)
    x = rng.normal(size=(3000, 1, 3)) * [0.3, 0.2, 0.1] + 0.1 * rng.normal(size=(3000, 3, 3))
    x = np.concatenate([x, np.full((3000, 3, 1), 20.0)], axis=2).reshape(-1, 4)  # almost no effect of the unit norm
    found = scatter(x, subjects)
    assert np.sqrt(np.diag(found.between))[:3] * 20 == pytest.approx([0.3, 0.2, 0.1], rel=0.05)
    assert np.sqrt(np.diag(found.within))[:3] * 20 == pytest.approx(0.1, rel=0.1)


def test_too_little_to_learn_from() -> None:
    with pytest.raises(UnusableInput):
        scatter(FIT[:4], np.arange(4))
    with pytest.raises(UnusableInput):
        scatter(FIT[:4], np.zeros(4))


def people_who_resemble_everybody(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    common = np.r_[1.0, np.zeros(15)] * rng.uniform(0, 6, size=(60, 1, 1))
    x = rng.normal(size=(60, 1, 16)) + common + 0.6 * rng.normal(size=(60, 5, 16))
    return x.reshape(-1, 16), np.repeat(np.arange(60), 5)


@pytest.mark.parametrize("kind", [AsNorm, Local])
def test_cohorts_help_where_some_resemble_everybody(kind: type[AsNorm] | type[Local]) -> None:
    x, y = people_who_resemble_everybody(3)
    cohort, _ = people_who_resemble_everybody(4)
    plain = ErrorRates.of(score_pairs(x, y).trials).eer()
    normalised = kind(Cosine(), cohort, 60)
    assert ErrorRates.of(score_pairs(x, y, similarity=normalised).trials).eer() < 0.95 * plain
    scores = normalised.compare(x[:7], x[9:12])
    assert normalised.compare(x[9:12], x[:7]) == pytest.approx(scores.T)


def test_as_norm_by_hand() -> None:
    cohort = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    probe, reference = np.array([[1.0, 0.0]]), np.array([[0.6, 0.8]])
    assert sorted(best_scores(Cosine(), np.array([[0.6, 0.8]]), cohort, 2)[0]) == pytest.approx([0.6, 0.8])
    # The probe is in the cohort: its own entry counts as the least like it (-1); the best two are 0 and -1.
    of_probe = (0.6 + 0.5) / 0.5
    of_reference = (0.6 - 0.7) / 0.1
    assert AsNorm(Cosine(), cohort, 2).compare(probe, reference)[0, 0] == pytest.approx((of_probe + of_reference) / 2)


def test_all_components_change_nothing_and_fewer_cost_accuracy() -> None:
    whole = fit_pca(FIT, 16)
    assert whole.compare(TEST[:9], TEST[9:20]) == pytest.approx(Cosine().compare(TEST[:9], TEST[9:20]), abs=1e-9)
    assert whole.name == "pca-16 cosine"
    assert truncate(3, 16, Euclidean()).reduce(TEST).shape == (240, 3)
    costs = dimension_costs(FIT, TEST, TEST_SUBJECTS, [2, 16])
    assert costs[0].pca_eer > costs[1].pca_eer == pytest.approx(eer(Cosine()))


def test_every_similarity_has_a_name() -> None:
    assert names() == ("cosine", "euclidean", "mahalanobis", "lda", "plda", "kernel", "as-norm", "local")
    assert names(fitted=False) == ("cosine", "euclidean")
    assert similarity("as-norm", base=Cosine(), cohort=FIT).name == "as-norm cosine"
