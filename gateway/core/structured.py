"""Judges JSON Schemas and JSON answers: whether a schema is one, and whether an answer fits it.

The home of jsonschema. It never fetches a reference, and what a schema of a stranger can cost is bounded: references
are counted, regular expressions that could backtrack for ever are not run.
"""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

_decode = msgspec.json.Decoder().decode
_NOWHERE: Registry[Any] = Registry()  # schemas are whatever clients send; an empty registry resolves nothing remote
_MAX_REFERENCES = 10_000  # followed during one validation; a schema can make them double at every level
_MAX_STEPS = 5_000_000  # of a regular expression engine, roughly 0.1 s
_PROPERTY_NAME_CHARS = 2_000  # names a model makes up are shorter
_SHOWN_CHARS = 200

_find_atoms = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_find_choices = re.compile(r"[*+?|{]")
_find_repeated_group = re.compile(r"\)[*+{]|\\[1-9]|\(\?P=")


class _ReferencesExhaustedError(Exception):
    """A validation followed more references than it may."""


def find_schema_fault(schema: Any) -> str | None:  # any JSON value: that is the question
    """Why `schema` is not a JSON Schema (draft 2020-12) that can be used here, in OpenAI's wording; None if it is."""
    try:
        Draft202012Validator.check_schema(schema)
        fault = next(_find_faults(schema), None)
    except SchemaError as error:
        where = ", ".join(repr(step) for step in error.absolute_path)
        context = f"({where},)" if len(error.absolute_path) == 1 else f"({where})"
        return f"In context={context}, {_cut(error.message)}."
    except RecursionError:
        return "In context=(), the schema is nested too deeply."
    return None if fault is None else f"In context=(), {fault}."


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
    except (Unresolvable, SchemaError, RecursionError, _ReferencesExhaustedError, TypeError, re.error):
        return "the schema cannot be evaluated"
    return None if mismatch is None else f"at {mismatch.json_path}: {_cut(mismatch.message)}"


def _validator(schema: Any) -> Draft202012Validator:  # any JSON Schema
    followed = 0
    follow = Draft202012Validator.VALIDATORS["$ref"]
    matches = Draft202012Validator.VALIDATORS["pattern"]

    # The signature of both is jsonschema's own, and so are its untyped values.
    def count_reference(
        validator: Any,
        reference: str,
        instance: Any,
        owner: Any,  # see above
    ) -> Iterator[ValidationError]:
        nonlocal followed
        followed += 1
        if followed > _MAX_REFERENCES:
            raise _ReferencesExhaustedError
        yield from follow(validator, reference, instance, owner) or ()

    def match_cheaply(
        validator: Any,
        pattern: str,
        instance: Any,
        owner: Any,  # see above
    ) -> Iterator[ValidationError]:
        if type(instance) is str and is_cheap(pattern, len(instance)):
            yield from matches(validator, pattern, instance, owner) or ()

    checks = {"$ref": count_reference, "pattern": match_cheaply}
    bounded: type[Draft202012Validator] = extend(Draft202012Validator, checks)  # type: ignore[no-untyped-call]  # theirs
    return bounded(schema, registry=_NOWHERE)


def is_cheap(pattern: str, length: int) -> bool:
    """Whether matching a text of `length` characters against `pattern` takes a bounded number of steps.

    Every place where the engine may choose multiplies the steps by the length at most, unless a group repeats; those
    are never cheap.
    """
    bare = _find_atoms.sub("x", pattern)
    if _find_repeated_group.search(bare) or _find_repeated_group.search(pattern):
        return False
    choices = len(_find_choices.findall(bare)) + (0 if pattern.startswith("^") else 1)
    return choices * (length + 1).bit_length() <= 64 and (length + 1) ** choices <= _MAX_STEPS


def _find_faults(schema: Any) -> Iterator[str]:  # any JSON value
    """References that leave the document, and property patterns nobody may run, wherever they stand."""
    if isinstance(schema, list):
        for member in schema:
            yield from _find_faults(member)
    if not isinstance(schema, dict):
        return
    for key in ("$ref", "$dynamicRef"):
        target = schema.get(key)
        if isinstance(target, str) and not target.startswith("#"):
            yield f"reference '{_cut(target)}' points outside of the schema"
    patterns = schema.get("patternProperties")
    if isinstance(patterns, dict):
        costly = (pattern for pattern in patterns if not is_cheap(pattern, _PROPERTY_NAME_CHARS))
        yield from (f"the property pattern '{_cut(pattern)}' may take too long to match" for pattern in costly)
    for member in schema.values():
        yield from _find_faults(member)


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARS else text[:_SHOWN_CHARS] + "..."
