"""Windows tile time; meters name the right counters; limits that cannot be counted are refused."""

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from support.ledgers import make_identity

from gateway.core.limits import (
    END_OF_TIME_MS,
    LARGEST_LIMIT,
    WindowName,
    booking_at,
    check_limit,
    limits_of,
    meter_of,
    meters_for,
    rolling_sums,
    shown_amount,
    spent_scopes,
    used_field,
    window_at,
    zone_named,
)
from gateway.core.records import Limit, SpendLimit

NAMES: tuple[WindowName, ...] = ("day", "week", "month")
ZONES: tuple[tzinfo, ...] = (UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("Asia/Kathmandu"))
moments = st.integers(1_600_000_000_000, 1_900_000_000_000)


def ms(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 1000  # type: ignore[misc,arg-type]  # year, month, day …


@pytest.mark.parametrize(
    ("name", "label", "start", "end"),
    [
        ("now", "now", 0, END_OF_TIME_MS),
        ("minute", "minute", 0, END_OF_TIME_MS),
        ("hour", "hour", 0, END_OF_TIME_MS),
        ("day", "2026-12-31", ms(2026, 12, 31), ms(2027, 1, 1)),
        ("week", "2026-W53", ms(2026, 12, 28), ms(2027, 1, 4)),
        ("month", "2026-12", ms(2026, 12, 1), ms(2027, 1, 1)),
        ("total", "total", 0, END_OF_TIME_MS),
    ],
)
def test_window_at_the_last_hour_of_a_year(name: WindowName, label: str, start: int, end: int) -> None:
    window = window_at(name, ms(2026, 12, 31, 23, 59))
    assert (window.label, window.start_ms, window.end_ms) == (label, start, end)


@given(st.sampled_from(NAMES), st.sampled_from(ZONES), moments)
def test_window_at_any_moment_tiles_time(name: WindowName, zone: tzinfo, moment: int) -> None:
    window = window_at(name, moment, zone)
    assert window.start_ms <= moment < window.end_ms
    assert window_at(name, window.start_ms, zone) == window_at(name, window.end_ms - 1, zone) == window
    following = window_at(name, window.end_ms, zone)
    assert following.start_ms == window.end_ms
    assert following.label != window.label


def test_window_at_a_clock_change_has_a_longer_day() -> None:
    day = window_at("day", ms(2026, 10, 25, 12), ZoneInfo("Europe/Berlin"))
    assert day.end_ms - day.start_ms == 25 * 3_600_000
    assert day.label == "2026-10-25@Europe/Berlin"


def test_meters_for_a_project_budget_packs_what_hold_lua_reads() -> None:
    meters = meters_for(make_identity(5000), ms(2026, 11, 20))
    assert meters.covers(ms(2026, 11, 20, 23))
    assert not meters.covers(ms(2026, 11, 21))
    ((scope, meter),) = meters.limited
    assert (scope, meter.resets_at) == (2, ms(2026, 12, 1) // 1000)
    assert msgspec.msgpack.decode(meters.packed) == [
        ms(2026, 11, 20), ms(2026, 11, 21), 2, 1, "h:money:2026-11", "u:money:2026-11", 5000,
    ]  # fmt: skip
    assert meters.rates == b""


def test_meters_for_limits_of_every_kind_puts_rolling_ones_last() -> None:
    limits = (
        Limit("requests", 60, "minute"),
        Limit("money", 7, "day"),
        Limit("concurrency", 4, "now"),
        Limit("tokens", 900, "hour"),
    )
    meters = meters_for(make_identity(5000, limits=limits), ms(2026, 11, 20))
    assert [(scope, meter.kind, meter.window.name) for scope, meter in meters.limited] == [
        (2, "money", "month"),
        (3, "money", "day"),
        (3, "concurrency", "now"),
        (3, "requests", "minute"),
        (3, "tokens", "hour"),
    ]
    assert msgspec.msgpack.decode(meters.packed)[7:] == [
        3, 1, "h:money:2026-11-20", "u:money:2026-11-20", 7, 3, 4, "h:concurrency:now", "", 4,
    ]  # fmt: skip
    assert msgspec.msgpack.decode(meters.rates) == [
        3, 3, "r:requests:minute", 60, 1000, 3, 2, "r:tokens:hour", 900, 60_000,
    ]  # fmt: skip


def test_limits_of_a_scope_with_a_budget_keeps_the_smallest_of_each_window() -> None:
    month, total = Limit("money", 5, "month"), Limit("money", 9, "total")
    assert limits_of(SpendLimit(7), (total, Limit("money", 12, "total"), month)) == [month, total]
    assert limits_of(None, ()) == []


@pytest.mark.parametrize(
    "limit",
    [
        Limit("money", 1, "now"),
        Limit("concurrency", 1, "minute"),
        Limit("heartbeats", 1, "day"),
        Limit("neurons", 9_000_000_001, "day"),
        Limit("tokens", 1, "fortnight"),
        Limit("requests", -1, "minute"),
    ],
)
def test_meter_of_a_limit_nobody_can_count_raises(limit: Limit) -> None:
    with pytest.raises(ValueError):
        meter_of(limit, ms(2026, 11, 20))


def test_meters_for_a_total_limit_never_resets() -> None:
    identity = make_identity()
    organization = replace(identity.organization, spend_limit=SpendLimit(7, "total"))
    ((scope, meter),) = meters_for(replace(identity, organization=organization), ms(2026, 11, 20)).limited
    assert (scope, meter.window.label, meter.resets_at) == (1, "total", None)


@pytest.mark.parametrize("limit", [SpendLimit(LARGEST_LIMIT + 1), SpendLimit(-1), SpendLimit(1, "fortnight")])
def test_meters_for_a_limit_nobody_can_count_raises(limit: SpendLimit) -> None:
    identity = make_identity()
    with pytest.raises(ValueError):
        meters_for(replace(identity, project=replace(identity.project, spend_limit=limit)), ms(2026, 11, 20))


def test_neurons_are_limited_in_whole_ones_and_counted_in_billionths() -> None:
    meter = meter_of(Limit("neurons", 9_000_000_000, "day"), ms(2026, 11, 20))
    assert (meter.number, meter.limit) == (5, 9 * 10**18)
    assert [shown_amount("neurons", amount) for amount in (0, 1, 10**9, meter.limit)] == [0, 1, 1, 9_000_000_000]
    assert shown_amount("money", 5) == 5


def test_check_limit_the_largest_passes() -> None:
    assert check_limit(LARGEST_LIMIT) == LARGEST_LIMIT


def test_booking_at_names_every_kind_and_window() -> None:
    booking = booking_at(ms(2026, 11, 20))
    assert booking.covers(ms(2026, 11, 20, 23))
    assert not booking.covers(ms(2026, 11, 21))
    fields, kinds = msgspec.msgpack.decode(booking.packed)
    labels = ("2026-11-20", "2026-W47", "2026-11", "total")
    assert fields == [f"u:{kind}:{label}" for kind in ("money", "tokens", "requests", "neurons") for label in labels]
    assert kinds == [1] * 4 + [2] * 4 + [3] * 4 + [5] * 4
    assert used_field("money", window_at("month", ms(2026, 11, 20))) == fields[2]


def test_zone_named_utc_leaves_labels_as_they_are() -> None:
    moment = ms(2026, 11, 20, 23)
    assert window_at("day", moment, zone_named("UTC")).label == "2026-11-20"
    assert window_at("day", moment, zone_named("Asia/Tokyo")).label == "2026-11-21@Asia/Tokyo"


def test_spent_scopes_order_is_organisation_project_key() -> None:
    assert spent_scopes("P", "K") == ("o", "p:P", "k:K")


def test_rolling_sums_count_the_slot_of_now_and_sixty_before() -> None:
    field = msgspec.msgpack.encode([39, 1, 2, 40, 3, 4, 100, 5, 6])
    assert rolling_sums(field, 1000, 100_999) == (8, 10)
    assert rolling_sums(field, 1000, 101_000) == (5, 6)
    assert rolling_sums(None, 1000, 101_000) == (0, 0)


def test_meters_for_limits_of_single_models_take_the_serving_models_only() -> None:
    limits = tuple(
        Limit(kind, 9, window, model)
        for model, kind, window in (
            ("@cf/a", "requests", "minute"),
            ("@cf/b", "tokens", "minute"),
            ("@cf/a", "requests", "day"),
            (None, "requests", "minute"),
        )
    )
    identity = make_identity(None)
    identity = replace(identity, project=replace(identity.project, limits=limits))
    assert identity.limited_models == {"@cf/a", "@cf/b"}
    moment = ms(2026, 11, 25)
    by_model = {
        model: [meter.used_field for _, meter in meters_for(identity, moment, model).limited]
        for model in ("@cf/a", "@cf/b", "@cf/c", None)
    }
    everything = "r:requests:minute"
    assert by_model == {
        "@cf/a": ["r:requests:minute|@cf/a", "r:requests:day|@cf/a", everything],
        "@cf/b": ["r:tokens:minute|@cf/b", everything],
        "@cf/c": [everything],
        None: [everything],
    }
    day = meter_of(limits[2], moment)
    assert (day.slot_ms, day.resets_at, day.window.name, day.model) == (1_440_000, None, "day", "@cf/a")


def test_limits_of_a_scope_tell_models_apart() -> None:
    limits = [Limit("requests", 5, "minute"), Limit("requests", 9, "minute", "a"), Limit("requests", 7, "minute", "a")]
    assert limits_of(None, limits) == [limits[0], limits[2]]


@pytest.mark.parametrize("window", ["week", "month", "total"])
def test_meter_of_a_single_model_in_a_calendar_window_raises(window: str) -> None:
    with pytest.raises(ValueError, match="of one model"):
        meter_of(Limit("requests", 1, window, "a"), 0)
