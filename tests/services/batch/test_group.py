"""Grouping joins what belongs together, chains nothing, and does not depend on the order of the files."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

from verify_app.matching.fitting import fit_similarity
from verify_app.reasons import Cancelled
from verify_app.services.batch import group
from verify_app.services.batch.choices import Method
from verify_app.services.batch.group import group_embeddings, purity
from verify_app.services.batch.linkage import average_linkage


def people(count: int, samples: int, spread: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    centres = random.normal(size=(count, 64))
    vectors = np.repeat(centres, samples, axis=0) + spread * random.normal(size=(count * samples, 64))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), np.repeat(np.arange(count), samples)


def test_well_separated_people_are_found() -> None:
    vectors, truth = people(30, 6, 0.4)
    labels = group_embeddings(vectors, 0.6)
    assert purity(labels, truth) == 1.0
    assert len(np.unique(labels)) == 30


def test_labels_follow_first_appearance() -> None:
    vectors, _ = people(5, 3, 0.1)
    assert group_embeddings(vectors, 0.6).tolist() == [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 5]


def test_one_chance_match_does_not_chain_two_people() -> None:
    first, second = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    bridge = (first + second) / np.sqrt(2)
    vectors = np.array([first] * 5 + [bridge] + [second] * 5, np.float32)
    labels = group_embeddings(vectors, 0.7)
    assert labels[0] != labels[-1]


def test_nothing_and_one_file() -> None:
    assert group_embeddings(np.zeros((0, 4), np.float32), 0.5).tolist() == []
    assert group_embeddings(np.eye(4, dtype=np.float32)[:1], 0.5).tolist() == [1]


def test_purity_of_a_known_case() -> None:
    assert purity(np.array([1, 1, 1, 2]), np.array([0, 0, 1, 1])) == 0.75


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_the_order_of_files_does_not_change_who_belongs_together(seed: int) -> None:
    vectors, _ = people(6, 4, 0.5, seed)
    order = np.random.default_rng(seed).permutation(len(vectors))
    straight, mixed = group_embeddings(vectors, 0.6), group_embeddings(vectors[order], 0.6)
    together = straight[:, None] == straight[None, :]
    assert np.array_equal(together[np.ix_(order, order)], mixed[:, None] == mixed[None, :])


@pytest.mark.parametrize("method", list(Method))
def test_both_methods_find_well_separated_people(method: Method) -> None:
    vectors, truth = people(12, 5, 0.4)
    labels = group_embeddings(vectors, 0.5, method)
    assert purity(labels, truth) == 1.0
    assert len(np.unique(labels)) == 12


def test_hdbscan_leaves_strangers_alone() -> None:
    vectors, truth = people(4, 6, 0.3)
    strangers, _ = people(10, 1, 0.0, seed=5)
    labels = group_embeddings(np.concatenate([vectors, strangers]), 0.5, Method.HDBSCAN)
    assert purity(labels[:24], truth) == 1.0
    assert len(set(labels[24:])) == 10
    assert not set(labels[24:]) & set(labels[:24])


def test_a_part_too_large_to_cluster_is_cut_first(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, truth = people(6, 10, 0.4)
    vectors = vectors + 0.12  # a common direction: everybody matches everybody at a low threshold
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    monkeypatch.setattr(group, "LARGEST_DENSE", 20)
    labels = group_embeddings(vectors, 0.3, Method.HDBSCAN)
    assert purity(labels, truth) == 1.0
    assert len(np.unique(labels)) <= 20


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 60), st.floats(0.2, 1.6), st.floats(0.0, 0.95))
def test_average_linkage_is_that_of_scipy(seed: int, count: int, spread: float, threshold: float) -> None:
    vectors, _ = people(6, 10, spread, seed)
    vectors = vectors[np.random.default_rng(seed).permutation(60)[:count]]
    tree = linkage(pdist(vectors.astype(float), "cosine"), "average")
    expected = fcluster(tree, 1 - threshold, "distance")
    for found in (average_linkage(vectors, threshold, lambda: None), group_embeddings(vectors, threshold)):
        assert np.array_equal(found[:, None] == found, expected[:, None] == expected)


@pytest.mark.parametrize("vectors", [np.ones((40, 4)) / 2, np.eye(12).repeat(3, axis=0), np.tile(np.eye(5), (4, 1))])
def test_equal_scores_end_too(vectors: np.ndarray) -> None:
    labels = average_linkage(vectors.astype(np.float32), 0.5, lambda: None)
    assert len(np.unique(labels)) == len(np.unique(vectors, axis=0))


def test_stopping() -> None:
    vectors, _ = people(4, 3, 0.1)

    def stop() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        group_embeddings(vectors, 0.5, check=stop)


@pytest.mark.parametrize("method", list(Method))
@pytest.mark.parametrize("name", ["euclidean", "plda", "as-norm"])
def test_people_are_found_by_any_similarity(name: str, method: Method, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, truth = people(12, 5, 0.4)
    chosen = fit_similarity(name, *people(40, 4, 0.4, seed=1))
    scores = chosen.compare(vectors, vectors)
    same = truth[:, None] == truth[None, :]
    threshold = float((scores[same].min() + scores[~same].max()) / 2)
    for largest in (group.LARGEST_DENSE, 4):  # also where the parts have to be cut
        monkeypatch.setattr(group, "LARGEST_DENSE", largest)
        labels = group_embeddings(vectors, threshold, method, similarity=chosen)
        assert purity(labels, truth) == 1.0
        assert len(np.unique(labels)) == 12 or largest == 4
