"""What a request was promised about the form of its answer, and whether a complete answer keeps it.

JSON that is valid under the schema, a call of a function that must be called. Judged before anybody sees the answer:
what breaks a promise is asked for once more and then refused, never handed on with a 200.
"""

from gateway.core.answer import Completion, Failure
from gateway.core.call import Call, ResponseFormat
from gateway.core.demands import allowed_tools
from gateway.core.structured import find_mismatch

_ANY_OBJECT = {"type": "object"}


def find_broken_promise(call: Call, completion: Completion) -> Failure | None:
    """The failure of an answer that is not in the form that was asked for; None for one that is."""
    must_call = call.tool_choice.mode == "required" and bool(allowed_tools(call))
    if must_call:
        return _unmet(_find_missing_call(call, completion), completion)
    if call.response_format is not None and not completion.tool_calls:
        return _unmet(_find_bad_json(call.response_format, completion.text), completion)
    return None


def _find_missing_call(call: Call, completion: Completion) -> str | None:
    if not completion.tool_calls:
        return "the model answered without calling a function, although it had to"
    names = {tool.name for tool in allowed_tools(call)}
    for made in completion.tool_calls:
        if made.name not in names:
            return f"the model called `{made.name}`, which was not offered"
        if find_mismatch(made.arguments, _ANY_OBJECT) is not None:
            return f"the model called `{made.name}` with arguments that are no JSON object"
    return None


def _find_bad_json(wanted: ResponseFormat, text: str) -> str | None:
    mismatch = find_mismatch(text, _ANY_OBJECT if wanted.schema is None else wanted.schema)
    return None if mismatch is None else f"the model's answer is not the JSON that was asked for: {mismatch}"


def _unmet(reason: str | None, completion: Completion) -> Failure | None:
    if reason is None:
        return None
    if completion.finish_reason == "length":
        reason += "; it reached max_tokens before it was complete, so a larger max_tokens may help"
    return Failure("unmet", reason, 200)
