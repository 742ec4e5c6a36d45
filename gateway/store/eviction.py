"""Whether the store may throw accounts away when its memory is full. It only asks; whoever asked decides."""

import contextlib

from gateway.core.errors import StoreAway
from gateway.store.contract import Store


async def eviction_problem(store: Store) -> str:
    """What is wrong with the store's policy, empty where nothing is, or where a hosted store keeps it to itself."""
    policy = ""
    with contextlib.suppress(StoreAway):
        policy = _policy(await store.command("INFO", "memory"))
    if policy in ("noeviction", ""):
        return ""
    return f"store: maxmemory-policy is {policy}, which may evict accounts; set it to noeviction"


def _policy(report: bytes) -> str:
    lines = (line.partition(":") for line in report.decode("latin-1").splitlines())
    return next((value.strip() for name, _, value in lines if name == "maxmemory_policy"), "")
