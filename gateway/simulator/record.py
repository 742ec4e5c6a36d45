"""The truth of every call: what was asked, what was reported, how it ended. Kept in memory, bounded, and as JSONL.

A call's record is complete before its last byte leaves, so whoever saw the end of an answer finds it here. Counts
never depend on what a client claims.
"""

from collections import Counter, deque
from pathlib import Path
from typing import IO, Literal

import msgspec

End = Literal["running", "answered", "refused", "client_gone", "cut", "reset", "stopped", "error_event", "cached"]
_PEAK_LABELS = 1000


class CallRecord(msgspec.Struct):
    """One call. Tokens are what the answer reported, or, where `usage_reported` is false, what was truly produced.

    `counted_*` are the true counts without the run's secret offset. Times are unix seconds of the simulator's clock.
    """

    seq: int
    id: str
    ray: str
    model: str
    host: str
    started: float
    stream: bool = False
    variant: str = ""
    tag: str = ""
    affinity: str = ""
    traceparent: str = ""
    tracestate: str = ""
    max_tokens: int | None = None
    status: int | None = None
    code: int | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    neurons: float = 0.0
    usage_reported: bool = False
    counted_prompt_tokens: int = 0
    counted_completion_tokens: int = 0
    finish: str | None = None
    end: End = "running"
    client_gone: bool = False
    events_sent: int = 0
    bytes_sent: int = 0
    ended: float | None = None
    body: str | None = None


class DayUse(msgspec.Struct):
    """What one model used on one UTC day."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    neurons: float = 0.0


class Summary(msgspec.Struct):
    """The record as a reader in another process gets it."""

    prompt_offset: int
    completion_offset: int
    running: int
    peak_running: int
    peaks: dict[str, int]
    total: int
    calls: list[CallRecord]


class Record:
    """All calls of a run. `peaks` are the most calls that ever ran at once, per model and per tag."""

    def __init__(self, limit: int, path: Path | None, offsets: tuple[int, int]) -> None:
        self.prompt_offset, self.completion_offset = offsets
        self.calls: deque[CallRecord] = deque(maxlen=limit)
        self.running: dict[int, CallRecord] = {}
        self.peak_running = 0
        self.peaks: dict[str, int] = {}
        self.total = 0
        self.days: dict[tuple[str, str], DayUse] = {}
        self._now: Counter[str] = Counter()
        self._file: IO[bytes] | None = path.open("ab", buffering=0) if path else None

    def begin(self, call: CallRecord) -> None:
        """A call has arrived."""
        self.total += 1
        self.running[call.seq] = call
        self.peak_running = max(self.peak_running, len(self.running))
        self._count(f"model:{call.model}")

    def label(self, call: CallRecord, tag: str) -> None:
        """Give a running call a tag, so that its concurrency is counted apart."""
        call.tag = tag
        if tag:
            self._count(f"tag:{tag}")

    def _count(self, label: str) -> None:
        self._now[label] += 1
        if label in self.peaks or len(self.peaks) < _PEAK_LABELS:
            self.peaks[label] = max(self.peaks.get(label, 0), self._now[label])

    def close(self, call: CallRecord, now: float, day: str) -> None:
        """A call has ended. Closing again changes nothing."""
        if self.running.pop(call.seq, None) is None:
            return
        call.ended = now
        for label in (f"model:{call.model}", f"tag:{call.tag}"):
            self._now[label] -= 1
            if self._now[label] <= 0:
                del self._now[label]
        self.calls.append(call)
        if call.prompt_tokens or call.completion_tokens:
            self._meter(call, day)
        if self._file is not None:
            self._file.write(msgspec.json.encode(call) + b"\n")

    def _meter(self, call: CallRecord, day: str) -> None:
        use = self.days.setdefault((day, call.model), DayUse())
        use.requests += 1
        use.prompt_tokens += call.prompt_tokens
        use.completion_tokens += call.completion_tokens
        use.neurons += call.neurons

    def neurons_of(self, day: str) -> float:
        """Neurons of all models on a UTC day."""
        return sum(use.neurons for (when, _model), use in self.days.items() if when == day)

    def clear(self) -> None:
        """Forget ended calls, peaks and meters. Running calls and offsets stay."""
        self.calls.clear()
        self.days.clear()
        self.peak_running = len(self.running)
        self.peaks = {label: count for label, count in self._now.items() if count > 0}
        self.total = len(self.running)

    def summary(self, since: int = 0) -> Summary:
        """Everything known, with the ended calls after sequence number `since` in the order they ended."""
        return Summary(
            prompt_offset=self.prompt_offset,
            completion_offset=self.completion_offset,
            running=len(self.running),
            peak_running=self.peak_running,
            peaks=dict(self.peaks),
            total=self.total,
            calls=[call for call in self.calls if call.seq > since],
        )

    def flush(self) -> None:
        """Close the file, if there is one."""
        if self._file is not None:
            self._file.close()
            self._file = None
