"""Documents: lines, variables, duplicates, and YAML that is none."""

from pathlib import Path

import pytest

from gateway.config.document import Reading, compose
from gateway.config.kinds import Key, MapOf, Scalar, Section, text
from gateway.config.problems import ConfigErrors

ANY: Scalar = text("text", r"(?s).*")
SECTION = Section((Key("a", ANY, "A."), Key("m", MapOf(ANY, ANY), "M.")))


def read(document: str, environ: dict[str, str] | None = None) -> tuple[dict[str, object], list[str]]:
    reading = Reading(environ or {}, Path("/base"))
    root = compose(document)
    assert root is not None
    found: dict[str, object] = SECTION.read(root, "", reading)
    return found, [str(problem) for problem in reading.problems]


@pytest.mark.parametrize(
    ("written", "environ", "expected"),
    [
        ("plain", {}, "plain"),
        ("${X}", {"X": "1"}, "1"),
        ("${X}", {"X": ""}, ""),
        ("a${X}b${Y}c", {"X": "1", "Y": "2"}, "a1b2c"),
        ("${X:-d}", {}, "d"),
        ("${X:-d}", {"X": ""}, "d"),
        ("${X:-d}", {"X": "1"}, "1"),
        ("${X:-}", {}, ""),
        ("'${X:-a b}'", {}, "a b"),
        ("$${X}", {"X": "1"}, "${X}"),
        ("pa$$word$", {}, "pa$$word$"),
        ("${X}", {"X": "${Y}"}, "${Y}"),
    ],
)
def test_expanded_variable_gives_value(written: str, environ: dict[str, str], expected: str) -> None:
    assert read(f"a: {written}", environ) == ({"a": expected}, [])


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("\na: ${X}", "line 2: a: the environment variable X is not set"),
        ("a: ${1X}", "line 1: a: has a ${ that is no ${NAME} or ${NAME:-default}; write $${ for the characters"),
        ("a: x\n\na: y", "line 3: a: given twice, first on line 1"),
        ("m: {b: 1,\n  b: 2}", "line 2: m.b: given twice, first on line 1"),
        ("m: []", "line 1: m: must be a mapping of names to values, not a list"),
        ("m: {[1]: 2}", "line 1: m: a key must be text"),
        ("m: {? {x: 1} : 2}", "line 1: m: a key must be text"),
        ("a:", "line 1: a: must be text, not nothing"),
        ("a: {}", "line 1: a: must be text, not a mapping"),
        ("a: !vault x", "line 1: a: must be text, not something tagged !vault"),
        ("- a", "must be a mapping of names to values, not a list"),
    ],
)
def test_reading_mistake_names_line_and_path(document: str, problem: str) -> None:
    assert read(document)[1] == [problem]


@pytest.mark.parametrize(
    ("document", "line"),
    [
        ("a: [", 1),
        ("a: 1\nb: 2\n c: 3", 3),
        ("a: *nobody", 1),
        ("--- a\n--- b", 2),
        ('a: "\\UFFFFFFFF"', None),
        ("a: \x07", None),
        ("[" * 3_000, None),
    ],
)
def test_compose_not_yaml_raises_config_errors(document: str, line: int | None) -> None:
    with pytest.raises(ConfigErrors) as caught:
        compose(document)
    (problem,) = caught.value.problems
    assert problem.message.startswith("not valid YAML")
    assert problem.line == line


@pytest.mark.parametrize("document", ["", "# only a comment\n", "---\n"])
def test_compose_empty_document_has_nothing(document: str) -> None:
    root = compose(document)
    assert root is None or SECTION.read(root, "", Reading({}, Path("/"))) == {}


@pytest.mark.parametrize(
    ("given", "expected"),
    [("x", "/base/x"), ("./a/../x", "/base/x"), ("/abs", "/abs"), ("~/x", "/home/me/x"), ("~x", "/base/~x")],
)
def test_absolute_starts_at_base(given: str, expected: str) -> None:
    assert Reading({"HOME": "/home/me"}, Path("/base")).absolute(given) == Path(expected)
