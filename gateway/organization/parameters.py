"""Reads the parameters of an admin request, each by name, and refuses what is left over.

Whatever a caller sends is either used or refused by name: a mistyped filter must never widen a question about money.
Errors carry OpenAI's codes and name the parameter. It knows nothing of any endpoint.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from gateway.core.errors import Forbidden, InvalidRequest
from gateway.core.unseen import UNSEEN

MAX_NAME_LENGTH = 256
MAX_TAG_NAME_LENGTH = 64

# Fractions stay exact on their way from the body: 0.1 cents is 0.1 cents.
_decode = msgspec.json.Decoder(float_hook=Decimal).decode

# Not JSON; bytes that are no characters; numbers past every bound (1e99999999999999999999); nesting without an end.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, ArithmeticError, RecursionError)

_JSON_NAMES = {
    type(None): "null",
    bool: "a boolean",
    int: "an integer",
    Decimal: "a decimal",
    str: "a string",
    list: "an array",
    dict: "an object",
}


def missing_parameter(name: str) -> InvalidRequest:
    """The error for a required parameter that is not there."""
    return InvalidRequest(f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter")


def invalid_value(name: str, value: object, supported: Sequence[str]) -> InvalidRequest:
    """The error for a value that is none of the supported ones."""
    quoted = [f"'{choice}'" for choice in supported]
    listed = quoted[0] if len(quoted) == 1 else ", ".join(quoted[:-1]) + f", and {quoted[-1]}"
    message = f"Invalid value: '{value}'. Supported values are: {listed}."
    return InvalidRequest(message, param=name, code="invalid_value")


def check_range(name: str, value: int | Decimal, minimum: int, maximum: int) -> None:
    """Refuse a number outside the inclusive bounds."""
    kind = "integer" if isinstance(value, int) else "decimal"
    if value < minimum:
        raise InvalidRequest(
            f"Invalid '{name}': {kind} below minimum value. Expected a value >= {minimum}, but got {value} instead.",
            param=name,
            code=f"{kind}_below_min_value",
        )
    if value > maximum:
        raise InvalidRequest(
            f"Invalid '{name}': {kind} above maximum value. Expected a value <= {maximum}, but got {value} instead.",
            param=name,
            code=f"{kind}_above_max_value",
        )


def _wrong_type(name: str, expected: str, got: str) -> InvalidRequest:
    message = f"Invalid type for '{name}': expected {expected}, but got {got} instead."
    return InvalidRequest(message, param=name, code="invalid_type")


def _refuse_unknown(name: str) -> InvalidRequest:
    return InvalidRequest(f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")


def _checked_text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise _wrong_type(name, "a string", _JSON_NAMES[type(value)])
    if not value.strip():
        raise InvalidRequest(f"Invalid '{name}': empty string.", param=name, code="empty_string")
    if len(value) > MAX_NAME_LENGTH:
        raise InvalidRequest(
            f"Invalid '{name}': string too long. Expected a string with maximum length {MAX_NAME_LENGTH}, but got "
            f"a string with length {len(value)} instead.",
            param=name,
            code="string_above_max_length",
        )
    _refuse_control(name, value.strip())
    return value.strip()


def _refuse_control(name: str, value: str) -> None:
    """A name is shown to administrators: it must not steer the terminal or end the line it is shown on."""
    if found := UNSEEN.search(value):
        raise InvalidRequest(
            f"Invalid '{name}': control and invisible characters are not allowed, but there is {_code(found[0])}.",
            param=name,
            code="invalid_value",
        )


def _code(character: str) -> str:
    return f"\\x{ord(character):02x}" if ord(character) < 0x100 else f"U+{ord(character):04X}"


class Query:
    """A query string. Arrays are written `name[]=a&name[]=b` or `name=a&name=b`; a member of an object, `name[gt]`, is
    a parameter of its own. Call `done` after the last read.
    """

    def __init__(self, raw: bytes) -> None:
        self._unread: dict[str, list[str]] = {}
        for name, value in parse_qsl(raw.decode("latin-1"), keep_blank_values=True):
            array, _, member = name.partition("[")
            is_array = not member.removesuffix("]") or member[0].isdecimal()
            self._unread.setdefault(array if is_array else name, []).append(value)

    def texts(self, name: str, choices: Sequence[str] = ()) -> tuple[str, ...]:
        """All values of an array parameter; () where it is absent."""
        values = tuple(self._unread.pop(name, ()))
        for value in values:
            if choices and value not in choices:
                raise invalid_value(name, value, choices)
        return values

    def text(self, name: str, choices: Sequence[str] = ()) -> str | None:
        """One value, the last where it was given several times; None where it is absent or empty."""
        values = self.texts(name, choices)
        return values[-1] if values and values[-1] else None

    def integer(self, name: str, minimum: int, maximum: int) -> int | None:
        """A whole number within the inclusive bounds."""
        value = self.text(name)
        if value is None:
            return None
        if not value.removeprefix("-").isdecimal() or len(value) > 20:
            raise _wrong_type(name, "an integer", f"'{value[:40]}'")
        check_range(name, int(value), minimum, maximum)
        return int(value)

    def flag(self, name: str) -> bool | None:
        """`true` or `false`."""
        value = self.text(name, ("true", "false"))
        return None if value is None else value == "true"

    def narrow(self, name: str, value: str) -> None:
        """Let a filter have this value and no other, also where it was not given. Raises Forbidden."""
        if any(asked != value for asked in self._unread.get(name, ())):
            raise Forbidden(f"This session may not read any other '{name}' than '{value}'.", param=name)
        self._unread[name] = [value]

    def done(self) -> None:
        """Refuse whatever was not read."""
        for name in self._unread:
            raise _refuse_unknown(name)


class Body:
    """A JSON object sent to an endpoint; null stands for absent. Call `done` after the last read."""

    def __init__(self, raw: bytes) -> None:
        try:
            decoded: Any = _decode(raw or b"{}")  # any JSON value: the next lines find out which
        except _UNREADABLE as error:
            raise InvalidRequest(
                "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP "
                "library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid JSON.)"
            ) from error
        if not isinstance(decoded, dict):
            raise _wrong_type("body", "an object", _JSON_NAMES[type(decoded)])
        self._keep(decoded)

    def _keep(self, members: Mapping[str, Any]) -> None:  # any JSON value
        self._unread = {name: value for name, value in members.items() if value is not None}
        self._nulls = {name for name, value in members.items() if value is None}

    @property
    def unread(self) -> tuple[str, ...]:
        """The members, other than null, that nobody has read yet."""
        return tuple(self._unread)

    def is_null(self, name: str) -> bool:
        """Whether it was sent as null, for the few members where that is not the same as leaving it out."""
        return name in self._nulls

    def text(self, name: str) -> str | None:
        """A string of 1 to 256 characters, without blanks around it."""
        value = self._unread.pop(name, None)
        return None if value is None else _checked_text(name, value)

    def texts(self, name: str, most: int, least: int = 1) -> tuple[str, ...] | None:
        """An array of `least` to `most` strings, each once."""
        values = self._unread.pop(name, None)
        if values is None:
            return None
        if not isinstance(values, list):
            raise _wrong_type(name, "an array of strings", _JSON_NAMES[type(values)])
        if not least <= len(values) <= most:
            raise InvalidRequest(
                f"Invalid '{name}': expected an array with {least} to {most} entries, but got {len(values)} instead.",
                param=name,
                code="invalid_value",
            )
        return tuple(dict.fromkeys(_checked_text(f"{name}[{at}]", value) for at, value in enumerate(values)))

    def text_map(self, name: str, most: int) -> dict[str, str] | None:
        """An object of at most `most` strings with names of 1 to 64 characters."""
        values = self._unread.pop(name, None)
        if values is None:
            return None
        if not isinstance(values, dict):
            raise _wrong_type(name, "an object", _JSON_NAMES[type(values)])
        if len(values) > most or not all(1 <= len(key) <= MAX_TAG_NAME_LENGTH for key in values):
            raise InvalidRequest(
                f"Invalid '{name}': expected at most {most} entries with names of 1 to {MAX_TAG_NAME_LENGTH} "
                "characters.",
                param=name,
                code="invalid_value",
            )
        for key in values:
            _refuse_control(name, key)
        return {key: _checked_text(f"{name}.{key}", value) for key, value in values.items()}

    def required_text(self, name: str) -> str:
        """A string that must be there."""
        value = self.text(name)
        if value is None:
            raise missing_parameter(name)
        return value

    def choice(self, name: str, choices: Sequence[str]) -> str | None:
        """A string out of a few."""
        value = self.text(name)
        if value is not None and value not in choices:
            raise invalid_value(name, value, choices)
        return value

    def required_choice(self, name: str, choices: Sequence[str]) -> str:
        """A string out of a few that must be there."""
        value = self.choice(name, choices)
        if value is None:
            raise missing_parameter(name)
        return value

    def integer(self, name: str, minimum: int, maximum: int) -> int | None:
        """A whole number within the inclusive bounds."""
        value = self._unread.pop(name, None)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool):
            raise _wrong_type(name, "an integer", _JSON_NAMES[type(value)])
        check_range(name, value, minimum, maximum)
        return value

    def required_number(self, name: str, minimum: int, maximum: int) -> Decimal:
        """An exact number within the inclusive bounds."""
        value = self._unread.pop(name, None)
        if value is None:
            raise missing_parameter(name)
        if not isinstance(value, int | Decimal) or isinstance(value, bool):
            raise _wrong_type(name, "a number", _JSON_NAMES[type(value)])
        check_range(name, value, minimum, maximum)
        return Decimal(value)

    def flag(self, name: str) -> bool | None:
        """`true` or `false`."""
        value = self._unread.pop(name, None)
        if value is not None and not isinstance(value, bool):
            raise _wrong_type(name, "a boolean", _JSON_NAMES[type(value)])
        return value

    def has(self, name: str) -> bool:
        """Whether it was sent, other than null, and not read yet."""
        return name in self._unread

    def objects(self, name: str) -> list["Body"] | None:
        """An array of objects, each to be read, and finished, as a body of its own."""
        values = self._unread.pop(name, None)
        if values is None:
            return None
        if not isinstance(values, list):
            raise _wrong_type(name, "an array", _JSON_NAMES[type(values)])
        return [_nested(f"{name}[{number}]", value) for number, value in enumerate(values)]

    def nested(self, name: str) -> "Body | None":
        """An object, to be read, and finished, as a body of its own."""
        value = self._unread.pop(name, None)
        return None if value is None else _nested(name, value)

    def done(self) -> None:
        """Refuse whatever was not read."""
        for name in self._unread:
            raise _refuse_unknown(name)


def _nested(name: str, value: object) -> Body:
    if not isinstance(value, dict):
        raise _wrong_type(name, "an object", _JSON_NAMES[type(value)])
    body = Body(b"")
    body._keep(value)
    return body
