"""What a cell can be guilty of."""

from __future__ import annotations

__all__ = ["Bad"]


class Bad(ValueError):
    """A cell that a step, a type or a constraint refuses, with the contract's code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code
