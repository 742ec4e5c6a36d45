"""The dashboard in Debian's Chromium, over a scripted month whose totals are known, and over real requests.

Numbers on the page = costs API = `gateway usage` = Σ rows = the simulator's record. The run leaves a screenshot of each
view, light, dark and at a phone's width, in build/screenshots.
"""

import csv
import io
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Locator, expect
from support.clock import begin_within_day
from support.command_line import run_gateway
from support.dashboard import DAY, FAST, Script, Visit, chromium, month_start, play_script, sign_in, visit
from support.gateway import ADMIN_KEY, GatewayProcess, gateway, simulator
from support.valkey import ThrowAwayStore

from gateway.simulator import Simulator

PICTURES = Path(__file__).parents[2] / "build" / "screenshots"
VIEWS = {
    "overview": "?range=30d",
    "today": "?range=today",
    "breakdown": "?view=breakdown&by=key&range=30d",
    "requests": "?view=requests&range=7d",
    "tags": "?view=breakdown&by=tag:feature&range=30d",
    "limits": "?view=limits",
    "health": "?view=health&range=30d",
}


@pytest.fixture(scope="module")
def upstream() -> Iterator[Simulator]:
    with simulator() as started:
        yield started


@pytest.fixture(scope="module")
def product(
    tmp_path_factory: pytest.TempPathFactory, upstream: Simulator, store: ThrowAwayStore
) -> Iterator[GatewayProcess]:
    extra = "ledger: {rollup_tags: [feature]}"
    with gateway(tmp_path_factory.mktemp("dashboard"), upstream, store.url, extra) as started:
        yield started


@pytest.fixture(scope="module")
def script(product: GatewayProcess) -> Script:
    """The month before, and today's requests: real ones, two of each key."""
    begin_within_day(600)
    script = play_script(product)
    ids = []
    for number, secret in enumerate([*script.secrets.values()] * 2):
        body = {"model": "auto", "messages": [{"role": "user", "content": f"Count to {number + 2}"}]}
        ids.append(product.chat(body, key=secret).headers["x-request-id"])
    for each in ids:
        product.row(each)
    return script


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:  # playwright's Browser
    with chromium() as started:
        yield started


@pytest.fixture
def window(browser: Any, product: GatewayProcess, script: Script) -> Iterator[Visit]:
    """Signed in as the administrator; at the end nothing may have gone wrong in it."""
    with visit(browser) as opened:
        sign_in(opened, product, ADMIN_KEY)
        yield opened
        assert opened.complaints == []
        assert {url for url in opened.requested if not url.startswith((product.origin, "blob:"))} == set()


def today() -> int:
    return int(time.time()) // DAY * DAY


def tile(window: Visit, label: str) -> Locator:
    return window.page.locator(".tile", has=window.page.get_by_text(label, exact=True)).locator(".value")


def nano(window: Visit, label: str) -> int:
    return int(tile(window, label).get_attribute("data-nano") or "")


def number(window: Visit, label: str) -> float:
    return float(tile(window, label).get_attribute("data-number") or "")


def show(window: Visit, product: GatewayProcess, query: str) -> None:
    window.page.goto(f"{product.origin}/dashboard{query}")
    window.settle()


def column(table: Locator) -> dict[str, int]:
    """First cells of a table's lines and the amount of money beside each, the first one."""
    lines = table.locator("tbody tr").all()
    return {
        line.locator("th").inner_text(): int(line.locator("[data-nano]").first.get_attribute("data-nano") or "")
        for line in lines
    }


