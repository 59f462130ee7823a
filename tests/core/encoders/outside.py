"""Asks readers that nobody here wrote, DuckDB and Polars, what is in a file; see ``reader.py``.

They run in a process of their own, on the build that has wheels of them, so the tests of every build can ask.
"""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

__all__ = ["expected_cell", "read", "said"]

_PYTHON = Path(__file__).parents[3] / ".venv-gil" / "bin" / "python"


def expected_cell(value: Any, kind: str, format_: str) -> str | None:
    """A cell as ``reader.py`` should say it."""
    # A CSV reader cannot tell an empty text from a null, nor a JSON Lines reader a null from JSON's null.
    empty = format_ == "csv" and value in ("", b"")
    if value is None or empty or (format_, kind, value) == ("jsonl", "json", "null"):
        return None
    return said(value, kind)


def said(value: Any, kind: str) -> str:
    match value:
        case float() | Decimal() if kind == "float":
            return float(value).hex()
        case bool():
            return str(value).lower()
        case Decimal():
            return f"{value:f}"
        case datetime():
            return str((value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1))
        case date():
            return value.isoformat()
        case bytes():
            return value.hex()
    return json.dumps(json.loads(value, parse_int=float)) if kind == "json" else str(value)


def read(reader: str, path: Path, types: list[str]) -> list[list[str | None]]:
    command = [str(_PYTHON), str(Path(__file__).with_name("reader.py")), reader, str(path), *types]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    rows: list[list[str | None]] = json.loads(done.stdout)
    return rows
