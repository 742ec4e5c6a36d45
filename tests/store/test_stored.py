"""Records read back: as they were written, or told by name; and the real product with records nobody can read."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
import redis
from support.command_line import run_gateway
from support.gateway import ADMIN_KEY, GatewayProcess, gateway, simulator

from gateway.core.errors import RecordUnreadable
from gateway.core.records import Key, Project
from gateway.store.stored import readable, stored

PROJECT = Project(id="proj_1", version=1, name="search", created=1)


def test_record_is_read_as_it_was_written_and_members_of_later_versions_are_left_alone() -> None:
    read = stored(Project, "project")
    text = msgspec.json.encode(PROJECT)
    assert read(text) == read(text.decode()) == PROJECT
    assert read(text[:-1] + b',"invented_later":{"a":1}}') == PROJECT


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"", "(key)"),
        (b"null", "(key)"),
        (b"\xff\xfe", "(key)"),
        (b'{"id":"key_1","version"', "(key key_1)"),
        (b'{"id":"key_1"}', "(key key_1)"),
    ],
)
def test_record_nobody_can_read_is_told_by_name(data: bytes, name: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(RecordUnreadable) as told:
        stored(Key, "key")(data)
    assert name in told.value.message
    assert (told.value.status, told.value.code) == (503, "stored_record_unreadable")
    assert "cannot be read" in caplog.text


def test_readable_keeps_the_others() -> None:
    text = msgspec.json.encode(PROJECT)
    assert readable(stored(Project, "project"), [b"{", text, b"null"]) == [PROJECT]


class Broken:
    """The product, and its store for whoever breaks it."""

    def __init__(self, product: GatewayProcess, store_url: str) -> None:
        self.product = product
        self.store = redis.Redis.from_url(store_url)
        self.project, self.key = product.make_key("broken")
        answer = self.chat()
        assert answer.status_code == 200
        self.row = answer.headers["x-request-id"]
        product.row(self.row)

    def chat(self) -> httpx2.Response:
        return self.product.chat({"model": "auto", "messages": [{"role": "user", "content": "hi"}]}, self.key)

    def ask(self, path: str) -> httpx2.Response:
        headers = {"authorization": f"Bearer {ADMIN_KEY}"}
        return httpx2.get(f"{self.product.base_url}/organization{path}", headers=headers, trust_env=False, timeout=30)


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory, store_url: str) -> Iterator[Broken]:
    with simulator() as upstream, gateway(tmp_path_factory.mktemp("broken"), upstream, store_url) as product:
        yield Broken(product, store_url)


def _is_told(answer: httpx2.Response) -> bool:
    return answer.status_code == 503 and answer.json()["error"]["code"] == "stored_record_unreadable"


@pytest.mark.parametrize(
    ("spoil", "paths"),
    [
        (lambda data: data[:-1], ["/projects", "/projects/{project}"]),
        (lambda data: json.dumps({**json.loads(data), "rules": {"on_revoke": "maybe"}}).encode(), ["/projects"]),
    ],
    ids=["cut", "later"],
)
def test_project_nobody_can_read_is_told_to_clients_and_administrators(
    broken: Broken, spoil: Callable[[bytes], bytes], paths: list[str]
) -> None:
    place = f"gw:{{default}}:project:{broken.project}"
    before: Any = broken.store.hgetall(place)
    broken.store.hset(place, mapping={"data": spoil(before[b"data"]), "v": "9"})
    try:
        assert _is_told(broken.chat())
        for path in paths:
            answer = broken.ask(path.format(project=broken.project))
            assert _is_told(answer), answer.text
            assert broken.project in answer.text
    finally:
        broken.store.hset(place, mapping=before)
    assert broken.chat().status_code == 200


def test_row_nobody_can_read_is_told_by_its_id_everywhere(broken: Broken, tmp_path: Path) -> None:
    place = f"gw:row:{broken.row}"
    before: Any = broken.store.get(place)
    broken.store.set(place, before[:-1])
    try:
        for path in ("/ledger", f"/ledger/{broken.row}"):
            assert _is_told(broken.ask(path))
            assert broken.row in broken.ask(path).text
        told = run_gateway(tmp_path, ("--url", broken.product.origin, "verify"), {"GATEWAY_ADMIN_KEY": ADMIN_KEY}, "")
        assert told.returncode == 1
        assert broken.row in told.stderr
        assert broken.chat().status_code == 200
    finally:
        broken.store.set(place, before)
    assert broken.ask("/ledger").status_code == 200


def test_audit_entry_nobody_can_read_is_told(broken: Broken) -> None:
    entry: Any = broken.store.xadd("gw:{default}:audit", {"event": "x", "details": "{"})
    try:
        assert _is_told(broken.ask("/audit_logs"))
    finally:
        broken.store.xdel("gw:{default}:audit", entry)
    assert broken.ask("/audit_logs").status_code == 200
