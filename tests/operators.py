"""Transforms as an operator would register them, and their registration for a test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from engine.core import transforms
from engine.transforms import column_transform, transform

__all__ = ["install", "register"]


def install(folder: Path, entries: Mapping[str, str], *, name: str = "operators", version: str = "1.2") -> None:
    """Writes a distribution's metadata, as an installer does: the entry points ``name = module:object``."""
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = [f"[{transforms.GROUP}]", *(f"{entry} = {value}" for entry, value in entries.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")


def register(patch: pytest.MonkeyPatch, folder: Path, entries: Mapping[str, str] | None = None) -> None:
    """Registers the transforms below under their own names, or others, until the test ends."""
    install(folder, ENTRIES if entries is None else entries)
    patch.syspath_prepend(folder)
    patch.setattr(transforms, "registry", transforms.Registry())


@transform
def shout(text: str, *, times: int = 1) -> str:
    """Refuses ``mute``; breaks on ``bug``."""
    if text == "mute":
        raise ValueError("says nothing")
    if text == "bug":
        raise KeyError(text)
    return text.upper() + "!" * times


@transform
def pair(first: str, last: str, *, between: str) -> str:
    return f"{first}{between}{last}"


@transform(nulls=True)
def count_nulls(*columns: str | None) -> int:
    return columns.count(None)


@transform
def reverse_bytes(text: str) -> bytes:
    return text.encode()[::-1]


@column_transform
def total(first: pa.Array, second: pa.Array, *, weight: int = 1) -> pa.Array:
    """Raises where one of the cells is no number."""
    return pc.add(pc.multiply(pc.cast(first, pa.int64()), weight), pc.cast(second, pa.int64()))


@column_transform
def lengths(column: pa.Array) -> tuple[pa.Array, list[tuple[int, str]]]:
    """Refuses cells of one character."""
    found = pc.binary_length(column)
    return found, [(row, "too short") for row, length in enumerate(found.to_pylist()) if length == 1]


@column_transform(nulls=True)
def is_null(column: pa.Array) -> pa.Array:
    return pc.is_null(column)


@transform
def broken(text: str) -> str:
    raise ZeroDivisionError(text)


@transform  # type: ignore[type-var]  # as a type checker tells the operator
def listing(text: str) -> list[str]:
    return [text]


@column_transform
def too_few(column: pa.Array) -> pa.Array:
    return column.slice(1)


def undecorated(text: str) -> str:
    return text


ENTRIES = {
    name: f"tests.operators:{name}"
    for name in (
        "shout", "pair", "count_nulls", "reverse_bytes", "total", "lengths", "is_null", "broken", "listing", "too_few",
        "undecorated",
    )
}  # fmt: skip