def saved(window: Visit, name: str) -> list[dict[str, str]]:
    """What a table's CSV button saves."""
    with window.page.expect_download() as download:
        window.page.get_by_role("button", name=f"Save as CSV: {name}").click()
    text = download.value.path().read_text(encoding="utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def costs(product: GatewayProcess, start: int, **filters: str) -> int:
    """Nano-dollars of the costs API since a day."""
    found = product.admin("GET", "/costs", params={"start_time": start, "limit": 180, **filters})
    return sum(round(entry["amount"]["value"] * 1e9) for bucket in found["data"] for entry in bucket["results"])


def test_sign_in_wrong_key_says_so_and_keeps_the_form(browser: Any, product: GatewayProcess) -> None:
    with visit(browser) as window:
        window.page.goto(f"{product.origin}/dashboard")
        field = window.page.get_by_label("Key", exact=True)
        expect(field).to_be_focused()
        field.fill("sk-wrong")
        window.page.keyboard.press("Enter")
        expect(window.page.get_by_role("alert")).to_contain_text("neither an admin key nor a virtual key")
        expect(field).to_be_focused()
        assert window.context.cookies() == []
        assert [text for text in window.complaints if "401" not in text] == []  # Chromium logs the refusal itself


def test_overview_equals_costs_rows_command_and_simulator(
    window: Visit, product: GatewayProcess, script: Script, upstream: Simulator
) -> None:
    show(window, product, "?range=today")
    rows = product.rows(start_time=today())
    spent = sum(row["cost_nano"] for row in rows)
    assert len(rows) == len(upstream.record.calls) == 12
    assert nano(window, "Spent today") == nano(window, "Spend") == costs(product, today()) == spent > 0
    assert number(window, "Requests") == 12
    tokens = sum(call.prompt_tokens + call.completion_tokens for call in upstream.record.calls)
    assert number(window, "Tokens") == tokens == sum(row["prompt_tokens"] + row["completion_tokens"] for row in rows)
    neurons = sum(call.neurons for call in upstream.record.calls)
    assert number(window, "Neurons today") == pytest.approx(neurons, abs=1e-6)
    month = month_start(today())
    assert nano(window, "Spent this month") == costs(product, month) == script.nano(month) + spent
    assert command(product, "--by", "project", "--since", time.strftime("%Y-%m-%d", time.gmtime(today()))) == spent


def command(product: GatewayProcess, *arguments: str) -> int:
    """Nano-dollars that `gateway usage` adds up to."""
    environ = {"GATEWAY_URL": product.origin, "GATEWAY_ADMIN_KEY": ADMIN_KEY}
    done = run_gateway(product.folder, ("usage", *arguments, "--json"), environ, "")
    assert done.returncode == 0, done.stderr
    return sum(round(line["cost_usd"] * 1e9) for line in json.loads(done.stdout))


def test_overview_forecast_is_month_to_date_and_the_last_week_for_every_day_left(
    window: Visit, product: GatewayProcess, script: Script
) -> None:
    before = time.time()
    show(window, product, "")
    after = time.time()
    mean = script.nano(today() - 7 * DAY, today()) / 7
    end = month_start(month_start(today()) + 32 * DAY)
    bounds = [nano(window, "Spent this month") + mean * (end - moment) / DAY for moment in (after, before)]
    assert bounds[0] - 1 <= nano(window, "Month’s forecast") <= bounds[1] + 1


def test_overview_of_a_scripted_day_shows_its_totals(window: Visit, product: GatewayProcess, script: Script) -> None:
    show(window, product, "?range=yesterday")
    rows = script.between(today() - DAY, today())
    assert nano(window, "Spend") == sum(row.cost_nano for row in rows)
    assert number(window, "Requests") == len(rows)
    assert number(window, "Error rate") == sum(row.end_reason == "failed" for row in rows)
    window.page.get_by_text("The numbers").click()
    hours = saved(window, "By hour, UTC")
    assert len(hours) == 24
    assert sum(round(float(hour["Spend"]) * 1e9) for hour in hours) == nano(window, "Spend")


def test_overview_groups_add_up_to_the_whole(window: Visit, product: GatewayProcess, script: Script) -> None:
    show(window, product, "?range=30d")
    start = today() - 29 * DAY
    projects = column(window.page.get_by_role("table", name=re.compile("By project")))
    assert projects.keys() == script.projects.keys()
    assert sum(projects.values()) == nano(window, "Spend") == costs(product, start)
    for name, project in script.projects.items():
        assert projects[name] == costs(product, start, **{"project_ids[]": project})
    models = column(window.page.get_by_role("table", name=re.compile("By model")))
    assert sum(models.values()) == nano(window, "Spend")
    assert models["llama-3.1-8b-instruct-fast"] == script.nano(start, model=FAST)


def test_filters_stand_in_the_address_and_narrow_every_number(
    window: Visit, product: GatewayProcess, script: Script
) -> None:
    page = window.page
    page.get_by_label("Time", exact=True).select_option(label="Yesterday")
    window.settle()
    page.get_by_label("Project", exact=True).select_option(label="support")
    window.settle()
    support = script.projects["support"]
    assert page.url == f"{product.origin}/dashboard?range=yesterday&project={support}"
    assert nano(window, "Spend") == script.nano(today() - DAY, today(), project_id=support)
    page.get_by_role("table", name=re.compile("By key")).get_by_role("link", name="triage").click()
    window.settle()
    triage = script.nano(today() - DAY, today(), api_key_id=script.keys["triage"])
    assert nano(window, "Spend") == triage
    expect(page.locator(".chips")).to_contain_text("Key: triage")
    page.reload()
    window.settle()
    assert nano(window, "Spend") == triage
    page.go_back()
    window.settle()
    assert nano(window, "Spend") == script.nano(today() - DAY, today(), project_id=support)
    page.goto(f"{product.origin}/dashboard?range=yesterday&model={FAST}")
    window.settle()
    assert nano(window, "Spend") == script.nano(today() - DAY, today(), model=FAST)


def test_custom_range_is_whole_days(window: Visit, product: GatewayProcess, script: Script) -> None:
    first, last = today() - 9 * DAY, today() - 5 * DAY
    days = [time.strftime("%Y-%m-%d", time.gmtime(each)) for each in (first, last)]
    show(window, product, f"?range=custom&from={days[0]}&to={days[1]}")
    assert nano(window, "Spend") == script.nano(first, last + DAY)


def test_breakdown_csv_is_what_is_on_screen(window: Visit, product: GatewayProcess, script: Script) -> None:
    show(window, product, "?view=breakdown&by=key&range=30d")
    shown = column(window.page.get_by_role("table", name=re.compile("By key")))
    lines = saved(window, "By key, last 30 days")
    assert {line["Key"]: round(float(line["Spend"]) * 1e9) for line in lines} == shown
    assert shown.keys() == script.keys.keys()
    window.page.get_by_role("button", name="Requests", exact=True).click()
    requests = [int(line["Requests"]) for line in saved(window, "By key, last 30 days")]
    assert requests == sorted(requests, reverse=True)
    expect(window.page.get_by_role("columnheader", name="Requests")).to_have_attribute("aria-sort", "descending")


def test_requests_lead_to_a_row_and_its_attempts(window: Visit, product: GatewayProcess, script: Script) -> None:
    retried = next(row for row in reversed(script.rows) if len(row.attempts) > 1)
    show(window, product, "?view=requests&range=30d")
    lines = window.page.locator("tbody tr")
    expect(lines).to_have_count(50)
    window.page.get_by_role("button", name="Older").click()
    expect(lines).to_have_count(100)
    show(window, product, f"?view=requests&row={retried.id}")
    page = window.page
    expect(page.locator(".facts [data-nano]")).to_have_attribute("data-nano", str(retried.cost_nano))
    attempts = page.get_by_role("table", name="Upstream attempts").locator("tbody tr")
    expect(attempts).to_have_count(2)
    expect(attempts.first).to_contain_text("capacity")
    expect(attempts.first).to_contain_text("3040")
    page.get_by_role("link", name="← All requests").click()
    window.settle()
    expect(page.get_by_role("heading", level=1)).to_be_focused()


def test_row_that_is_not_there_says_so(window: Visit, product: GatewayProcess) -> None:
    show(window, product, "?view=requests&row=req_nothing")
    expect(window.page.get_by_role("alert")).to_contain_text("No such row")
    window.complaints[:] = [text for text in window.complaints if "404" not in text]  # Chromium logs it itself


def test_limits_show_how_close_each_scope_is(window: Visit, product: GatewayProcess) -> None:
    show(window, product, "?view=limits")
    lines = saved(window, "Spend limits, calendar month, UTC")
    for line in lines:
        project = next(each for each in product.admin("GET", "/projects")["data"] if each["name"] == line["Scope"])
        limit = product.admin("GET", f"/projects/{project['id']}/spend_limit")
        assert float(line["Limit"]) == pytest.approx(limit["threshold_amount"] / 100, abs=1e-12)
        assert float(line["Used"]) == pytest.approx(limit["used_amount"] / 100, abs=1e-12)
    assert {line["Scope"] for line in lines} == {"support", "search"}


def test_limits_of_every_kind_show_what_is_used(window: Visit, product: GatewayProcess, script: Script) -> None:
    project, key = script.projects["research"], script.keys["notebooks"]
    limits = [{"kind": "requests", "window": "day", "limit": 40}, {"kind": "concurrency", "limit": 5}]
    product.admin("POST", f"/projects/{project}/limits", json={"limits": limits})
    body = {"limits": [{"kind": "tokens", "window": "minute", "limit": 100_000}]}
    product.admin("POST", f"/projects/{project}/api_keys/{key}/limits", json=body)
    try:
        show(window, product, "?view=limits")
        lines = saved(window, "Limits of every kind")
        found = {(line["Scope"], line["Kind"]): line for line in lines}
        assert {scope for scope, _ in found} == {"research", "search", "support"}
        assert (found["research", "requests"]["Used"], found["research", "requests"]["Limit"]) == ("2", "40")
        assert found["research", "requests"]["Reached"] == "0.0500"
        table = window.page.get_by_role("table", name="Limits of every kind")
        expect(table.get_by_role("row", name=re.compile("concurrency"))).to_contain_text("as requests end")
        show(window, product, f"?view=limits&project={project}")
        kinds = {(line["Scope"], line["Kind"], line["Window"]) for line in saved(window, "Limits of every kind")}
        assert ("Key notebooks", "tokens", "minute") in kinds
        with visit(window.page.context.browser) as own:
            sign_in(own, product, script.secrets["notebooks"], "/dashboard?view=limits")
            assert {line["Kind"] for line in saved(own, "Limits of every kind")} == {
                "tokens",
                "requests",
                "concurrency",
            }
            assert own.complaints == []
    finally:
        gone = {"limits": [{**limit, "limit": None} for limit in limits]}
        product.admin("POST", f"/projects/{project}/limits", json=gone)


def test_breakdown_by_tag_adds_up(window: Visit, product: GatewayProcess, script: Script) -> None:
    show(window, product, "?view=breakdown&range=yesterday")
    window.page.get_by_role("link", name="Tag feature").click()
    window.settle()
    shown = column(window.page.get_by_role("table", name=re.compile("By feature")))
    rows = script.between(today() - DAY, today())
    assert {name: nano for name, nano in shown.items() if name != "–"} == {
        feature: sum(row.cost_nano for row in rows if row.tags["feature"] == feature)
        for feature in {row.tags["feature"] for row in rows}
    }


def test_overview_tells_how_fast_streams_were(window: Visit, product: GatewayProcess, script: Script) -> None:
    show(window, product, "?range=yesterday")
    firsts = sorted(row.ttft_ms for row in script.between(today() - DAY, today()) if row.ttft_ms is not None)
    assert number(window, "First token, p50") == pytest.approx(firsts[(len(firsts) + 1) // 2 - 1], rel=0.08)
    assert number(window, "Tokens/s, p50") > 0


def test_ledger_stands_beside_cloudflare(window: Visit, product: GatewayProcess, script: Script) -> None:
    show(window, product, "")
    caption = "The last 7 days, UTC"
    yesterday = saved(window, caption)[1]
    rows = script.between(today() - DAY, today())
    assert yesterday["Day"] == time.strftime("%Y-%m-%d", time.gmtime(today() - DAY))
    neurons = sum(row.neurons_nano or 0 for row in rows)
    assert float(yesterday["Neurons"]) == pytest.approx(neurons / 1e9, abs=1e-6)
    book, meter = (round(float(yesterday[f"$ by {what}"]) * 1e9) for what in ("price book", "neurons"))
    assert book == sum(row.cost_nano for row in rows)
    assert meter == pytest.approx(neurons * 11_000 / 1e9, abs=1)
    assert round(float(yesterday["Difference"]) * 1e9) == book - meter
    label = window.page.get_by_role("img", name=re.compile("Free neurons left per hour")).get_attribute("aria-label")
    assert label is not None
    left = int(label.split(", ", 1)[1].split(" now")[0].replace(",", ""))
    assert left == pytest.approx(10_000 - number(window, "Neurons today"), abs=1)


def test_health_shows_models_reasons_books_and_acts(window: Visit, product: GatewayProcess, script: Script) -> None:
    show(window, product, "?view=health&range=30d")
    models = saved(window, "Models by their own answers")
    assert {line["State"] for line in models} <= {"active", "deprecated"}
    remarks = {line["Model"].lstrip("'"): line["What of it"] for line in models}
    for told in product.admin("GET", "/health")["models"]:
        if told["status"] == "deprecated":
            assert remarks[told["id"]].startswith("deprecated since 20")
    assert f"'{FAST}" in {line["Model"] for line in models}  # a spreadsheet would take it for a formula
    assert number(window, "Drift") == product.admin("GET", "/health")["books"]["drift"]
    reasons = saved(window, "The latest 100 requests, by model and reason")
    assert sum(int(line["Requests"]) for line in reasons) == 100
    acts = window.page.get_by_role("table", name=re.compile("acts, newest first"))
    expect(acts).to_contain_text("project.created")
    expect(acts).to_contain_text("127.0.0.1")


def test_view_refreshes_itself_without_moving_anything(browser: Any, product: GatewayProcess, script: Script) -> None:
    with visit(browser) as window:
        window.page.clock.install()
        sign_in(window, product, ADMIN_KEY, "/dashboard?range=today")
        before = number(window, "Requests")
        window.page.get_by_label("Refresh", exact=True).select_option(label="every 10 s")
        window.settle()
        assert "every=10s" in window.page.url
        body = {"model": "auto", "messages": [{"role": "user", "content": "Count to 3"}]}
        product.row(product.chat(body, key=script.secrets["triage"]).headers["x-request-id"])
        window.page.get_by_role("heading", level=1).focus()
        window.page.clock.fast_forward(11_000)
        expect(window.page.locator(".refreshed")).to_contain_text("updated")
        assert number(window, "Requests") == before + 1
        assert window.complaints == []


def test_time_without_requests_says_so(window: Visit, product: GatewayProcess) -> None:
    show(window, product, "?range=custom&from=2020-01-01&to=2020-01-02")
    expect(window.page.get_by_text("No requests in this time.")).to_be_visible()
    show(window, product, "?view=requests&range=custom&from=2020-01-01&to=2020-01-02")
    expect(window.page.get_by_text("No requests in this time.")).to_be_visible()


def test_store_that_is_away_is_said_and_can_be_tried_again(
    browser: Any, product: GatewayProcess, script: Script, store: ThrowAwayStore
) -> None:
    with visit(browser) as window:
        sign_in(window, product, ADMIN_KEY, "/dashboard?view=limits")
        store.freeze()
        try:
            window.page.get_by_role("link", name="Overview").click()
            problem = window.page.get_by_role("alert").first
            expect(problem).to_contain_text("store", ignore_case=True, timeout=20_000)
            window.page.screenshot(path=PICTURES / "store-away.png")
        finally:
            store.thaw()
        expect(window.page.get_by_role("alert")).to_have_count(7)
        while httpx2.get(f"{product.origin}/readyz", trust_env=False).status_code != 200:
            window.page.wait_for_timeout(50)  # until the gateway has its store again
        for _ in range(7):
            window.page.get_by_role("button", name="Try again").first.click()
            expect(window.page.locator("section[aria-busy=true]")).to_have_count(0)
        expect(window.page.get_by_role("alert")).to_have_count(0)
        assert nano(window, "Spent today") > 0
        assert number(window, "Requests") > 0
        assert [text for text in window.complaints if "503" not in text] == []  # Chromium logs the refusals itself


def test_virtual_key_sees_its_own_part_and_nothing_else(browser: Any, product: GatewayProcess, script: Script) -> None:
    with visit(browser) as window:
        sign_in(window, product, script.secrets["triage"], "/dashboard?range=yesterday")
        own = script.nano(today() - DAY, today(), api_key_id=script.keys["triage"])
        assert nano(window, "Spend") == own
        # Asking for another project in the address changes nothing, the names of others are nowhere.
        show(window, product, f"?range=yesterday&project={script.projects['search']}")
        assert nano(window, "Spend") == own
        for query in VIEWS.values():
            show(window, product, query)
            text = window.page.locator("body").inner_text()
            assert not [name for name in ("indexer", "research", "replies", "notebooks") if name in text]
        foreign = next(row for row in script.rows if row.api_key_id == script.keys["indexer"])
        for path, status in (
            (f"/usage/completions?start_time={today()}&project_ids[]={script.projects['search']}", 403),
            (f"/costs?start_time={today()}&api_key_ids[]={script.keys['indexer']}", 403),
            (f"/ledger?api_key_ids[]={script.keys['replies']}", 403),
            (f"/ledger/{foreign.id}", 404),
            (f"/projects/{script.projects['search']}", 404),
            ("/spend_limit", 403),
            ("/limits/all", 403),
            (f"/neurons?start_time={today()}", 403),
            (f"/pace?start_time={today()}", 403),
            ("/health", 403),
            ("/audit_logs", 403),
        ):
            assert window.context.request.get(f"{product.base_url}/organization{path}").status == status, path
        assert window.complaints == []


def test_administrator_of_one_project_sees_that_project(browser: Any, product: GatewayProcess, script: Script) -> None:
    scope = f"project:{script.projects['support']}"
    admin = product.admin("POST", "/admin_api_keys", json={"name": "lead", "scope": scope})
    with visit(browser) as window:
        sign_in(window, product, admin["value"], "/dashboard?range=yesterday")
        assert nano(window, "Spend") == script.nano(today() - DAY, today(), project_id=script.projects["support"])
        assert window.page.locator("#who").inner_text() == "Administrator of support"
        show(window, product, f"?range=yesterday&project={script.projects['search']}")
        assert nano(window, "Spend") == script.nano(today() - DAY, today(), project_id=script.projects["support"])
        for query in VIEWS.values():
            show(window, product, query)
            text = window.page.locator("body").inner_text()
            assert not [name for name in ("indexer", "research", "notebooks") if name in text]
        assert window.complaints == []


def test_session_that_ended_asks_for_the_key_again(browser: Any, product: GatewayProcess, script: Script) -> None:
    with visit(browser) as window:
        sign_in(window, product, ADMIN_KEY, "/dashboard?view=limits")
        [cookie] = window.context.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"], cookie["secure"]) == (True, "Strict", False)
        assert cookie["expires"] - time.time() < 8 * 3600 + 60
        window.context.clear_cookies()
        window.page.get_by_role("link", name="Requests").click()
        expect(window.page.get_by_role("alert")).to_contain_text("Sign in again")
        window.page.get_by_label("Key", exact=True).fill(ADMIN_KEY)
        window.page.get_by_role("button", name="Sign in").click()
        window.settle()
        expect(window.page.get_by_role("heading", level=1)).to_have_text("Requests")
        window.page.get_by_role("button", name="Sign out").click()
        expect(window.page.get_by_label("Key", exact=True)).to_be_visible()
        assert window.context.cookies() == []


def test_keyboard_alone_reaches_every_view(window: Visit, product: GatewayProcess) -> None:
    show(window, product, "")
    page = window.page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    for name in ("Overview", "Breakdown"):
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name=name)).to_be_focused()
    page.keyboard.press("Enter")
    window.settle()
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page.get_by_role("heading", level=1)).to_have_text("Breakdown")
    expect(page.locator("#views [aria-current=page]")).to_have_text("Breakdown")
    assert page.title() == "Breakdown · Workers AI gateway"


