"""How hard property tests try: ``make test`` a little on every change, ``make fuzz`` long and now and then."""

from __future__ import annotations

import os

__all__ = ["at_least", "examples"]

_SHARE = float(os.environ.get("ENGINE_TEST_EXAMPLES", "0.05"))


def examples(most: int) -> int:
    """``most`` times ``$ENGINE_TEST_EXAMPLES``, but not fewer than ten, or than ``most`` where that is less."""
    return max(min(most, 10), round(most * _SHARE))


def at_least(least: int) -> int:
    """``least`` on every change, and times ``$ENGINE_TEST_EXAMPLES`` where that is over one."""
    return max(least, round(least * _SHARE))
