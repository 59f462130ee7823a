"""How a command imports what it needs without taking longer than it must."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import cast

__all__ = ["starting", "uncollected"]


@contextmanager
def uncollected() -> Iterator[None]:
    """No garbage is collected in the body: imports make much that stays and little that goes.

    *Measured*: the collector takes 0.15 of the 0.93 s of a run's imports on 3.13t, 0.06 of 0.74 s with the GIL.
    """
    on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if on:
            gc.enable()


@contextmanager
def starting() -> Iterator[None]:
    """:func:`uncollected`, and Arrow is there, imported without NumPy.

    Arrow imports NumPy where it is installed, to exchange arrays with it, and nothing here does that: 0.16 s and 15 MB.
    Only texts with quotes out of place are read with its help, and then it is imported by itself.
    """
    with uncollected():
        _import_arrow()
        yield


def _import_arrow() -> None:
    if "numpy" in sys.modules:
        return
    modules = cast("dict[str, ModuleType | None]", sys.modules)
    modules["numpy"] = None  # an import of it fails, as if it were not there
    try:
        import pyarrow.compute  # noqa: F401
    finally:
        del modules["numpy"]
