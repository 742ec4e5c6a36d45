"""What is printed: exact money, cells a spreadsheet does not compute."""

from decimal import Decimal

import msgspec
import pytest

from gateway.cli.output import (
    Column,
    print_csv,
    print_failure,
    print_json,
    print_line,
    print_note,
    print_table,
    print_verdict,
    show_count,
    show_dollars,
    show_moment,
    show_nano,
)

HOSTILE = "a\x1b]0;owned\x07\x9b2J\x7f\r\t\u202e\u200bb"
HARMLESS = r"a\x1b]0;owned\x07\x9b2J\x7f\x0d\x09\u202e\u200bb"


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0", "0.00"), ("25", "25.00"), ("0.06", "0.06"), ("0.000000484", "0.000000484"), ("1E+2", "100.00")],
)
def test_show_dollars_is_exact_with_cents(amount: str, text: str) -> None:
    assert show_dollars(Decimal(amount)) == text


def test_show_nano_keeps_every_digit() -> None:
    assert show_nano(9_007_199_254_740_993) == "9007199.254740993"


def test_show_count_is_singular_for_one() -> None:
    shown = [show_count(0, "row"), show_count(1, "row"), show_count(1204, "row"), show_count(2, "entry", "entries")]
    assert shown == ["0 rows", "1 row", "1,204 rows", "2 entries"]


def test_show_moment_absent_is_a_dash() -> None:
    assert (show_moment(None), show_moment(0)) == ("–", "1970-01-01 00:00:00")


def test_print_csv_formula_is_defused(capsys: pytest.CaptureFixture[str]) -> None:
    print_csv([Column("name"), Column("model")], [("=1+1", "@cf/a"), ("a,b", "x")])
    assert capsys.readouterr().out == 'name,model\n\'=1+1,@cf/a\n"a,b",x\n'


def test_print_table_piped_has_no_colour_no_markup_and_no_cut(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([Column("NAME"), Column("N", is_number=True)], [("[red]x[/red]" + "y" * 300, "5")])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "[red]x[/red]" + "y" * 300 in out


def test_printed_text_of_others_is_shown_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([Column("NAME")], [(HOSTILE,), ("two\nlines",)])
    print_line(HOSTILE)
    print_verdict("ok", HOSTILE, HOSTILE, HOSTILE)
    print_note(HOSTILE)
    print_failure(HOSTILE, HOSTILE)
    out, err = capsys.readouterr()
    assert (out.count(HARMLESS), err.count(HARMLESS)) == (5, 3)
    assert r"two\x0alines" in out
    assert all(sign.isprintable() or sign == "\n" for sign in out + err)


def test_printed_joiners_of_a_script_stay(capsys: pytest.CaptureFixture[str]) -> None:
    print_line("می\u200cخواهم")
    assert capsys.readouterr().out == "می\u200cخواهم\n"


def test_print_failure_keeps_the_lines_of_a_list(capsys: pytest.CaptureFixture[str]) -> None:
    print_failure("x is not valid:\n  a\n  b", "")
    assert capsys.readouterr().err == "Error: x is not valid:\n  a\n  b\n"


def test_print_json_has_no_control_characters_and_the_same_value(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": HOSTILE})
    out = capsys.readouterr().out
    assert all(sign.isprintable() or sign == "\n" for sign in out)
    assert msgspec.json.decode(out) == {"name": HOSTILE}
