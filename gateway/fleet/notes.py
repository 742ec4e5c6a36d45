"""What workers tell each other about models and account: one note per subject, and the newest counts.

A note is a fact with the moment it was found out. Two workers that contradict each other need no arbiter: the later
one is right, wherever it is read. Nothing here waits or talks to anybody; `fleet.exchange` carries the notes.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from gateway.core.answer import FailureKind


class Rest(msgspec.Struct, frozen=True, tag="rest"):
    """A model's breaker: open until then (unix s), for the so many-th time since its last answer; 0: closed."""

    until: float
    rests: int


class Health(msgspec.Struct, frozen=True, tag="health"):
    """How many answers in a row called a model retired, the latest when (unix s); or that it has answered."""

    retired_answers: int
    since: float
    is_proven: bool


class Window(msgspec.Struct, frozen=True, tag="window"):
    """The window a model has named itself, in tokens."""

    tokens: int


class LongMessages(msgspec.Struct, frozen=True, tag="long_messages"):
    """The model took a message longer than its published limit."""


class Pace(msgspec.Struct, frozen=True, tag="pace"):
    """How fast a model has been."""

    first_token_seconds: float
    tokens_per_second: float


class Halt(msgspec.Struct, frozen=True, tag="halt"):
    """The account must not be asked until then (unix s)."""

    kind: FailureKind
    until: float


Fact = Rest | Health | Window | LongMessages | Pace | Halt

ACCOUNT: Final = "account"  # whom a Halt is about
_LATER: Final = 1e-5  # seconds; a double of today's unix time can tell that apart
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Fact).decode


@dataclass(slots=True, frozen=True)
class Note:
    """`fact` about `subject` (a model id, or the account), found out `at` (unix seconds)."""

    subject: str
    at: float
    fact: Fact

    @property
    def name(self) -> str:
        """One of a kind per subject: what a newer note replaces."""
        return f"{type(self.fact).__struct_config__.tag} {self.subject}"

    def encoded(self) -> bytes:
        """The fact, as it lies in the store."""
        return _encode(self.fact)


def read_note(name: str, at: float, encoded: bytes) -> Note | None:
    """A note from the store; None where it is of a kind that this version does not know."""
    try:
        return Note(name.partition(" ")[2], at, _decode(encoded))
    except msgspec.DecodeError:
        return None


@dataclass(slots=True)
class Board:
    """The newest note of each name, and which of them the others do not have yet. `wake` is called for urgent ones."""

    notes: dict[str, Note] = field(default_factory=dict)
    unsent: set[str] = field(default_factory=set)
    wake: Callable[[], None] = lambda: None

    def write(self, note: Note, *, is_urgent: bool = True) -> None:
        """Something was found out here: later than all that is known of it, whatever the clocks say."""
        known = self.notes.get(note.name)
        if known is not None and note.at <= known.at:
            note = Note(note.subject, known.at + _LATER, note.fact)
        self.notes[note.name] = note
        self.unsent.add(note.name)
        if is_urgent:
            self.wake()

    def take(self) -> list[Note]:
        """What is to be told to the others; whoever cannot tell it puts it back."""
        taken = [self.notes[name] for name in self.unsent]
        self.unsent.clear()
        return taken

    def put_back(self, notes: Iterable[Note]) -> None:
        """They were not told."""
        self.unsent.update(note.name for note in notes)

    def merge(self, notes: Iterable[Note]) -> list[Note]:
        """All that the others have told. Returns what is news here; what is newer here, or only here, goes out."""
        found = {note.name: note for note in notes}
        news = [note for name, note in found.items() if name not in self.notes or self.notes[name].at < note.at]
        self.notes.update((note.name, note) for note in news)
        self.unsent.update(name for name, note in self.notes.items() if name not in found or found[name].at < note.at)
        return news
