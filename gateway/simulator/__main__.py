"""`python -m gateway.simulator`: a simulator on a port, without the rest of the gateway."""

import argparse
import sys
from pathlib import Path

from gateway.simulator import PUBLISHED_LIMITS, BadSwitch, Limits, SimulatorOptions, serve


def _parser() -> argparse.ArgumentParser:
    defaults = SimulatorOptions()
    parser = argparse.ArgumentParser(prog="python -m gateway.simulator", description="A simulated Workers AI.")
    parser.add_argument("--host", default=defaults.host)
    parser.add_argument("--port", type=int, default=defaults.port)
    parser.add_argument("--account-id", default=defaults.account_id)
    parser.add_argument("--api-token", default=defaults.api_token)
    parser.add_argument("--pace", type=float, default=0.02, help="seconds between two events of a stream")
    parser.add_argument("--scenario", type=Path, help="YAML file with rules, models and retired models")
    parser.add_argument("--record", type=Path, help="append the truth of every call to this file, as JSON lines")
    parser.add_argument("--retired", action="append", default=[], metavar="MODEL", help="answer 410 for this model")
    parser.add_argument("--limits", action="store_true", help="apply the published rate and quota limits")
    parser.add_argument("--no-offset", action="store_true", help="report true token counts")
    parser.add_argument("--seed", type=int, help="make ids, padding, offsets and chances repeatable")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run until stopped; the exit status."""
    given = _parser().parse_args(arguments)
    options = SimulatorOptions(
        host=given.host,
        port=given.port,
        account_id=given.account_id,
        api_token=given.api_token,
        pace_seconds=given.pace,
        retired=frozenset(given.retired),
        limits=PUBLISHED_LIMITS if given.limits else Limits(),
        secret_offset=not given.no_offset,
        scenario=given.scenario,
        record_path=given.record,
        seed=given.seed,
    )
    print(f"simulated Workers AI on http://{options.host}:{options.port}/client/v4", file=sys.stderr)
    try:
        serve(options)
    except (BadSwitch, OSError) as trouble:
        print(f"simulator: {trouble}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
