"""The page's files over HTTP: what is served, with which headers, and what is not."""

import re

import httpx2
import pytest
from support.admin_gateway import AdminGateway

from gateway.dashboard.files import POLICY, read_files

FILES = read_files()


def get(gateway: AdminGateway, path: str, **headers: str) -> httpx2.Response:
    return httpx2.get(gateway.url + path, headers=headers, trust_env=False)


@pytest.mark.parametrize("path", ["/dashboard", "/dashboard/", "/dashboard?view=limits&range=30d"])
def test_page_at_every_view_is_the_same_document(gateway: AdminGateway, path: str) -> None:
    answer = get(gateway, path)
    assert (answer.status_code, answer.content) == (200, FILES["index.html"].content)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("path", sorted(FILES))
def test_file_of_the_page_is_served_with_its_policy(gateway: AdminGateway, path: str) -> None:
    answer = get(gateway, f"/dashboard/{path}")
    assert (answer.status_code, answer.content) == (200, FILES[path].content)
    assert answer.headers["content-security-policy"] == POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    unchanged = get(gateway, f"/dashboard/{path}", **{"if-none-match": answer.headers["etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")


@pytest.mark.parametrize("path", ["/dashboard/nope.js", "/dashboard/../app.py", "/dashboard/%2e%2e/routes.py"])
def test_file_outside_the_page_is_unknown(gateway: AdminGateway, path: str) -> None:
    assert get(gateway, path).status_code == 404


def test_file_written_to_is_not_allowed(gateway: AdminGateway) -> None:
    assert httpx2.post(f"{gateway.url}/dashboard/main.js", trust_env=False).status_code == 405


def test_page_has_nothing_inline_and_nothing_from_elsewhere() -> None:
    page = FILES["index.html"].content.decode()
    assert re.findall(r"<script(?![^>]* src=)|<style| style=| on[a-z]+=", page) == []
    for name, file in FILES.items():
        if "vendor" not in name and not name.endswith(".svg"):
            assert re.findall(rb"https?://", file.content) == [], name


def test_vendored_library_has_its_licence() -> None:
    assert b"MIT" in FILES["vendor/uplot/LICENSE"].content
    assert b"v1.6.32" in FILES["vendor/uplot/uPlot.iife.min.js"].content[:100]
