"""What ``str.strip()`` takes away, for kernels that must be told."""

from __future__ import annotations

__all__ = ["SPACES"]

SPACES = "".join(character for character in map(chr, range(0x3001)) if character.isspace())
"""All of them: there is none beyond U+3000. Looking through all of Unicode would take a tenth of a second."""
