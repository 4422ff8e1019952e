"""Trials to calibrate on: from people, folders and score files; every fault named with its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verify_app.evaluation.trials import TrialScores
from verify_app.reasons import ReasonCode, StateError, UnusableInput
from verify_app.services.score_table import read_scores
from verify_app.services.trial_sets import LabelledSample, TrialSet, _labelled_files, from_scores

HEAD = "score,mated,reference_subject,probe_subject\n"
GOOD = HEAD + "0.9,1,a,a\n0.8,1,b,b\n0.2,0,a,b\n0.1,0,b,a\n"


def write(folder: Path, text: str) -> Path:
    file = folder / "scores.csv"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_good_table(tmp_path: Path) -> None:
    trials = read_scores(write(tmp_path, GOOD))
    assert trials.scores.tolist() == [0.9, 0.8, 0.2, 0.1]
    assert trials.mated.tolist() == [True, True, False, False]
    assert trials.probe_subject is not None
    assert trials.probe_subject.tolist() == ["a", "b", "b", "a"]


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("", ReasonCode.FILE_EMPTY, ["empty"]),
        ("mated\n1\n", ReasonCode.TABLE_INVALID, ["line 1", "score"]),
        ("score;mated\n0.1;1\n", ReasonCode.TABLE_INVALID, ["line 1", "commas"]),
        ("score,score,mated\n", ReasonCode.TABLE_INVALID, ["line 1", "twice"]),
        ("score,mated\n", ReasonCode.TABLE_INVALID, ["no trials"]),
        ("score,mated\n0.1,1\nx,0\n", ReasonCode.TABLE_INVALID, ["line 3", "score", "x"]),
        ("score,mated\n0.1,1\nnan,0\n", ReasonCode.TABLE_INVALID, ["line 3", "score", "nan"]),
        ("score,mated\n0.1,1\ninf,0\n", ReasonCode.TABLE_INVALID, ["line 3", "inf"]),
        ("score,mated\n0.1,1\n0.2,maybe\n", ReasonCode.TABLE_INVALID, ["line 3", "mated", "maybe"]),
        ("score,mated\n0.1,1\n0.2\n", ReasonCode.TABLE_INVALID, ["line 3", "mated"]),
        ("score,mated\n0.1,1\n0.2,1\n", ReasonCode.TRIALS_ONE_CLASS, ["non-mated"]),
        ("score,mated\n0.1,1\n0.1,0\n", ReasonCode.TABLE_INVALID, ["every score", "0.1"]),
        (GOOD + "0.1,0,b,a\n", ReasonCode.TABLE_INVALID, ["line 6", "line 5"]),
        (HEAD + "0.9,1,a,b\n0.2,0,a,b\n", ReasonCode.TABLE_INVALID, ["line 2", "mated", "a"]),
        (HEAD.replace(",probe_subject", "") + "0.9,1,a\n0.2,0,a\n", ReasonCode.TABLE_INVALID, ["reference_subject"]),
    ],
)
def test_every_fault_is_named(tmp_path: Path, text: str, code: ReasonCode, words: list[str]) -> None:
    with pytest.raises(UnusableInput) as caught:
        read_scores(write(tmp_path, text))
    assert caught.value.reason.code is code
    assert all(word in caught.value.reason.message for word in words), caught.value.reason.message


def test_equal_rows_are_one_trial_given_twice_unless_chance_makes_them(tmp_path: Path) -> None:
    with pytest.raises(UnusableInput, match="line 5 repeats line 4"):
        read_scores(write(tmp_path, "score,mated\n0.912345,1\n0.2,0\n0.251234,0\n0.251234,0\n"))
    rng = np.random.default_rng(0)
    coarse = "".join(f"{score:.2f},0,a,b\n" for score in rng.random(300))
    assert len(read_scores(write(tmp_path, HEAD + "0.9,1,a,a\n" + coarse)).scores) == 301


def test_what_evaluate_writes_can_be_read(tmp_path: Path) -> None:
    head = "reference,probe,mated,score,failure\n"
    rows = "a,b,1,0.9,\na,c,0,,no_face\na,d,0,0.9,\n"
    assert read_scores(write(tmp_path, head + rows + "b,d,0,0.1,\n")).scores.tolist() == [0.9, 0.9, 0.1]
    with pytest.raises(UnusableInput, match="line 5 repeats line 2"):
        read_scores(write(tmp_path, head + rows + "a,b,1,0.8,\n"))


def test_an_archive_of_arrays(tmp_path: Path) -> None:
    file = tmp_path / "scores.npz"
    np.savez(file, score=np.array([0.9, 0.1, 0.2]), mated=np.array([1, 0, 0]))
    assert read_scores(file).mated.tolist() == [True, False, False]


@pytest.mark.parametrize(
    ("arrays", "word"),
    [
        ({"score": [0.1, 0.2]}, "mated"),
        ({"score": [0.1, 0.2], "mated": [1, 7]}, "row 2"),
        ({"score": ["a", "b"], "mated": [1, 0]}, "numbers"),
        ({"score": [0.1, np.nan], "mated": [1, 0]}, "trial 2"),
    ],
)
def test_faults_in_an_archive(tmp_path: Path, arrays: dict[str, list[object]], word: str) -> None:
    file = tmp_path / "scores.npz"
    np.savez(file, **{name: np.array(values) for name, values in arrays.items()})
    with pytest.raises(UnusableInput) as caught:
        read_scores(file)
    assert word in caught.value.reason.message


def test_something_else_called_npz(tmp_path: Path) -> None:
    file = tmp_path / "scores.npz"
    file.write_bytes(b"PK\x03\x04 but not really")
    with pytest.raises(UnusableInput) as caught:
        read_scores(file)
    assert caught.value.reason.code is ReasonCode.TABLE_INVALID


def pairs(people: int = 3, each: int = 3, dimension: int = 8) -> TrialSet:
    rng = np.random.default_rng(5)
    subjects = np.repeat(np.arange(people), each)
    vectors = rng.normal(size=(people, dimension))[subjects] + 0.3 * rng.normal(size=(people * each, dimension))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    first, second = np.triu_indices(len(vectors), 1)
    trials = TrialScores(
        (vectors @ vectors.T)[first, second].astype(float),
        subjects[first] == subjects[second],
        subjects[first],
        subjects[second],
    )
    samples = tuple(LabelledSample(f"{row}.png", str(subject)) for row, subject in enumerate(subjects))
    return TrialSet(trials, samples, first, second, "face", "any", "cosine", "file", "test", vectors=vectors)


def test_an_exclusion_is_recorded_with_its_reason() -> None:
    whole = pairs()
    less = whole.without(whole.rows_of(4), "  another   person ")
    assert len(less.trials) == len(whole.trials) - 8
    assert less.rows_of(4).size == 0
    assert less.history == ("Left out 8 comparisons: another person",)
    assert whole.history == ()


def test_an_exclusion_without_a_reason_is_refused() -> None:
    with pytest.raises(UnusableInput):
        pairs().without([0], "  ")


def test_excluding_a_whole_class_is_refused() -> None:
    whole = pairs()
    with pytest.raises(UnusableInput) as caught:
        whole.without(np.flatnonzero(whole.trials.mated), "all of them")
    assert caught.value.reason.code is ReasonCode.TRIALS_ONE_CLASS


@given(st.sets(st.integers(0, 35), min_size=1, max_size=20))
def test_exclusions_keep_trials_and_samples_together(rows: set[int]) -> None:
    whole = pairs()
    try:
        less = whole.without(sorted(rows), "why")
    except UnusableInput:
        return
    assert less.reference is not None
    assert less.probe is not None
    assert less.vectors is not None
    again = np.sum(less.vectors[less.reference] * less.vectors[less.probe], axis=1)
    np.testing.assert_allclose(less.trials.scores, again, atol=1e-6)


def test_another_similarity_on_the_same_people() -> None:
    whole = pairs()
    other = whole.compared_by("euclidean")
    assert other.similarity == "euclidean"
    assert np.array_equal(other.trials.mated, whole.trials.mated)
    order = np.argsort(whole.trials.scores, kind="stable")
    assert np.all(np.diff(other.trials.scores[order]) >= -1e-6)  # of unit vectors: the same ranking


def test_scores_from_elsewhere_have_no_embeddings(tmp_path: Path) -> None:
    found = from_scores(write(tmp_path, GOOD))
    assert found.rows_of(0).size == 0
    with pytest.raises(StateError):
        found.compared_by("euclidean")


def test_a_folder_of_one_person_is_not_enough(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").write_bytes(b"x")
    with pytest.raises(UnusableInput) as caught:
        _labelled_files(tmp_path)
    assert caught.value.reason.code is ReasonCode.TRIALS_TOO_FEW


def test_files_belong_to_the_folder_of_their_person(tmp_path: Path) -> None:
    make: Callable[[str], None] = lambda name: (tmp_path / name).write_bytes(b"x")  # type: ignore[assignment,return-value]  # noqa: E731
    for person in ("a", "b"):
        (tmp_path / person / "deeper").mkdir(parents=True)
    for name in ("a/1.png", "a/deeper/2.png", "b/3.png", "b/.hidden", "stray.png"):
        make(name)
    found = [(Path(file).as_posix(), person) for file, person in _labelled_files(tmp_path)]
    assert found == [("a/1.png", "a"), ("a/deeper/2.png", "a"), ("b/3.png", "b")]
