"""Which client is chosen."""

import subprocess
import sys
from typing import Literal

import pytest
from support.upstreams import on_loop, upstream_settings

from gateway.client.select import create_client


@on_loop
@pytest.mark.parametrize(("wanted", "name"), [("auto", "pyreqwest"), ("pyreqwest", "pyreqwest"), ("httpx2", "httpx2")])
async def test_create_client_returns_the_client_asked_for(
    wanted: Literal["auto", "pyreqwest", "httpx2"], name: str
) -> None:
    client = create_client(upstream_settings("http://127.0.0.1:1", client=wanted))
    await client.close()
    assert client.name == name


def test_create_client_imports_only_the_client_it_creates() -> None:
    program = (
        "import sys\n"
        "from gateway.client.select import create_client\n"
        "from gateway.config.settings import UpstreamSettings\n"
        "assert not {'httpx2', 'pyreqwest'} & set(sys.modules)\n"
        "create_client(UpstreamSettings(account_id='a', client='pyreqwest'))\n"
        "assert 'httpx2' not in sys.modules\n"
    )
    import_check = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert import_check.returncode == 0, import_check.stderr
