"""The report of a comparison of objectives: paired differences with a known answer, tables, markers, plot."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.training.comparison.plan import Comparison, from_table, load
from models.training.comparison.report import Row, best_single, difference, draw, put, rows_of, table
from models.training.evaluate import Pairs, all_pairs, middle, replicates

SUBJECTS = 20
ROUNDS = 300


def network(weak: int) -> Pairs:
    """Two mated and two non-mated pairs per subject; the mated pairs of ``weak`` subjects are missed."""
    subject = np.repeat(np.arange(SUBJECTS), 2)
    mated = np.where(subject < weak, 0.1, 0.9) + 1e-3 * np.arange(len(subject))
    other = np.linspace(0.3, 0.5, 2 * SUBJECTS)
    scores = np.concatenate([mated, other])
    order = np.argsort(-scores)
    first = np.concatenate([subject, subject])[order]
    second = np.concatenate([subject, (subject + 1) % SUBJECTS])[order]
    return Pairs(scores[order], first == second, first, second, SUBJECTS)


def row(pairs: Pairs, title: str = "one", single: bool = True) -> Row:
    return Row(title, "labels", "0.002", single, pairs, ROUNDS)


def drawn_shares(below: int) -> NDArray[np.float64]:
    """Share of the subjects 0 .. ``below`` - 1 in every round, drawn as the bootstrap draws."""
    generator = np.random.default_rng(0)
    draws = [generator.integers(0, SUBJECTS, SUBJECTS) for _ in range(ROUNDS)]
    return np.array([(draw < below).mean() for draw in draws])


def test_a_paired_difference_is_that_of_the_subjects_who_fail_in_one_network_alone() -> None:
    strong, weak = row(network(2)), row(network(8))
    value, low, high = difference(weak, strong, "tar@fmr=0.01")
    # Six subjects of twenty are recognised by the one network and missed by the other.
    assert value == pytest.approx(-6 / 20)
    expected = -(drawn_shares(8) - drawn_shares(2))
    assert (low, high) == pytest.approx(middle(expected))
    assert low < value < high < 0


def test_pairing_finds_a_difference_that_the_two_intervals_hide() -> None:
    strong, weak = row(network(4)), row(network(8))
    name = "tar@fmr=0.01"
    assert middle(strong.drawn[name])[0] < middle(weak.drawn[name])[1]  # the single intervals overlap
    assert difference(weak, strong, name)[2] < 0


def test_two_networks_that_rank_alike_do_not_differ_in_any_round() -> None:
    pairs = network(5)
    other = Pairs(pairs.scores * 0.5 - 3.0, pairs.mated, pairs.first, pairs.second, pairs.subjects)
    for name in ("eer", "tar@fmr=0.01", "tar@fmr=0.001"):
        assert difference(row(pairs), row(other), name) == (0.0, 0.0, 0.0)
    assert np.array_equal(replicates(pairs, 20)["eer"], replicates(other, 20)["eer"])


def test_the_table_orders_by_eer_and_marks_what_differs_from_the_best_single() -> None:
    rows = [
        row(network(8), "weak"),
        row(network(2), "strong"),
        row(network(2), "equal"),
        row(network(0), "sum", single=False),
    ]
    assert best_single(rows).title == "strong"
    lines = table(rows).splitlines()[2:]
    assert [line.split("|")[1].strip() for line in lines] == ["sum", "strong", "equal", "weak"]
    assert "the best single" in lines[1]
    assert "+0.0 (+0.0 to +0.0)" in lines[2]
    assert "**" not in lines[2]
    assert "**-30.0 (" in lines[3]


def test_content_goes_between_its_markers_and_nowhere_else() -> None:
    text = "before\n<!-- faces table -->\nold\n<!-- end faces table -->\nafter\n"
    once = put(text, "faces table", "new")
    assert once == "before\n<!-- faces table -->\nnew\n<!-- end faces table -->\nafter\n"
    assert put(once, "faces table", "new") == once
    with pytest.raises(ValueError, match="voices table"):
        put(text, "voices table", "new")


def small_plan() -> Comparison:
    contender = {"title": "Distillation", "signal": "teacher", "weights": {"distillation": 1.0}, "seeds": [1, 2]}
    protocol = {"task": "dots", "samples": 64, "backbone": {"kind": "residual"}}
    return from_table(
        {
            "name": "tiny",
            "size": 16,
            "shown": 16,
            "learning_rates": [1e-3],
            "trial_samples": 16,
            "protocol": protocol,
            "contender": {"distillation": contender},
        }
    )


def test_rows_are_what_finished_and_the_plot_is_a_picture(tmp_path: Path) -> None:
    plan = small_plan()
    with pytest.raises(ValueError, match="no finished training"):
        rows_of(plan, tmp_path, 10)
    generator = np.random.default_rng(3)
    subjects = np.repeat(np.arange(6), 4)
    for run, noise in (("distillation-1", 0.3), ("untrained", 9.0)):
        vectors = np.eye(6)[subjects] + noise * generator.normal(size=(24, 6))
        unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        (tmp_path / run).mkdir()
        np.savez(tmp_path / run / "development.npz", embeddings=unit, subjects=subjects)
        (tmp_path / run / "finished.json").write_text(json.dumps({"learning_rate": 1e-3}))
    rows = rows_of(plan, tmp_path, 10)
    assert [found.title for found in rows] == ["Distillation", "Untrained network"]
    assert rows[0].found["eer"] < rows[1].found["eer"]
    assert len(rows[0].pairs.scores) == len(all_pairs(unit, subjects).scores)
    draw(rows, tmp_path / "det.png", "tiny")
    assert (tmp_path / "det.png").read_bytes().startswith(b"\x89PNG")


def test_a_plan_with_an_unknown_key_is_refused_with_its_place() -> None:
    with pytest.raises(ValueError, match=r"contender x: unknown key 'weight'"):
        from_table({"name": "tiny", "contender": {"x": {"weight": {}}}})
    with pytest.raises(ValueError, match="comparison: "):
        from_table({"name": "tiny"})


@pytest.mark.parametrize("name", ["faces", "voices"])
def test_the_shipped_plans_hold_everything_but_the_objective_fixed(name: str) -> None:
    plan = load(Path(f"models/training/comparison/{name}.toml"))
    assert plan.name == name
    kept = set()
    for contender in plan.contender:
        experiment = plan.experiment(contender, passes=1, rate=1e-3, seed=1)
        kept.add(repr((experiment.samples, experiment.backbone, experiment.data, experiment.augmentation)))
        trial = plan.experiment(contender, passes=1, rate=1e-3, seed=1, trial=True)
        assert trial.samples == plan.trial_samples < experiment.samples
        assert trial.name != experiment.name
    assert len(kept) == 1
    singles = {part for one in plan.contender.values() if one.single for part in one.weights}
    assert singles >= {"contrastive", "triplet", "supervised_contrastive", "am_softmax", "simclr", "moco"}
    assert singles >= {"distillation", "relational_distillation"}
