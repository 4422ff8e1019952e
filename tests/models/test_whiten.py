"""Within-class whitening: what it equalises, what it leaves, and that folding changes nothing else."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the training extra (torch) is not installed")

from models.training.whiten import fold, within_class_whitening  # noqa: E402


def data(seed: int = 0):
    """40 classes of 10 samples whose first direction varies inside a class ten times as much."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(40).repeat_interleave(10)
    centres = torch.randn(40, 6, generator=generator)
    spread = torch.tensor([1.0, 0.1, 0.1, 0.1, 0.1, 0.1])
    return centres[labels] + torch.randn(400, 6, generator=generator) * spread, labels


def within(vectors, labels):
    means = torch.stack([vectors[labels == number].mean(0) for number in range(40)])
    apart = vectors - means[labels]
    return apart.T @ apart / (len(vectors) - 40)


def test_full_whitening_makes_the_variation_inside_classes_equal_in_every_direction() -> None:
    vectors, labels = data()
    whitened = vectors @ within_class_whitening(vectors, labels, 0.0)
    covariance = within(whitened, labels)
    assert torch.allclose(covariance, covariance[0, 0] * torch.eye(6), atol=1e-4)


def test_shrinkage_one_changes_nothing_and_less_means_more() -> None:
    vectors, labels = data()
    assert torch.allclose(within_class_whitening(vectors, labels, 1.0), torch.eye(6), atol=1e-6)
    weights = [float(within_class_whitening(vectors, labels, s)[0, 0]) for s in (1.0, 0.5, 0.1)]
    assert weights == sorted(weights, reverse=True)


def test_classes_of_one_sample_do_not_matter() -> None:
    vectors, labels = data()
    more = torch.cat([vectors, torch.randn(3, 6) * 50])
    lonely = torch.cat([labels, torch.tensor([40, 41, 42])])
    expected = within_class_whitening(vectors, labels, 0.5)
    assert torch.allclose(within_class_whitening(more, lonely, 0.5), expected, atol=1e-5)


def test_folding_equals_whitening_the_output() -> None:
    vectors, labels = data()
    whitening = within_class_whitening(vectors, labels, 0.5)
    layer = torch.nn.Linear(9, 6)
    inputs = torch.randn(5, 9)
    with torch.no_grad():
        expected = layer(inputs) @ whitening.T
        fold(layer, whitening)
        assert torch.allclose(layer(inputs), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("shrinkage", "labels", "message"), [(1.5, [0, 0], "between 0 and 1"), (0.5, [0, 1], "at least two")]
)
def test_what_cannot_be_whitened_is_refused(shrinkage: float, labels: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        within_class_whitening(torch.randn(2, 4), torch.tensor(labels), shrinkage)
