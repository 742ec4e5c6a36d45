"""The fault matrix as a command: every fault, on one gateway and on three, and what the ledger said afterwards.

`make faults` plays all of it and rewrites the table in docs/faults.md; with `FAULTS=--quick` it plays a short form and
writes nothing. What is wrong is told, and the command fails.
"""

import argparse
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from faults.judge import Verdict, judge
from faults.matrix import FAULTS
from faults.rig import rig

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
MARKS = "<!-- matrix -->", "<!-- end of matrix -->"
GATEWAYS = 1, 3


@dataclass(slots=True, frozen=True)
class Cell:
    """One fault on so many gateways."""

    fault: str
    gateways: int
    times: str
    seconds: float
    verdicts: Mapping[str, Verdict]


def play(fault: str, gateways: int, *, is_quick: bool) -> Cell:
    """One cell on a rig of its own."""
    act, full, short = FAULTS[fault]
    times = short if is_quick else full
    began = time.monotonic()
    with rig(gateways, moves_clock="clock" in fault) as broken:
        with broken.load:
            broken.load.more_answers(10)
            act(broken, times)
        verdicts = judge(broken, broken.load.asked, may_estimate="cut at a random byte" in fault)
    by = f", {broken.disks[0].KIND}" if fault == "disk full" else ""
    return Cell(fault, gateways, f"{times}{by}", time.monotonic() - began, verdicts)


HEAD = (
    "| fault | gateways | times | mode | requests | answered | of these: one row, the simulator's tokens | "
    "one row, estimated | in flight | their rows | never reached the upstream | lost or doubled |",
    "|---|---|---|---|---|---|---|---|---|---|---|---|",
)


def lines_of(cell: Cell) -> list[str]:
    """A cell as lines of the table, one per mode."""
    lines = []
    for mode, verdict in cell.verdicts.items():
        sources = ", ".join(f"{count} {source}" for source, count in sorted(verdict.sources.items())) or "–"
        figures = (
            cell.fault, cell.gateways, cell.times, mode, verdict.requests, verdict.answered, verdict.as_reported,
            verdict.as_estimated, verdict.in_flight, sources, verdict.nothing_asked, len(verdict.wrong),
        )  # fmt: skip
        lines.append("| " + " | ".join(map(str, figures)) + " |")
    return lines


def write(cell: Cell) -> None:
    """Put a cell's lines into the page, in place of its earlier ones."""
    page = PAGE.read_text(encoding="utf-8")
    head, _, rest = page.partition(MARKS[0])
    old, _, tail = rest.partition(MARKS[1])
    known: dict[tuple[str, str], list[str]] = {
        _place(line): [] for line in old.splitlines() if line.startswith("| ") and _place(line)[0] in FAULTS
    }
    for line in old.splitlines():
        if line.startswith("| ") and _place(line) in known:
            known[_place(line)].append(line)
    known[cell.fault, str(cell.gateways)] = lines_of(cell)
    ordered = sorted(known, key=lambda place: (list(FAULTS).index(place[0]), place[1]))
    lines = [*HEAD, *(line for place in ordered for line in known[place])]
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    text = "\n".join([MARKS[0], *lines, "", f"Last played on {day}.", MARKS[1]])
    PAGE.write_text(head + text + tail, encoding="utf-8")


def _place(line: str) -> tuple[str, str]:
    """Fault and gateways of a line."""
    cells = [cell.strip() for cell in line.split("|")]
    return cells[1], cells[2]


def main() -> int:
    """Play what was asked for."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="a few times each; writes nothing")
    options.add_argument("--only", metavar="WORDS", help="the faults whose names contain these words")
    given = options.parse_args()
    failed = 0
    for fault in FAULTS:
        for gateways in GATEWAYS if given.only is None or given.only in fault else ():
            cell = play(fault, gateways, is_quick=given.quick)
            wrong = [line for verdict in cell.verdicts.values() for line in verdict.wrong]
            failed += bool(wrong)
            print("\n".join([*wrong[:20], *lines_of(cell), f"{cell.seconds:.0f} s"]), flush=True)
            if not wrong and not given.quick:
                write(cell)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
