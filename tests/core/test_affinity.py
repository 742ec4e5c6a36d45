"""A conversation keeps its word while it grows; others have another."""

from dataclasses import replace

from gateway.core.affinity import session_affinity
from gateway.core.call import Call, Message

TURNS = (Message("system", "be kind"), Message("user", "hello"))
CALL = Call("chat", "m", TURNS)


def test_session_affinity_stays_while_a_conversation_grows() -> None:
    grown = replace(CALL, messages=(*TURNS, Message("assistant", "hi"), Message("user", "and?")))
    assert session_affinity("key_1", CALL) == session_affinity("key_1", grown)
    assert len(session_affinity("key_1", CALL)) == 32


def test_session_affinity_differs_between_keys_and_conversations() -> None:
    other = replace(CALL, messages=(TURNS[0], Message("user", "bye")))
    words = {session_affinity("key_1", CALL), session_affinity("key_2", CALL), session_affinity("key_1", other)}
    assert len(words) == 3


def test_session_affinity_does_not_confuse_where_one_turn_ends() -> None:
    one = replace(CALL, messages=(Message("user", "ab"), Message("user", "c")))
    two = replace(CALL, messages=(Message("user", "a"), Message("user", "bc")))
    assert session_affinity("key_1", one) != session_affinity("key_1", two)
