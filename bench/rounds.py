"""Contenders run by turns over one workload's files: each run a fresh process, each round another order."""

from __future__ import annotations

import json
import shutil
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from bench.agreement import difference
from bench.contenders import Contender, Job
from bench.peers.loop import Loop
from bench.pooled import Corpus, write_corpus
from bench.served import ROOT
from bench.watched import CommandFailed, Took, watch
from bench.workloads import mapping_of
from engine.core.encoders.formats import Format

__all__ = ["Plan", "measure_group"]

_SAMPLE_BYTES = 600_000
_BUSY_OTHERS = 0.1  # of the machine's processors: more than this taken by others is a doubt
_WIDE_SPREAD = 0.15  # of the median, between the runs that are neither fastest nor slowest

type Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a group of runs is made of.

    Attributes:
        bad_share: the share of bad rows of the second set of files.
        with_bad: contenders that run over that one too, by their keys; None for all.
    """

    files: int
    size: int
    rounds: int
    pipelines: int = 4
    bad_share: float = 0.01
    with_bad: frozenset[str] | None = None


@dataclass(slots=True)
class _Entry:
    """A contender over one set of files."""

    contender: Contender
    corpus: Corpus
    differs: str | None
    runs: list[Took] = field(default_factory=list)
    failed: str | None = None
    doubts: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)

    def report(self, format_: str) -> dict[str, Any]:
        limit = self.contender.limit(self.corpus.workload, format_)
        found: dict[str, Any] = {
            "contender": self.contender.key,
            "name": self.contender.tool.name,
            "workers": self.contender.workers,
            "share": self.corpus.share,
            "bytes": self.corpus.size,
            "rows": self.corpus.rows,
            "limit": limit,
            "versions": self.versions,
            "runs": [
                {"wall": run.wall, "cpu": run.cpu, "peak_mb": run.peak_mb, "others": run.others} for run in self.runs
            ],
            "doubts": self._doubts(),
        }
        if self.runs and self.failed is None and self.differs is None:
            wall = statistics.median(run.wall for run in self.runs)
            found |= {
                "mb_s": self.corpus.size / wall / 1e6,
                "rows_s": self.corpus.rows / wall,
                "cpu_s_per_gb": statistics.median(run.cpu for run in self.runs) / self.corpus.size * 1e9,
                "peak_mb": max(run.peak_mb for run in self.runs),
            }
        return found

    def _doubts(self) -> list[str]:
        doubts = list(dict.fromkeys(self.doubts))
        if self.failed is not None:
            doubts.append(f"failed: {self.failed}")
        if self.differs is not None:
            doubts.append(f"other output than the reference: {self.differs[:200]}")
        if self.runs:
            walls = sorted(run.wall for run in self.runs)
            middle = walls[1:-1] if len(walls) > 3 else walls
            spread = (middle[-1] - middle[0]) / statistics.median(walls)
            if spread > _WIDE_SPREAD:
                doubts.append(f"runs differ by {spread:.0%}")
            others = statistics.median(run.others for run in self.runs)
            if others > _BUSY_OTHERS:
                doubts.append(f"others took {others:.0%} of the processors")
        return doubts


def measure_group(
    workload: str, format_: Format, contenders: Sequence[Contender], plan: Plan, folder: Path, say: Say
) -> dict[str, Any]:
    """Checks everybody's output on a small file, then runs them by turns; one record a contender and set of files."""
    contenders = [each for each in contenders if format_ in each.tool.formats]
    mapping = folder / "mapping.json"
    document = json.loads((ROOT / "bench" / "mappings" / f"{workload}.json").read_bytes())
    mapping.write_text(json.dumps(document), encoding="utf-8")
    wrong = _check(workload, format_, contenders, plan, folder)
    corpora: dict[tuple[float, float], Corpus] = {}
    entries: list[_Entry] = []
    for share in (0.0, plan.bad_share):
        for each in contenders:
            if share and plan.with_bad is not None and each.key not in plan.with_bad:
                continue
            part = each.tool.part
            if (share, part) not in corpora:
                into = folder / f"{workload}-{share}-{part}"
                corpora[share, part] = write_corpus(workload, share, plan.files, int(plan.size * part), into)
            entries.append(_Entry(each, corpora[share, part], wrong[each.key, share]))
    for number in range(plan.rounds):
        order = list(entries)
        Random(f"{workload} {format_} {number}").shuffle(order)
        for entry in order:
            _run(entry, format_, mapping, plan.pipelines, folder)
        say(f"{workload} {format_}: round {number + 1} of {plan.rounds}")
    for corpus in corpora.values():
        shutil.rmtree(corpus.files[0].parent)
    return {"workload": workload, "format": format_, "results": [entry.report(format_) for entry in entries]}


def _run(entry: _Entry, format_: Format, mapping: Path, pipelines: int, folder: Path) -> None:
    if entry.failed is not None:
        return
    corpus = entry.corpus
    job = Job(corpus.workload, format_, corpus.files, folder / "output", mapping, pipelines)
    try:
        took = watch(entry.contender.command(job), cwd=ROOT)
        counted = entry.contender.tool.read(job, took.said)
    except CommandFailed as error:
        entry.failed = str(error)
    else:
        entry.runs.append(took)
        entry.versions = counted.versions
        if counted.rows != corpus.good:
            entry.doubts.append(f"wrote {counted.rows:,} rows; {corpus.good:,} of {corpus.rows:,} are good")
    finally:
        shutil.rmtree(job.output, ignore_errors=True)
        job.report.unlink(missing_ok=True)


def _check(
    workload: str, format_: Format, contenders: Sequence[Contender], plan: Plan, folder: Path
) -> dict[tuple[str, float], str | None]:
    """How each contender's output differs from the reference's, by contender and share of bad rows."""
    shares = (0.0, plan.bad_share)
    samples = {share: write_corpus(workload, share, 1, _SAMPLE_BYTES, folder / f"sample-{share}") for share in shares}
    expected = {}
    for share, sample in samples.items():
        expected[share] = folder / f"expected-{share}"
        Loop(workload, format_).run(sample.files[0], expected[share])
    files = tuple(sample.files[0] for sample in samples.values())
    found: dict[tuple[str, float], str | None] = {}
    for each in contenders:
        job = Job(workload, format_, files, folder / "checked", folder / "mapping.json", plan.pipelines)
        try:
            watch(each.command(job), cwd=ROOT)
            for share, sample in samples.items():
                output = each.output_of(job, sample.files[0])
                found[each.key, share] = _difference(each, output, format_, workload, expected[share])
        except (CommandFailed, OSError) as error:
            found |= dict.fromkeys([(each.key, share) for share in shares], f"failed: {error}")
        shutil.rmtree(job.output, ignore_errors=True)
        job.report.unlink(missing_ok=True)
    for sample in samples.values():
        shutil.rmtree(sample.files[0].parent)
    return found


def _difference(each: Contender, output: Path, format_: Format, workload: str, expected: Path) -> str | None:
    mapping = mapping_of(workload, format_)
    limit = each.limit(workload, format_)
    texts = [rule.name for rule in mapping.fields if rule.type == "json"]
    return difference(output, format_, expected, mapping, texts if limit and "string of JSON" in limit else ())
