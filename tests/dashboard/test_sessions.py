"""Signing in and out: who comes in, what the cookie is, when a session ends."""

import json
from typing import Any

import httpx2
import pytest
from support.admin_gateway import ADMIN_KEY, AdminGateway
from support.signing_in import ADMIN, browser, make_team

from gateway.dashboard.sessions import SESSION_SECONDS
from gateway.dashboard.sign_in_rate import PER_ADDRESS

LEDGER = "/v1/organization/ledger"


def sign_in(gateway: AdminGateway, key: str, **headers: str) -> httpx2.Response:
    return httpx2.post(f"{gateway.url}/dashboard/session", json={"key": key}, headers=headers, trust_env=False)


def records(gateway: AdminGateway) -> dict[bytes, dict[str, Any]]:
    """The sessions as they lie in the store."""
    names = list(gateway.redis.scan_iter(f"{gateway.layout.shared('session')}:*"))
    return {name: json.loads(gateway.redis.get(name)) for name in names}


def test_session_nobody_signed_in_is_none(gateway: AdminGateway) -> None:
    with browser(gateway) as http:
        answer = http.get("/dashboard/session")
    assert (answer.status_code, answer.json()["role"]) == (200, "none")
    assert answer.headers["cache-control"] == "no-store"


def test_sign_in_admin_key_gives_a_strict_cookie(gateway: AdminGateway) -> None:
    answer = sign_in(gateway, ADMIN_KEY)
    assert (answer.status_code, answer.json()["role"]) == (200, "admin")
    token, *attributes = answer.headers["set-cookie"].split("; ")
    assert token.startswith("gateway_session=")
    assert attributes == ["Path=/", f"Max-Age={SESSION_SECONDS}", "HttpOnly", "SameSite=Strict"]


def test_sign_in_over_https_makes_the_cookie_secure(gateway: AdminGateway) -> None:
    answer = sign_in(gateway, ADMIN_KEY, **{"x-forwarded-proto": "https"})
    assert answer.headers["set-cookie"].endswith("; Secure")


def test_sign_in_virtual_key_says_whose_it_is(gateway: AdminGateway) -> None:
    team = make_team(gateway, "search")
    found = sign_in(gateway, f" {team.secret} ").json()
    assert found["role"] == "key"
    assert (found["project"], found["key"]) == (
        {"id": team.project, "name": "search"},
        {"id": team.key, "name": "search"},
    )


@pytest.mark.parametrize("key", ["", "sk-", f"{ADMIN_KEY}x", "sk-" + "0" * 49, "ключ"])
def test_sign_in_wrong_key_is_refused(gateway: AdminGateway, key: str) -> None:
    answer = sign_in(gateway, key)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    ("content", "type_", "status"),
    [
        (b'{"key": "x"}', "text/plain", 400),
        (b'{"key": "x"}', "application/x-www-form-urlencoded", 400),
        (b"{", "application/json", 400),
        (b'{"key": 1}', "application/json", 400),
        (b'{"key": "x", "more": 1}', "application/json", 400),
        (b'{"key": "%s"}' % (b"x" * 5000), "application/json", 413),
    ],
)
def test_sign_in_odd_body_is_refused(gateway: AdminGateway, content: bytes, type_: str, status: int) -> None:
    answer = httpx2.post(
        f"{gateway.url}/dashboard/session", content=content, headers={"content-type": type_}, trust_env=False
    )
    assert answer.status_code == status


