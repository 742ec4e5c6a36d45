"""A configuration that changes under a running parent with two real workers: all take it over, or none."""

import http.client
import json
import os
import re
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from support.running import TinyGateway, free_port, wait_until

Change = dict[str, Any]  # what the file says


class Reloading:
    """A parent with two workers around the file `config`."""

    def __init__(self, data_dir: Path, **given: float) -> None:
        self.file = data_dir.parent / "config"
        self.metrics = free_port()
        self.say({})
        self.gateway = TinyGateway(
            data_dir, workers=2, config=str(self.file), metrics=f"127.0.0.1:{self.metrics}", **given
        )

    def say(self, settings: Change) -> None:
        """Replace the file as careful programs do."""
        fresh = self.file.with_suffix(".fresh")
        fresh.write_text(json.dumps(settings))
        fresh.rename(self.file)

    def ask_again(self) -> None:
        self.gateway.process.send_signal(signal.SIGHUP)

    def everywhere(self, name: str) -> set[Any]:
        """What all workers say. The kernel chooses who answers, so both are asked until both have.

        A worker that is killed breaks off what it was asked.
        """
        found: dict[int, Any] = {}
        while len(found) < 2:
            with suppress(OSError, http.client.HTTPException):
                who = self.gateway.get("/who")
                found[who["slot"]] = who[name]
        return set(found.values())

    def metric(self, name: str) -> float:
        connection = http.client.HTTPConnection("127.0.0.1", self.metrics, timeout=10)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()
        found = re.search(rf"(?m)^{re.escape(name)} (\S+)$", text)
        return float(found[1]) if found else 0.0

    def wait_for(self, outcome: str, times: int = 1) -> None:
        name = f'gateway_configuration_reloads_total{{outcome="{outcome}"}}'
        wait_until(lambda: self.metric(name) >= times, f"{times} × {outcome}")


@pytest.fixture
def reloading(data_dir: Path) -> Iterator[Reloading]:
    made = Reloading(data_dir)
    with made.gateway:
        yield made


def test_changed_file_reaches_all_workers(reloading: Reloading) -> None:
    assert reloading.everywhere("max_choices") == {8}
    port = reloading.everywhere("port")
    reloading.say({"chat": {"max_choices": 3}})
    reloading.wait_for("applied")
    wait_until(lambda: reloading.everywhere("max_choices") == {3}, "3 choices everywhere")
    assert reloading.everywhere("port") == port  # what only the running gateway knows is put in
    for pid in reloading.gateway.started["workers"]:
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: reloading.everywhere("max_choices") == {3}, "replacements start with what is in force")


def test_hangup_signal_reads_again_even_without_a_change(reloading: Reloading) -> None:
    reloading.ask_again()
    reloading.wait_for("applied")
    assert reloading.everywhere("notice") == {""}


@pytest.mark.parametrize(
    "bad",
    [
        {"chat": {"max_choices": "many"}},
        {"chat": {"max_choices": 3}, "server": {"port": 1}},
        {"chat": {"max_choices": 3}, "upstream": {"client": "pyreqwest"}},
    ],
    ids=["invalid", "fixed", "declined"],
)
def test_bad_file_changes_nothing_and_is_loud_until_it_is_mended(reloading: Reloading, bad: Change) -> None:
    reloading.say(bad)
    reloading.wait_for("refused")
    assert reloading.metric("gateway_configuration_current") == 0
    wait_until(lambda: all("refused" in notice for notice in reloading.everywhere("notice")), "workers say so")
    assert reloading.everywhere("max_choices") == {8}
    (old, _) = reloading.gateway.started["workers"]
    os.kill(old, signal.SIGKILL)
    wait_until(lambda: all("refused" in notice for notice in reloading.everywhere("notice")), "replacements, too")
    reloading.say({"chat": {"max_choices": 5}})
    reloading.wait_for("applied")
    wait_until(lambda: reloading.everywhere("max_choices") == {5}, "the mended file is in force")
    wait_until(lambda: reloading.everywhere("notice") == {""}, "nothing more is said")
    assert reloading.metric("gateway_configuration_current") == 1
    assert reloading.gateway.end() == 0
    errors = reloading.gateway.errors()
    assert "REFUSED" in errors
    assert ("server.port" in errors) == ("server" in bad)  # what cannot change is named


def test_worker_that_hangs_is_replaced_and_all_agree_in_the_end(data_dir: Path) -> None:
    made = Reloading(data_dir, hang_seconds=4.0)
    with made.gateway:
        os.kill(made.gateway.started["workers"][0], signal.SIGSTOP)
        made.say({"chat": {"max_choices": 3}})
        # The stopped one is killed for hanging; its replacement is offered what the others have adopted.
        made.wait_for("applied")
        wait_until(lambda: made.everywhere("max_choices") == {3}, "all agree in the end")
