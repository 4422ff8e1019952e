"""Start a residual encoder from a trained one of another size.

``grow`` loses nothing of what the smaller one knows (Chen, Goodfellow and Shlens, "Net2Net", 2016): old channels keep
their weights and at first ignore the new ones, which begin at random; an added block begins as the identity.
``cut`` takes the first channels of the larger one; a short training mends what that breaks.
"""

from __future__ import annotations

import re

import torch
from torch import Tensor, nn

from models.training.backbones import ResidualEncoder


def stages(weights: dict[str, Tensor]) -> list[list[int]]:
    """Numbers of the blocks of each stage; a stage begins with a block whose shortcut is a convolution."""
    numbers = {int(found[1]) for name in weights if (found := re.match(r"blocks\.(\d+)\.", name))}
    begun: list[list[int]] = []
    for number in sorted(numbers):
        if f"blocks.{number}.shortcut.0.weight" in weights:
            begun.append([])
        begun[-1].append(number)
    return begun


def renumbered(given: dict[str, Tensor], own: dict[str, Tensor]) -> dict[str, Tensor]:
    """``given`` with its blocks numbered as in ``own`` by stage and place; blocks that ``own`` lacks are left out."""
    places: dict[int, int] = {}
    for old, new in zip(stages(given), stages(own), strict=True):
        places |= dict(zip(old, new, strict=False))
    result = {}
    for name, value in given.items():
        head, _, rest = name.removeprefix("blocks.").partition(".")
        if not name.startswith("blocks."):
            result[name] = value
        elif int(head) in places:
            result[f"blocks.{places[int(head)]}.{rest}"] = value
    return result


def enlarged(given: Tensor, own: Tensor) -> Tensor:
    """``own`` with ``given`` in its first rows; those rows take nothing from columns that ``given`` lacks."""
    if given.ndim == 0:
        return given.clone()
    grown = own.clone()
    rows = given.shape[0]
    if given.ndim == 1:
        grown[:rows] = given
        return grown
    grown[:rows] = 0.0
    grown[:rows, : given.shape[1]] = given
    return grown


def check_family(encoder: nn.Module, given: dict[str, Tensor]) -> dict[str, Tensor]:
    """The state of ``encoder``; raises ValueError unless it and ``given`` are residual encoders of equal stages."""
    if not isinstance(encoder, ResidualEncoder):
        raise ValueError("only the residual face encoder can be resized")
    own: dict[str, Tensor] = encoder.state_dict()
    if len(stages(given)) != len(stages(own)):
        raise ValueError("the two networks have different numbers of stages")
    return own


def cut(encoder: nn.Module, given: dict[str, Tensor]) -> None:
    """Give ``encoder`` the first channels of a trained network that is larger or equal in every respect.

    Raises ValueError where the two are not of one family or the given one is smaller somewhere.
    """
    own = check_family(encoder, given)
    given = renumbered(given, own)
    for name, value in own.items():
        if name not in given or any(new > old for old, new in zip(given[name].shape, value.shape, strict=True)):
            raise ValueError(f"{name}: the given network is smaller here")
    encoder.load_state_dict({n: given[n][tuple(slice(k) for k in value.shape)].clone() for n, value in own.items()})


@torch.no_grad()
def grow(encoder: nn.Module, given: dict[str, Tensor]) -> None:
    """Give ``encoder`` the function of a trained network that is smaller or equal in every respect.

    Raises ValueError where the two are not of one family or the given one is larger somewhere.
    """
    own = check_family(encoder, given)
    given = renumbered(given, own)
    for name, value in given.items():
        if name not in own or any(old > new for old, new in zip(value.shape, own[name].shape, strict=True)):
            raise ValueError(f"{name}: the given network is larger here")
    encoder.load_state_dict({n: enlarged(given[n], value) if n in given else value for n, value in own.items()})
    added = (name for name in own if name.endswith("second_norm.weight") and name not in given)
    for name in added:
        encoder.get_parameter(name).zero_()
