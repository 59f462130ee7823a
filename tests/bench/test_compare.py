"""The comparison, its targets, the model and the report that is made of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bench.compare import main
from bench.contention import measure_contention
from bench.model import INSTANCES, forecasts
from bench.report import generated, written
from bench.served import ROOT
from bench.targets import reached

pytestmark = pytest.mark.one_build("gil")


def entry(contender: str, walls: list[float], *, share: float = 0.0, size: int = 10**9, **more: Any) -> dict[str, Any]:
    runs = [{"wall": wall, "cpu": wall, "peak_mb": 100.0, "others": 0.0} for wall in walls]
    figures = {"mb_s": size / sorted(walls)[1] / 1e6, "rows_s": 1e6, "cpu_s_per_gb": 10.0, "peak_mb": 100.0}
    names = {"contender": contender, "name": contender.rpartition("-")[0], "workers": 2, "limit": None, "versions": {}}
    return {**names, "share": share, "bytes": size, "runs": runs, "doubts": [], **figures, **more}


def result(*entries: dict[str, Any], workload: str = "mixed", format_: str = "jsonl") -> dict[str, Any]:
    machine = {"cpu": "A CPU", "cpus": 2, "memory_gb": 8.0, "system": "Linux", "load": 0.1, "python": "3.13.1"}
    machine |= {"gil": False, "versions": {"pyarrow": "24.0.0"}}
    head = {"what": "compare", "date": "2026-01-02", "machine": machine, "load_after": 2.0}
    options = {"files": 8, "mb": 64.0, "rounds": 3}
    return {**head, "options": options, "groups": [{"workload": workload, "format": format_, "results": entries}]}


_OURS = "engine-3.13t-threads-2"


def test_ratios_are_medians_of_the_rounds() -> None:
    """Runs of one round are compared with each other, by bytes a second; the middle ratio counts."""
    found = list(reached(result(entry(_OURS, [1.0, 4.0, 2.0]), entry("duckdb-2", [1.5, 4.0, 4.0], size=10**9 // 2))))
    (one,) = found
    assert (one.what, one.least, one.met) == ("DuckDB", 1.5, True)
    assert one.ratio == pytest.approx(3.0)  # of 3, 2 and 4


def test_what_failed_or_differs_reaches_nothing() -> None:
    """A contender without figures has no ratio, whoever it is."""
    broken = entry("duckdb-2", [1.0, 1.0, 1.0])
    del broken["mb_s"]
    assert list(reached(result(entry(_OURS, [1.0, 1.0, 1.0]), broken))) == []


def test_doubts_follow_the_ratio() -> None:
    """What is doubtful on either side is said beside the target."""
    busy = entry("plain-2", [9.0, 9.0, 9.0], doubts=["others took 50% of the processors"])
    (one,) = reached(result(entry(_OURS, [1.0, 1.0, 1.0], doubts=["runs differ by 20%"]), busy))
    assert one.doubts == ("runs differ by 20%", "others took 50% of the processors")


def test_the_model_is_bound_by_the_least() -> None:
    """Throughput is the least of processors, network and connections; the cost is the price of that time."""
    slow = {each.instance.name: each for each in forecasts(result(entry(_OURS, [1.0] * 3, cpu_s_per_gb=100.0)))}
    fast = {each.instance.name: each for each in forecasts(result(entry(_OURS, [1.0] * 3, cpu_s_per_gb=0.1)))}
    assert len(slow) == len(fast) == len(INSTANCES)
    assert {each.limit for each in slow.values()} == {"CPU"}
    assert fast["c7g.large"].limit == "network"
    for each in slow.values():
        assert each.mb_s < fast[each.instance.name].mb_s
        assert each.usd_per_tb == pytest.approx(each.instance.usd_an_hour / 3600 * 1e6 / each.mb_s)


def test_the_report_says_figures_limits_and_doubts(tmp_path: Path) -> None:
    """Each figure, what a tool cannot express, and what is doubtful, from the newest result of a kind."""
    theirs = entry("polars-2", [3.0, 3.0, 3.0], limit="JSON as text", doubts=["runs differ by 30%"])
    for date, mine in (("2026-01-01", [9.0, 9.0, 9.0]), ("2026-01-02", [1.0, 1.0, 1.0])):
        (tmp_path / f"{date}-compare.json").write_text(json.dumps(result(entry(_OURS, mine), theirs)))
    page = generated(tmp_path)
    assert "| mixed, JSON Lines | Polars | 2 | 3.00 | yes | runs differ by 30% |" in page
    assert re.search(r"\| polars \| 2 \| 0% \| 333 .*\(1\); runs differ by 30% \|", page)
    assert "1. Cannot express all of it: JSON as text." in page
    assert "c7g.large" in page
    assert "No result" in generated(tmp_path / "none")


def test_the_readme_is_what_the_report_makes() -> None:
    """Nothing in the generated part was typed by hand, and no result is newer than it."""
    readme = (ROOT / "bench" / "README.md").read_text(encoding="utf-8")
    assert written(readme) == readme


def test_threads_each_do_the_whole_work() -> None:
    """The core in k threads is measured a chunk, alone and together; a thread alone does not grow."""
    one, two = measure_contention([1, 2], 3_000_000, 1)
    assert (one["threads"], one["wall_growth"], one["cpu_growth"]) == (1, 0.0, 0.0)
    assert two["cpu_ms"] > one["cpu_ms"] / 2


@pytest.mark.slow
def test_a_comparison_from_files_to_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command checks outputs, runs by turns, and writes all runs with the machine."""
    path = tmp_path / "compare.json"
    chosen = ["--contender", "plain", "--workload", "plain", "--format", "jsonl"]
    main([*chosen, "--files", "2", "--mb", "0.2", "--rounds", "2", "--json", str(path)])
    (group,) = json.loads(path.read_bytes())["groups"]
    assert [each["contender"] for each in group["results"]] == ["plain-1", "plain-2"]
    for each in group["results"]:
        assert len(each["runs"]) == 2
        assert each["mb_s"] > 0
        assert not [doubt for doubt in each["doubts"] if "reference" in doubt or "wrote" in doubt]
    assert "plain jsonl" in capsys.readouterr().out
