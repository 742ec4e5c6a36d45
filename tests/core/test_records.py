"""Who may spend, and until when; records as they lie in the store."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.records import Identity, Key, Limit, Organization, Project, Rules, SpendLimit

ORGANIZATION = Organization("org_1", 1, SpendLimit(5_000_000_000), (Limit("requests", 60, "minute"),))
PROJECT = Project("proj_1", 2, "P", 1)
KEY = Key("key_1", 3, "proj_1", "K", 1, "sk-…abcd", "svc_1")
REPLACE = msgspec.structs.replace


@pytest.mark.parametrize(
    ("project", "key", "moment", "is_valid"),
    [
        (PROJECT, KEY, 1e10, True),
        (PROJECT, REPLACE(KEY, revoked_at=5), 1, False),
        (PROJECT, REPLACE(KEY, disabled=True), 1, False),
        (REPLACE(PROJECT, archived_at=5), KEY, 1, False),
        (PROJECT, REPLACE(KEY, expires_at=100), 99.9, True),
        (PROJECT, REPLACE(KEY, expires_at=100), 100, False),
        (PROJECT, REPLACE(KEY, expires_at=100), 101, False),
    ],
)
def test_is_valid_until_revoked_expired_or_archived(project: Project, key: Key, moment: float, is_valid: bool) -> None:
    assert Identity(ORGANIZATION, project, key, "hash").is_valid(moment) is is_valid


@given(st.none() | st.integers(0, 2**53), st.none() | st.integers(0, 2**53))
def test_key_survives_the_store(expires_at: int | None, revoked_at: int | None) -> None:
    key = REPLACE(KEY, expires_at=expires_at, revoked_at=revoked_at)
    assert msgspec.json.decode(msgspec.json.encode(key), type=Key) == key


def test_records_unknown_members_of_a_later_version_are_passed_over() -> None:
    written = msgspec.json.decode(msgspec.json.encode(PROJECT)) | {"color": "red"}
    assert msgspec.json.decode(msgspec.json.encode(written), type=Project) == PROJECT


def test_records_limits_survive_the_store() -> None:
    assert msgspec.json.decode(msgspec.json.encode(ORGANIZATION), type=Organization) == ORGANIZATION


@pytest.mark.parametrize(
    ("key", "project", "expected"),
    [
        (Rules(), Rules(), Rules()),
        (Rules(), Rules(on_disconnect="drain", drain_seconds=5), Rules(on_disconnect="drain", drain_seconds=5)),
        (Rules(on_store_down="deny"), Rules(on_store_down="allow"), Rules(on_store_down="deny")),
        (Rules(allowed_models=("a", "b")), Rules(), Rules(allowed_models=("a", "b"))),
        (Rules(allowed_models=("a", "b")), Rules(allowed_models=("b", "c")), Rules(allowed_models=("b",))),
        (Rules(allowed_routes=("auto",)), Rules(allowed_routes=("fast",)), Rules(allowed_routes=())),
        (Rules(log_content=False), Rules(log_content=True), Rules(log_content=False)),
        (Rules(tags={"team": "k"}), Rules(tags={"team": "p", "cost": "1"}), Rules(tags={"team": "k", "cost": "1"})),
    ],
)
def test_rules_of_a_key_come_before_those_of_its_project(key: Rules, project: Rules, expected: Rules) -> None:
    identity = Identity(ORGANIZATION, REPLACE(PROJECT, rules=project), REPLACE(KEY, rules=key), "hash")
    assert identity.rules == expected
