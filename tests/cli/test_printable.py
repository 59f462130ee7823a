"""What others wrote cannot take over the terminal of whoever reads it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.cli.printable import printable
from tests.cli.command import engine

pytestmark = pytest.mark.one_build("gil")


def test_what_is_no_character_is_spelled_out() -> None:
    """Controls, escapes, marks of direction and lone surrogates; everything that is written stays as it is."""
    assert printable("Zürich, 東京 …") == "Zürich, 東京 …"
    assert printable("a\x1b[2J\x07\u202eb\udc80\x9b") == r"a\x1b[2J\x07\u202eb\udc80\x9b"


def test_no_command_passes_on_an_escape(tmp_path: Path) -> None:
    """Names of fields, labels and cells with escapes in them, in errors, in previews and in failed tests."""
    evil = "\x1b]0;x\x07"
    fields = [{"name": "a", "type": "int"}, {"name": f"b{evil}", "from": "b", "type": "string"}]
    mapping = {"version": 1, "id": "m", "fields": fields}
    tests = [{"row": {"a": "1", "b": "x"}, "expect": {f"b{evil}": f"y{evil}"}}]
    for name, document in (
        ("fine", mapping),
        ("twice", mapping | {"fields": [fields[1], fields[1]]}),
        ("failing", mapping | {"tests": tests}),
    ):
        (tmp_path / f"{name}.json").write_text(json.dumps(document))
    (tmp_path / "cells.csv").write_text(f"a,b\n1,x{evil}\ny{evil},2\n")
    (tmp_path / "labels.csv").write_text(f"c{evil},d\n1,2\n")
    for words in (
        ("check", "twice.json"),
        ("check", "failing.json"),
        ("check", "fine.json", "cells.csv"),
        ("check", "fine.json", "labels.csv"),
        ("run", "fine.json", "labels.csv", "--output", "out"),
        ("infer", "labels.csv"),
    ):
        done = engine(*words, cwd=tmp_path)
        said = done.stdout + done.stderr
        assert said.replace("\n", "").isprintable(), (words, said)
        assert "\\x1b" in said or "\\u001b" in said, (words, said)
