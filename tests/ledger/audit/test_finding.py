"""When a difference counts."""

from gateway.ledger.audit.finding import Finding, agreeing


def test_agreeing_keeps_what_differs_by_the_same() -> None:
    earlier = [Finding("rows", "k", "a", (5,), (3,)), Finding("rows", "k", "b", (5,), (3,))]
    later = [Finding("rows", "k", "a", (9,), (7,)), Finding("rows", "k", "b", (5,), (4,))]
    assert agreeing(earlier, later) == later[:1]
    assert later[0].difference == (2,)


def test_agreeing_other_places_do_not_agree() -> None:
    assert agreeing([Finding("rows", "k", "a", (5,), (3,))], [Finding("rows", "l", "a", (5,), (3,))]) == []
