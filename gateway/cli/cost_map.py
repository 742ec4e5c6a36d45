"""A picture of the cheapest model over prompt × answer length, as SVG text. Pure; the plan decides every cell."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import exp, log
from xml.sax.saxutils import escape

from gateway.core.call import Call, Message
from gateway.core.catalog import Catalog, Route
from gateway.core.eligibility import CHARS_PER_TOKEN, Facts
from gateway.core.errors import GatewayError
from gateway.core.routing import plan
from gateway.core.templates import TEMPLATES

COLUMNS, ROWS = 72, 48
LONGEST_PROMPT, LONGEST_ANSWER = 131_072, 16_384  # tokens; both axes are logarithmic

_CELL = 10
_LEFT, _TOP, _BELOW, _LINE = 76, 46, 56, 22
_COLOURS = ("#2f6fdb", "#e08a1e", "#2e9e6b", "#b04fc0", "#c8453b", "#6b7a1f", "#1f9aa8")
_NOBODY = "#d5d8dc"
_PROMPT_MARKS = (1, 10, 100, 1_000, 10_000, 100_000)
_ANSWER_MARKS = (1, 10, 100, 1_000, 10_000)


@dataclass(slots=True, frozen=True)
class CostMap:
    """Winners by row (answer length, shortest first) and column (prompt length); None where no window is enough."""

    models: tuple[str, ...]
    winners: tuple[tuple[str | None, ...], ...]


def cost_map(catalog: Catalog, route: Route, now: float) -> CostMap:
    """Who is cheapest in every cell among the route's models. `now` (unix seconds) decides prices and deprecation."""
    cheapest = Catalog(catalog.models, {route.name: replace(route, policy="cheapest", weights={})}, {})
    prompts = [_length(column, COLUMNS, LONGEST_PROMPT) for column in range(COLUMNS)]
    answers = [_length(row, ROWS, LONGEST_ANSWER) for row in range(ROWS)]
    winners = tuple(tuple(_winner(cheapest, route.name, now, (p, a)) for p in prompts) for a in answers)
    return CostMap(route.models, winners)


def _winner(catalog: Catalog, route: str, now: float, shape: tuple[int, int]) -> str | None:
    prompt, answer = shape
    call = Call("chat", route, (Message("user", ""),), max_tokens=answer)
    counts = dict.fromkeys(TEMPLATES, prompt)
    facts = Facts(now, counts, prompt * CHARS_PER_TOKEN, 0, outputs={route: answer})
    try:
        return plan(call, catalog, facts).candidates[0].model.id
    except GatewayError:
        return None


def draw(found: CostMap, title: str) -> str:
    """The picture, complete and the same for the same map."""
    colours = {model: _COLOURS[number % len(_COLOURS)] for number, model in enumerate(found.models)}
    width, bottom = _LEFT + COLUMNS * _CELL + 24, _TOP + ROWS * _CELL
    height = bottom + _BELOW + _LINE * (len(found.models) + 1)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'shape-rendering="crispEdges" '
        'font-family="system-ui, sans-serif" font-size="13" fill="#1d2125">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="24" font-size="16" font-weight="600">{escape(title)}</text>',
    ]
    for row, winners in enumerate(found.winners):
        lines += _bars(winners, bottom - (row + 1) * _CELL, colours)
    lines += _axes(bottom)
    for number, name in enumerate((*found.models, None)):
        y = bottom + _BELOW + number * _LINE
        colour = _NOBODY if name is None else colours[name]
        lines.append(f'<rect x="{_LEFT}" y="{y - 11}" width="14" height="14" fill="{colour}"/>')
        lines.append(f'<text x="{_LEFT + 22}" y="{y}">{escape(name or "no window is large enough")}</text>')
    return "\n".join([*lines, "</svg>", ""])


def _bars(winners: Sequence[str | None], y: int, colours: dict[str, str]) -> list[str]:
    """One row of cells; neighbours of one colour are one rectangle."""
    bars, column = [], 0
    for name, cells in groupby(winners):
        count = len(list(cells))
        colour = _NOBODY if name is None else colours[name]
        x = _LEFT + column * _CELL
        bars.append(f'<rect x="{x}" y="{y}" width="{count * _CELL}" height="{_CELL}" fill="{colour}"/>')
        column += count
    return bars


def _axes(bottom: int) -> list[str]:
    found = []
    for mark in _PROMPT_MARKS:
        x = _LEFT + _place(mark, COLUMNS, LONGEST_PROMPT)
        found.append(f'<text x="{x:.0f}" y="{bottom + 18}" text-anchor="middle">{mark:,}</text>')
    for mark in _ANSWER_MARKS:
        y = bottom - _place(mark, ROWS, LONGEST_ANSWER) + 4
        found.append(f'<text x="{_LEFT - 8}" y="{y:.0f}" text-anchor="end">{mark:,}</text>')
    middle = _LEFT + COLUMNS * _CELL // 2
    found.append(f'<text x="{middle}" y="{bottom + 36}" text-anchor="middle">prompt tokens</text>')
    across = (_TOP + bottom) // 2
    turned = f'transform="rotate(-90 18 {across})"'
    found.append(f'<text x="18" y="{across}" text-anchor="middle" {turned}>answer tokens</text>')
    return found


def _length(number: int, count: int, longest: int) -> int:
    """Tokens in the middle of a cell."""
    return max(1, round(exp(log(longest) * (number + 0.5) / count)))


def _place(tokens: int, count: int, longest: int) -> float:
    """Where a length lies on its axis, in pixels."""
    return count * _CELL * log(tokens) / log(longest)
