"""Binding: taken ports, ports that may move, and the limit of open files."""

import os
import resource
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from support.running import free_port

from gateway.supervise.errors import CannotStart
from gateway.supervise.listener import Address, bind


def test_bind_listens_at_once() -> None:
    with bind(Address("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname(), timeout=5):
        assert not listener.get_inheritable()


def test_bind_to_ipv6_loopback_works_where_there_is_one() -> None:
    if not Path("/proc/net/if_inet6").exists() or not Path("/proc/net/if_inet6").read_text():
        pytest.skip("this machine has no IPv6")
    with bind(Address("::1", 0)) as listener:
        assert listener.family == socket.AF_INET6


def test_bind_to_a_taken_port_names_the_fix() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotStart, match=f"port {port} .* is taken .*--port {port + 1}"):
            bind(Address("127.0.0.1", port))


def test_bind_that_may_move_takes_the_next_free_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with bind(Address("127.0.0.1", port, may_move=True)) as listener:
            assert port < listener.getsockname()[1] <= port + 50


def test_bind_that_may_wait_gets_the_port_once_its_owner_leaves() -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    port = taken.getsockname()[1]
    leaving = threading.Timer(0.1, taken.close)
    leaving.start()
    with bind(Address("127.0.0.1", port, may_wait=True)) as listener:
        assert listener.getsockname()[1] == port
    leaving.join()


def test_bind_to_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(CannotStart, match=r"cannot listen on 192\.0\.2\.1"):
        bind(Address("192.0.2.1", free_port()))


def test_raise_file_limit_reaches_the_hard_one() -> None:
    program = "from gateway.supervise.listener import raise_file_limit; print(raise_file_limit())"
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    told = subprocess.run(
        ["/bin/sh", "-c", f"ulimit -S -n 256; exec {sys.executable} -c '{program}'"],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(told.stdout) == hard
