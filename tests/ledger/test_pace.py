"""Paces in a real store: what a batch counts, and what is read back."""

from msgspec.structs import replace
from support.ledgers import make_identity, make_receipt, make_request
from support.upstreams import on_loop

from gateway.core.pace import percentile
from gateway.ledger.pace import DAY_SECONDS, pace_commands, read_pace
from gateway.store.layout import Layout
from gateway.store.redis_store import RedisStore

DAY = 1_800_000_000 // DAY_SECONDS * DAY_SECONDS


@on_loop
async def test_paces_of_days_and_projects_are_read_back(store_url: str) -> None:
    layout = Layout("pace-test:")
    store = RedisStore(store_url, layout)
    row = make_receipt(make_request(make_identity(), "r1"), DAY * 1000)
    stream = replace(row, stream=True, ttft_ms=200, latency_ms=1200, completion_tokens=101)
    rows = [stream, stream, replace(stream, project_id="proj_2", ttft_ms=900, created_ms=(DAY + DAY_SECONDS) * 1000)]
    commands = pace_commands(layout, rows)
    assert len(commands) == 8  # two kinds, gateway and project, two days: what is alike is one command
    try:
        await store.pipeline(commands)
        whole = await read_pace(store, layout, range(DAY, DAY + 2 * DAY_SECONDS, DAY_SECONDS))
        assert list(whole) == [row.model]
        assert whole[row.model].requests == 3
        own = await read_pace(store, layout, range(DAY, DAY + 2 * DAY_SECONDS, DAY_SECONDS), "proj_2")
        first = percentile(own[row.model].first_ms, 0.5)
        assert first is not None
        assert abs(first - 900) < 70
        assert await read_pace(store, layout, range(DAY - DAY_SECONDS, DAY, DAY_SECONDS)) == {}
    finally:
        await store.close()