@pytest.mark.parametrize("look", ["light", "dark", "phone"])
def test_views_look_right_and_leave_their_picture(
    browser: Any, product: GatewayProcess, script: Script, look: str
) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    size = {"width": 390, "height": 844} if look == "phone" else {"width": 1280, "height": 900}
    scheme = "dark" if look == "dark" else "light"
    retried = next(row for row in reversed(script.rows) if len(row.attempts) > 1)
    with visit(browser, viewport=size, color_scheme=scheme, reduced_motion="reduce") as window:
        window.page.goto(f"{product.origin}/dashboard")
        window.page.screenshot(path=PICTURES / f"sign-in-{look}.png")
        sign_in(window, product, ADMIN_KEY)
        for name, query in {**VIEWS, "request": f"?view=requests&row={retried.id}"}.items():
            show(window, product, query)
            if name == "overview":
                expect(window.page.locator(".chart canvas").first).to_be_visible()
            # Tables scroll by themselves; the page never does, sideways.
            assert window.page.evaluate("document.documentElement.scrollWidth") == size["width"]
            unlabelled = window.page.locator("table:not(:has(caption)), th:not([scope]), img:not([alt])")
            assert unlabelled.count() == 0
            window.page.screenshot(path=PICTURES / f"{name}-{look}.png", full_page=True)
        assert window.complaints == []
