"""The words of refusals."""

import pytest

from gateway.surfaces.chat import refusals


@pytest.mark.parametrize(
    ("words", "listed"), [(["a"], "'a'"), (["a", "b"], "'a' and 'b'"), (["a", "b", "c"], "'a', 'b', and 'c'")]
)
def test_list_words_as_openai_does(words: list[str], listed: str) -> None:
    assert refusals.list_words(words) == listed


def test_show_is_bounded() -> None:
    assert refusals.show("x" * 1000) == "x" * 100 + "..."
    assert refusals.show(2**300) == "an integer of 301 bits"
    assert refusals.show(7) == "7"


def test_wrong_type_foreign_kind_still_has_words() -> None:
    assert refusals.wrong_type("x", "a string", object()).message.endswith("but got an unknown type instead.")
