"""What goes wrong where nobody can catch it: when an object is dropped half way."""

from __future__ import annotations

import gc
import sys
import warnings
from collections.abc import Callable

__all__ = ["complaints_of_dropping"]


def complaints_of_dropping(make: Callable[[], object]) -> list[str]:
    """Makes an object and lets go of it; the warnings and exceptions that nobody could catch meanwhile.

    Tests are single-threaded where they call this: the hook is the process's.
    """
    unraisable: list[str] = []
    before, sys.unraisablehook = sys.unraisablehook, lambda what: unraisable.append(repr(what.exc_value))
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            made = make()
            del made
            gc.collect()
    finally:
        sys.unraisablehook = before
    return [*unraisable, *(str(warning.message) for warning in caught)]
