"""Results as people read them: a table in Markdown, JSON, and a plot."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from bench.workloads import WORKLOADS

#: server -> workload -> what was measured (medians).
Results = Mapping[str, Mapping[str, Mapping[str, Any]]]


def machine() -> dict[str, str]:
    """The machine that measured."""
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


def _cell(measured: Mapping[str, Any] | None, ours: Mapping[str, Any] | None, key: str) -> str:
    if measured is None:
        return "–"
    if measured["faults"]:
        return f"{measured['faults']} lost"
    value = measured[key]
    text = f"{value:.2f}" if value >= 1 else f"{value:.3f}"
    if ours is None or measured is ours or not ours[key]:
        return text
    return f"{text} (× {value / ours[key]:.2g})"


def table(results: Results) -> str:
    """What was measured of each server, with the ratio to ours."""
    workloads = [w for w in WORKLOADS if any(w.name in measured for measured in results.values())]
    columns = [(f"{w.name}, CPU µs", w.name, "cpu_us", True) for w in workloads if not w.rate]
    for workload in workloads:
        if workload.rate:
            columns.append((f"{workload.name} p99, µs", workload.name, "p99_us", True))
            columns.append(("KiB a connection", workload.name, "kib_conn", False))
    rows = [["server", *(title for title, *_ in columns)], ["---"] * (len(columns) + 1)]
    ours = results.get("GTChat", {})
    for server, measured in results.items():
        cells = [
            _cell(measured.get(work), ours.get(work) if beside else None, key)
            for _, work, key, beside in columns
        ]
        rows.append([server, *cells])
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    about = [f"* {workload.name}: {workload.about}" for workload in workloads]
    note = "In brackets: the ratio to GTChat as users get it, with everything on disk."
    return "\n".join([*lines, "", note, "", *about, ""])


def write(folder: Path, name: str, document: Mapping[str, Any], text: str = "") -> None:
    """Write results into a folder: `name`.json, and `name`.md where there is a text."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
    if text:
        (folder / f"{name}.md").write_text(text)


def _axes(rows: int, columns: int) -> Any:
    """matplotlib's figure and axes; None without matplotlib."""
    try:
        import matplotlib
    except ImportError:
        return None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot.subplots(rows, columns, figsize=(4.2 * columns, 3.4 * rows), squeeze=False)


def bars(path: Path, results: Results) -> bool:
    """Draw CPU µs a delivery; whether that was possible."""
    names = [workload.name for workload in WORKLOADS if not workload.rate]
    made = _axes(1, len(names))
    if made is None:
        return False
    figure, axes = made
    for axis, name in zip(axes[0], names, strict=True):
        found = {s: m[name]["cpu_us"] for s, m in results.items() if name in m}
        found = dict(sorted(found.items(), key=lambda pair: -pair[1]))
        colours = ["#4338ca" if server.startswith("GTChat") else "#b8bccb" for server in found]
        axis.barh(list(found), list(found.values()), color=colours)
        for index, value in enumerate(found.values()):
            axis.text(value, index, f" {value:.2f}", va="center", fontsize=8)
        axis.set_title(name, fontsize=10)
        axis.set_xlabel("server CPU µs a delivery", fontsize=8)
        axis.tick_params(labelsize=8)
        axis.margins(x=0.2)
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    return True


def curves(
    path: Path, series: Sequence[tuple[str, str, str, Sequence[tuple[float, float]]]]
) -> bool:
    """Draw how cost grows; whether that was possible.

    Args:
        series: title, label of x, label of y, and points.
    """
    columns = min(3, len(series))
    made = _axes(-(-len(series) // columns), columns)
    if made is None:
        return False
    figure, axes = made
    for axis, (title, across, up, points) in zip(axes.flat, series, strict=False):
        axis.plot([x for x, _ in points], [y for _, y in points], "o-", color="#4338ca")
        axis.set_xscale("symlog")
        axis.set_ylim(0, 1.15 * max(y for _, y in points))
        axis.set_title(title, fontsize=10)
        axis.set_xlabel(across, fontsize=8)
        axis.set_ylabel(up, fontsize=8)
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
    for axis in axes.flat[len(series) :]:
        axis.set_visible(False)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    return True
