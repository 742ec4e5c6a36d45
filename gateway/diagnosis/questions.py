"""What nobody has written down about Workers AI, as calls whose answers would tell. Pure.

Each question is one `ai/run` body. Together they produce a few hundred tokens per model: less than a cent for all five.
What is meant to be refused costs nothing.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from gateway.core.call import Role

Body = dict[str, Any]  # JSON of the upstream's schema

# One of each: letters, digits, two other scripts, blanks that a naive estimate miscounts.
_COUNTED: Final = "Antidisestablishmentarianism, 31415926535; Übergröße; 東京は夜の七時.   Spaces,\n\n\nlines."
_LONG: Final = "The quick brown fox jumps over the lazy dog. " * 8
_SCHEMA: Final = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
# Nothing fits: whether the service notices, and what it then says.
_IMPOSSIBLE: Final = {"type": "object", "properties": {"name": {"type": "string", "enum": []}}, "required": ["name"]}
_TOOL: Final = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a place.",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
    },
}
_FAR_TOO_MANY: Final = 1_000_000
UNKNOWN_MODEL: Final = "@cf/meta/no-such-model"


@dataclass(slots=True, frozen=True)
class Question:
    """One call: its name, what its answer tells, its body. `model` replaces the model that is asked about."""

    name: str
    about: str
    body: Body = field(repr=False)
    model: str = ""

    @property
    def texts(self) -> tuple[tuple[Role, str], ...]:
        """Role and content of each message, for counting; none where the body is malformed on purpose."""
        messages = self.body["messages"]
        return tuple((each["role"], each["content"]) for each in messages) if isinstance(messages, list) else ()


def _asking(text: str, **fields: Any) -> Body:  # Any: fields of the upstream's schema
    return {"messages": [{"role": "user", "content": text}], "max_tokens": 16, **fields}


def _formatted(schema: Body, **fields: Any) -> Body:  # Any: as above
    wanted = {"type": "json_schema", "json_schema": schema}
    return _asking("A person named Ada, as JSON.", response_format=wanted, max_tokens=32, **fields)


QUESTIONS: Final = (
    Question("run", "bytes of a whole answer: native, hybrid or OpenAI's shape; usage; headers", _asking("Say pong.")),
    Question("stream", "bytes of a streamed answer, its end, its usage", _asking("Say pong.", stream=True)),
    Question("count.text", "how its count of one message differs from ours", _asking(_COUNTED, max_tokens=1)),
    Question("count.long", "whether the difference grows with the text", _asking(_LONG, max_tokens=1)),
    Question(
        "count.system",
        "what a system message adds",
        {
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say pong."}],
            "max_tokens": 1,
        },
    ),
    Question("tools.offered", "tokens that a tool adds to `run`'s prompt", _asking("Say pong.", tools=[_TOOL])),
    Question(
        "tools.called",
        "shape of a tool call",
        _asking("What is the weather in Oslo? Use get_weather.", tools=[_TOOL], max_tokens=64),
    ),
    Question(
        "tools.stream",
        "shape of a streamed tool call",
        _asking("What is the weather in Oslo? Use get_weather.", tools=[_TOOL], max_tokens=64, stream=True),
    ),
    Question("stop", "whether `stop` is obeyed", _asking("Count: one two three four.", stop=["three"], max_tokens=32)),
    Question("json", "structured output, or the status of 5025", _formatted(_SCHEMA)),
    Question("json.stream", "the status of 5023", _formatted(_SCHEMA, stream=True)),
    Question("json.impossible", "the status of 5024", _formatted(_IMPOSSIBLE)),
    Question(
        "window", "the window it enforces, and how it estimates a short prompt", _asking("x", max_tokens=_FAR_TOO_MANY)
    ),
    Question("window.long", "how it estimates a longer prompt", _asking(_LONG, max_tokens=_FAR_TOO_MANY)),
    Question("bad_input", "envelope of a refused body", {"messages": 1}),
    Question("unknown_model", "envelope of a model that is not there", _asking("x"), model=UNKNOWN_MODEL),
)

BURST: Final = Question("burst", "body of a per-minute 429, and rate limit headers", _asking("x", max_tokens=1))
