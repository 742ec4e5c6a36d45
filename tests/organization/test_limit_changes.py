"""Limits as callers ask for them: read strictly, applied one by one."""

import json

import pytest
from support.admin_gateway import CATALOG

from gateway.core.errors import InvalidRequest
from gateway.core.limits import LARGEST_LIMIT
from gateway.core.records import Limit
from gateway.organization.limit_changes import LimitChange, changed_limits, changes_text, read_limit_changes
from gateway.organization.parameters import Body

FP8 = "@cf/meta/llama-3.1-8b-instruct-fp8"


def read(*limits: object) -> tuple[LimitChange, ...]:
    return read_limit_changes(Body(json.dumps({"limits": limits}).encode()), CATALOG)


def test_read_limit_changes_takes_limits_and_removals() -> None:
    assert read(
        {"kind": "requests", "window": "minute", "limit": 60},
        {"kind": "concurrency", "limit": 4},
        {"kind": "money", "window": "total", "limit": None},
    ) == (
        LimitChange("requests", "minute", 60),
        LimitChange("concurrency", "now", 4),
        LimitChange("money", "total", None),
    )
    assert read_limit_changes(Body(b"{}"), CATALOG) == ()


@pytest.mark.parametrize(
    ("limit", "param"),
    [
        ({"kind": "heartbeats", "window": "day", "limit": 1}, "kind"),
        ({"kind": "neurons", "window": "day", "limit": LARGEST_LIMIT}, "limits"),
        ({"kind": "tokens", "limit": 1}, "window"),
        ({"kind": "tokens", "window": "year", "limit": 1}, "window"),
        ({"kind": "tokens", "window": "now", "limit": 1}, "limits"),
        ({"kind": "concurrency", "window": "day", "limit": 1}, "limits"),
        ({"kind": "tokens", "window": "day", "limit": -1}, "limit"),
        ({"kind": "tokens", "window": "day", "limit": LARGEST_LIMIT + 1}, "limit"),
        ({"kind": "tokens", "window": "day", "limit": 1.5}, "limit"),
        ({"kind": "tokens", "window": "day", "limit": 1, "burst": 2}, "burst"),
        ("rpm", "limits[0]"),
    ],
)
def test_read_limit_changes_what_nobody_counts_is_refused_by_name(limit: object, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        read(limit)
    assert refused.value.param == param


def test_changed_limits_leaves_alone_what_no_change_names() -> None:
    before = (Limit("requests", 60, "minute"), Limit("tokens", 5, "day"))
    changes = (
        LimitChange("requests", "minute", 30),
        LimitChange("tokens", "day", None),
        LimitChange("money", "day", 7),
    )
    assert changed_limits(before, changes) == (Limit("requests", 30, "minute"), Limit("money", 7, "day"))
    assert changed_limits(before, ()) == before
    assert changes_text(changes) == "requests/minute=30 tokens/day=none money/day=7"


def test_limits_of_one_model_stand_beside_the_others() -> None:
    changes = read(
        {"kind": "requests", "window": "minute", "limit": 60},
        {"kind": "requests", "window": "minute", "limit": 6, "model": "llama-3.1-8b-instruct-fp8"},
    )
    limits = changed_limits((), changes)
    assert limits == (Limit("requests", 60, "minute"), Limit("requests", 6, "minute", FP8))
    assert changes_text(changes) == f"requests/minute=60 requests/minute/{FP8}=6"
    assert changed_limits(limits, (LimitChange("requests", "minute", None, FP8),)) == limits[:1]
    for limit in ({"kind": "concurrency", "limit": 1}, {"kind": "tokens", "window": "month", "limit": 1}):
        with pytest.raises(InvalidRequest, match="of one model"):
            read({**limit, "model": FP8})
    with pytest.raises(InvalidRequest, match="gpt-17"):
        read({"kind": "requests", "window": "minute", "limit": 1, "model": "gpt-17"})
