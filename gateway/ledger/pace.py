"""Keeps and reads how fast answers came, per UTC day and model: of the whole gateway and of each project.

Written beside the rows, not in their step: after a replay a request may be counted twice. Percentiles do not mind, and
nothing else is made of it.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from gateway.core.pace import Pace, steps_of_row
from gateway.core.receipt import Receipt
from gateway.ledger.audit.reading import read_hash
from gateway.store.contract import Argument, Store
from gateway.store.layout import Layout

DAY_SECONDS: Final = 86_400


def pace_commands(layout: Layout, receipts: Sequence[Receipt]) -> list[list[Argument]]:
    """Commands that count these rows; what a batch has in common is one command."""
    counts: Counter[tuple[str, str]] = Counter()
    for row in receipts:
        day = row.created_ms // 1000 // DAY_SECONDS * DAY_SECONDS
        for step in steps_of_row(row):
            field = f"{row.model}|{step}"
            counts[layout.shared("pace", day), field] += 1
            counts[layout.shared("pace", day, row.project_id), field] += 1
    return [["HINCRBY", key, field, count] for (key, field), count in counts.items()]


async def read_pace(store: Store, layout: Layout, days: range, project_id: str = "") -> dict[str, Pace]:
    """By model, of the days that begin at these unix seconds."""
    found: dict[str, Pace] = {}
    scope = (project_id,) if project_id else ()
    for day in days:
        for name, value in (await read_hash(store, layout.shared("pace", day, *scope))).items():
            model, _, step = name.rpartition("|")
            pace = found.setdefault(model, Pace())
            steps = pace.first_ms if step[0] == "f" else pace.rate
            number = int(step[1:])
            steps[number] = steps.get(number, 0) + int(value)
    return found
