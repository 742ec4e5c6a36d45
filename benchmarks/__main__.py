"""`python -m benchmarks`: measures the gateway with everything on, against a compiled fake upstream. Loopback only.

The order of the story is `_measure`; what is measured how is said in docs/benchmarks.md.
"""

import argparse
import asyncio
import contextlib
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import load, peers
from benchmarks.processes import cost_of
from benchmarks.report import Report
from benchmarks.subject import Target, gateway, store
from benchmarks.upstream import ACCOUNT, Upstream, fake_upstream

CONCURRENCIES = (1, 4, 16, 32, 64, 256)
STREAM_DIRECTIONS = "[chunks=100 pace=5]"
OPEN_LOOP_PER_SECOND = 200


def main() -> int:
    """Exit status: 0 measured, 1 a run was void, 2 something needed is not installed."""
    options = _parse()
    if shutil.which("wrk") is None:
        print("the benchmark needs wrk: apt-get install wrk", file=sys.stderr)
        return 2
    try:
        report = _measure(options)
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 2
    except ExceptionGroup as group:
        print(f"void: {group.exceptions[0]!r}", file=sys.stderr)
        return 1
    except (load.BadAnswer, RuntimeError, OSError) as error:
        print(f"void: {error}", file=sys.stderr)
        return 1
    table, data = report.write(options.results)
    print(f"\n{table.read_text()}\n{table}\n{data}")
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results", help="folder for the files")
    parser.add_argument("--seconds", type=int, default=5, help="length of each closed-loop run")
    parser.add_argument("--workers", type=int, default=1, help="workers of the gateway")
    parser.add_argument("--quick", action="store_true", help="short runs: shows that it works, not how fast it is")
    parser.add_argument("--peer", action="append", default=[], choices=sorted(peers.PEERS), help="measure it, too")
    parser.add_argument("--rounds", type=int, default=1, help="repetitions, alternating with the peers; medians count")
    options = parser.parse_args()
    if options.quick:
        options.seconds = 1
    return options


def _measure(options: argparse.Namespace) -> Report:
    report = Report("nothing pinned: load, upstream, store and gateway share all cores")
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        with fake_upstream(folder / "upstream") as upstream:
            _measure_floor(report, upstream, options)
            with contextlib.ExitStack() as stack:
                url = stack.enter_context(store(folder / "store"))
                target = stack.enter_context(gateway(folder / "gateway", upstream, url, options.workers))
                report.add(target.name, "cold start to ready, external store", target.cold_start, "s")
                _add_memory(report, target, "idle")
                _measure_target(report, target, upstream, options)
            for peer in options.peer:
                with peers.PEERS[peer](folder / peer, upstream) as target:
                    report.add(target.name, "cold start to ready, external store", target.cold_start, "s")
                    _add_memory(report, target, "idle")
                    _measure_target(report, target, upstream, options)
    return report


def _direct(upstream: Upstream) -> Target:
    model = "@cf/meta/llama-3.1-8b-instruct-fp8"
    path = f"/client/v4/accounts/{ACCOUNT}/ai/run/{model}"
    return Target("upstream", upstream.pid, upstream.port, "direct", model, path, proof='"response"')


def _measure_floor(report: Report, upstream: Upstream, options: argparse.Namespace) -> None:
    """What the fake itself can do: where the gateway comes near this, it is the fake that is measured."""
    target = _direct(upstream)
    whole = load.measure_closed_loop(target, 64, options.seconds)
    report.add(target.name, "requests/s, at 64 concurrent", whole.per_second, "/s")
    events = asyncio.run(load.measure_streams(target, 64, 1, "[chunks=100]"))
    report.add(target.name, "events/s, unpaced", events.events / events.seconds, "/s")
    latencies = _open_loop(target, options)
    report.add(target.name, "latency at 200/s, p50", load.quantile(latencies, 0.5), "ms")
    report.add(target.name, "latency at 200/s, p99", load.quantile(latencies, 0.99), "ms")


def _measure_target(report: Report, target: Target, upstream: Upstream, options: argparse.Namespace) -> None:
    load.measure_closed_loop(target, 16, 2 if not options.quick else 1)  # warm-up
    for measured in _runs(target, options):
        at = f"at {measured.concurrency} concurrent"
        report.add(target.name, f"CPU per request, {at}", measured.cpu_us, "µs")
        report.add(target.name, f"requests/s, {at}", measured.per_second, "/s")
        report.add(target.name, f"latency p50, {at}", measured.p50_ms, "ms")
        report.add(target.name, f"latency p99, {at}", measured.p99_ms, "ms")
    _add_memory(report, target, "after the requests")
    _measure_streams(report, target, options)
    through, direct = _open_loop(target, options), _open_loop(_direct(upstream), options)
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        added = load.quantile(through, share) - load.quantile(direct, share)
        report.add(target.name, f"added latency at {OPEN_LOOP_PER_SECOND}/s, {name}", added, "ms")


def _add_memory(report: Report, target: Target, when: str) -> None:
    cost = cost_of(target.pid)
    report.add(target.name, f"RSS {when}, largest process", cost.largest_bytes / 1e6, "MB")
    report.add(target.name, f"RSS {when}, all processes", cost.rss_bytes / 1e6, "MB")


def _runs(target: Target, options: argparse.Namespace) -> Iterator[load.Measured]:
    """The median run, by processor time, of each concurrency."""
    for concurrency in CONCURRENCIES:
        runs = [load.measure_closed_loop(target, concurrency, options.seconds) for _ in range(options.rounds)]
        yield sorted(runs, key=lambda run: run.cpu_us)[len(runs) // 2]


def _measure_streams(report: Report, target: Target, options: argparse.Namespace) -> None:
    streamed = asyncio.run(load.measure_streams(target, 64, 1 if options.quick else 4, STREAM_DIRECTIONS))
    report.add(target.name, "CPU per event, 64 streams, 1 event per 5 ms each", streamed.cpu_us, "µs")
    report.add(target.name, "time to first token, p50", load.quantile(streamed.first_token_ms, 0.5), "ms")
    report.add(target.name, "time between reads, p99", load.quantile(streamed.gaps_ms, 0.99), "ms")
    _add_memory(report, target, "after 64 streams")
    unpaced = asyncio.run(load.measure_streams(target, 64, 1 if options.quick else 4, "[chunks=100]"))
    report.add(target.name, "events/s, unpaced", unpaced.events / unpaced.seconds, "/s")


def _open_loop(target: Target, options: argparse.Namespace) -> list[float]:
    seconds = 1.0 if options.quick else 5.0
    return asyncio.run(
        load.measure_open_loop(
            target, OPEN_LOOP_PER_SECOND, seconds, lambda number: load.chat_body(target, 1_000_000 + number)
        )
    )


if __name__ == "__main__":
    sys.exit(main())
