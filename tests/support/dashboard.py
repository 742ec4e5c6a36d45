"""A month of scripted traffic in a running gateway's store, and Debian's Chromium to look at it with.

The script is fixed: the same projects, keys and rows on every run, only their dates follow the calendar.
"""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any

import redis
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright
from support.admin_gateway import AdminGateway
from support.gateway import GatewayProcess
from support.needs import need

from gateway.core.receipt import Attempt, Receipt
from gateway.store.layout import Layout

DAY = 86_400
FP8 = "@cf/meta/llama-3.1-8b-instruct-fp8"
FAST = "@cf/meta/llama-3.1-8b-instruct-fast"
PRICES = {FP8: (152, 287), FAST: (45, 384)}  # nano-dollars per token
NANO_PER_NEURON = 11_000

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

_TEAMS = {
    "search": ("indexer", "query-rewriter"),
    "support": ("triage", "replies", "evals"),
    "research": ("notebooks",),
}
_REACHED_PERCENT = {"search": 62, "support": 91}  # of their limits; research has none
_FEATURES = {
    "indexer": "indexing", "query-rewriter": "search", "triage": "inbox", "replies": "inbox", "evals": "quality",
    "notebooks": "notebooks",
}  # fmt: skip
_WEIGHTS = {"indexer": 9, "query-rewriter": 4, "triage": 7, "replies": 5, "evals": 2, "notebooks": 1}


@dataclass
class Script:
    """What was written: rows, and the ids behind the names."""

    rows: list[Receipt] = field(default_factory=list)
    projects: dict[str, str] = field(default_factory=dict)  # name → id
    keys: dict[str, str] = field(default_factory=dict)  # name → id
    secrets: dict[str, str] = field(default_factory=dict)  # name → secret

    def nano(self, start: float, end: float = float("inf"), **wanted: str) -> int:
        """What rows of a time cost (unix seconds, end exclusive); `wanted` are fields and their values."""
        return sum(row.cost_nano for row in self.between(start, end, **wanted))

    def between(self, start: float, end: float = float("inf"), **wanted: str) -> list[Receipt]:
        """The rows of a time, with these values in these fields."""
        return [
            row
            for row in self.rows
            if start * 1000 <= row.created_ms < end * 1000
            and all(getattr(row, name) == value for name, value in wanted.items())
        ]


