"""From a request's body to the call it makes, the same for whoever serves it and whoever explains it."""

import msgspec

from gateway.core.call import Call
from gateway.core.contracts import Surface
from gateway.core.errors import InvalidRequest

_decode = msgspec.json.Decoder().decode

_NOT_JSON = (
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library "
    "correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)"
)


def read_call(surface: Surface, body: bytes, max_choices: int, default_model: str | None = None) -> Call:
    """The call of a body in the surface's dialect; `default_model` where it names none. Raises InvalidRequest."""
    try:
        document = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:  # the second: in a member's name
        raise InvalidRequest(_NOT_JSON) from error
    if default_model is not None and type(document) is dict and not document.get("model"):
        document["model"] = default_model
    call = surface.parse(document)
    if call.n > max_choices:
        raise InvalidRequest(
            f"Invalid 'n': integer above maximum value. Expected a value <= {max_choices}, but got {call.n} instead.",
            param="n",
            code="integer_above_max_value",
        )
    return call
