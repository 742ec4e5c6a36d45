"""The simulator as a child of the gateway: `python -m gateway.supervise.simulator_process`.

Its account arrives on stdin, its base URL leaves on stdout. It ends with SIGTERM, and when stdin closes, which is what
happens when the parent is killed.
"""

import asyncio
import pickle
import signal
import sys

from gateway.simulator import SimulatorOptions, running


async def simulate(options: SimulatorOptions) -> None:
    """Serve until stdin closes or a signal comes."""
    loop = asyncio.get_running_loop()
    is_over = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, is_over.set)
    loop.add_signal_handler(signal.SIGINT, is_over.set)
    loop.add_reader(sys.stdin.fileno(), is_over.set)  # nothing more is ever written: readable means closed
    async with running(options) as simulator:
        print(simulator.base_url, flush=True)
        await is_over.wait()
        loop.remove_reader(sys.stdin.fileno())


def main() -> int:
    """The process."""
    account_id, api_token, pace_seconds = pickle.load(sys.stdin.buffer)  # noqa: S301 – from our own parent
    options = SimulatorOptions(port=0, account_id=account_id, api_token=api_token, pace_seconds=pace_seconds)
    asyncio.run(simulate(options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
