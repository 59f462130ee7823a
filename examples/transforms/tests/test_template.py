"""The text template, read as a mapping's argument is and called as the plain function that it is."""

from __future__ import annotations

from typing import Annotated

import pytest
from example_transforms.template import Template, text_template
from pydantic import PlainValidator, TypeAdapter, ValidationError

LABELS = ("first", "last", "a.b", "x:>9")
ADAPTER: TypeAdapter[Template] = TypeAdapter(Annotated[Template, PlainValidator(Template.parse)])


def filled(template: str, *columns: str | None) -> str | None:
    read = ADAPTER.validate_python(template, context={"labels": LABELS})
    return text_template(*columns, *[None] * (len(LABELS) - len(columns)), template=read)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{first} {last}", "Ada Lovelace"),
        ("{last}, {first} {last}!", "Lovelace, Ada Lovelace!"),
        ("no labels", "no labels"),
        ("", ""),
        ("{{{first}}}", "{Ada}"),
        ("{{first}}", "{first}"),
        ("}}{{", "}{"),
        ("{first}\n{a.b}", "Ada\n{last}"),
        ("{x:>9}", ""),
    ],
)
def test_labels_are_replaced(template: str, text: str) -> None:
    """Labels in braces are replaced, doubled braces are braces, a null is empty, and no text is looked at twice."""
    assert filled(template, "Ada", "Lovelace", "{last}") == text


def test_only_nulls_give_null() -> None:
    """A row with nothing in it has no text."""
    assert filled("{first} {last}", None, None) is None
    assert filled("{first} {last}", None, "") == " "


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("{first.__class__}", "no column 'first.__class__'"),
        ("{first[0]}", "no column 'first[0]'"),
        ("{first:>1000000000}", "no column 'first:>1000000000'"),
        ("{first!r}", "no column 'first!r'"),
        ("{0}", "no column '0'"),
        ("{frist}", "no column 'frist'; there are 'first', 'last'"),
        ("{}", "at character 1"),
        ("{first", "at character 1"),
        ("first}", "at character 6"),
        ("{fir{last}st}", "at character 1"),
        (7, "a template is a text"),
    ],
)
def test_templates_that_cannot_be(template: object, problem: str) -> None:
    """What str.format would follow, pad or call is no label; each template is refused with what is wrong with it."""
    with pytest.raises(ValidationError) as caught:
        ADAPTER.validate_python(template, context={"labels": LABELS})
    assert problem in str(caught.value)
