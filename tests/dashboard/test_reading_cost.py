"""What the overview costs the store: it reads roll-ups by project, whatever the number of rows and keys."""

import re
from typing import Any

import httpx2
from support.admin_gateway import ADMIN_KEY, AdminGateway
from support.signing_in import browser

DAY = 86_400
FIRST = 1_767_225_600  # 2026-01-01
KEYS, DAYS = 10_000, 30
QUESTIONS = (
    "/costs?start_time={start}&end_time={end}&limit=180",
    "/usage/completions?start_time={start}&end_time={end}&bucket_width=1d&limit=31",
    "/usage/completions?start_time={start}&end_time={end}&bucket_width=1d&limit=31&group_by[]=project_id",
    "/usage/completions?start_time={start}&end_time={end}&bucket_width=1d&limit=31&group_by[]=model",
)


def calls(gateway: AdminGateway) -> dict[str, int]:
    """How often each command was called since the start."""
    stats: dict[str, Any] = gateway.redis.info("commandstats")
    return {re.sub("^cmdstat_", "", name): each["calls"] for name, each in stats.items()}


def ask(http: httpx2.Client) -> list[int]:
    """Every question of the overview; what each answer adds up to, in nano-dollars."""
    found = []
    for question in QUESTIONS:
        answer = http.get("/v1/organization" + question.format(start=FIRST, end=FIRST + DAYS * DAY)).json()
        results = [result for bucket in answer["data"] for result in bucket["results"]]
        found.append(
            sum(round(each["amount"]["value"] * 1e9) if "amount" in each else each["cost_nano"] for each in results)
        )
    return found


def test_overview_with_many_keys_reads_no_row_and_no_key(gateway: AdminGateway) -> None:
    layout, pipe = gateway.layout, gateway.redis.pipeline(transaction=False)
    model = "@cf/meta/llama-3.1-8b-instruct-fp8"
    for day in range(FIRST, FIRST + DAYS * DAY, DAY):
        pipe.hset(layout.shared("use", "p", day), f"{day}|proj_1|{model}", f"{KEYS} 0 0 0 {KEYS * 5} 0 0")
    day = FIRST + (DAYS - 1) * DAY
    by_key = {f"proj_1|key_{number}|{model}": "1 0 0 0 5 0 0" for number in range(KEYS)}
    pipe.hset(layout.shared("use", "d", day), mapping=by_key)
    pipe.zadd(layout.rows(), {f"req_{number}": day * 1000 + number for number in range(KEYS)})
    pipe.execute()
    with browser(gateway, ADMIN_KEY) as http:
        before = calls(gateway)
        answers = ask(http)
        after = calls(gateway)
    assert answers == [DAYS * KEYS * 5] * len(QUESTIONS)
    used = {name: count - before.get(name, 0) for name, count in after.items() if count != before.get(name, 0)}
    # One HSCAN per day and question; for each question the session and the time; nothing else but our own INFO.
    assert used.pop("hscan") == DAYS * len(QUESTIONS)
    assert set(used) <= {"get", "time", "info"}
    assert used["get"] == len(QUESTIONS)
