"""The examples in the docstrings are true."""

from __future__ import annotations

import doctest

import pytest

import enrollment_db
from enrollment_db import vault


@pytest.mark.parametrize("module", [enrollment_db, vault], ids=lambda module: module.__name__)
def test_examples(module):
    result = doctest.testmod(module)
    assert result.attempted
    assert not result.failed
