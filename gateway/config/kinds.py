"""The kinds of value a configuration key can have: each reads a node, and describes itself as JSON Schema.

A kind reports what is wrong with a value and answers INVALID; it never raises, so that one pass finds every problem.
"""

import calendar
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from ipaddress import ip_network
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.config.document import Node, Reading, ScalarNode, described, is_null, is_tagged
from gateway.config.problems import did_you_mean, joined
from gateway.core.catalog import Range

Value = Any  # what reading gives depends on the kind; the sections' dataclasses name the types
JsonSchema = dict[str, object]

MAX_NANO = 9 * 10**15  # the largest amount exact in a double, which is what Lua counts with
_WITH_VARIABLE: Final = {"type": "string", "pattern": r"\$\{"}
_SHOWN_CHARS = 40


class _Invalid:
    """Answered for a value whose problem is already noted."""


INVALID: Final = _Invalid()


class Kind(Protocol):
    """Reads a node, answering INVALID after noting why not."""

    def read(self, node: Node, path: str, reading: Reading) -> Value: ...

    def schema(self) -> JsonSchema: ...


@dataclass(slots=True, frozen=True)
class Scalar:
    """One value. `parse` takes the text, variables filled in, and raises ValueError where it is not `meaning`."""

    meaning: str
    parse: Callable[[str], Value]
    described_as: JsonSchema
    is_text: bool = False
    is_secret: bool = False
    may_be_null: bool = False

    def read(self, node: Node, path: str, reading: Reading) -> Value:
        if is_null(node) and self.may_be_null:
            return None
        if not isinstance(node, ScalarNode) or is_null(node) or is_tagged(node):
            reading.refuse(path, f"must be {self.meaning}, not {described(node)}")
            return INVALID
        text = reading.expanded(node, path)
        if text is None:
            return INVALID
        if not self.is_text and node.style in ("'", '"') and text == node.value:
            reading.refuse(path, f"must be {self.meaning}, not text", "remove the quotes")
            return INVALID
        try:
            return self.parse(text)
        except ValueError as error:
            shown = "" if self.is_secret else f", not {node.value[:_SHOWN_CHARS]!r}"
            reading.refuse(path, f"must be {self.meaning}{shown}", str(error))
            return INVALID

    def schema(self) -> JsonSchema:
        options: list[JsonSchema] = [self.described_as]
        if not self.is_text:
            options.append(dict(_WITH_VARIABLE))
        if self.may_be_null:
            options.append({"type": "null"})
        return options[0] if len(options) == 1 else {"anyOf": options}


def text(meaning: str, pattern: str, *, secret: bool = False, may_be_null: bool = False) -> Scalar:
    """Text that matches `pattern` from end to end."""
    wanted = re.compile(pattern)

    def parse(given: str) -> str:
        if not wanted.fullmatch(given):
            raise ValueError
        return given

    return Scalar(meaning, parse, {"type": "string"}, is_text=True, is_secret=secret, may_be_null=may_be_null)


def network() -> Scalar:
    """An IP address or a network of them."""

    def parse(given: str) -> str:
        ip_network(given, strict=False)
        return given

    return Scalar("an address or a network such as 10.0.0.0/8", parse, {"type": "string"}, is_text=True)


def timezone() -> Scalar:
    """A timezone of the IANA database, by its name."""

    def parse(given: str) -> str:
        try:
            ZoneInfo(given)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("this machine's timezone database does not have it") from error
        return given

    return Scalar("a timezone such as Europe/Berlin", parse, {"type": "string"}, is_text=True)


def choice(options: tuple[str, ...]) -> Scalar:
    """One of several words."""

    def parse(given: str) -> str:
        if given not in options:
            raise ValueError(did_you_mean(given, options))
        return given

    return Scalar(f"one of {', '.join(options)}", parse, {"type": "string", "enum": list(options)}, is_text=True)


def flag() -> Scalar:
    """`true` or `false`; the other words of YAML 1.1 (yes, on, …) are refused, they surprise."""

    def parse(given: str) -> bool:
        if given not in ("true", "false"):
            raise ValueError
        return given == "true"

    return Scalar("true or false", parse, {"type": "boolean"})


def integer(minimum: int, maximum: int, *, may_be_null: bool = False) -> Scalar:
    """A whole number within bounds, both included."""

    def parse(given: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9](_?[0-9]){0,18}", given):
            raise ValueError
        number = int(given)
        if not minimum <= number <= maximum:
            raise ValueError
        return number

    bounds: JsonSchema = {"type": "integer", "minimum": minimum, "maximum": maximum}
    return Scalar(f"a whole number from {minimum} to {maximum}", parse, bounds, may_be_null=may_be_null)


