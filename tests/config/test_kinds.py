"""Kinds: what each takes, what it makes of it, and what it says otherwise."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config.document import Reading, compose
from gateway.config.kinds import (
    INVALID,
    Bounds,
    Key,
    Kind,
    ListOf,
    MapOf,
    Section,
    choice,
    day,
    flag,
    integer,
    number,
    text,
    timezone,
    usd_per_mtok,
)
from gateway.core.catalog import Range


def read(kind: Kind, written: str, environ: dict[str, str] | None = None) -> tuple[object, list[str]]:
    reading = Reading(environ or {}, Path("/"))
    root = compose(written)
    assert root is not None
    return kind.read(root, "k", reading), [str(problem) for problem in reading.problems]


@pytest.mark.parametrize(
    ("kind", "written", "expected"),
    [
        (integer(0, 65_535), "8080", 8080),
        (integer(0, 10**9), "4_194_304", 4_194_304),
        (integer(-5, 5), "-5", -5),
        (integer(0, 9), "0", 0),
        (integer(0, 9, may_be_null=True), "null", None),
        (number(0, 10), "0.5", 0.5),
        (number(0, 10), "10", 10.0),
        (flag(), "true", True),
        (flag(), "false", False),
        (timezone(), "America/Argentina/Ushuaia", "America/Argentina/Ushuaia"),
        (timezone(), "UTC", "UTC"),
        (choice(("a", "b")), "b", "b"),
        (choice(("a", "b")), "'b'", "b"),
        (text("digits", r"[0-9]+"), "0123", "0123"),
        (day(), "2026-05-30", 1_780_099_200),
        (day(), "1970-01-01", 0),
        (day(may_be_null=True), "~", None),
        (usd_per_mtok(), "0.152", 152_000_000),
        (usd_per_mtok(), "0.000000001", 1),
        (usd_per_mtok(), "0.100000000000", 100_000_000),
        (usd_per_mtok(), "9000000", 9 * 10**15),
        (Bounds(), "[0.001, 1]", Range(0.001, 1.0)),
        (Bounds(), "[-2, 2]", Range(-2.0, 2.0)),
        (ListOf(integer(0, 9)), "[1, 2]", (1, 2)),
        (ListOf(integer(0, 9)), "[]", ()),
        (MapOf(text("word", r"[a-z]+"), integer(0, 9)), "{a: 1}", {"a": 1}),
    ],
)
def test_read_valid_value_gives_it(kind: Kind, written: str, expected: object) -> None:
    assert read(kind, written) == (expected, [])


@pytest.mark.parametrize(
    ("kind", "written", "problem"),
    [
        (integer(1, 9), "0", "k: must be a whole number from 1 to 9, not '0'"),
        (integer(1, 9), "10", "k: must be a whole number from 1 to 9, not '10'"),
        (integer(1, 9), "1.0", "k: must be a whole number from 1 to 9, not '1.0'"),
        (integer(1, 9), "0x5", "k: must be a whole number from 1 to 9, not '0x5'"),
        (integer(1, 9), "'5'", "k: must be a whole number from 1 to 9, not text (remove the quotes)"),
        (integer(1, 9), "~", "k: must be a whole number from 1 to 9, not nothing"),
        (integer(1, 9), "[5]", "k: must be a whole number from 1 to 9, not a list"),
        (integer(0, 9), "9" * 5_000, f"k: must be a whole number from 0 to 9, not '{'9' * 40}'"),
        (number(0, 1), "nan", "k: must be a number from 0 to 1, not 'nan'"),
        (number(0, 1), ".inf", "k: must be a number from 0 to 1, not '.inf'"),
        (number(0, 1), "1.1", "k: must be a number from 0 to 1, not '1.1'"),
        (flag(), "yes", "k: must be true or false, not 'yes'"),
        *(
            (
                timezone(),
                name,
                f"k: must be a timezone such as Europe/Berlin, not '{name}' "
                "(this machine's timezone database does not have it)",
            )
            for name in ("Europe/Atlantis", "Europe", "../passwd", "/etc/passwd")
        ),
        (choice(("auto", "httpx2")), "htpx2", "k: must be one of auto, httpx2, not 'htpx2' (did you mean httpx2?)"),
        (day(), "2025-02-30", "k: must be a day as YYYY-MM-DD, not '2025-02-30' (day is out of range for month)"),
        (day(), "20250220", "k: must be a day as YYYY-MM-DD, not '20250220'"),
        (usd_per_mtok(), "-1", "k: must be dollars per million tokens, not '-1'"),
        (usd_per_mtok(), "1e3", "k: must be dollars per million tokens, not '1e3'"),
        (
            usd_per_mtok(),
            "0.0000000001",
            "k: must be dollars per million tokens, not '0.0000000001' "
            "(at most 9 decimals: money is counted in nano-dollars)",
        ),
        (
            usd_per_mtok(),
            "9000000.1",
            "k: must be dollars per million tokens, not '9000000.1' "
            "(amounts above 9,000,000 dollars cannot be counted exactly)",
        ),
        (Bounds(), "[2, 1]", "k: must be [minimum, maximum]"),
        (Bounds(), "[1]", "k: must be [minimum, maximum]"),
        (ListOf(integer(0, 9), minimum=1), "[]", "k: needs at least 1"),
        (ListOf(integer(0, 9)), "5", "k: must be a list, not text"),
        (MapOf(text("a word", r"[a-z]+"), integer(0, 9)), "{A: 1}", "line 1: k.A: the name must be a word"),
    ],
)
def test_read_invalid_value_says_what_is_wanted(kind: Kind, written: str, problem: str) -> None:
    assert read(kind, written)[1] == [problem]


def test_read_quoted_variable_counts_as_number() -> None:
    assert read(integer(0, 9), '"${N}"', {"N": "7"}) == (7, [])


def test_read_wrong_variable_shows_its_name_and_not_its_value() -> None:
    value, problems = read(integer(0, 9), "${N}", {"N": "sesame"})
    assert value is INVALID
    assert problems == ["k: must be a whole number from 0 to 9, not '${N}'"]


def test_read_wrong_secret_is_not_shown() -> None:
    assert read(text("short", "x", secret=True), "sesame")[1] == ["k: must be short"]


def test_read_list_leaves_out_invalid_items() -> None:
    assert read(ListOf(integer(0, 9)), "[1, x, 3]") == (
        (1, 3),
        ["line 1: k[1]: must be a whole number from 0 to 9, not 'x'"],
    )


@given(st.decimals(min_value=0, max_value=9_000_000, places=9, allow_nan=False))
def test_usd_per_mtok_any_amount_is_exact(amount: Decimal) -> None:
    assert usd_per_mtok().parse(f"{amount:f}") == int(amount.scaleb(9))


SECRET = Section((Key("token", text("digits", r"[0-9]*", secret=True), "T.", has_file=True),))


def with_files(document: str, files: dict[str, str]) -> tuple[object, list[str]]:
    def read_secret(path: Path) -> str:
        if str(path) not in files:
            raise FileNotFoundError(2, "No such file or directory")
        return files[str(path)]

    reading = Reading({}, Path("/etc/gw"), read_secret)
    root = compose(document)
    assert root is not None
    return SECRET.read(root, "", reading), [str(problem) for problem in reading.problems]


def test_section_file_key_holds_the_secret() -> None:
    assert with_files("token_file: t", {"/etc/gw/t": " 42\n"}) == ({"token": "42"}, [])


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("token_file: nowhere", "line 1: token_file: the file cannot be read: No such file or directory"),
        ("token_file: bad", "line 1: token_file: the file must hold digits"),
        ("token: 1\ntoken_file: good", "line 2: token_file: token and token_file exclude each other"),
        ("token_fil: good", "line 1: token_fil: unknown key (did you mean token_file?)"),
    ],
)
def test_section_file_key_mistake_is_named(document: str, problem: str) -> None:
    assert with_files(document, {"/etc/gw/bad": "sesame", "/etc/gw/good": "1"})[1] == [problem]


def test_section_file_key_without_reader_is_refused() -> None:
    assert read(SECRET, "token_file: t")[1] == ["line 1: k.token_file: secrets from files cannot be read here"]


def test_section_required_key_missing_is_named() -> None:
    section = Section((Key("a", integer(0, 9), "A.", is_required=True),))
    assert read(section, "{}") == ({}, ["k: needs the key a"])
    assert section.schema()["required"] == ["a"]
