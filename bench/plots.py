"""Results as pictures, SVG and PNG: the plots of ``bench/README.md``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["draw"]

mpl.use("Agg")
mpl.rcParams |= {
    "svg.hashsalt": "engine",  # the same ids, and so the same bytes, each time
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}

_OURS, _OTHERS = "#1f6f8b", "#b8b8b8"
_LINES = ("#1f6f8b", "#d1495b", "#66a182", "#edae49")


def draw(folder: Path, compare: dict[str, Any] | None, scaling: dict[str, Any] | None) -> list[str]:
    """Draws what there are results for; returns the names of the pictures, without suffix."""
    folder.mkdir(exist_ok=True)
    figures: dict[str, Figure] = {}
    if compare is not None:
        figures["throughput"] = _bars(compare, "mb_s", "MB/s of CSV, more is better")
        figures["memory"] = _bars(compare, "peak_mb", "peak MB of memory, less is better")
    if scaling is not None:
        figures["scaling"] = _scaling(scaling)
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None, "Creator": None})
        figure.savefig(folder / f"{name}.png", dpi=110, metadata={"Software": None})
    return list(figures)


def _bars(result: dict[str, Any], figure_of: str, label: str) -> Figure:
    """A panel each workload and format: clean files, the most workers of each tool."""
    groups = result["groups"]
    columns = len({group["workload"] for group in groups})
    lines = -(-len(groups) // columns)
    shown = [_shown(group, figure_of) for group in groups]
    height = 0.9 + 0.27 * max(map(len, shown), default=1)
    figure = Figure(figsize=(4.2 * columns, height * lines), layout="constrained")
    figure.suptitle(label)
    formats = list(dict.fromkeys(group["format"] for group in groups))
    workloads = list(dict.fromkeys(group["workload"] for group in groups))
    axes = figure.subplots(lines, columns, squeeze=False)
    for group, bars in zip(groups, shown, strict=True):
        at = axes[formats.index(group["format"])][workloads.index(group["workload"])]
        _panel(at, f"{group['workload']}, {group['format']}", bars)
    return figure


def _shown(group: dict[str, Any], figure_of: str) -> list[tuple[str, float, bool, bool]]:
    """Name, figure, whether it is ours and whether it is doubtful."""
    most: dict[str, dict[str, Any]] = {}
    for each in group["results"]:
        if not each["share"] and figure_of in each:
            most[each["name"]] = max(most.get(each["name"], each), each, key=lambda found: int(found["workers"]))
    return [
        (f"{name} x {each['workers']}", each[figure_of], name.startswith("engine"), bool(each["doubts"]))
        for name, each in most.items()
    ]


def _panel(at: Axes, title: str, bars: list[tuple[str, float, bool, bool]]) -> None:
    bars.reverse()  # the first on top
    drawn = at.barh(
        [bar[0] for bar in bars], [bar[1] for bar in bars], color=[_OURS if bar[2] else _OTHERS for bar in bars]
    )
    at.bar_label(drawn, [f"{value:,.0f}{' ?' if doubtful else ''}" for _, value, _, doubtful in bars], padding=3)
    at.set_title(title, loc="left", fontsize=10)
    at.margins(x=0.18)
    at.tick_params(axis="y", length=0)
    at.xaxis.set_visible(False)
    at.spines["bottom"].set_visible(False)


def _scaling(result: dict[str, Any]) -> Figure:
    figure = Figure(figsize=(9.5, 3.6), layout="constrained")
    speed, memory = figure.subplots(1, 2)
    names = list(dict.fromkeys(each["name"] for each in result["results"]))
    for name, color in zip(names, _LINES, strict=False):
        found = [each for each in result["results"] if each["name"] == name]
        workers = [each["workers"] for each in found]
        speed.plot(workers, [each["mb_s"] for each in found], marker="o", color=color, label=name)
        memory.plot(workers, [each["peak_mb"] for each in found], marker="o", color=color, label=name)
    cores = result["machine"]["cpus"]
    for at, title in ((speed, "MB/s of CSV"), (memory, "peak MB of memory")):
        at.axvline(cores, color="#dddddd", zorder=0)
        at.annotate(f"{cores} CPUs", (cores, 0), xytext=(3, 3), textcoords="offset points", color="#999999", fontsize=8)
        at.set_xlabel("workers")
        at.set_title(title, loc="left", fontsize=10)
        at.set_ylim(bottom=0)
        at.set_xticks(sorted({each["workers"] for each in result["results"]}))
    memory.legend(frameon=False)
    return figure
