"""Reads single values of a request: each reader checks type and range and returns the value, or refuses it by path.

A reader never sees null: null means absent everywhere and is dropped before. Integral decimals count as integers, as
in JSON Schema, because some languages have no other number.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from gateway.surfaces.chat import refusals

Reader = Callable[[Any, str], Any]  # from any JSON value to whatever it means
"""From a JSON value and its path to what it means. Raises `InvalidRequest`."""

NAME_PATTERN = "^[a-zA-Z0-9_-]+$"
NAME_MAX_CHARS = 64
MAX_STOPS = 4
MAX_DEPTH = 100  # of a schema; OpenAI stops at 10
_INT64 = 2**63
_is_name = re.compile(r"[a-zA-Z0-9_-]+").fullmatch


def read_text(value: Any, path: str) -> str:  # any JSON value a client sent
    """A string, empty or not."""
    if type(value) is not str:
        raise refusals.wrong_type(path, "a string", value)
    return value


def read_word(value: Any, path: str) -> str:  # any JSON value a client sent
    """A string with something in it."""
    text = read_text(value, path)
    if not text:
        raise refusals.empty_string(path)
    return text


def read_name(value: Any, path: str) -> str:  # any JSON value a client sent
    """A function's or schema's name: `^[a-zA-Z0-9_-]+$`, at most 64 characters."""
    name = read_word(value, path)
    if len(name) > NAME_MAX_CHARS:
        raise refusals.long_string(path, NAME_MAX_CHARS, len(name))
    if not _is_name(name):
        raise refusals.unmatched_pattern(path, NAME_PATTERN)
    return name


def read_bool(value: Any, path: str) -> bool:  # any JSON value a client sent
    """A switch; numbers are neither."""
    if type(value) is not bool:
        raise refusals.wrong_type(path, "a boolean", value)
    return value


def read_object(value: Any, path: str) -> dict[str, Any]:  # any JSON value; an object's members stay unread
    """A JSON object."""
    if type(value) is not dict:
        raise refusals.wrong_type(path, "an object", value)
    return value


def read_array(value: Any, path: str, limit: int, of: str = "an array") -> list[Any]:  # any JSON value, members unread
    """A JSON array of at most `limit` elements."""
    if type(value) is not list:
        raise refusals.wrong_type(path, of, value)
    if len(value) > limit:
        raise refusals.long_array(path, limit, len(value))
    return value


def read_choice(value: Any, path: str, supported: Sequence[str]) -> str:  # any JSON value a client sent
    """One of the words of an enumeration."""
    word = read_text(value, path)
    if word not in supported:
        raise refusals.wrong_value(path, word, supported)
    return word


def required(owner: dict[str, Any], key: str, path: str) -> Any:  # an unread member of a client's object
    """The member `key` of the object at `path`; absent and null are both missing."""
    value = owner.get(key)
    if value is None:
        raise refusals.missing(f"{path}.{key}")
    return value


def check_encodable(value: Any, path: str, depth: int = 0) -> None:  # any JSON value a client sent
    """Refuses what can be read but not be written again: JSON nested absurdly deep, integers beyond 64 bits."""
    if type(value) is int and not -_INT64 <= value < _INT64:
        side, bound = ("above", _INT64 - 1) if value > 0 else ("below", -_INT64)
        raise refusals.out_of_range(path, "integer", side, bound, value)
    if type(value) is not dict and type(value) is not list:
        return
    if depth == MAX_DEPTH:
        raise refusals.deep_nesting(path, MAX_DEPTH)
    for member in value.values() if type(value) is dict else value:
        check_encodable(member, path, depth + 1)


def integer(minimum: int, maximum: int) -> Reader:
    """A reader of whole numbers within inclusive bounds."""

    def read(value: Any, path: str) -> int:  # any JSON value a client sent
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int:
            raise refusals.wrong_type(path, "an integer", value)
        if value < minimum:
            raise refusals.out_of_range(path, "integer", "below", minimum, value)
        if value > maximum:
            raise refusals.out_of_range(path, "integer", "above", maximum, value)
        return value

    return read


def decimal(minimum: int, maximum: int) -> Reader:
    """A reader of numbers within inclusive bounds. NaN, which JSON cannot carry, is above."""

    def read(value: Any, path: str) -> float:  # any JSON value a client sent
        if type(value) is not float and type(value) is not int:
            raise refusals.wrong_type(path, "a decimal", value)
        if value < minimum:
            raise refusals.out_of_range(path, "decimal", "below", minimum, value)
        if not value <= maximum:
            raise refusals.out_of_range(path, "decimal", "above", maximum, value)
        return float(value)

    return read


def text_up_to(limit: int) -> Reader:
    """A reader of strings of at most `limit` characters."""

    def read(value: Any, path: str) -> str:  # any JSON value a client sent
        text = read_text(value, path)
        if len(text) > limit:
            raise refusals.long_string(path, limit, len(text))
        return text

    return read


def read_top_k(value: Any, path: str) -> int | None:  # any JSON value a client sent
    """How many tokens to sample from. Zero and below mean "no limit" in every server that knows top_k, so: None."""
    limit: int = _read_int64(value, path)
    return limit if limit > 0 else None


def read_stop(value: Any, path: str) -> tuple[str, ...]:  # any JSON value a client sent
    """A string or up to four of them. Empty ones stop nothing and are dropped."""
    if type(value) is str:
        return (value,) if value else ()
    if type(value) is not list:
        raise refusals.wrong_type(path, "one of a string or array of strings", value)
    if len(value) > MAX_STOPS:
        raise refusals.long_array(path, MAX_STOPS, len(value))
    return tuple(text for position, text in enumerate(value) if read_text(text, f"{path}[{position}]"))


def read_metadata(value: Any, path: str) -> dict[str, str]:  # any JSON value a client sent
    """Up to 16 pairs of strings, keys of at most 64 and values of at most 512 characters; null values are dropped."""
    pairs = read_object(value, path)
    if len(pairs) > 16:
        raise refusals.many_properties(path, 16, len(pairs))
    found: dict[str, str] = {}
    for key, text in pairs.items():
        if len(key) > 64:
            raise refusals.long_string(path, 64, len(key))
        if text is not None:
            found[key] = _read_metadata_value(text, f"{path}.{key}")
    return found


def read_modalities(value: Any, path: str) -> None:  # any JSON value a client sent
    """Text is the only one there is."""
    for position, modality in enumerate(read_array(value, path, 16, "an array of strings")):
        if read_choice(modality, f"{path}[{position}]", ("text", "audio")) != "text":
            raise refusals.unsupported_value(path, modality, ("text",))


def refuse(value: Any, path: str) -> None:  # whatever it is, it is not offered
    """Nothing upstream can do this, and leaving it out would change the answer."""
    raise refusals.unsupported_parameter(path)


def refuse_true(value: Any, path: str) -> None:  # any JSON value a client sent
    """A switch that may only be off."""
    if read_bool(value, path):
        raise refusals.unsupported_parameter(path)


def refuse_filled(value: Any, path: str) -> None:  # any JSON value a client sent
    """An object that may only be empty."""
    if read_object(value, path):
        raise refusals.unsupported_parameter(path)


def refuse_positive(value: Any, path: str) -> None:  # any JSON value a client sent
    """A count of 0 to 20 that may only be 0."""
    if _read_top_logprobs(value, path):
        raise refusals.unsupported_parameter(path)


_read_int64 = integer(-_INT64, _INT64 - 1)
_read_top_logprobs = integer(0, 20)
_read_metadata_value = text_up_to(512)
