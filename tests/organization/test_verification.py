"""The verification endpoints over rows in a real store."""

import httpx2
from support.admin_gateway import AdminGateway


def _all(http: httpx2.Client) -> list[str]:
    found: list[str] = []
    page: str | None = None
    while True:
        answer = http.get("/verify", params={"page": page} if page else {}).json()
        found += [each["check"] for each in answer["findings"]]
        page = answer["next_page"]
        assert answer["has_more"] is (page is not None)
        if page is None:
            return found


def test_verify_missing_counters_are_found_and_repaired(gateway: AdminGateway, http: httpx2.Client) -> None:
    row = gateway.add_row()  # its counters are left alone
    assert set(_all(http)) == {"counters"}
    first = http.post("/verify", json={"repair": True}).json()
    assert (first["findings"], first["rows"]) == ([], 1)
    answer = http.post("/verify", json={"repair": True, "page": first["next_page"]}).json()
    assert answer["object"] == "organization.verification"
    money = [each for each in answer["repaired"] if each["subject"] == "u:money:total"]
    assert {tuple(each["expected"]) for each in money} == {(row.cost_nano,)}
    assert _all(http) == []
    entries = gateway.redis.xrange(gateway.layout.shared("audit"))
    assert [entry[b"event"] for _, entry in entries] == [b"ledger.repair.started", b"ledger.repaired"]


def test_verify_repair_beside_another_is_refused(gateway: AdminGateway, http: httpx2.Client) -> None:
    gateway.redis.set(gateway.layout.shared("repair_lease"), "somebody")
    assert http.post("/verify", json={"repair": True}).status_code == 400


def test_verify_bad_parameters_are_refused_by_name(http: httpx2.Client) -> None:
    answer = http.get("/verify", params={"page": "nonsense"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "page")
    assert http.post("/verify", json={"fix": True}).json()["error"]["param"] == "fix"
