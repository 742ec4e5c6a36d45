"""Notes: the newest of a name counts, and two boards that tell each other everything end up the same."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.fleet.notes import ACCOUNT, Board, Fact, Halt, Health, LongMessages, Note, Pace, Rest, Window, read_note

FACTS: tuple[Fact, ...] = (
    Rest(12.5, 2),
    Health(1, 3.25, is_proven=False),
    Window(24_000),
    LongMessages(),
    Pace(0.3, 85.0),
    Halt("quota", 86_400.0),
)
notes = st.builds(Note, st.sampled_from(["a", "@cf/meta/b", ACCOUNT]), st.floats(0, 100), st.sampled_from(FACTS))


@pytest.mark.parametrize("fact", FACTS)
def test_note_reads_what_was_written(fact: Fact) -> None:
    note = Note("@cf/meta/b", 1.5, fact)
    assert read_note(note.name, 1.5, note.encoded()) == note


@pytest.mark.parametrize("encoded", [b'{"type":"weather"}', b"", b"{", b'{"type":"rest","until":"soon"}'])
def test_note_of_an_unknown_kind_is_none(encoded: bytes) -> None:
    assert read_note("weather m", 1.0, encoded) is None


def test_names_are_one_per_kind_and_subject() -> None:
    assert len({Note(subject, 1.0, fact).name for fact in FACTS for subject in "ab"}) == 2 * len(FACTS)


def test_board_tells_each_note_once_and_wakes_for_the_urgent() -> None:
    woken: list[bool] = []
    board = Board(wake=lambda: woken.append(True))
    board.write(Note("a", 1.0, Pace(1.0, 1.0)), is_urgent=False)
    assert woken == []
    board.write(Note("a", 1.0, Window(9)))
    assert woken == [True]
    taken = board.take()
    assert len(taken) == 2
    assert board.take() == []
    board.put_back(taken[:1])
    assert board.take() == taken[:1]


@given(st.lists(notes, max_size=12), st.lists(notes, max_size=12))
def test_boards_that_told_each_other_say_the_same(mine: list[Note], yours: list[Note]) -> None:
    here, there = Board(), Board()
    for note in mine:
        here.merge([*here.notes.values(), note])
    for note in yours:
        there.merge([*there.notes.values(), note])
    news = here.merge(list(there.notes.values()))
    assert all(here.notes[note.name] is note for note in news)
    told = here.take()
    there.merge([*there.notes.values(), *told])
    assert {name: note.at for name, note in here.notes.items()} == {name: note.at for name, note in there.notes.items()}


def test_board_takes_what_is_written_last_for_the_latest() -> None:
    board = Board()
    board.write(Note("a", 1_760_000_000.0, Window(9)))
    board.write(Note("a", 1_760_000_000.0, Window(8)))
    board.write(Note("a", 1_750_000_000.0, Window(7)))
    (note,) = board.take()
    assert note.fact == Window(7)
    assert note.at > 1_760_000_000.0
