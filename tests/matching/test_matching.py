"""Similarities, references and search."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics.pairwise import cosine_similarity, euclidean_distances

from verify_app.domain import Contract, Embedding, Modality, Quality
from verify_app.matching.comparison import compare
from verify_app.matching.references import combine
from verify_app.matching.search import search
from verify_app.matching.similarity import names, similarity
from verify_app.reasons import ReasonCode, StateError, UsageError

ROWS = arrays(np.float64, st.tuples(st.integers(1, 8), st.just(5)), elements=st.floats(-10, 10).map(lambda x: x + 0.5))


def embedding(vector: np.ndarray, encoder: str = "e", quality: float = 0.8) -> Embedding:
    contract = Contract(encoder, "0" * 64, "p", vector.size, "l2")
    return Embedding(vector.astype(np.float32), contract, Modality.FACE, Quality(quality), "f" * 64)


@given(ROWS, ROWS)
def test_similarities_agree_with_scikit_learn(probes: np.ndarray, references: np.ndarray) -> None:
    cosines = similarity("cosine").compare(probes, references)
    assert cosines == pytest.approx(cosine_similarity(probes, references), abs=1e-9)
    distances = similarity("euclidean").compare(probes, references)
    assert distances == pytest.approx(-euclidean_distances(probes, references), abs=1e-4)


@given(ROWS, ROWS)
def test_similarities_are_symmetric_and_bounded(first: np.ndarray, second: np.ndarray) -> None:
    for name in ("cosine", "euclidean"):
        chosen = similarity(name)
        assert chosen.compare(first, second) == pytest.approx(chosen.compare(second, first).T, abs=1e-6)
    assert np.abs(similarity("cosine").compare(first, second)).max() <= 1
    assert similarity("euclidean").compare(first, second).max() <= 0


def test_an_unknown_similarity_is_named() -> None:
    assert {"cosine", "euclidean"} <= set(names())
    with pytest.raises(UsageError, match="manhattan"):
        similarity("manhattan")


@given(ROWS)
def test_combined_references_have_unit_norm_and_no_order(rows: np.ndarray) -> None:
    try:
        combined = combine(rows)
    except ValueError:
        return
    assert combined.dtype == np.float32
    assert np.linalg.norm(combined) == pytest.approx(1.0, abs=1e-6)
    assert combine(rows[::-1]) == pytest.approx(combined, abs=1e-5)


def test_one_reference_is_itself_and_opposite_ones_are_refused() -> None:
    assert combine(np.array([[3.0, 4.0]])) == pytest.approx([0.6, 0.8])
    with pytest.raises(ValueError, match="cancel out"):
        combine(np.array([[1.0, 0.0], [-1.0, 0.0]]))
    with pytest.raises(ValueError, match="no direction"):
        combine(np.array([[np.nan, 0.0]]))


@given(st.integers(1, 60), st.integers(1, 70), st.integers(0, 5))
def test_search_ranks_like_sorting_everything(size: int, top: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    gallery = rng.integers(-2, 3, size=(size, 3)).astype(np.float32)  # many ties
    probe = np.array([1.0, 2.0, -1.0])
    found = search(probe, gallery, top)
    scores = similarity("cosine").compare(probe[None], gallery)[0]
    assert [candidate.index for candidate in found] == list(np.argsort(-scores, kind="stable")[:top])


def test_an_empty_gallery_has_no_candidates() -> None:
    assert search(np.ones(3), np.zeros((0, 3))) == ()


def test_a_comparison_carries_what_it_was_made_from() -> None:
    probe = embedding(np.array([1.0, 0.0]))
    found = compare(probe, [embedding(np.array([1.0, 0.0])), embedding(np.array([0.0, 1.0]))])
    assert found.score == pytest.approx(np.sqrt(0.5))
    assert (found.references, found.similarity, found.quality) == (2, "cosine", 0.8)
    assert found.contract_id == probe.contract.id
    assert found.llr is None


def test_other_contracts_and_missing_references_are_refused() -> None:
    probe = embedding(np.array([1.0, 0.0]))
    with pytest.raises(StateError) as caught:
        compare(probe, [embedding(np.array([1.0, 0.0]), encoder="other")])
    assert caught.value.reason.code is ReasonCode.CONTRACT_MISMATCH
    with pytest.raises(StateError) as caught:
        compare(probe, [])
    assert caught.value.reason.code is ReasonCode.NOT_ENROLLED
