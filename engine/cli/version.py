"""What ``engine --version`` says."""

from __future__ import annotations

from importlib.metadata import version as installed

__all__ = ["version"]


def version() -> str:
    return f"engine {installed('engine')}"
