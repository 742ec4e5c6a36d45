"""scripts/try_clients.py: what it would run is what the page shows, and its programs are there."""

import importlib.util
from types import ModuleType

import pytest
from support.running import ROOT


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("try_clients", ROOT / "scripts" / "try_clients.py")
    if spec is None or spec.loader is None:
        raise AssertionError("a file can always be loaded")
    module = importlib.util.module_from_spec(spec)
    # Its dataclass looks its own module up by name.
    spec.loader.exec_module(module)
    return module


CLIENTS = _script().CLIENTS


@pytest.mark.parametrize("name", CLIENTS)
def test_client_has_its_section_and_its_program(name: str) -> None:
    script, environ = _script(), {"OPENAI_BASE_URL": "http://here/v1", "OPENAI_API_KEY": "sk-key"}
    client = CLIENTS[name]
    found = script.snippets(client, environ)
    assert (ROOT / "scripts" / "clients" / client.program).is_file()
    assert all("127.0.0.1" not in snippet and "sk-…" not in snippet for snippet in found)
    if client.program.endswith(".py"):
        compile((ROOT / "scripts" / "clients" / client.program).read_text(), client.program, "exec")
