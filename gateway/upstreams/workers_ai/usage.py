"""What a call used, from the `usage` objects of its answer.

Engine generations report in four ways: not at all; once at the end; a running total on every event; an increment on
every event and the total at the end. So: a total in a native event (one without `choices`) beats any other, a larger
total beats a smaller one, and zeros say nothing. Increments are recognised by their empty prompt and are never summed;
they only tell that an earlier total is out of date, and then nothing is reported and the caller counts.
"""

from gateway.core.answer import Usage
from gateway.upstreams.workers_ai.shapes import UsagePiece


def read_usage(piece: UsagePiece | None) -> Usage | None:
    """The usage of a complete answer; None where there is none, or only zeros."""
    if piece is None:
        return None
    prompt, completion = max(piece.prompt_tokens or 0, 0), max(piece.completion_tokens or 0, 0)
    if not prompt and not completion:
        return None
    details = piece.prompt_tokens_details
    cached = (details.cached_tokens or 0) if details else 0
    neurons = piece.neurons if piece.neurons is not None and 0 <= piece.neurons < float("inf") else None
    return Usage(prompt, completion, min(max(cached, 0), prompt), neurons)


class UsageOfStream:
    """Chooses among the usages of one stream."""

    __slots__ = ("_best", "_is_native", "_is_stale", "_total")

    def __init__(self) -> None:
        self._best: UsagePiece | None = None
        self._is_native = False
        self._is_stale = False
        self._total = 0

    def saw(self, piece: UsagePiece, is_native: bool) -> None:
        """Weigh one more `usage`; `is_native` where its event had no `choices`."""
        completion = piece.completion_tokens or 0
        if not piece.prompt_tokens:
            self._is_stale = self._is_stale or completion > 0
            return
        total = piece.prompt_tokens + completion
        if (is_native, total) >= (self._is_native, self._total):
            self._best, self._is_native, self._total, self._is_stale = piece, is_native, total, False

    def total(self) -> Usage | None:
        """The total to bill, None where the stream gave none."""
        return None if self._is_stale else read_usage(self._best)
