"""The numbers of docs/routing.md: what each policy does with given requests, made by the plan itself."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from gateway.config.load import load
from gateway.core.call import Call, Message
from gateway.core.catalog import Catalog, Model
from gateway.core.eligibility import CHARS_PER_TOKEN, Facts, Learned, Speed
from gateway.core.policies import POLICIES
from gateway.core.pricing import cost_nano
from gateway.core.routing import Plan, plan
from gateway.core.templates import TEMPLATES

_NOW: Final = datetime(2026, 11, 20, tzinfo=UTC).timestamp()
_FP8: Final = "@cf/meta/llama-3.1-8b-instruct-fp8"
_FAST: Final = "@cf/meta/llama-3.1-8b-instruct-fast"
_HF: Final = "@hf/meta-llama/meta-llama-3-8b-instruct"
_NAMES: Final = {_FP8: "fp8", _FAST: "fast", _HF: "@hf"}
_SPEEDS: Final = {_FP8: (0.30, 85.0), _FAST: (0.20, 160.0), _HF: (0.35, 60.0)}  # made up: seconds, tokens a second
_WEIGHTS: Final = {"weighted": {_FP8: 3.0, _FAST: 1.0, _HF: 0.0}}
_DRAW: Final = 0.5


@dataclass(slots=True, frozen=True)
class Shape:
    """A kind of request. Tokens; `answer` is what really came back."""

    name: str
    prompt: int
    max_tokens: int | None
    answer: int


EXAMPLES: Final = (
    Shape("a question: 100 tokens, no `max_tokens`", 100, None, 0),
    Shape("a report: 9,000 tokens, `max_tokens: 500`", 9_000, 500, 0),
)
SHAPES: Final = (
    Shape("a turn of a chat", 350, None, 180),
    Shape("a label for a text", 900, 5, 2),
    Shape("fields out of a page", 3_000, 500, 220),
    Shape("a summary of a report", 12_000, 800, 600),
    Shape("a draft of an article", 200, 3_000, 2_400),
    Shape("comments on code", 5_000, None, 900),
    Shape("a question about a book", 60_000, 300, 150),
    Shape("a step of an agent", 2_500, 400, 60),
    Shape("a story in the style of a given one", 400, None, 1_500),
    Shape("a yes or a no", 150, None, 3),
)


def policy_examples() -> str:
    """Each policy's order and its first reason, for each example."""
    rows = []
    for shape in EXAMPLES:
        rows += [
            f"**{shape.name[0].upper()}{shape.name[1:]}**",
            "",
            "| policy | order | why the first |",
            "|---|---|---|",
        ]
        for policy in POLICIES:
            made = _plan(shape, policy)
            order = ", ".join(_NAMES[candidate.model.id] for candidate in made.candidates)
            rows.append(f"| `{policy}` | {order} | {made.candidates[0].reason} |")
        left_out = [f"{_NAMES[each.model.id]} {each.reason}" for each in _plan(shape, "cheapest").excluded]
        rows += ["", f"Left out: {'; '.join(left_out) or 'nobody'}.", ""]
    return "\n".join(rows).rstrip()


def policy_costs() -> str:
    """What a thousand requests of each shape cost under each policy, and by how much the best choice was cheaper."""
    best = sum(
        min(_cost(candidate.model, shape) for candidate in _plan(shape, "ordered").candidates) for shape in SHAPES
    )
    rows = ["| policy | 1,000 of each shape | above the best choice |", "|---|---|---|"]
    named = [(f"`{policy}`", policy, False) for policy in POLICIES]
    named.insert(1, ("`cheapest`, answer lengths learned", "cheapest", True))
    for name, policy, is_learned in named:
        total = sum(_cost(_plan(shape, policy, is_learned=is_learned).candidates[0].model, shape) for shape in SHAPES)
        rows.append(f"| {name} | ${total / 1e6:.3f} | {100 * (total - best) / best:.1f} % |")
    return "\n".join([*rows, f"| the best choice in hindsight | ${best / 1e6:.3f} | |"])


def shape_table() -> str:
    """The shapes behind `policy_costs`."""
    rows = ["| request | prompt | `max_tokens` | answer |", "|---|---|---|---|"]
    return "\n".join(
        rows + [f"| {each.name} | {each.prompt:,} | {_amount(each.max_tokens)} | {each.answer:,} |" for each in SHAPES]
    )


def _plan(shape: Shape, policy: str, *, is_learned: bool = False) -> Plan:
    catalog = load("", {}, Path("/"), demo=False).catalog
    route = replace(catalog.routes["auto"], policy=policy, weights=_WEIGHTS.get(policy, {}))
    entries = Catalog(catalog.models, {"auto": route}, {})
    speeds = {model: Speed(first, rate, _NOW) for model, (first, rate) in _SPEEDS.items()}
    facts = Facts(
        _NOW,
        dict.fromkeys(TEMPLATES, shape.prompt),
        shape.prompt * CHARS_PER_TOKEN,
        0,
        Learned(speeds=speeds),
        {"auto": shape.answer} if is_learned else {},
        draw=_DRAW,
    )
    return plan(Call("chat", "auto", (Message("user", ""),), max_tokens=shape.max_tokens), entries, facts)


def _amount(tokens: int | None) -> str:
    return "–" if tokens is None else f"{tokens:,}"


def _cost(model: Model, shape: Shape) -> int:
    return cost_nano(model.price_at(_NOW), shape.prompt, shape.answer)
