"""Key names: what one step touches shares a hash tag; rows do not."""

from gateway.store.layout import Layout


def test_layout_shared_keys_carry_the_organisations_tag() -> None:
    layout = Layout("gw:", "acme")
    names = [layout.shared("holds"), layout.project("p1"), layout.key("ab"), layout.spent("k:key_1")]
    assert names == ["gw:{acme}:holds", "gw:{acme}:project:p1", "gw:{acme}:key:ab", "gw:{acme}:spent:k:key_1"]


def test_layout_rows_lie_outside_the_tag() -> None:
    layout = Layout()
    assert (layout.row("r1"), layout.rows(), layout.rows("p:p1")) == ("gw:row:r1", "gw:rows", "gw:rows:p:p1")
