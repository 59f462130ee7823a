"""A score for payments, from several columns at once."""

from __future__ import annotations

from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from engine.transforms import column_transform

__all__ = ["fraud_score"]

_AMOUNT = r"\A[0-9]{1,15}(\.[0-9]+)?\z"

type Points = Annotated[int, Field(ge=0, le=100)]


@column_transform(nulls=True)
def fraud_score(
    amount: pa.Array,
    country: pa.Array,
    email: pa.Array,
    *,
    high_amount: Annotated[float, Field(gt=0)],
    risky_countries: list[str],
    throwaway_domains: list[str],
    points: tuple[Points, Points, Points] = (50, 30, 20),
) -> tuple[pa.Array, list[tuple[int, str]]]:
    """The points of what is suspicious about a payment: a high amount, a risky country, a throwaway e-mail address.

    A country or an address that is not known is suspicious, too; a payment without an amount has no score.
    """
    readable = pc.match_substring_regex(amount, _AMOUNT)
    unreadable = pc.indices_nonzero(pc.invert(readable)).to_pylist()
    number = pc.cast(pc.if_else(readable, amount, None), pa.float64())
    domain = pc.replace_substring_regex(pc.ascii_lower(email), r"\A.*@", "")
    reasons = (
        pc.greater_equal(number, high_amount),
        _suspicious(country, risky_countries),
        _suspicious(domain, throwaway_domains),
    )
    score = pc.cast(pc.if_else(pc.is_valid(number), 0, None), pa.int64())
    for reason, worth in zip(reasons, points, strict=True):
        score = pc.add(score, pc.if_else(reason, worth, 0))
    return score, [(row, "the amount is not a number") for row in unreadable]


def _suspicious(column: pa.Array, listed: list[str]) -> pa.Array:
    return pc.or_(pc.is_null(column), pc.is_in(column, value_set=pa.array(listed, pa.string())))
