"""Words a refused request with OpenAI's texts, codes and parameter paths.

It decides nothing: whoever found the fault says which one, and where. Codes and params are a contract clients match
on; the sentences follow OpenAI's published ones. Values shown back are cut, so an error never repeats a whole prompt.
"""

from collections.abc import Sequence
from typing import Any

from gateway.core.errors import InvalidRequest

_SHOWN_CHARS = 100

_KINDS = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    list: "an array",
    dict: "an object",
    type(None): "null",
}


def show(value: Any) -> str:  # any JSON scalar a client sent
    """A client's value as text of bounded length; integers beyond Python's printing limit are described."""
    if isinstance(value, int) and value.bit_length() > 256:
        return f"an integer of {value.bit_length()} bits"
    text = str(value)
    return text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "..."


def list_words(words: Sequence[str]) -> str:
    """`'a'`, `'a' and 'b'`, `'a', 'b', and 'c'`: OpenAI's way to list supported values."""
    quoted = [f"'{word}'" for word in words]
    if len(quoted) < 3:
        return " and ".join(quoted)
    return ", ".join(quoted[:-1]) + f", and {quoted[-1]}"


def missing(path: str) -> InvalidRequest:
    """A required parameter is absent."""
    return InvalidRequest(f"Missing required parameter: '{path}'.", param=path, code="missing_required_parameter")


def wrong_type(path: str, expected: str, value: Any) -> InvalidRequest:  # any JSON value a client sent
    """`value` is not of the `expected` kind (with its article)."""
    got = _KINDS.get(type(value), "an unknown type")
    text = f"Invalid type for '{path}': expected {expected}, but got {got} instead."
    return InvalidRequest(text, param=path, code="invalid_type")


def wrong_value(path: str, value: Any, supported: Sequence[str]) -> InvalidRequest:  # any JSON scalar a client sent
    """`value` is none of the words of an enumeration."""
    text = f"Invalid value: '{show(value)}'. Supported values are: {list_words(supported)}."
    return InvalidRequest(text, param=path, code="invalid_value")


def out_of_range(path: str, kind: str, side: str, bound: float, value: float) -> InvalidRequest:
    """A number is too small or too large. `kind` is `integer` or `decimal`, `side` is `above` or `below`."""
    word, sign, suffix = ("maximum", "<=", "max") if side == "above" else ("minimum", ">=", "min")
    text = (
        f"Invalid '{path}': {kind} {side} {word} value. Expected a value {sign} {bound}, but got {show(value)} instead."
    )
    return InvalidRequest(text, param=path, code=f"{kind}_{side}_{suffix}_value")


def empty_array(path: str) -> InvalidRequest:
    """An array has no element and needs one."""
    text = f"Invalid '{path}': empty array. Expected an array with minimum length 1, but got an empty array instead."
    return InvalidRequest(text, param=path, code="empty_array")


def long_array(path: str, limit: int, length: int) -> InvalidRequest:
    """An array has more elements than are accepted."""
    text = (
        f"Invalid '{path}': array too long. Expected an array with maximum length {limit}, "
        f"but got an array with length {length} instead."
    )
    return InvalidRequest(text, param=path, code="array_above_max_length")


def many_properties(path: str, limit: int, count: int) -> InvalidRequest:
    """An object has more properties than are accepted."""
    text = (
        f"Invalid '{path}': too many properties. Expected an object with at most {limit} properties, "
        f"but got an object with {count} properties instead."
    )
    return InvalidRequest(text, param=path, code="object_above_max_properties")


def deep_nesting(path: str, limit: int) -> InvalidRequest:
    """An object contains objects in objects, and so on, further than anybody means it."""
    text = f"Invalid '{path}': nested too deeply. Expected at most {limit} levels."
    return InvalidRequest(text, param=path, code="invalid_value")


def empty_string(path: str) -> InvalidRequest:
    """A string that names something is empty."""
    text = f"Invalid '{path}': empty string. Expected a string with minimum length 1, but got an empty string instead."
    return InvalidRequest(text, param=path, code="empty_string")


def long_string(path: str, limit: int, length: int) -> InvalidRequest:
    """A string is longer than accepted."""
    text = (
        f"Invalid '{path}': string too long. Expected a string with maximum length {limit}, "
        f"but got a string with length {length} instead."
    )
    return InvalidRequest(text, param=path, code="string_above_max_length")


def unmatched_pattern(path: str, pattern: str) -> InvalidRequest:
    """A string does not match the pattern a name must have."""
    text = f"Invalid '{path}': string does not match pattern. Expected a string that matches the pattern '{pattern}'."
    return InvalidRequest(text, param=path, code="invalid_value")


def unsupported_parameter(path: str) -> InvalidRequest:
    """OpenAI has this parameter, no Llama 8B model on Workers AI does."""
    text = f"Unsupported parameter: '{path}' is not supported with this model."
    return InvalidRequest(text, param=path, code="unsupported_parameter")


def unsupported_value(path: str, value: Any, supported: Sequence[str]) -> InvalidRequest:  # any JSON scalar
    """The parameter is offered, this value of it is not."""
    verb = "value is" if len(supported) == 1 else "values are"
    text = (
        f"Unsupported value: '{path}' does not support '{show(value)}' with this model. "
        f"Only the {list_words(supported)} {verb} supported."
    )
    return InvalidRequest(text, param=path, code="unsupported_value")


def out_of_place(path: str, needed: str) -> InvalidRequest:
    """`path` says something about `needed`, and that is absent."""
    text = f"Invalid value for '{path}': '{path}' is only allowed when '{needed}' are specified."
    return InvalidRequest(text, param=path)
