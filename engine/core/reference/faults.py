"""How a reference converter refuses."""

from __future__ import annotations

__all__ = ["CellFault"]


class CellFault(Exception):
    """A text that a type refuses: the contract's error code and one line for people, without the text itself."""

    def __init__(self, message: str, code: str = "type-error") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
