"""Long streams in blocks: what is done for many at once takes a fraction of the time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
SIZE = 500


def blocks(stream: Iterable[T], size: int = SIZE) -> Iterator[list[T]]:
    """The items of a stream in lists of ``size``, the last of them shorter; nothing when there are none."""
    items = iter(stream)
    while block := list(islice(items, size)):
        yield block
