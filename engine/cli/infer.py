"""``engine infer``: a mapping proposed for files that have none yet."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from engine.cli.common import Common, configure
from engine.errors import EngineError, Problem, SourceMissing, UsageError

if TYPE_CHECKING:
    from engine.core.inference import Sample
    from engine.core.limits import Limits

__all__ = ["infer"]

_PIECE_BYTES = 262_144


def infer(
    *samples: Path,
    output: Annotated[Path | None, Parameter(name=("--output", "-o"))] = None,
    rows: int = 10_000,
    id: str | None = None,  # noqa: A002 # the flag's name
    format: Literal["jsonl", "csv", "parquet"] | None = None,  # noqa: A002 # the flag's name
    common: Common | None = None,
) -> int:
    """Propose a mapping for files: on standard output, with what needs a look on standard error.

    Parameters
    ----------
    samples
        CSV files that are written alike.
    output
        Write the mapping to this file, which must be new; TOML where its name ends in .toml.
    rows
        How many rows of each sample to look at; 32 MiB of each at most.
    id
        The mapping's id; after the first sample unless given.
    format
        Output format to propose.
    """
    settings, _ = configure(common)
    problems = []
    if not samples:
        problems.append(Problem("SAMPLE", "is missing: name at least one file"))
    if rows < 1:
        problems.append(Problem("--rows", "must be at least 1"))
    if output is not None and output.exists():
        problems.append(Problem("--output", f"{output} exists; name a new file"))
    if problems:
        raise UsageError(problems)
    from engine.core.inference import mapping_id, propose, to_json_document, to_toml_document
    from engine.core.limits import Limits

    read = _read(samples, rows, Limits.of(settings.limits))
    name = id if id is not None else mapping_id(samples[0].name.partition(".")[0])
    proposal = propose(read, name, Limits.of(settings.limits), format)
    for note in proposal.notes:
        sys.stderr.write(f"{note}\n")
    toml = output is not None and output.suffix == ".toml"
    text = to_toml_document(proposal.document) if toml else to_json_document(proposal.document)
    if output is None:
        sys.stdout.write(text)
    else:
        _write(output, text)
    return 0


def _read(paths: tuple[Path, ...], rows: int, limits: Limits) -> list[Sample]:
    """The samples, all read in the first one's dialect."""
    from engine.core.inference import read_sample

    found: list[Sample] = []
    for path in paths:
        try:
            dialect = found[0].dialect if found else None
            found.append(read_sample(_texts(path, limits), str(path), rows=rows, limits=limits, dialect=dialect))
        except OSError as error:
            raise SourceMissing(f"cannot be read: {error.strerror}", file=str(path)) from None
        except EngineError as error:
            error.at(file=str(path))
            raise
    return found


def _texts(path: Path, limits: Limits) -> Iterator[bytes]:
    """A sample's text, piece by piece, unpacked where it is compressed."""
    from engine.core.decompress import decompressor

    unpacked = decompressor(path.name, "infer", limits.expansion_ratio)
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield from filter(None, unpacked.feed(piece))
    yield unpacked.finish()


def _write(output: Path, text: str) -> None:
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError([Problem("--output", f"{output} cannot be written: {error.strerror}")]) from None
