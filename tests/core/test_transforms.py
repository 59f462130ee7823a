"""The registry of transforms, and what of a call is checked when a mapping is loaded."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from engine.core import transforms
from engine.core.mapping import mapping_schema, validate_mapping
from engine.core.transforms import Registry, load_transforms
from engine.errors import MappingError
from tests.operators import install, register

ARGUMENTS = """
from __future__ import annotations
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any
from pydantic import AfterValidator, ValidationInfo
from engine.transforms import transform
if TYPE_CHECKING:
    from somewhere import Text

def known(label: str, info: ValidationInfo) -> str:
    if label not in info.context["labels"]:
        raise ValueError(f"not among {info.context['labels']}")
    return label

def crash(value: int) -> int:
    raise KeyError("validator")

@transform
def every(text: Text, *, since: date, weight: float = 0.5, limits: dict[str, list[int]] | None = None, json: Any = 1,
          label: Annotated[str, AfterValidator(known)] = "?") -> str:
    return f"{text} {since!r} {weight!r} {limits!r} {json!r} {label}"

@transform
def anything(text: str, **arguments: object) -> str:
    return repr(sorted(arguments.items()))

@transform
def crashing(text: str, *, value: Annotated[int, AfterValidator(crash)]) -> str:
    return text

@transform
def unresolved(text: str, *, value: Text) -> str:
    return text

@transform
def unknowable(text: str, *, value: object.__class__.__subclasses__) -> str:
    return text
"""


UNDECORATED = "tests.operators:undecorated is not decorated with @transform or @column_transform"


def problems(steps: list[Any], source: Any = "a") -> list[str]:
    """What is wrong with a field of these steps, shortened by the field's place."""
    document = {"version": 1, "id": "m", "fields": [{"name": "f", "from": source, "type": "string", "steps": steps}]}
    try:
        validate_mapping(document, "test")
    except MappingError as error:
        return [str(problem).removeprefix("fields[0].") for problem in error.problems]
    return []


def call(name: str, **arguments: object) -> dict[str, Any]:
    return {"call": {"name": name, **arguments}}


@pytest.fixture
def operators(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    register(monkeypatch, tmp_path / "site")


@pytest.fixture
def arguments(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = ("every", "anything", "crashing", "unresolved", "unknowable")
    module = f"arguments_{tmp_path.name}"
    register(monkeypatch, tmp_path, {name: f"{module}:{name}" for name in names})
    (tmp_path / f"{module}.py").write_text(ARGUMENTS)


@pytest.mark.parametrize(
    ("steps", "source", "expected"),
    [
        ([call("shout")], "a", []),
        (["trim", call("shout", times=2), "lower"], "a", []),
        ([call("pair", between=" "), "trim", call("shout")], ["a", "b"], []),
        ([call("count_nulls")], ["a", "b", "c"], []),
        ([call("count_nulls")], "a", []),
        ([call("shuot")], "a", ["steps[0].call.name: no transform 'shuot' is registered here (did you mean 'shout'?)"]),
        (
            ["trim", call("os.system")],
            "a",
            ["steps[1].call.name: no transform 'os.system' is registered here"],
        ),
        (
            [call("shout", tims=2)],
            "a",
            ["steps[0].call: unknown key 'tims' (did you mean 'times'?)"],
        ),
        ([call("shout", times="2")], "a", ["steps[0].call.times: Input should be a valid integer"]),
        ([call("shout", times=True)], "a", ["steps[0].call.times: Input should be a valid integer"]),
        ([call("shout", times=None)], "a", ["steps[0].call.times: Input should be a valid integer"]),
        (
            [call("pair")],
            "a",
            ["steps[0].call: 'pair' takes 2 columns (first, last), not 1", "steps[0].call.between: is required"],
        ),
        ([call("shout")], ["a", "b"], ["steps[0].call: 'shout' takes 1 column (text), not 2"]),
        (
            [call("pair", between=""), call("pair", between="")],
            ["a", "b"],
            ["steps[1].call: 'pair' takes 2 columns (first, last), not 1"],
        ),
        (["trim", call("shout")], ["a", "b"], ["fields[0]: several columns need join or call as the first step"]),
        (
            [call("nope"), call("shout", tims=1, times="x")],
            "a",
            [
                "steps[0].call.name: no transform 'nope' is registered here",
                "steps[1].call.times: Input should be a valid integer",
                "steps[1].call: unknown key 'tims' (did you mean 'times'?)",
            ],
        ),
        (
            [call("undecorated")],
            "a",
            [
                f"steps[0].call.name: the transform 'undecorated' of operators 1.2 cannot be loaded: {UNDECORATED}"
            ],
        ),
    ],
)  # fmt: skip
def test_calls_are_checked_when_a_mapping_is_loaded(
    operators: None, steps: list[Any], source: Any, expected: list[str]
) -> None:
    """Names, columns and arguments that do not fit what is registered are problems, each at its path."""
    assert problems(steps, source) == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"since": "2026-02-28"}, []),
        ({"since": "2026-02-28", "weight": 1, "limits": {"a": [1]}, "json": [None], "label": "a"}, []),
        ({"since": "2026-02-29"}, ["steps[0].call.since: Input should be a valid date in the format YYYY-MM-DD, "]),
        (
            {"since": "2026-02-28", "limits": {"a": [1, "x"]}},
            ["steps[0].call.limits.a[1]: Input should be a valid int"],
        ),
        ({"since": "2026-02-28", "label": "z"}, ["steps[0].call.label: not among ('a',)"]),
        (
            {"weight": "x", "jsn": 1},
            [
                "steps[0].call.since: is required",
                "steps[0].call.weight: Input should be a valid number",
                "steps[0].call: unknown key 'jsn' (did you mean 'json'?)",
            ],
        ),
    ],
)
def test_arguments_are_checked_against_their_annotations(
    arguments: None, given: dict[str, Any], expected: list[str]
) -> None:
    """Each argument must be what its annotation says, in JSON; a validator in it knows the columns' labels."""
    found = problems([call("every", **given)])
    assert len(found) == len(expected)
    assert all(one.startswith(start) for one, start in zip(found, expected, strict=True)), found


