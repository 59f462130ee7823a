"""``engine config``: the configuration in force."""

from __future__ import annotations

import sys

from engine.cli.common import Common, configure

__all__ = ["config"]


def config(*, common: Common | None = None) -> int:
    """Print the configuration in force as TOML, each value that is not a default with where it came from."""
    from engine.config import render_toml

    sys.stdout.write(render_toml(*configure(common)))
    return 0
