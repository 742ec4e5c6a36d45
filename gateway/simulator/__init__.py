"""A faithful fake of Cloudflare Workers AI over real HTTP, for demonstrations and tests.

`serve(options)` blocks; `running(options)` embeds one in a test; `create_app(options)` is the bare ASGI app. It
imports nothing of the gateway: it is the other side.
"""

from gateway.simulator.app import create_app
from gateway.simulator.models import MODELS, SimulatedModel
from gateway.simulator.options import PUBLISHED_LIMITS, Limits, SimulatorOptions
from gateway.simulator.record import CallRecord, Record
from gateway.simulator.server import Simulator, running, serve
from gateway.simulator.switches import BadSwitch, Switches

__all__ = [
    "MODELS",
    "PUBLISHED_LIMITS",
    "BadSwitch",
    "CallRecord",
    "Limits",
    "Record",
    "SimulatedModel",
    "Simulator",
    "SimulatorOptions",
    "Switches",
    "create_app",
    "running",
    "serve",
]
