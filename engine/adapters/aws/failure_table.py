"""The table of failures as a page shows it."""

from __future__ import annotations

from engine.adapters.aws.failures import RULES, Rule, signed_by

__all__ = ["markdown"]


def markdown() -> str:
    """The table, for ``docs/delivery.md``."""
    heads = ("meaning", "what says so", "error", "with our own credentials", "tried again", "slows the tenant down")
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, ("---",) * len(heads), *map(_cells, RULES)))


def _cells(rule: Rule) -> tuple[str, ...]:
    what = rule.meaning
    says = (*rule.codes, *map(str, rule.statuses), *(each.__name__ for each in rule.types))
    given, ours = (signed_by(what, who).error.code for who in ("given", "ours"))
    again, slow = ("yes" if flag else "no" for flag in (what.again, what.slow_down))
    return what.name, ", ".join(f"`{each}`" for each in says), given, ours, again, slow
