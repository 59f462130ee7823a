"""The fraud score, called as the plain function that it is."""

from __future__ import annotations

import pyarrow as pa
import pytest
from example_transforms.fraud import fraud_score

RULES = {"high_amount": 1000.0, "risky_countries": ["XX"], "throwaway_domains": ["mailinator.example"]}

CASES: list[tuple[str | None, str | None, str | None, int | None]] = [
    ("999.99", "GB", "a@b.example", 0),
    ("1000", "GB", "a@b.example", 50),
    ("1", "XX", "a@b.example", 30),
    ("1", "GB", "a@Mailinator.EXAMPLE", 20),
    ("1", None, None, 50),
    ("5000", "XX", "a@mailinator.example", 100),
    (None, "XX", "a@mailinator.example", None),
]


def columns(cases: list[tuple[str | None, str | None, str | None, int | None]]) -> list[pa.Array]:
    return [pa.array(column, pa.string()) for column in list(zip(*cases, strict=True))[:3]]


def test_points_add_up() -> None:
    """Each reason adds its points, what is not known is suspicious, and no amount gives no score."""
    score, errors = fraud_score(*columns(CASES), **RULES)
    assert score.to_pylist() == [expected for *_, expected in CASES]
    assert errors == []


@pytest.mark.parametrize("amount", ["", "a lot", "-1", "1e3", "0x10", "1,000", "\u0661"])
def test_an_amount_that_is_no_number_is_refused(amount: str) -> None:
    """The row is named and the others keep their scores."""
    score, errors = fraud_score(*columns([*CASES, (amount, "GB", "a@b.example", None)]), **RULES)
    assert errors == [(len(CASES), "the amount is not a number")]
    assert score.to_pylist()[:-1] == [expected for *_, expected in CASES]


def test_points_are_the_mappings() -> None:
    """What each reason is worth can be set."""
    score, _ = fraud_score(*columns(CASES[5:6]), **RULES, points=(1, 2, 4))
    assert score.to_pylist() == [7]
