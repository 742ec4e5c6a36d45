"""The plan of a call: which models will be tried, in which order, and why; who was left out, and why.

Eligibility first, then the route's policy, then the doubtful behind the others. Where nobody is left it decides which
refusal the client gets.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.core.answer import Failure
from gateway.core.call import Call
from gateway.core.catalog import Catalog, Route
from gateway.core.eligibility import CHARS_PER_TOKEN, Candidate, Excluded, Facts, Obstacle, examine
from gateway.core.errors import ContextTooLong, Forbidden, GatewayError, InvalidRequest, NotFound, UpstreamOverloaded
from gateway.core.policies import POLICIES, tell_pinned
from gateway.core.retry import error_of


@dataclass(slots=True, frozen=True)
class Plan:
    """Candidates in the order they will be tried, and who was left out."""

    route: Route
    candidates: tuple[Candidate, ...]
    excluded: tuple[Excluded, ...] = field(default=())


def plan(call: Call, catalog: Catalog, facts: Facts) -> Plan:
    """Order the route's eligible models.

    Raises NotFound for a model nobody knows or that is retired, Forbidden for one the key may not use, ContextTooLong
    where windows are in the way, InvalidRequest where a needed capability or the price ceiling is, UpstreamOverloaded
    where all that could are resting, and what stopped the account while that lasts.
    """
    route = catalog.resolve(call.requested_model)
    if route is None:
        raise NotFound(
            f"The model `{call.requested_model}` does not exist or you do not have access to it.",
            code="model_not_found",
        )
    if not facts.access.may_ask_for(call.requested_model, route, catalog):
        raise _forbidden(call, (), facts)
    policy = POLICIES[route.policy]
    candidates: list[Candidate] = []
    excluded: list[Excluded] = []
    is_doubtful = False
    for model_id in route.models:
        found = examine(call, catalog.models[model_id], route, facts, policy.tell)
        if isinstance(found, Excluded):
            excluded.append(found)
        else:
            candidates.append(found)
            is_doubtful = is_doubtful or found.doubt != ""
    if not candidates:
        raise _nobody(call, excluded, facts)
    stop = facts.learned.stop
    if stop is not None and facts.now < stop.until:
        failure = Failure(stop.kind, "the account is stopped", retry_after=stop.until - facts.now)
        raise error_of(failure, candidates[0].model, facts.now)
    policy.order(candidates, route, facts)
    if is_doubtful or facts.full:
        candidates.sort(key=lambda candidate: (candidate.doubt != "", candidate.model.id in facts.full))
    if route.pinned is not None:
        _put_first(candidates, route.pinned)
    return Plan(route, tuple(candidates), tuple(excluded))


def _put_first(candidates: list[Candidate], model_id: str) -> None:
    for number, candidate in enumerate(candidates):
        if candidate.model.id == model_id:
            candidate.tell = tell_pinned
            candidates.insert(0, candidates.pop(number))


def _nobody(call: Call, excluded: Sequence[Excluded], facts: Facts) -> GatewayError:
    """The refusal: the first of these obstacles that somebody met, so that waiting is advised where it would help."""
    for obstacle, refusal in _REFUSALS.items():
        found = [each for each in excluded if each.obstacle == obstacle]
        if found:
            return refusal(call, found, facts)
    raise AssertionError("a route has models, and each is a candidate or left out")


def _resting(_: Call, resting: Sequence[Excluded], __: Facts) -> GatewayError:
    soonest = min(float(each.detail) for each in resting)
    names = ", ".join(each.model.id for each in resting)
    return UpstreamOverloaded(
        f"The server is currently overloaded, please try again later. (Failing now: {names}.)", retry_after=soonest
    )


def _too_long(call: Call, windows: Sequence[Excluded], facts: Facts) -> GatewayError:
    largest = max(windows, key=lambda each: float(each.detail))
    counted = facts.prompt_tokens[largest.model.template]
    if call.max_tokens is None:
        wanted = f"your messages resulted in {counted} tokens"
        shorten = "messages"
    else:
        total = counted + call.max_tokens
        wanted = f"you requested {total} tokens ({counted} in the messages, {call.max_tokens} in the completion)"
        shorten = "messages or completion"
    listed = "; ".join(
        f"{each.model.id}: {each.reason}, {facts.prompt_tokens[each.model.template]} counted" for each in windows
    )
    return ContextTooLong(
        f"This model's maximum context length is {largest.detail} tokens. However, {wanted}. "
        f"Please reduce the length of the {shorten}. ({listed}; the upstream also refuses more than its own estimate "
        f"of {CHARS_PER_TOKEN} characters a token: {facts.prompt_chars} characters.)",
        param="messages",
    )


def _too_dear(_: Call, dear: Sequence[Excluded], __: Facts) -> GatewayError:
    listed = "; ".join(f"{each.model.id} {each.reason}" for each in dear)
    return InvalidRequest(
        f"This request could cost more than its route allows. Lower max_tokens or shorten the messages. ({listed}.)",
        param="max_tokens",
        code="max_cost_exceeded",
    )


def _retired(call: Call, retired: Sequence[Excluded], _: Facts) -> GatewayError:
    successor = next((each.model.successor for each in retired if each.model.successor), None)
    hint = f" Use `{successor}` instead." if successor else ""
    return NotFound(f"The model `{call.requested_model}` has been retired.{hint}", code="model_not_found")


def _unsupported(_: Call, unable: Sequence[Excluded], __: Facts) -> GatewayError:
    missing = str(unable[0].detail)
    return InvalidRequest(
        f"Unsupported parameter: '{missing}' is not supported with this model.",
        param=missing,
        code="unsupported_parameter",
    )


def _forbidden(call: Call, _: Sequence[Excluded], facts: Facts) -> GatewayError:
    return Forbidden(
        f"Project `{facts.access.project_id}` does not have access to model `{call.requested_model}`",
        code="model_not_found",
    )


_REFUSALS: Mapping[Obstacle, Callable[[Call, Sequence[Excluded], Facts], GatewayError]] = {
    "resting": _resting,
    "window": _too_long,
    "price": _too_dear,
    "capability": _unsupported,
    "retired": _retired,
    "access": _forbidden,
}
