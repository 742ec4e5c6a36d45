"""Whether a Redis or Valkey server may keep a ledger: read its facts, then judge them.

`judge` is pure. Reading writes nothing to the store, not even the id a gateway gives an empty one.
"""

import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.core.errors import StoreAway
from gateway.diagnosis.finding import Finding, Verdict
from gateway.store.layout import Layout
from gateway.store.redis_store import RedisStore

_OLDEST_VERSION: Final = (7, 0)  # the oldest the scripts were run on
_PINGS: Final = 20
_SLOW_SECONDS: Final = 0.005  # in front of every first token; a store on the same network answers within 1 ms
_TOO_SLOW_SECONDS: Final = 0.25  # an eighth of the deadline of a store call
_SKEW_SECONDS: Final = 2.0  # past what NTP leaves; windows and leases follow the store's clock alone
_MUCH_SKEW_SECONDS: Final = 60.0
_FULL: Final = 0.8


@dataclass(slots=True, frozen=True)
class StoreFacts:
    """`info` is the server's INFO; `fsync` its appendfsync, empty where hidden; times are seconds."""

    info: Mapping[str, str]
    fsync: str
    latencies: tuple[float, ...]
    skew: float  # the store's clock minus ours


async def examine_store(url: str, prefix: str) -> list[Finding]:
    """All findings about the server at `url`."""
    store = RedisStore(url, Layout(prefix))
    try:
        facts = await _read(store)
    except StoreAway as error:
        return [Finding("store", "problem", error.message, "Start it, or correct `store.url`; see the server's log.")]
    finally:
        await store.close()
    return judge(facts)


async def _read(store: RedisStore) -> StoreFacts:
    info = _parse((await store.command("INFO", "everything")).decode())
    try:
        told = await store.command("CONFIG", "GET", "appendfsync")
    except StoreAway:  # managed services hide CONFIG
        told = []
    latencies = []
    for _ in range(_PINGS):
        started = time.perf_counter()
        await store.command("PING")
        latencies.append(time.perf_counter() - started)
    before = time.time()
    seconds, micros = await store.command("TIME")
    ours = (before + time.time()) / 2
    skew = int(seconds) + int(micros) / 1e6 - ours
    return StoreFacts(info, told[1].decode() if len(told) > 1 else "", tuple(latencies), skew)


def _parse(info: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in info.splitlines())
    return {name: value for name, colon, value in pairs if colon and not name.startswith("#")}


def judge(facts: StoreFacts) -> list[Finding]:
    """What these facts mean for a ledger."""
    return [
        _version(facts.info),
        *_role(facts.info),
        _eviction(facts.info),
        _persistence(facts.info, facts.fsync),
        _latency(facts.latencies),
        _clock(facts.skew),
    ]


def _version(info: Mapping[str, str]) -> Finding:
    name = info.get("server_name", "redis")
    version = info.get(f"{name}_version", info.get("redis_version", "unknown"))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < _OLDEST_VERSION:
        return Finding("store version", "problem", f"{name} {version} is too old", "Use Valkey or Redis 7.0 or newer.")
    return Finding("store version", "ok", f"{name} {version}")


def _role(info: Mapping[str, str]) -> list[Finding]:
    found = []
    if info.get("role", "master") != "master":
        fix = "Point `store.url` at the primary: a replica takes no writes."
        found.append(Finding("store role", "problem", f"the server is a {info['role']}", fix))
    if info.get("cluster_enabled") == "1":
        fix = "Point `store.url` at a server that is not part of a cluster."
        found.append(Finding("store role", "problem", "the server runs in cluster mode", fix))
    return found


def _eviction(info: Mapping[str, str]) -> Finding:
    policy = info.get("maxmemory_policy", "unknown")
    limit, used = int(info.get("maxmemory", "0")), int(info.get("used_memory", "0"))
    if policy not in ("noeviction", "unknown"):
        return Finding(
            "store memory",
            "problem",
            f"maxmemory-policy is {policy}: keys and budgets may be thrown away",
            "CONFIG SET maxmemory-policy noeviction, and in the server's configuration file.",
        )
    if limit and used > _FULL * limit:
        message = f"{used:,} of {limit:,} bytes are used; a full store refuses every request"
        return Finding("store memory", "warning", message, "Raise the server's `maxmemory`.")
    return Finding("store memory", "ok", f"{policy}, {used / 2**20:.0f} MiB used" + (f" of {limit:,}" if limit else ""))


def _persistence(info: Mapping[str, str], fsync: str) -> Finding:
    if info.get("aof_enabled") != "1":
        return Finding(
            "store persistence",
            "problem",
            "there is no append-only file: a restart forgets what was spent since the last snapshot",
            "CONFIG SET appendonly yes, and in the server's configuration file; with a managed store, switch AOF on.",
        )
    if info.get("aof_last_write_status", "ok") != "ok":
        return Finding(
            "store persistence", "problem", "the server cannot write its append-only file", "Look at its disk and log."
        )
    if fsync == "no":
        message = "appendfsync is no: a power cut may cost half a minute of the ledger"
        return Finding("store persistence", "warning", message, "CONFIG SET appendfsync everysec.")
    return Finding("store persistence", "ok", f"append-only file, appendfsync {fsync or 'not told'}")


def _latency(latencies: tuple[float, ...]) -> Finding:
    middle, longest = statistics.median(latencies) * 1000, max(latencies) * 1000
    message = f"a round trip takes {middle:.2f} ms (median of {len(latencies)}; longest {longest:.1f} ms)"
    verdict = _graded(middle / 1000, _SLOW_SECONDS, _TOO_SLOW_SECONDS)
    fix = "Every request waits for one: put the store near the gateway, and look for slow commands (SLOWLOG GET)."
    return Finding("store latency", verdict, message, "" if verdict == "ok" else fix)


def _clock(skew: float) -> Finding:
    verdict = _graded(abs(skew), _SKEW_SECONDS, _MUCH_SKEW_SECONDS)
    if verdict == "ok":
        return Finding("clock", "ok", f"this machine and the store differ by {abs(skew) * 1000:.0f} ms")
    message = f"the store's clock is {abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} this machine's"
    fix = "Synchronise both by NTP: the store's clock decides in which month money is spent."
    return Finding("clock", verdict, message, fix)


def _graded(value: float, warned_above: float, refused_above: float) -> Verdict:
    if value > refused_above:
        return "problem"
    return "warning" if value > warned_above else "ok"