def play_script(product: GatewayProcess, days: int = 40, per_day: int = 24) -> Script:
    """Make projects, keys and limits through the API and put rows into the store, up to the end of yesterday."""
    script = Script()
    for project, keys in _TEAMS.items():
        script.projects[project] = product.admin("POST", "/projects", json={"name": project})["id"]
        for key in keys:
            path = f"/projects/{script.projects[project]}/service_accounts"
            made = product.admin("POST", path, json={"name": key})["api_key"]
            script.keys[key], script.secrets[key] = made["id"], made["value"]
    store = redis.Redis.from_url(product.store_url)
    books = AdminGateway(Layout(), store, product.store_url)
    random = Random(7)
    midnight = int(time.time()) // DAY * DAY
    for back in range(days, 0, -1):
        for number in range(_busy(midnight - back * DAY, per_day, days - back)):
            created = midnight - back * DAY + (number * 7919 + back * 613) % DAY
            script.rows.append(books.add_row(**_row(script, random, created)))
    month = time.strftime("%Y-%m", time.gmtime(midnight))
    for name, project in script.projects.items():
        spent = script.nano(month_start(midnight), project_id=project)
        store.hincrby(Layout().spent(f"p:{project}"), f"u:money:{month}", spent)
        if name in _REACHED_PERCENT:
            cents = max(50, spent * 100 // _REACHED_PERCENT[name] // 10**7)
            limit = {"threshold_amount": cents, "currency": "USD", "interval": "month"}
            product.admin("POST", f"/projects/{project}/spend_limit", json=limit)
    store.close()
    return script


def _busy(day: int, per_day: int, number: int) -> int:
    """Weekends are quiet, and the traffic grows."""
    is_weekend = time.gmtime(day).tm_wday >= 5
    return per_day * (60 + number) // 100 // (3 if is_weekend else 1) + day // DAY % 5


def _row(script: Script, random: Random, created: int) -> dict[str, Any]:
    key = random.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
    project = next(name for name, keys in _TEAMS.items() if key in keys)
    model = FAST if random.random() < 0.3 else FP8
    prompt, completion = random.randint(20_000, 90_000), random.randint(500, 9_000)
    has_failed = random.random() < 0.03
    is_retried = not has_failed and random.random() < 0.08
    tokens = (0, 0) if has_failed else (prompt, completion)
    cost = sum(price * number for price, number in zip(PRICES[model], tokens, strict=True))
    latency = random.randint(600, 9_000)
    neurons = cost * 10**9 // NANO_PER_NEURON
    last = Attempt(
        model=model, end="server_error" if has_failed else "stop", prompt_tokens=tokens[0], completion_tokens=tokens[1],
        cost_nano=cost, neurons_nano=neurons, started_ms=latency // 3 if is_retried else 3,
        latency_ms=latency - (latency // 3 if is_retried else 3), price_id="2026-01",
    )  # fmt: skip
    first = Attempt(model=FP8, end="capacity", started_ms=3, latency_ms=latency // 4, upstream_code=3040)
    return {
        "project_id": script.projects[project],
        "api_key_id": script.keys[key],
        "created_ms": created * 1000 + random.randint(0, 999),
        "model": model,
        "prompt_tokens": tokens[0],
        "completion_tokens": tokens[1],
        "cost_nano": cost,
        "neurons_nano": neurons,
        "end_reason": "failed" if has_failed else random.choice(["stop", "stop", "length", "tool_calls"]),
        "status": 502 if has_failed else 200,
        "stream": True,
        "latency_ms": latency,
        "ttft_ms": None if has_failed else latency // 3 + 120,
        "upstream": "cloudflare",
        "tags": {"feature": _FEATURES[key]},
        "attempts": [first, last] if is_retried else [last],
    }


def month_start(now: int) -> int:
    """The first second of a time's month, UTC."""
    return now // DAY * DAY - (time.gmtime(now).tm_mday - 1) * DAY


@dataclass
class Visit:
    """A browser window, and everything in it that should not have happened."""

    page: Page
    context: BrowserContext
    complaints: list[str] = field(default_factory=list)
    requested: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Remember console errors, exceptions, refused content and every address."""
        self.page.on("console", lambda message: self._note(message.type, message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(f"exception: {error}"))
        self.page.on("request", lambda request: self.requested.append(request.url))

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(f"{kind}: {text}")

    def settle(self) -> None:
        """Wait until every card shows what it has to show."""
        expect(self.page.get_by_role("button", name="Sign out")).to_be_visible()
        expect(self.page.locator("section[aria-busy=false]")).not_to_have_count(0)
        expect(self.page.locator("section[aria-busy=true]")).to_have_count(0)


@contextmanager
def chromium() -> Iterator[Any]:  # playwright's Browser, which has no public constructor to name
    """A headless Chromium of the system's with a fresh profile."""
    path = need(shutil.which("chromium"), "chromium (apt install chromium)")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as profile:
        browser = playwright.chromium.launch(
            executable_path=path, headless=True, args=list(_FLAGS), downloads_path=profile
        )
        yield browser
        browser.close()


@contextmanager
def visit(browser: Any, **options: Any) -> Iterator[Visit]:  # playwright's options of a new context
    """A window without cookies."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
    page = context.new_page()
    page.set_default_timeout(15_000)
    found = Visit(page, context)
    found.watch()
    yield found
    context.close()


def sign_in(window: Visit, product: GatewayProcess, secret: str, path: str = "/dashboard") -> None:
    """Open the page and come in with a key."""
    window.page.goto(product.origin + path)
    window.page.get_by_label("Key", exact=True).fill(secret)
    window.page.get_by_role("button", name="Sign in").click()
    window.settle()
