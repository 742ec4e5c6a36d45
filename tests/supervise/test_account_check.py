"""The check of the account, against the simulator over real HTTP."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace

import pytest
from support.running import free_port

from gateway.config.settings import UpstreamSettings
from gateway.simulator import Simulator, SimulatorOptions, running
from gateway.supervise.account import AccountReport, start_check
from gateway.supervise.account_check import check

Ask = Callable[[Simulator], Coroutine[object, object, AccountReport]]


def settings_of(simulator: Simulator) -> UpstreamSettings:
    return UpstreamSettings(base_url=simulator.base_url, account_id=simulator.account_id, api_token=simulator.api_token)


def with_simulator(ask: Ask) -> AccountReport:
    async def run() -> AccountReport:
        async with running(SimulatorOptions()) as simulator:
            return await ask(simulator)

    return asyncio.run(run())


def test_check_with_working_credentials_lists_the_catalogue() -> None:
    report = with_simulator(lambda simulator: check(settings_of(simulator), 10))
    assert report.is_accepted
    assert "@cf/meta/llama-3.1-8b-instruct-fp8" in report.listed


@pytest.mark.parametrize(("account_id", "api_token"), [("", "another"), ("f" * 32, "")])
def test_check_with_wrong_credentials_says_so_without_showing_them(account_id: str, api_token: str) -> None:
    async def ask(simulator: Simulator) -> AccountReport:
        right = settings_of(simulator)
        wrong = replace(right, account_id=account_id or right.account_id, api_token=api_token or right.api_token)
        return await check(wrong, 10)

    report = with_simulator(ask)
    assert not report.is_accepted
    assert "token" in report.message
    assert (account_id or api_token) not in report.message


def test_check_of_an_upstream_that_is_away_says_so() -> None:
    away = UpstreamSettings(base_url=f"http://127.0.0.1:{free_port()}/client/v4", account_id="a", api_token="secret-t")
    report = asyncio.run(check(away, 10))
    assert not report.is_accepted
    assert "cannot be reached" in report.message
    assert "secret-t" not in report.message


def test_start_check_reports_from_its_own_process() -> None:
    async def ask(simulator: Simulator) -> AccountReport:
        started = start_check(settings_of(simulator), 20)
        return await asyncio.to_thread(started.report, 25)

    report = with_simulator(ask)
    assert report.is_accepted
    assert report.listed


def test_report_of_a_check_that_takes_too_long_is_a_refusal() -> None:
    away = UpstreamSettings(base_url=f"http://127.0.0.1:{free_port()}/client/v4", account_id="a", api_token="t")
    started = start_check(away, 5)
    assert started.report(0.0).message.startswith("no answer within")
    assert started.process.returncode is not None
