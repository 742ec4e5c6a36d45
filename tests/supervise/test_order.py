"""Messages to a running worker, in whatever pieces they arrive."""

from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gateway.config.load import load
from gateway.supervise.order import Decision, Inbox, Message, Notice, Offer, pack_message

MESSAGES: list[Message] = [
    Offer(load("", {}, Path("/"), demo=False), 30.0),
    Decision(is_adopted=True),
    Notice("something"),
    Decision(is_adopted=False),
]
PACKED = b"".join(map(pack_message, MESSAGES))


@given(st.lists(st.integers(0, len(PACKED)), max_size=8))
def test_inbox_puts_messages_together_from_any_pieces(cuts: list[int]) -> None:
    inbox = Inbox()
    ends = [0, *sorted(cuts), len(PACKED)]
    found = [message for start, end in pairwise(ends) for message in inbox.feed(PACKED[start:end])]
    assert found == MESSAGES
