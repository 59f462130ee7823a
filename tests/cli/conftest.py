"""Fixtures of the command-line tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.command import untouched_logging


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Some tests run parts of a command in this process."""
    with untouched_logging():
        yield
