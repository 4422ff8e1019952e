"""Trials of simulated people: Gaussian identities with Gaussian samples, compared by cosine."""

import numpy as np

from verify_app.evaluation.trials import TrialScores


def vectors(
    subjects: int,
    samples: int,
    *,
    between: float = 1.0,
    within: float = 0.7,
    dimension: int = 24,
    seed: int = 0,
    kinds: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors (n, d) and the subject of each (n,). Subjects of one of the ``kinds`` resemble each other."""
    rng = np.random.default_rng(seed)
    means = between * rng.normal(size=(subjects, 1, dimension))
    if kinds:
        centres = np.random.default_rng(dimension).normal(size=(kinds, 1, dimension))
        means += between * centres[rng.integers(kinds, size=subjects)]
    x = (means + within * rng.normal(size=(subjects, samples, dimension))).reshape(-1, dimension)
    return x / np.linalg.norm(x, axis=1, keepdims=True), np.repeat(np.arange(subjects), samples)


def people(
    subjects: int = 30,
    samples: int = 4,
    *,
    between: float = 1.0,
    within: float = 0.7,
    dimension: int = 24,
    seed: int = 0,
    kinds: int = 0,
) -> TrialScores:
    """All pairs of the samples of simulated people."""
    x, y = vectors(subjects, samples, between=between, within=within, dimension=dimension, seed=seed, kinds=kinds)
    i, j = np.triu_indices(y.size, 1)
    return TrialScores((x @ x.T)[i, j], y[i] == y[j], y[i], y[j])
