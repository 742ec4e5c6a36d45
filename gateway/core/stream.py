"""One upstream stream, from the bytes of its network reads to the events of one choice.

Decides what of the stream a client may see and when it is over: joins the SSE parser, the upstream's decoder and the
stop strings. Pure: whoever owns the connection feeds bytes and cancels when `stopped`. The text, calls, end and usage
are the same for any slicing of the same bytes; only how many Deltas carry the text depends on it, because the Deltas
of one read are merged into one.
"""

from gateway.core.answer import Completion, Delta, Event, Failure, Finish, ToolDelta, Usage
from gateway.core.contracts import Decoder
from gateway.core.sse import EventTooLarge, SseParser
from gateway.core.stop import StopCutter, cut_at_stop

__all__ = ["ChoiceReader", "cut_at_stop", "replay"]

_TOO_LARGE = Failure("malformed", "Workers AI streamed an event of excessive size.")


class ChoiceReader:
    """Bytes of one upstream stream in; Delta, ToolDelta, and at last one Finish or Failure out.

    `ended`: that last event was produced, further bytes mean nothing. `stopped`: a stop string was met; the upstream
    should be cancelled and its tokens counted. `usage`: what the upstream reported so far, always None when stopped.
    """

    __slots__ = ("_cutter", "_decoder", "_parser", "_texts", "ended", "stopped", "usage")

    def __init__(self, decoder: Decoder, stop: tuple[str, ...] = ()) -> None:
        self.ended = False
        self.stopped = False
        self.usage: Usage | None = None
        self._decoder = decoder
        self._parser = SseParser()
        self._cutter = StopCutter(stop) if stop else None
        self._texts: list[str] = []

    @property
    def text(self) -> str:
        """All that was generated and told so far, names and arguments of tool calls included: what is counted."""
        return "".join(self._texts)

    @property
    def is_hollow(self) -> bool:
        """Whether the stream ended well and empty although tokens are billed (more than the end-of-turn token).

        Some engines lose the text of a stream with tools; the same call without streaming has it.
        """
        billed = self.usage.completion_tokens if self.usage else 0
        return self.ended and billed > 1 and not self._texts and not self.stopped

    def feed(self, chunk: bytes) -> list[Event]:
        """The events of one network read."""
        if self.ended:
            return []
        try:
            payloads = self._parser.feed(chunk)
        except EventTooLarge:
            return self._read((_TOO_LARGE,))
        if len(payloads) == 1:
            events = self._decoder.event(payloads[0])
            if self._cutter is None and len(events) == 1 and type(events[0]) is Delta:
                self._texts.append(events[0].text)
                return [events[0]]
            return self._read(events)
        return self._read(self._decode(payloads))

    def close(self) -> list[Event]:
        """The upstream's bytes have ended: what is still owed, `Failure("cut")` where the end mark never came."""
        if self.ended:
            return []
        return self._read((*self._decode(self._parser.close()), *self._decoder.close()))

    def _decode(self, payloads: list[bytes]) -> tuple[Event, ...]:
        return tuple(event for data in payloads for event in self._decoder.event(data))

    def _read(self, events: tuple[Event, ...]) -> list[Event]:
        found: list[Event] = []
        text: list[str] = []  # of adjacent Deltas
        for event in events:
            if self.ended:
                break
            if isinstance(event, Delta):
                if not self._meets_stop(event.text, text):
                    continue
                event = Finish("stop")
            if isinstance(event, Usage):
                self.usage = event
                continue
            if self._cutter is not None:
                text.append(self._cutter.close())
            self._tell(text, found)
            found.append(event)
            if isinstance(event, ToolDelta):
                self._texts.append((event.name or "") + event.arguments)
            else:
                self.ended = True
        self._tell(text, found)
        return found

    def _meets_stop(self, piece: str, text: list[str]) -> bool:
        if self._cutter is None:
            text.append(piece)
            return False
        shown, self.stopped = self._cutter.feed(piece)
        text.append(shown)
        if self.stopped:
            self.usage = None  # whether it came before the stop would be a matter of slicing
        return self.stopped

    def _tell(self, text: list[str], found: list[Event]) -> None:
        joined = "".join(text)
        text.clear()
        if joined:
            self._texts.append(joined)
            found.append(Delta(joined))


def replay(completion: Completion, stop: tuple[str, ...] = ()) -> list[Event]:
    """A complete answer as the events its stream would have had; for streams whose upstream call was not streamed."""
    text, is_stopped = cut_at_stop(completion.text, stop)
    found: list[Event] = [Delta(text)] if text else []
    for index, made in enumerate(completion.tool_calls):
        found.append(ToolDelta(index, made.id, made.name, made.arguments))
    is_stopped = is_stopped and not completion.tool_calls
    return [*found, Finish("stop" if is_stopped else completion.finish_reason)]
