"""Judges whether an answer is JSON that fits a schema. The home of jsonschema.

It never fetches a reference, and what a stranger's schema can cost is bounded: references are counted, regular
expressions that could backtrack for ever are not run. Schemas have passed `core.schema_faults` before.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from jsonschema import Draft202012Validator
from jsonschema.exceptions import UnknownType, ValidationError
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from gateway.core.pattern_cost import is_cheap

_decode = msgspec.json.Decoder().decode
_NOWHERE: Registry[Any] = Registry()  # schemas are whatever clients send; an empty registry resolves nothing remote
_MAX_REFERENCES = 10_000  # followed during one validation; a schema can make them double at every level
_SHOWN_CHARS = 200
# What jsonschema raises where a reference points into the document at what is no schema, an enum's value for example.
_NO_SCHEMA = (UnknownType, AttributeError, ArithmeticError, LookupError, TypeError, ValueError, re.error)

Keyword = Callable[[Any, Any, Any, Any], Iterator[ValidationError] | None]  # jsonschema types none of them
"""jsonschema's own signature of a check: validator, the keyword's value, the instance, the schema."""


class _ReferencesExhaustedError(Exception):
    """A validation followed more references than it may."""


def find_mismatch(text: str, schema: Any) -> str | None:  # any JSON Schema
    """Why `text` is not JSON that fits `schema`; None if it does. Use `{"type": "object"}` for any JSON object.

    A schema that cannot be evaluated (a dangling or endless reference) fits nothing.
    """
    try:
        value = _decode(text.encode("utf-8", "replace"))
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
        return f"not JSON: {_cut(str(error))}"
    try:
        mismatch = next(_validator(schema).iter_errors(value), None)
    except (Unresolvable, RecursionError, _ReferencesExhaustedError, *_NO_SCHEMA):
        return "the schema cannot be evaluated"
    return None if mismatch is None else f"at {mismatch.json_path}: {_cut(mismatch.message)}"


def _validator(schema: Any) -> Draft202012Validator:  # any JSON Schema
    followed = 0

    def counted(follow: Keyword) -> Keyword:
        def follow_counted(*arguments: Any) -> Iterator[ValidationError]:  # see Keyword
            nonlocal followed
            followed += 1
            if followed > _MAX_REFERENCES:
                raise _ReferencesExhaustedError
            yield from follow(*arguments) or ()

        return follow_counted

    rules = Draft202012Validator.VALIDATORS
    checks = {name: counted(rules[name]) for name in ("$ref", "$dynamicRef")}
    checks["pattern"] = _match_cheaply
    bounded: type[Draft202012Validator] = extend(Draft202012Validator, checks)  # type: ignore[no-untyped-call]  # theirs
    return bounded(schema, registry=_NOWHERE)


def _match_cheaply(_: Any, pattern: str, instance: Any, __: Any) -> Iterator[ValidationError]:  # see Keyword
    if isinstance(instance, str) and is_cheap(pattern, len(instance)) and not re.search(pattern, instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "..."
