"""The truth of every call."""

import json
from pathlib import Path

from gateway.simulator.record import CallRecord, Record


def call(seq: int, model: str = "m") -> CallRecord:
    return CallRecord(seq, f"id{seq}", "ray", model, "api", 1.0)


def test_record_keeps_the_newest_calls_only() -> None:
    record = Record(2, None, (3, 4))
    for seq in (1, 2, 3):
        entry = call(seq)
        record.begin(entry)
        record.close(entry, 2.0, "2027-01-15")
    assert [entry.seq for entry in record.calls] == [2, 3]
    assert record.total == 3
    assert [entry.seq for entry in record.summary(2).calls] == [3]
    assert (record.summary().prompt_offset, record.summary().completion_offset) == (3, 4)


def test_record_remembers_the_most_calls_at_once() -> None:
    record = Record(10, None, (0, 0))
    first, second = call(1), call(2, "n")
    record.begin(first)
    record.label(first, "k")
    record.begin(second)
    record.label(second, "k")
    record.close(first, 2.0, "d")
    record.close(first, 3.0, "d")
    assert record.peak_running == 2
    assert record.peaks == {"model:m": 1, "model:n": 1, "tag:k": 2}
    assert first.ended == 2.0
    record.clear()
    assert (record.peak_running, record.peaks, record.total) == (1, {"model:n": 1, "tag:k": 1}, 1)


def test_record_meters_by_day_and_model() -> None:
    record = Record(10, None, (0, 0))
    for seq, day in ((1, "a"), (2, "a"), (3, "b")):
        entry = call(seq)
        record.begin(entry)
        entry.prompt_tokens, entry.completion_tokens, entry.neurons = 5, 2, 1.5
        record.close(entry, 2.0, day)
    assert record.neurons_of("a") == 3.0
    assert record.days["b", "m"].prompt_tokens == 5


def test_record_writes_json_lines(tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    record = Record(10, path, (0, 0))
    for seq in (1, 2):
        entry = call(seq)
        record.begin(entry)
        record.close(entry, 2.0, "d")
    record.flush()
    record.flush()
    assert [json.loads(line)["seq"] for line in path.read_text().splitlines()] == [1, 2]
