"""Chooses the upstream client: the fast one where it is installed, else the one that always is."""

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from gateway.client.account import read_account
from gateway.client.contract import Client
from gateway.config.settings import UpstreamSettings

# Named and not imported: pyreqwest may be absent, and httpx2, when it is not the one in use, would cost every worker
# 70 ms of start and 16 MB.
_ADAPTERS = {"pyreqwest": "gateway.client.pyreqwest_client", "httpx2": "gateway.client.httpx2_client"}


def create_client(settings: UpstreamSettings) -> Client:
    """A client for these settings, to be used in one event loop and closed.

    Raises ValueError where `client: pyreqwest` is asked for and not installed, OSError where `ca_file` cannot be read.
    """
    adapter: ModuleType = import_module(_ADAPTERS[_choose(settings.client)])
    client: Client = adapter.connect(read_account(settings))
    return client


def _choose(wanted: str) -> str:
    if wanted == "httpx2":
        return wanted
    if find_spec("pyreqwest") is not None:
        return "pyreqwest"
    if wanted == "pyreqwest":
        raise ValueError("upstream.client is pyreqwest, which is not installed: install the extra `fast`, or use auto")
    return "httpx2"
