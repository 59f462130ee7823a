"""Results as JSON: what was found, the day and the machine. ``bench/results`` holds those that are kept."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.machine import describe
from engine.codec import encode_json

__all__ = ["FOLDER", "latest", "new_result", "save"]

FOLDER = Path(__file__).parent / "results"


def new_result(what: str, **options: Any) -> dict[str, Any]:
    """The head of a result; what was found is added to it."""
    return {"what": what, "date": f"{datetime.now(UTC):%Y-%m-%d}", "machine": describe(), "options": options}


def save(result: dict[str, Any], *, keep: bool, path: Path | None = None) -> None:
    """Writes a result to ``path`` where one is given, and among those that are kept where asked for."""
    result["load_after"] = describe()["load"]
    data = encode_json(result) + b"\n"
    if path is not None:
        path.write_bytes(data)
    if keep:
        FOLDER.mkdir(exist_ok=True)
        (FOLDER / f"{result['date']}-{result['what']}.json").write_bytes(data)


def latest(what: str, folder: Path = FOLDER) -> dict[str, Any] | None:
    """The newest result of a kind that is kept; None where there is none."""
    found = sorted(folder.glob(f"????-??-??-{what}.json"))
    return json.loads(found[-1].read_bytes()) if found else None
