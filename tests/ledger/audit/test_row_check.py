"""Which fields of an hour count as different."""

from support.ledgers import NOW_MS, make_identity, make_receipt, make_request

from gateway.core.receipt import Receipt
from gateway.ledger.audit.reading import Indexed
from gateway.ledger.audit.row_check import RowSums, compare

ONE, TWO = (1, 2, 3, 4, 5, 6, 7), (2, 2, 3, 4, 5, 6, 7)


def row() -> Receipt:
    return make_receipt(make_request(make_identity(), "r1"), NOW_MS)


def test_compare_field_that_moved_is_undecided() -> None:
    look = compare("k", {"a": ONE}, {"a": ONE, "b": ONE}, {"a": TWO, "b": ONE})
    assert look.moving == 1
    assert [(each.subject, each.found) for each in look.findings] == [("b", ONE)]


def test_compare_equal_fields_are_no_findings() -> None:
    assert compare("k", {"a": ONE}, {"a": ONE}, {"a": ONE}).findings == []


def test_row_sums_entry_that_does_not_fit_its_row_is_a_finding() -> None:
    sums = RowSums()
    found = row()
    sums.add("i", Indexed(found.id, NOW_MS, found))
    sums.add("i", Indexed("other", NOW_MS, found))
    sums.add("i", Indexed(found.id, NOW_MS + 1, found))
    sums.add("i", Indexed("gone", NOW_MS, None))
    assert (sums.rows, sums.scopes["p:proj_1"], [each.subject for each in sums.findings]) == (
        1,
        1,
        ["other", found.id, "gone"],
    )
