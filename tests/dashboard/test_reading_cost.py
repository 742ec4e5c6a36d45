"""What the overview costs the store with a million rows and ten thousand keys: roll-ups are read, and nothing else.

The data is made inside the store by a script: a million rows with their places in the index of time, a month of
roll-ups by project as requests would have left them, and on every day one of each of ten thousand keys.
"""

from typing import Any

import httpx2
from support.admin_gateway import ADMIN_KEY, AdminGateway
from support.signing_in import browser

DAY = 86_400
FIRST = 1_767_225_600  # 2026-01-01
KEYS, DAYS, ROWS = 10_000, 30, 1_000_000
MODEL = "@cf/meta/llama-3.1-8b-instruct-fp8"
TIME = "start_time={start}&end_time={end}"
# Everything the page asks for (gateway/dashboard/page/overview.js, cloudflare.js).
MONEY = (
    f"/costs?{TIME}&limit=180",
    f"/usage/completions?{TIME}&bucket_width=1d&limit=31",
    f"/usage/completions?{TIME}&bucket_width=1d&limit=31&group_by[]=project_id",
    f"/usage/completions?{TIME}&bucket_width=1d&limit=31&group_by[]=model",
    f"/neurons?{TIME}&limit=180",
)
OTHERS = (
    f"/usage/completions?{TIME}&bucket_width=1h&limit=168",
    f"/pace?{TIME}",
    "/spend_limits?limit=100",
    "/projects?limit=100&include_archived=true",
    "/health?",
)
FILL = """
local rows, row, first = KEYS[1], ARGV[1], tonumber(ARGV[2])
for number = first, first + tonumber(ARGV[3]) - 1 do
  local id = 'req_' .. number
  redis.call('ZADD', rows, tonumber(ARGV[4]) + number * 2, id)
  redis.call('SET', row .. id, '{}')
end
"""
BY_KEY = """
for number = 0, tonumber(ARGV[1]) - 1 do
  redis.call('HSET', KEYS[1], 'proj_1|key_' .. number .. '|' .. ARGV[2], '1 0 0 0 5 0 0 0')
end
"""


def fill(gateway: AdminGateway) -> None:
    """A month of a busy gateway."""
    layout, store = gateway.layout, gateway.redis
    for first in range(0, ROWS, 50_000):
        store.eval(FILL, 1, layout.rows(), layout.row(""), first, 50_000, FIRST * 1000)
    for day in range(FIRST, FIRST + DAYS * DAY, DAY):
        store.hset(layout.shared("use", "p", day), f"{day}|proj_1|{MODEL}", f"{KEYS} 0 0 0 {KEYS * 5} 0 0 0")
        store.eval(BY_KEY, 1, layout.shared("use", "d", day), KEYS, MODEL)
        store.hset(layout.shared("pace", day), f"{MODEL}|f40", KEYS)


def ask(http: httpx2.Client, question: str) -> Any:  # JSON
    answer = http.get("/v1/organization" + question.format(start=FIRST, end=FIRST + DAYS * DAY))
    assert answer.status_code == 200, answer.text
    return answer.json()


def money(answer: Any) -> int:  # a report
    """What a report adds up to, in nano-dollars."""
    results = [result for bucket in answer["data"] for result in bucket.get("results", [bucket])]
    return sum(round(each["amount"]["value"] * 1e9) if "amount" in each else each["cost_nano"] for each in results)


def test_overview_reads_no_row_and_no_key(gateway: AdminGateway) -> None:
    fill(gateway)
    layout = gateway.layout
    with browser(gateway, ADMIN_KEY) as http, gateway.redis.monitor() as monitor:
        assert [money(ask(http, question)) for question in MONEY] == [DAYS * KEYS * 5] * len(MONEY)
        for question in OTHERS:
            ask(http, question)
        gateway.redis.echo("over")
        commands = []
        while (command := monitor.next_command()["command"]) != "ECHO over":
            commands.append(command)
    assert [command for command in commands if layout.row("") in command or layout.rows() in command] == []
    assert [command for command in commands if layout.shared("use", "d") in command] == []
    reads = [command for command in commands if layout.shared("use", "p") in command]
    # A day's roll-up once for each report about it, and once more for the burn of today and yesterday.
    assert len(reads) <= DAYS * (len(MONEY) + 1) + 2
    # For each question the session and the time; a handful for limits, projects and the books.
    assert len(commands) - len(reads) <= DAYS + 5 * (len(MONEY) + len(OTHERS)) + 10