def test_an_operators_fault_is_a_problem_of_the_mappings_that_use_it(arguments: None) -> None:
    """Annotations that cannot be resolved or used, and validators that crash, are told where they are called."""
    assert (
        "'unresolved' of operators 1.2 cannot be loaded: an argument's annotation cannot be used: name 'Text'"
        in (problems([call("unresolved", value=1)])[0])
    )
    assert "'unknowable' of operators 1.2 cannot be loaded" in problems([call("unknowable", value=1)])[0]
    assert problems([call("crashing", value=1)]) == [
        "steps[0].call: the arguments cannot be checked: KeyError: 'validator'"
    ]
    assert problems([call("anything", value=1, json=[2], copy="x")]) == []


def test_a_transform_that_cannot_be_imported_hurts_nobody_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its mapping says what the import said; mappings that call others, or none, load, and it is not tried again."""
    register(
        monkeypatch,
        tmp_path,
        {"lost": "no_such_module_here:f", "gone": "tests.operators:gone", "shout": "tests.operators:shout"},
    )
    for _ in range(2):
        (lost,) = problems([call("lost")])
        assert lost.startswith(
            "steps[0].call.name: the transform 'lost' of operators 1.2 cannot be loaded: ModuleNotFoundError: No module"
        )
    assert "cannot be loaded: AttributeError: " in problems([call("gone")])[0]
    assert problems([call("shout")]) == []
    assert problems(["trim"]) == []
    found = load_transforms()
    assert list(found) == ["gone", "lost", "shout"]
    assert found["shout"] == "operators 1.2"
    assert "cannot be loaded" in found["lost"]


def test_a_name_that_two_packages_register_is_nobodys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Which of them a mapping would get must not depend on the order of a path."""
    install(tmp_path, {"shout": "tests.operators:pair"}, name="others", version="3")
    register(monkeypatch, tmp_path)
    orders = ("operators 1.2 and others 3", "others 3 and operators 1.2")
    what = "steps[0].call.name: the transform 'shout' is registered by {}; uninstall all but one"
    assert problems([call("shout")])[0] in [what.format(order) for order in orders]
    assert problems([call("pair", between="")], ["a", "b"]) == []


def test_many_threads_load_a_transform_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Threads that ask for a transform at the same time get the same one, from one import."""
    module = f"counted_{tmp_path.name}"
    register(monkeypatch, tmp_path, {"counted": f"{module}:counted"})
    (tmp_path / f"{module}.py").write_text(
        "from engine.core import transforms\nfrom engine.transforms import transform\nfrom tests import operators\n"
        "transforms.registry.entries()\n"  # an import may come back to the registry
        "operators.imports = getattr(operators, 'imports', 0) + 1\n\n"
        "@transform\ndef counted(text: str) -> str:\n    return text\n"
    )
    registry, barrier = Registry(), threading.Barrier(8)

    def find() -> transforms.Registered:
        barrier.wait()
        return registry.find("counted")

    with ThreadPoolExecutor(8) as pool:
        found = [future.result() for future in [pool.submit(find) for _ in range(8)]]
    from tests import operators

    assert len({id(each) for each in found}) == 1
    assert getattr(operators, "imports") == 1  # noqa: B009  the module above sets it


def test_the_schema_shows_the_call() -> None:
    """Editors learn that a call has a name, and that its other keys are arguments of any JSON."""
    schema = mapping_schema()["$defs"]
    assert {"$ref": "#/$defs/CallRule"} in schema["Step"]["properties"]["call"]["anyOf"]
    assert schema["CallRule"]["required"] == ["name"]
    assert schema["CallRule"]["additionalProperties"] == {"$ref": "#/$defs/JsonValue"}
    assert schema["JsonValue"] == {}


@pytest.mark.parametrize("value", ["NaN", "[[Infinity]]", '{"a": "\\ud800"}'])
def test_arguments_are_json_that_can_be_written(operators: None, value: str) -> None:
    """What the canonical form of a mapping could not hold is no argument, however deep it lies."""
    assert problems([call("shout", times=json.loads(value))]) == [
        "steps[0].call.times: numbers must be finite, and texts Unicode"
    ]
