"""Writes what was measured: one Markdown table for people, one JSON file for machines."""

import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.subject import store_binary
from benchmarks.upstream import nginx_version

_PACKAGES = ("workers-ai-gateway", "uvicorn", "uvloop", "httptools", "starlette", "redis", "hiredis", "msgspec")
_OPTIONAL = ("pyreqwest", "httpx2", "tiktoken")


@dataclass(slots=True)
class Report:
    """Rows of (figure, value, unit, note) under the names of what was measured."""

    pinning: str
    rows: list[tuple[str, str, float, str]] = field(default_factory=list)  # (target, figure, value, unit)
    notes: list[str] = field(default_factory=list)
    started: float = field(default_factory=time.time)

    def add(self, target: str, figure: str, value: float, unit: str) -> None:
        """One figure; shown at once, so that a long run is not silent."""
        self.rows.append((target, figure, value, unit))
        print(f"{target:12} {figure:52} {value:12,.2f} {unit}", flush=True)

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Both files, named by the moment the run began."""
        folder.mkdir(parents=True, exist_ok=True)
        name = time.strftime("%Y-%m-%dT%H%M%SZ", time.gmtime(self.started))
        table, data = folder / f"{name}.md", folder / f"{name}.json"
        table.write_text(self._markdown(), encoding="utf-8")
        data.write_text(json.dumps(self._data(), indent=1) + "\n", encoding="utf-8")
        return table, data

    def _markdown(self) -> str:
        targets = list(dict.fromkeys(target for target, *_ in self.rows))
        figures = list(dict.fromkeys((figure, unit) for _, figure, _, unit in self.rows))
        found = {(target, figure): value for target, figure, value, _ in self.rows}
        lines = ["| figure | " + " | ".join(targets) + " |", "|---|" + "---:|" * len(targets)]
        for figure, unit in figures:
            values = [found.get((target, figure)) for target in targets]
            cells = ["" if value is None else f"{value:,.{_digits(value)}f} {unit}" for value in values]
            lines.append(f"| {figure} | " + " | ".join(cells) + " |")
        machine = describe_machine()
        lines += ["", *(f"- {key}: {value}" for key, value in machine.items()), f"- pinning: {self.pinning}"]
        return "\n".join([*lines, *(f"- {note}" for note in self.notes), ""])

    def _data(self) -> dict[str, object]:
        rows = [
            {"target": target, "figure": figure, "value": value, "unit": unit}
            for target, figure, value, unit in self.rows
        ]
        machine = describe_machine()
        return {"started": self.started, "machine": machine, "pinning": self.pinning, "notes": self.notes, "rows": rows}


def _digits(value: float) -> int:
    return 2 if value < 10 else 1 if value < 100 else 0


def describe_machine() -> dict[str, str]:
    """Processor, cores, kernel and the version of everything that takes part."""
    cpu = next((line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if "model name" in line), "unknown")
    packages = ", ".join(f"{name} {found}" for name in (*_PACKAGES, *_OPTIONAL) if (found := _maybe_version(name)))
    return {
        "processor": f"{cpu}, {len(os.sched_getaffinity(0))} cores",
        "system": f"{platform.system()} {platform.release()}",
        "python": sys.version.split()[0],
        "packages": packages,
        "store": _first_line([store_binary(), "--version"]),
        "upstream": nginx_version(),
        "load": _first_line(["wrk", "-v"]),
    }


def _maybe_version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def _first_line(command: list[str]) -> str:
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return (found.stdout or found.stderr).splitlines()[0].strip()
