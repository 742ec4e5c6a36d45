"""The switch language."""

from pathlib import Path

import pytest

from gateway.simulator.scenario import parse_scenario
from gateway.simulator.switches import BadSwitch, Switches, parse_markers, parse_settings, resolve, without_markers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("variant=E", {"variant": "E"}),
        ("variant=E; cut_after=3", {"variant": "E", "cut_after": "3"}),
        ("variant=E cut_after=3;;", {"variant": "E", "cut_after": "3"}),
        ("null_final delay=0.5", {"null_final": "true", "delay": "0.5"}),
        ('text="a b; \\"c\\" ]" tag=x', {"text": 'a b; "c" ]', "tag": "x"}),
        ("slice_at=3,17,40", {"slice_at": "3,17,40"}),
    ],
)
def test_parse_settings_reads_names_and_values(text: str, expected: dict[str, str]) -> None:
    assert parse_settings(text) == expected


@pytest.mark.parametrize("text", ["=3", "UPPER=1", "a=1 ?", 'text="open', 'text="\\x"'])
def test_parse_settings_refuses_what_it_cannot_read(text: str) -> None:
    with pytest.raises(BadSwitch):
        parse_settings(text)


def test_parse_markers_merges_all_markers_of_a_text() -> None:
    text = "Hello [[sim:variant=A pace=0]] there [[sim: variant=C]]"
    assert parse_markers(text) == {"variant": "C", "pace": "0"}
    assert without_markers(text) == "Hello  there"


def test_without_markers_leaves_plain_text_alone() -> None:
    assert without_markers(" plain ") == " plain "


def test_resolve_lets_later_layers_win_and_converts() -> None:
    switches = resolve({"variant": "A", "delay": 1}, {"variant": "B", "null_final": "true", "cut_after": "3"})
    assert switches == Switches(variant="B", delay=1.0, null_final=True, cut_after=3)


@pytest.mark.parametrize(
    "settings",
    [
        {"nope": "1"},
        {"variant": "Z"},
        {"cut_after": "soon"},
        {"slice_at": "3,x"},
        {"slice_every": "0"},
        {"http": "999"},
        {"calls": "0"},
    ],
)
def test_resolve_refuses_unknown_switches_and_values(settings: dict[str, str]) -> None:
    with pytest.raises(BadSwitch):
        resolve(settings)


DOCUMENT = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text()


@pytest.mark.parametrize("name", Switches.__struct_fields__)
def test_switches_are_all_documented(name: str) -> None:
    assert f"\n| `{name}` |" in DOCUMENT


def test_documented_scenario_is_valid() -> None:
    example = DOCUMENT.partition("```yaml\n")[2].partition("```")[0]
    assert len(parse_scenario(example).rules) == 3
