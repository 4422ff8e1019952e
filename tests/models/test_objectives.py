"""Training objectives: values against closed forms, gradients, mining, masking of the unlabelled."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch", reason="the training extra (torch) is not installed")

from models.training import objectives  # noqa: E402
from models.training.objectives import Views  # noqa: E402


def unit(*rows: tuple[float, ...]):
    return torch.nn.functional.normalize(torch.tensor(rows, dtype=torch.float32), dim=1)


def random_views(views: int = 2, batch: int = 12, dimension: int = 8, classes: int = 4, seed: int = 0) -> Views:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int):
        return torch.nn.functional.normalize(torch.randn(*shape, generator=generator), dim=-1)

    embeddings = draw(views, batch, dimension).requires_grad_()
    labels = torch.arange(batch) % classes
    return Views(embeddings, labels, teacher=draw(batch, dimension), keys=draw(batch, dimension))


OF_EMBEDDINGS = [name for name, kind in objectives.OBJECTIVES.items() if not kind.needs_frames]
ALL = objectives.build({name: {} for name in objectives.OBJECTIVES}, classes=4, dimension=8, class_means=None).parts


@pytest.mark.parametrize("name", OF_EMBEDDINGS)
def test_every_objective_is_a_finite_scalar_whose_gradient_lowers_it(name: str) -> None:
    part = ALL[name].eval()
    views = random_views()
    before = part(views)
    assert before.shape == ()
    assert torch.isfinite(before)
    (gradient,) = torch.autograd.grad(before, views.embeddings)
    assert gradient.abs().sum() > 0
    moved = torch.nn.functional.normalize(views.embeddings - 0.01 * gradient / gradient.norm(), dim=-1)
    assert part(Views(moved, views.labels, views.teacher, views.keys)) < before


@pytest.mark.parametrize("name", [n for n, kind in objectives.OBJECTIVES.items() if kind.needs_labels])
def test_labelled_objectives_ignore_unlabelled_samples(name: str) -> None:
    views = random_views(views=1, batch=12)
    unlabelled = torch.cat([views.labels, torch.full((5,), -1)])
    extra = torch.nn.functional.normalize(torch.randn(1, 5, 8), dim=-1)
    padded = Views(torch.cat([views.embeddings, extra], dim=1), unlabelled)
    assert ALL[name](padded).item() == pytest.approx(ALL[name](views).item(), abs=1e-5)


@pytest.mark.parametrize("name", [n for n, kind in objectives.OBJECTIVES.items() if kind.needs_labels])
def test_labelled_objectives_give_zero_when_nothing_is_labelled(name: str) -> None:
    views = random_views()
    empty = Views(views.embeddings, torch.full_like(views.labels, -1))
    loss = ALL[name](empty)
    assert loss.item() == 0.0
    loss.backward()


def test_contrastive_matches_the_formula() -> None:
    vectors = unit((1, 0), (0.8, 0.6), (-1, 0))
    views = Views(vectors[None], torch.tensor([0, 0, 1]))
    near = 2 - 2 * 0.8
    far = [max(0.0, 1.5 - 2.0), max(0.0, 1.5 - math.sqrt(2 + 2 * 0.8))]
    expected = near + sum(x * x for x in far) / 2
    assert objectives.Contrastive(margin=1.5)(views).item() == pytest.approx(expected, abs=1e-5)


def test_triplet_takes_the_closest_impostor_that_is_farther_than_the_mate() -> None:
    # Anchor at 0 degrees, mate at 20; impostors at 10 (too hard), 30 (semi-hard) and 120 (easy).
    angles = torch.deg2rad(torch.tensor([0.0, 20.0, 10.0, 30.0, 120.0]))
    vectors = torch.stack([angles.cos(), angles.sin()], dim=1)
    views = Views(vectors[None], torch.tensor([0, 0, 1, 2, 3]))

    def squared(degrees: float) -> float:
        return 2 - 2 * math.cos(math.radians(degrees))

    # From the anchor: mate 20, semi-hard 30. From the mate (at 20): impostors 10, 10 and 100 away;
    # none but 100 is farther than the 20 of its mate.
    expected = (max(0.0, squared(20) - squared(30) + 0.2) + max(0.0, squared(20) - squared(100) + 0.2)) / 2
    assert objectives.Triplet(margin=0.2)(views).item() == pytest.approx(expected, abs=1e-5)


def test_supervised_contrastive_equals_simclr_when_every_label_is_its_own() -> None:
    views = random_views(views=2, batch=6)
    own = Views(views.embeddings, torch.arange(6))
    supervised = objectives.SupervisedContrastive(0.3)(own)
    assert supervised.item() == pytest.approx(objectives.SimCLR(0.3)(own).item(), rel=1e-5)


def test_am_softmax_without_margin_is_plain_softmax_and_a_margin_is_harder() -> None:
    centres = unit((1, 0), (0, 1))
    views = Views(unit((0.6, 0.8))[None], torch.tensor([1]))
    plain = objectives.AdditiveMarginSoftmax(2, 2, margin=0.0, scale=5.0, start_from=centres)
    expected = -math.log(math.exp(4.0) / (math.exp(4.0) + math.exp(3.0)))
    assert plain(views).item() == pytest.approx(expected, rel=1e-5)
    harder = objectives.AdditiveMarginSoftmax(2, 2, margin=0.3, scale=5.0, start_from=centres)
    assert harder(views) > plain(views)


def test_moco_queue_takes_keys_in_training_only_and_wraps_around() -> None:
    part = objectives.MoCo(dimension=8, queue=20)
    views = random_views(views=1, batch=12)
    first = part.queue.clone()
    part.eval()(views)
    assert torch.equal(part.queue, first)
    part.train()
    part(views)
    assert torch.equal(part.queue[:12], views.keys)
    part(views)
    assert torch.equal(part.queue[12:], views.keys[:8])
    assert torch.equal(part.queue[:4], views.keys[8:])
    again = objectives.MoCo(dimension=8, queue=20)
    again.load_state_dict(part.state_dict())
    assert again.position == part.position == 4


def test_distillation_is_zero_for_a_perfect_student() -> None:
    views = random_views(views=1)
    perfect = Views(views.teacher[None], views.labels, views.teacher)
    assert objectives.Distillation()(perfect).item() == pytest.approx(0.0, abs=1e-6)
    assert objectives.RelationalDistillation()(perfect).item() == pytest.approx(0.0, abs=1e-6)
    opposite = Views(-views.teacher[None], views.labels, views.teacher)
    assert objectives.Distillation()(opposite).item() == pytest.approx(2.0, abs=1e-5)
    # Relations do not change when the whole space is turned, so a turned student is still perfect.
    assert objectives.RelationalDistillation()(opposite).item() == pytest.approx(0.0, abs=1e-6)


def test_distillation_without_a_teacher_says_so() -> None:
    views = random_views()
    with pytest.raises(ValueError, match="needs teacher embeddings"):
        objectives.Distillation()(Views(views.embeddings, views.labels))


def test_combination_weighs_its_parts_and_skips_those_of_weight_zero() -> None:
    both = objectives.build({"distillation": {}, "relational_distillation": {}, "simclr": {}}, classes=4, dimension=8)
    views = random_views(views=1)  # SimCLR would fail on one view; its weight is zero
    total, values = both(views, {"distillation": 2.0, "relational_distillation": 0.5, "simclr": 0.0})
    expected = 2.0 * float(values["distillation"]) + 0.5 * float(values["relational_distillation"])
    assert total.item() == pytest.approx(expected, rel=1e-5)
    assert set(values) == {"distillation", "relational_distillation"}


@pytest.mark.parametrize(
    ("options", "message"),
    [({"cosface": {}}, "unknown objective 'cosface'"), ({"triplet": {"m": 1}}, "objective 'triplet'")],
)
def test_a_wrong_configuration_is_named(options: dict[str, dict[str, int]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        objectives.build(options, classes=4, dimension=8)


def test_frame_distillation_reads_the_moments_and_skips_those_nobody_was_asked_about() -> None:
    torch.manual_seed(0)
    part = objectives.FrameDistillation(channels=5, features=3)
    frames = torch.randn(4, 5, 7, requires_grad=True)
    wanted = part.reader(frames.transpose(1, 2)).detach()
    embeddings = random_views(views=1, batch=4).embeddings
    views = Views(embeddings, torch.arange(4), frames=frames, teacher_frames=wanted.clone())
    assert float(part(views).detach()) == pytest.approx(0.0, abs=1e-10)
    views.teacher_frames[:2] += 2.0
    assert float(part(views).detach()) == pytest.approx(2.0, rel=1e-5)
    views.teacher_frames[:2] = float("nan")
    views.teacher_frames[2] += 1.0
    loss = part(views)
    assert float(loss.detach()) == pytest.approx(0.5, rel=1e-5)
    (gradient,) = torch.autograd.grad(loss, frames)
    assert gradient[:2].abs().max() == 0
    assert gradient[2].abs().min() > 0


def test_frame_distillation_says_what_it_lacks() -> None:
    with pytest.raises(ValueError, match="frames"):
        objectives.FrameDistillation()(random_views())