def number(minimum: float, maximum: float) -> Scalar:
    """A number within bounds, both included."""

    def parse(given: str) -> float:
        if not re.fullmatch(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?", given):
            raise ValueError
        found = float(given)
        if not minimum <= found <= maximum:
            raise ValueError
        return found

    bounds: JsonSchema = {"type": "number", "minimum": minimum, "maximum": maximum}
    return Scalar(f"a number from {minimum:g} to {maximum:g}", parse, bounds)


def usd_per_mtok() -> Scalar:
    """Dollars per million tokens → integer nano-dollars, digit by digit."""
    return _dollars("dollars per million tokens")


def usd() -> Scalar:
    """Dollars → integer nano-dollars, digit by digit."""
    return _dollars("dollars")


def _dollars(meaning: str) -> Scalar:
    def parse(given: str) -> int:
        found = re.fullmatch(r"([0-9]{1,9})(?:\.([0-9]{1,30}))?", given)
        if not found:
            raise ValueError
        fraction = (found[2] or "").rstrip("0")
        if len(fraction) > 9:
            raise ValueError("at most 9 decimals: money is counted in nano-dollars")
        nano = int(found[1]) * 10**9 + int(fraction.ljust(9, "0"))
        if nano > MAX_NANO:
            raise ValueError("amounts above 9,000,000 dollars cannot be counted exactly")
        return nano

    return Scalar(meaning, parse, {"type": "number", "minimum": 0})


def day(*, may_be_null: bool = False) -> Scalar:
    """A calendar day → unix seconds of its UTC midnight."""

    def parse(given: str) -> int:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", given):
            raise ValueError
        return calendar.timegm(date.fromisoformat(given).timetuple())

    return Scalar("a day as YYYY-MM-DD", parse, {"type": "string", "format": "date"}, may_be_null=may_be_null)


@dataclass(slots=True, frozen=True)
class Bounds:
    """`[minimum, maximum]` → Range."""

    def read(self, node: Node, path: str, reading: Reading) -> Value:
        limit = number(-1e12, 1e12)
        found = [limit.read(item, below, reading) for below, item in reading.items(node, path)]
        if INVALID in found:
            return INVALID
        if len(found) != 2 or not found[0] <= found[1] or not all(map(math.isfinite, found)):
            reading.refuse(path, "must be [minimum, maximum]")
            return INVALID
        return Range(found[0], found[1])

    def schema(self) -> JsonSchema:
        return {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}


@dataclass(slots=True, frozen=True)
class ListOf:
    """A list → tuple. Items that are not valid are left out, their problems noted."""

    item: Kind
    minimum: int = 0

    def read(self, node: Node, path: str, reading: Reading) -> Value:
        items = list(reading.items(node, path))
        if len(items) < self.minimum:
            reading.refuse(path, f"needs at least {self.minimum}")
        found = [self.item.read(item, below, reading) for below, item in items]
        return tuple(value for value in found if value is not INVALID)

    def schema(self) -> JsonSchema:
        return {"type": "array", "items": self.item.schema(), "minItems": self.minimum}


@dataclass(slots=True, frozen=True)
class MapOf:
    """A mapping with names of the user's choice → dict. `name` describes and checks the names."""

    name: Scalar
    value: Kind

    def read(self, node: Node, path: str, reading: Reading) -> Value:
        found: dict[str, Value] = {}
        for key, item in reading.entries(node, path):
            below = joined(path, key)
            try:
                self.name.parse(key)
            except ValueError:
                reading.refuse(below, f"the name must be {self.name.meaning}")
            value = self.value.read(item, below, reading)
            if value is not INVALID:
                found[key] = value
        return found

    def schema(self) -> JsonSchema:
        return {"type": ["object", "null"], "additionalProperties": self.value.schema()}


@dataclass(slots=True, frozen=True)
class Key:
    """One key of a section. `about` is its line of documentation; `default` is shown there."""

    name: str
    kind: Kind
    about: str
    default: str = ""
    is_required: bool = False
    has_file: bool = False  # a secret: `<name>_file` names a file that holds it instead


@dataclass(slots=True, frozen=True)
class Section:
    """A mapping with known keys → dict of those given. Anything else in it is a problem."""

    keys: tuple[Key, ...]

    def read(self, node: Node, path: str, reading: Reading) -> Value:
        known = {key.name: key for key in self.keys}
        files = {f"{key.name}_file": key for key in self.keys if key.has_file}
        found: dict[str, Value] = {}
        for name, item in reading.entries(node, path):
            below = joined(path, name)
            if name in known:
                self._keep(found, known[name], known[name].kind.read(item, below, reading), below, reading)
            elif name in files:
                self._keep(found, files[name], _from_file(files[name], item, below, reading), below, reading)
            else:
                reading.refuse(below, "unknown key", did_you_mean(name, [*known, *files]))
        for key in self.keys:
            if key.is_required and joined(path, key.name) not in reading.lines:
                reading.refuse(path, f"needs the key {key.name}")
        return found

    @staticmethod
    def _keep(found: dict[str, Value], key: Key, value: Value, path: str, reading: Reading) -> None:
        if key.name in found:
            reading.refuse(path, f"{key.name} and {key.name}_file exclude each other")
        elif value is not INVALID:
            found[key.name] = value

    def schema(self) -> JsonSchema:
        properties: dict[str, JsonSchema] = {}
        for key in self.keys:
            properties[key.name] = {**key.kind.schema(), "description": key.about}
            if key.has_file:
                properties[f"{key.name}_file"] = {"type": "string", "description": f"A file that holds {key.name}."}
        required = [key.name for key in self.keys if key.is_required]
        found: JsonSchema = {"type": ["object", "null"], "additionalProperties": False, "properties": properties}
        return {**found, "required": required} if required else found


FILE_PATH: Final = text("a path", r"[^\x00]+")


def _from_file(key: Key, node: Node, path: str, reading: Reading) -> Value:
    name = FILE_PATH.read(node, path, reading)
    if name is INVALID:
        return INVALID
    if reading.read_secret is None:
        reading.refuse(path, "secrets from files cannot be read here")
        return INVALID
    try:
        secret = reading.read_secret(reading.base / name).strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "not text"
        reading.refuse(path, f"the file cannot be read: {why}")
        return INVALID
    if not isinstance(key.kind, Scalar):
        raise AssertionError("only single values can be secrets")
    try:
        return key.kind.parse(secret)
    except ValueError:
        reading.refuse(path, f"the file must hold {key.kind.meaning}")
        return INVALID
