"""Problems of a document are placed where a person finds them."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from engine.documents import MAX_VALUES, validate
from engine.errors import ConfigError


class Cat(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["dog"]
    tricks: list[str] = []


class House(BaseModel):
    model_config = ConfigDict(extra="forbid")
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    rooms: dict[str, Cat | int] = {}
    owner: str | None = Field(None, alias="from")


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"pet": {"kind": "cat"}}, ["pet.lives: is required"]),
        ({"pet": {"kind": "dog", "trick": []}}, ["pet: unknown key 'trick' (did you mean 'tricks'?)"]),
        ({"pet": {"kind": "dog", "tricks": ["sit", 3]}}, ["pet.tricks[1]: Input should be a valid string"]),
        ({"pet": {"kind": "dog"}, "form": "x"}, ["unknown key 'form' (did you mean 'from'?)"]),
        ({"pet": {"kind": "dog"}, "from": 3}, ["from: Input should be a valid string"]),
    ],
)
def test_places(document: object, expected: list[str]) -> None:
    """Paths name keys and indexes of the document, never the members of a union or the names of our classes."""
    with pytest.raises(ConfigError) as caught:
        validate(House, document, ConfigError)
    assert [str(problem) for problem in caught.value.problems] == expected


def test_values_are_never_quoted() -> None:
    """A wrong value is not repeated in the problem: it may be a secret."""
    with pytest.raises(ConfigError) as caught:
        validate(House, {"pet": {"kind": "cat", "lives": "hunter2"}, "rooms": {"a": "hunter2"}}, ConfigError)
    assert "hunter2" not in str(caught.value)


def faults(document: object) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        validate(House, document, ConfigError)
    return [str(problem) for problem in caught.value.problems]


def test_a_long_list_of_faults_is_cut() -> None:
    """A hundred are named."""
    found = faults({"pet": {"kind": "dog", "tricks": [7] * 5_000}})
    assert found[0] == "pet.tricks[0]: Input should be a valid string"
    assert (len(found), found[-1]) == (101, "and 4,900 more problems")


def test_a_document_has_so_many_values() -> None:
    """Values in lists and objects count, at any depth; one more than are allowed is refused before any is looked at."""
    most = MAX_VALUES - 4  # the document, the pet, its kind, its tricks
    assert validate(House, {"pet": {"kind": "dog", "tricks": ["a"] * most}}, ConfigError).owner is None
    assert faults({"pet": {"kind": "dog", "tricks": [7] * (most + 1)}}) == ["has more than 120,000 values"]
    assert faults([[{"a": [7] * 70_000}], [[7] * 70_000]]) == ["has more than 120,000 values"]
