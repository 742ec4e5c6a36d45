"""Everything one run of the simulator knows and changes: its record, limits, rules, gates, clock and chance.

One instance per app, used from one event loop, handed to every endpoint. It answers questions; endpoints act.
"""

import asyncio
from random import Random

from gateway.simulator.limits import Allowance, Slots, utc_day
from gateway.simulator.models import SimulatedModel
from gateway.simulator.options import SimulatorOptions
from gateway.simulator.plan import Answer
from gateway.simulator.record import CallRecord, Record
from gateway.simulator.scenario import Rules, Scenario, parse_scenario
from gateway.simulator.scene import Usage
from gateway.simulator.switches import Switches

PROMPT_OFFSETS = (1, 500)
COMPLETION_OFFSETS = (1, 50)
CACHE_SECONDS = 300.0
_CACHE_ENTRIES = 256


class State:
    """The state of one simulator."""

    def __init__(self, options: SimulatorOptions) -> None:
        self.options = options
        self.random = Random(options.seed)
        offsets = (0, 0)
        if options.secret_offset:
            offsets = (self.random.randint(*PROMPT_OFFSETS), self.random.randint(*COMPLETION_OFFSETS))
        self.record = Record(options.record_limit, options.record_path, offsets)
        self.allowance = Allowance(options.limits)
        self.slots = Slots(options.limits)
        self.gates = Gates()
        self.cache: dict[tuple[str, bytes], tuple[float, bytes]] = {}
        self.clock_shift = 0.0
        self._seq = 0
        self.models: dict[str, SimulatedModel] = {}
        self.retired: frozenset[str] = frozenset()
        self.apply(parse_scenario(options.scenario.read_bytes()) if options.scenario else Scenario())

    def now(self) -> float:
        """Unix seconds of the simulator's own clock."""
        return self.options.clock() + self.clock_shift

    def today(self) -> str:
        """The current UTC day."""
        return utc_day(self.now())

    def apply(self, scenario: Scenario) -> None:
        """Make a scenario the one in force; counters of rules start anew."""
        self.rules = Rules(scenario.rules, self.random)
        self.models = {model.id: model for model in (*self.options.models, *scenario.models)}
        self.retired = self.options.retired | frozenset(scenario.retired)

    def open_call(self, model: str, host: str, body: bytes) -> CallRecord:
        """Begin the record of a call."""
        self._seq += 1
        kept = body.decode("utf-8", "replace") if len(body) <= self.options.record_body_bytes else None
        call = CallRecord(
            seq=self._seq,
            id=self.uuid(),
            ray=f"{self.random.getrandbits(64):016x}-SIM",
            model=model,
            host=host,
            started=self.now(),
            body=kept,
        )
        self.record.begin(call)
        return call

    def close_call(self, call: CallRecord) -> None:
        """End the record of a call, once."""
        self.record.close(call, self.now(), self.today())

    def uuid(self) -> str:
        """A random UUID from the run's own generator."""
        digits = f"{self.random.getrandbits(128):032x}"
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"

    def tool_call_ids(self, count: int) -> list[str]:
        """Ids as the upstream's engine writes them."""
        return [f"chatcmpl-tool-{self.random.getrandbits(128):032x}" for _ in range(count)]

    def usage(self, answer: Answer, model: SimulatedModel, switches: Switches) -> Usage:
        """What the answer will report. A stop stays below max_tokens, as it must upstream."""
        prompt = answer.prompt_tokens + self.record.prompt_offset
        completion = answer.completion_tokens
        if answer.finish != "length":
            completion = max(completion, min(completion + self.record.completion_offset, answer.max_tokens - 1))
        prompt = prompt if switches.prompt_tokens is None else switches.prompt_tokens
        completion = completion if switches.completion_tokens is None else switches.completion_tokens
        neurons = model.neurons(prompt, completion) if switches.neurons is None else switches.neurons
        return Usage(prompt, completion, switches.cached_tokens, neurons)

    def cached(self, key: tuple[str, bytes]) -> bytes | None:
        """A gateway-host answer of the last five minutes to the same body."""
        expires, document = self.cache.get(key, (0.0, b""))
        return document if expires > self.now() else None

    def remember(self, key: tuple[str, bytes], document: bytes) -> None:
        """Keep a gateway-host answer for five minutes."""
        if len(self.cache) >= _CACHE_ENTRIES:
            self.cache.pop(next(iter(self.cache)))
        self.cache[key] = (self.now() + CACHE_SECONDS, document)


class Gates:
    """Named places where calls wait until somebody opens them; the way to test without sleeping."""

    def __init__(self) -> None:
        self._gates: dict[str, asyncio.Event] = {}
        self.waiting: dict[str, int] = {}

    async def pass_through(self, name: str) -> None:
        """Wait until the gate is open."""
        event = self._gates.setdefault(name, asyncio.Event())
        self.waiting[name] = self.waiting.get(name, 0) + 1
        try:
            await event.wait()
        finally:
            self.waiting[name] -= 1
            if not self.waiting[name]:
                del self.waiting[name]
                if not event.is_set():
                    self._gates.pop(name, None)

    def open(self, name: str) -> None:
        """Let everybody through, also those who come later."""
        self._gates.setdefault(name, asyncio.Event()).set()

    def close(self, name: str) -> None:
        """Make later calls wait again."""
        self._gates.pop(name, None)
