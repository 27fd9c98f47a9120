"""Writes results: a Markdown table, JSON, and plots."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from bench.workloads import WORKLOADS

#: What one server did under one workload: the keys of `compare.KEPT`, `cpu_us_min` and `faults`.
Measurement = Mapping[str, float]
#: Server -> workload -> what was measured.
Results = Mapping[str, Mapping[str, Measurement]]
#: Points of a curve: x and y.
Points = list[tuple[float, float]]

HIGHLIGHT, GREY = "#4338ca", "#b8bccb"


@dataclass(frozen=True)
class Curve:
    """A plot: its title, the labels of its axes, its points."""

    title: str
    x_label: str
    y_label: str
    points: Sequence[tuple[float, float]]


def describe_machine() -> dict[str, str]:
    """Return this machine's CPU, cores, system and Python, and the date."""
    model = ""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    except OSError:
        pass
    return {
        "cpu": model or platform.processor() or platform.machine(),
        "cores": str(os.cpu_count()),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d"),
    }


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table.

    Args:
        header: The titles of the columns.
        rows: Cells, as many per row as there are titles.
    """
    lines = [header, ["---"] * len(header), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def format_cost(value: float) -> str:
    """Return a number with two decimals, or three if it is less than 1."""
    return f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def _cell(measured: Measurement | None, reference: Measurement | None, key: str) -> str:
    """Return one number of the table, with its ratio to the reference in parentheses."""
    if measured is None:
        return "–"
    if measured["faults"]:
        return f"{measured['faults']} faults"
    value = measured[key]
    text = format_cost(value)
    if reference is None or measured is reference or not reference[key]:
        return text
    return f"{text} (× {value / reference[key]:.2g})"


def results_table(results: Results) -> str:
    """Return a Markdown table of all servers, with their ratios to GTChat on disk."""
    workloads = [w for w in WORKLOADS if any(w.name in measured for measured in results.values())]
    # Title, workload, key, whether to show the ratio.
    columns = [(f"{w.name}, CPU µs", w.name, "cpu_us", True) for w in workloads if not w.rate]
    for workload in workloads:
        if workload.rate:
            columns.append((f"{workload.name} p99, µs", workload.name, "p99_us", True))
            columns.append(("KiB per connection", workload.name, "kib_conn", False))
    reference = results.get("GTChat", {})
    rows = [
        [
            server,
            *(
                _cell(measured.get(work), reference.get(work) if ratio else None, key)
                for _, work, key, ratio in columns
            ),
        ]
        for server, measured in results.items()
    ]
    table = markdown_table(["server", *(title for title, *_ in columns)], rows)
    legend = "".join(f"* {workload.name}: {workload.description}\n" for workload in workloads)
    return f"{table}\nIn parentheses: ratio to GTChat with its default store, on disk.\n\n{legend}"


def write_results(folder: Path, name: str, document: Mapping[str, Any], text: str = "") -> None:
    """Write results.

    Args:
        folder: Where; created if it does not exist.
        name: The name of the files, without extension.
        document: What becomes `name`.json.
        text: What becomes `name`.md, if not empty.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
    if text:
        (folder / f"{name}.md").write_text(text)


def _subplots(rows: int, columns: int) -> Any:
    """Return matplotlib's figure and axes; None if matplotlib is not installed."""
    try:
        import matplotlib
    except ImportError:
        return None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot.subplots(rows, columns, figsize=(4.2 * columns, 3.4 * rows), squeeze=False)


def _label(axis: Any, title: str, x_label: str, y_label: str = "") -> None:
    axis.set_title(title, fontsize=10)
    axis.set_xlabel(x_label, fontsize=8)
    axis.set_ylabel(y_label, fontsize=8)
    axis.tick_params(labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)


def plot_bars(path: Path, results: Results) -> bool:
    """Draw CPU µs per delivery of each server, one plot per workload.

    Args:
        path: The file to write.
        results: What was measured.

    Returns:
        False if matplotlib is not installed.
    """
    names = [workload.name for workload in WORKLOADS if not workload.rate]
    made = _subplots(1, len(names))
    if made is None:
        return False
    figure, axes = made
    for axis, name in zip(axes[0], names, strict=True):
        found = {s: m[name]["cpu_us"] for s, m in results.items() if name in m}
        found = dict(sorted(found.items(), key=lambda pair: -pair[1]))
        colours = [HIGHLIGHT if server.startswith("GTChat") else GREY for server in found]
        axis.barh(list(found), list(found.values()), color=colours)
        for index, value in enumerate(found.values()):
            axis.text(value, index, f" {value:.2f}", va="center", fontsize=8)
        axis.margins(x=0.2)
        _label(axis, name, "server CPU µs per delivery")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    return True


def plot_curves(path: Path, curves: Sequence[Curve]) -> bool:
    """Draw how cost grows, one plot per curve, x logarithmic.

    Args:
        path: The file to write.
        curves: What to draw.

    Returns:
        False if matplotlib is not installed.
    """
    columns = min(3, len(curves))
    made = _subplots(-(-len(curves) // columns), columns)
    if made is None:
        return False
    figure, axes = made
    for axis, curve in zip(axes.flat, curves, strict=False):
        axis.plot(*zip(*curve.points, strict=True), "o-", color=HIGHLIGHT)
        axis.set_xscale("symlog")
        axis.set_ylim(0, 1.15 * max(y for _, y in curve.points))
        _label(axis, curve.title, curve.x_label, curve.y_label)
    for axis in axes.flat[len(curves) :]:
        axis.set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    return True
