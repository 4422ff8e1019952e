"""Partial whitening: what it evens out, what it leaves, and that folding changes nothing else."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the training extra (torch) is not installed")

from models.training.whiten import averaged, fold, partial_whitening  # noqa: E402


def data(seed: int = 0):
    """Samples that spread ten times as far along the first direction as along the others."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(4000, 6, generator=generator) * torch.tensor([1.0, 0.1, 0.1, 0.1, 0.1, 0.1])


def spread(vectors):
    return torch.cov(vectors.T).diagonal()


def test_full_whitening_makes_every_direction_vary_alike() -> None:
    vectors = data()
    covariance = torch.cov((vectors @ partial_whitening(vectors, 0.5)).T)
    assert torch.allclose(covariance, covariance[0, 0] * torch.eye(6), atol=1e-4)


def test_power_zero_changes_nothing_and_more_evens_out_more() -> None:
    vectors = data()
    assert torch.allclose(partial_whitening(vectors, 0.0), torch.eye(6), atol=1e-6)
    ratios = []
    for power in (0.0, 0.1, 0.3, 0.5):
        variance = spread(vectors @ partial_whitening(vectors, power))
        ratios.append(float(variance.max() / variance.min()))
    assert ratios == sorted(ratios, reverse=True)
    assert ratios[1] == pytest.approx(ratios[0] ** 0.8, rel=0.05)


def test_folding_equals_whitening_the_output() -> None:
    whitening = partial_whitening(data(), 0.1)
    layer = torch.nn.Linear(9, 6)
    inputs = torch.randn(5, 9)
    with torch.no_grad():
        expected = layer(inputs) @ whitening.T
        fold(layer, whitening)
        assert torch.allclose(layer(inputs), expected, atol=1e-5)


@pytest.mark.parametrize(("power", "count", "message"), [(0.6, 100, "between 0 and 0.5"), (0.1, 4, "say too little")])
def test_what_cannot_be_whitened_is_refused(power: float, count: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        partial_whitening(torch.randn(count, 4), power)


def test_several_files_count_alike() -> None:
    files = [{"weight": torch.full((2, 2), value)} for value in (1.0, 2.0, 6.0)]
    assert torch.equal(averaged(files)["weight"], torch.full((2, 2), 3.0))
    assert averaged(files[:1])["weight"].equal(files[0]["weight"])
