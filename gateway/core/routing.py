"""Which models can do a call, in which order, and why.

Eligibility first, the same for every fallback: a candidate that cannot hold the prompt, or lacks what the call
needs, is never attempted. Then a policy, one small function each, orders what is left. Every place and every
exclusion carries its reason in plain words.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gateway.core.call import Call
from gateway.core.catalog import Catalog, Model, Route, Template
from gateway.core.errors import ContextTooLong, GatewayError, InvalidRequest, NotFound

MIN_OUTPUT_TOKENS = 256  # room a model must have where the client names no max_tokens
DEFAULT_OUTPUT_TOKENS = 4_096  # most that is asked for then; the upstream's own default of 256 cuts answers
CHARS_PER_TOKEN = 4  # the upstream's estimate, checked before inference over input and max_tokens
EXPECTED_OUTPUT_TOKENS = 256  # prior of an answer's length, for ordering by cost


@dataclass(slots=True, frozen=True)
class Facts:
    """What is known when a call is planned. Token counts include the template of each model family."""

    now: float  # unix seconds
    prompt_tokens: Mapping[Template, int]
    prompt_chars: int
    longest_content_chars: int
    retired: frozenset[str] = frozenset()  # model ids that answered "retired", confirmed
    proven: frozenset[str] = frozenset()  # model ids that answered lately, whatever their deprecation date says


@dataclass(slots=True, frozen=True)
class Candidate:
    """A model that can do the call. `max_tokens` is per choice, what will be asked of it at most."""

    model: Model
    prompt_tokens: int
    max_tokens: int
    expected_nano: int
    reason: str


@dataclass(slots=True, frozen=True)
class Excluded:
    """A model that cannot, and why."""

    model: Model
    reason: str
    is_window: bool = False


@dataclass(slots=True, frozen=True)
class Plan:
    """Candidates in the order they will be tried, and who was left out."""

    route: Route
    candidates: tuple[Candidate, ...]
    excluded: tuple[Excluded, ...] = field(default=())


def plan(call: Call, catalog: Catalog, facts: Facts) -> Plan:
    """Order the route's eligible models.

    Raises NotFound for a model nobody knows, ContextTooLong where only windows are in the way, and InvalidRequest
    where a needed capability is.
    """
    route = catalog.resolve(call.requested_model)
    if route is None:
        raise NotFound(
            f"The model `{call.requested_model}` does not exist or you do not have access to it.",
            code="model_not_found",
        )
    candidates: list[Candidate] = []
    excluded: list[Excluded] = []
    for model_id in route.models:
        found = _examine(call, catalog.models[model_id], facts)
        (candidates if isinstance(found, Candidate) else excluded).append(found)  # type: ignore[arg-type]  # the branch just tested decides the list
    if not candidates:
        raise _nothing_fits(call, excluded, facts)
    POLICIES[route.policy](candidates)
    candidates.sort(key=lambda candidate: _is_doubtful(candidate.model, facts))
    return Plan(route, tuple(candidates), tuple(excluded))


def _examine(call: Call, model: Model, facts: Facts) -> Candidate | Excluded:
    missing = _missing_capability(call, model)
    if missing:
        return Excluded(model, f"does not offer {missing}")
    if model.id in facts.retired:
        return Excluded(model, "retired by Cloudflare")
    if model.max_content_chars is not None and facts.longest_content_chars > model.max_content_chars:
        return Excluded(model, f"takes at most {model.max_content_chars} characters a message", is_window=True)
    counted = facts.prompt_tokens[model.template]
    estimated = -(-facts.prompt_chars // CHARS_PER_TOKEN)
    room = model.window_tokens - max(counted, estimated)
    if room < (call.max_tokens or MIN_OUTPUT_TOKENS):
        return Excluded(model, f"its window of {model.window_tokens} tokens is too small", is_window=True)
    max_tokens = call.max_tokens or min(DEFAULT_OUTPUT_TOKENS, room)
    return _candidate(call, model, counted, max_tokens, facts.now)


def _candidate(call: Call, model: Model, prompt_tokens: int, max_tokens: int, now: float) -> Candidate:
    price = model.price_at(now)
    output = min(max_tokens, EXPECTED_OUTPUT_TOKENS)
    nano = call.n * (prompt_tokens * price.input_nano_per_mtok + output * price.output_nano_per_mtok) // 1_000_000
    reason = f"expected cost ${nano / 1e9:.7f} for {prompt_tokens} prompt and {output} output tokens"
    return Candidate(model, prompt_tokens, max_tokens, nano, reason)


def _missing_capability(call: Call, model: Model) -> str | None:
    if call.tools and call.tool_choice.mode != "none" and "tools" not in model.capabilities:
        return "tools"
    if call.raw and "raw" not in model.capabilities:
        return "raw"
    if call.lora is not None and "lora" not in model.capabilities:
        return "lora"
    return None


def _is_doubtful(model: Model, facts: Facts) -> bool:
    """Past its deprecation date and silent since: such models come after all others until one answers."""
    return model.deprecated_on is not None and model.deprecated_on <= facts.now and model.id not in facts.proven


def _nothing_fits(call: Call, excluded: list[Excluded], facts: Facts) -> GatewayError:
    windows = [found for found in excluded if found.is_window]
    if windows:
        return _too_long(call, windows, facts)
    if all("retired" in found.reason for found in excluded):
        successor = next((found.model.successor for found in excluded if found.model.successor), None)
        hint = f" Use `{successor}` instead." if successor else ""
        return NotFound(f"The model `{call.requested_model}` has been retired.{hint}", code="model_not_found")
    reason = excluded[0].reason.removeprefix("does not offer ")
    return InvalidRequest(
        f"Unsupported parameter: '{reason}' is not supported with this model.",
        param=reason,
        code="unsupported_parameter",
    )


def _too_long(call: Call, windows: list[Excluded], facts: Facts) -> ContextTooLong:
    largest = max(windows, key=lambda found: found.model.window_tokens).model
    counted = facts.prompt_tokens[largest.template]
    if call.max_tokens is None:
        wanted = f"your messages resulted in {counted} tokens"
        shorten = "messages"
    else:
        total = counted + call.max_tokens
        wanted = f"you requested {total} tokens ({counted} in the messages, {call.max_tokens} in the completion)"
        shorten = "messages or completion"
    each = "; ".join(f"{found.model.id}: {found.reason}" for found in windows)
    return ContextTooLong(
        f"This model's maximum context length is {largest.window_tokens} tokens. However, {wanted}. "
        f"Please reduce the length of the {shorten}. ({each}; the upstream also refuses more than its own estimate "
        f"of {CHARS_PER_TOKEN} characters a token: {facts.prompt_chars} characters.)",
        param="messages",
    )


def _cheapest(candidates: list[Candidate]) -> None:
    candidates.sort(key=lambda candidate: candidate.expected_nano)


def _ordered(candidates: list[Candidate]) -> None:
    """The order of the configuration, which `candidates` already has."""


def _largest_window(candidates: list[Candidate]) -> None:
    candidates.sort(key=lambda candidate: -candidate.model.window_tokens)


def _smallest_sufficient_window(candidates: list[Candidate]) -> None:
    candidates.sort(key=lambda candidate: candidate.model.window_tokens)


POLICIES: Mapping[str, Callable[[list[Candidate]], None]] = {
    "cheapest": _cheapest,
    "ordered": _ordered,
    "largest_window": _largest_window,
    "smallest_sufficient_window": _smallest_sufficient_window,
}
"""Policy name → a function that orders eligible candidates in place, best first. Sorts are stable."""