@pytest.mark.parametrize(
    "headers", [{"origin": "https://elsewhere.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}]
)
def test_sign_in_from_another_page_is_forbidden(gateway: AdminGateway, headers: dict[str, str]) -> None:
    assert sign_in(gateway, ADMIN_KEY, **headers).status_code == 403


def test_sign_out_from_another_page_is_forbidden(gateway: AdminGateway) -> None:
    with browser(gateway, ADMIN_KEY) as http:
        assert http.delete("/dashboard/session", headers={"sec-fetch-site": "cross-site"}).status_code == 403
        assert http.get(LEDGER).status_code == 200


@pytest.mark.parametrize("origin", ["{url}", "https://behind-a-proxy.example:8443"])
def test_sign_in_from_the_own_page_is_let_in(gateway: AdminGateway, origin: str) -> None:
    headers = {"origin": origin.format(url=gateway.url), "sec-fetch-site": "same-origin"}
    assert sign_in(gateway, ADMIN_KEY, **headers).status_code == 200


def test_sign_in_from_the_own_page_of_an_older_browser_is_let_in(gateway: AdminGateway) -> None:
    assert sign_in(gateway, ADMIN_KEY, origin=gateway.url).status_code == 200


def test_sign_in_wrong_too_often_is_slowed_down(gateway: AdminGateway) -> None:
    answers = [sign_in(gateway, "sk-wrong") for _ in range(2 * PER_ADDRESS + 1)]  # a minute may end in between
    assert answers[0].status_code == 401
    refused = answers[-1]
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert 1 <= int(refused.headers["retry-after"]) <= 60


def test_sign_in_right_often_is_not_slowed_down(gateway: AdminGateway) -> None:
    assert {sign_in(gateway, ADMIN_KEY).status_code for _ in range(2 * PER_ADDRESS)} == {200}


def test_session_signed_out_reads_nothing(gateway: AdminGateway) -> None:
    with browser(gateway, ADMIN_KEY) as http:
        cookie = http.cookies["gateway_session"]
        assert http.get(LEDGER).status_code == 200
        answer = http.delete("/dashboard/session")
        assert (answer.status_code, answer.json()["role"]) == (200, "none")
        assert "Max-Age=0" in answer.headers["set-cookie"]
    again = httpx2.get(gateway.url + LEDGER, headers={"cookie": f"gateway_session={cookie}"}, trust_env=False)
    assert again.status_code == 401


def test_session_of_a_revoked_key_ends_with_it(gateway: AdminGateway) -> None:
    team = make_team(gateway, "search")
    with browser(gateway, team.secret) as http:
        assert http.get(LEDGER).status_code == 200
        path = f"{gateway.url}/v1/organization/projects/{team.project}/api_keys/{team.key}"
        assert httpx2.delete(path, headers=ADMIN, trust_env=False).status_code == 200
        assert http.get(LEDGER).status_code == 401
        assert http.get("/dashboard/session").json()["role"] == "none"


def test_session_past_its_end_reads_nothing_even_if_the_store_kept_it(gateway: AdminGateway) -> None:
    with browser(gateway, ADMIN_KEY) as http:
        [(name, record)] = records(gateway).items()
        assert 0 < gateway.redis.ttl(name) <= SESSION_SECONDS
        gateway.redis.set(name, json.dumps({**record, "expires": 1}))
        assert http.get(LEDGER).status_code == 401


@pytest.mark.parametrize("change", [{"expires": 4_000_000_000}, {"key_hash": ""}, {"seal": "00"}])
def test_session_altered_in_the_store_is_worthless(gateway: AdminGateway, change: dict[str, object]) -> None:
    team = make_team(gateway, "search")
    with browser(gateway, team.secret) as http:
        [(name, record)] = records(gateway).items()
        gateway.redis.set(name, json.dumps({**record, **change}))
        assert http.get(LEDGER).status_code == 401


def test_session_token_is_not_in_the_store(gateway: AdminGateway) -> None:
    with browser(gateway, ADMIN_KEY) as http:
        token = http.cookies["gateway_session"]
    [(name, record)] = records(gateway).items()
    assert token not in name.decode() + json.dumps(record)


@pytest.mark.parametrize(
    "cookie", ["gateway_session=", "gateway_session=nonsense", "gateway_session=\xe9", ";;=", "a=b"]
)
def test_session_odd_cookie_is_nobodys(gateway: AdminGateway, cookie: str) -> None:
    headers = [(b"cookie", cookie.encode("latin-1"))]
    assert httpx2.get(gateway.url + LEDGER, headers=headers, trust_env=False).status_code == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/projects"),
        ("POST", "/projects/{project}"),
        ("POST", "/projects/{project}/archive"),
        ("POST", "/projects/{project}/spend_limit"),
        ("DELETE", "/projects/{project}/spend_limit"),
        ("POST", "/projects/{project}/service_accounts"),
        ("DELETE", "/projects/{project}/api_keys/{key}"),
        ("POST", "/spend_limit"),
        ("DELETE", "/spend_limit"),
    ],
)
def test_session_of_an_administrator_changes_nothing(gateway: AdminGateway, method: str, path: str) -> None:
    team = make_team(gateway, "search")
    place = "/v1/organization" + path.format(project=team.project, key=team.key)
    with browser(gateway, ADMIN_KEY) as http:
        assert http.request(method, place, content=b'{"name": "x"}').status_code == 401


def test_session_beside_a_wrong_key_does_not_help(gateway: AdminGateway) -> None:
    with browser(gateway, ADMIN_KEY) as http:
        assert http.get(LEDGER, headers={"authorization": "Bearer sk-wrong"}).status_code == 401


def test_session_spends_nothing_it_is_no_api_key(gateway: AdminGateway) -> None:
    with browser(gateway, ADMIN_KEY) as http:
        token = http.cookies["gateway_session"]
    headers = {"authorization": f"Bearer {token}"}
    assert httpx2.get(gateway.url + LEDGER, headers=headers, trust_env=False).status_code == 401
