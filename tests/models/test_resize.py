"""Growing an encoder keeps its function; cutting one keeps its first channels."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the training extra (torch) is not installed")

from models.training.backbones import ResidualEncoder  # noqa: E402
from models.training.resize import cut, grow  # noqa: E402


def network(widths: tuple[int, int], depths: tuple[int, int], stem: int = 8, expansion: int = 24) -> ResidualEncoder:
    torch.manual_seed(sum(widths) + stem)
    return ResidualEncoder(list(widths), list(depths), stem, expansion, dimension=16)


@pytest.fixture
def trained() -> ResidualEncoder:
    """A small network whose normalisation statistics are not the trivial ones."""
    made = network((12, 20), (1, 2))
    for _ in range(5):
        made(torch.rand(8, 3, 64, 64) * 255)
    return made.eval()


def test_a_grown_network_answers_as_the_small_one(trained: ResidualEncoder) -> None:
    larger = network((16, 28), (2, 4), stem=10, expansion=32)
    grow(larger, trained.state_dict())
    pixels = torch.rand(3, 3, 64, 64) * 255
    assert torch.allclose(larger.eval()(pixels), trained(pixels), atol=1e-5)
    larger.train()(pixels).square().sum().backward()
    assert larger.expand[0].weight.grad[:, 20:].abs().sum() > 0, "the new channels can learn"


def test_cutting_takes_back_what_growing_added(trained: ResidualEncoder) -> None:
    larger = network((16, 28), (2, 4), stem=10, expansion=32)
    grow(larger, trained.state_dict())
    again = network((12, 20), (1, 2))
    cut(again, larger.state_dict())
    pixels = torch.rand(3, 3, 64, 64) * 255
    assert torch.allclose(again.eval()(pixels), trained(pixels), atol=1e-5)


def test_what_does_not_fit_is_refused(trained: ResidualEncoder) -> None:
    with pytest.raises(ValueError, match="larger here"):
        grow(network((8, 20), (1, 2)), trained.state_dict())
    with pytest.raises(ValueError, match="smaller here"):
        cut(network((12, 24), (1, 2)), trained.state_dict())
    with pytest.raises(ValueError, match="smaller here"):
        cut(network((12, 20), (1, 3)), trained.state_dict())
    with pytest.raises(ValueError, match="stages"):
        grow(ResidualEncoder([12], [1], 8, 24, 16), trained.state_dict())
    with pytest.raises(ValueError, match="residual"):
        grow(torch.nn.Linear(2, 2), trained.state_dict())
