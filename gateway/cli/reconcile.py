"""`gateway reconcile`: the neurons of a day by model, as the ledger has them and as Cloudflare's analytics say.

The ledger is asked through the running gateway, the analytics with the credentials of the configuration. Nothing is
changed on either side; the gateway is told the outcome, which its metrics show.
"""

import os
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated

import httpx2
import msgspec
import typer

from gateway.cli.configuration_file import Config, choose_file, load_file
from gateway.cli.connection import Connection, decode_all
from gateway.cli.failure import CommandFailed, ExitCode
from gateway.cli.output import Column, print_json, print_note, print_table
from gateway.cli.period import day_before_now, end_of_day
from gateway.cli.session import AsJson, connect
from gateway.cli.views import Health
from gateway.client.account import is_loopback
from gateway.config.settings import UpstreamSettings

_DAY = 86_400
_TIMEOUT_SECONDS = 30.0
_QUERY = """
query Neurons($account: String!, $day: Date!) {
  viewer {
    accounts(filter: {accountTag: $account}) {
      groups: aiInferenceAdaptiveGroups(limit: 1000, filter: {date_geq: $day, date_leq: $day}) {
        count
        sum { totalNeurons }
        dimensions { modelId }
      }
    }
  }
}
"""
_COLUMNS = (
    Column("MODEL"),
    Column("OURS", is_number=True),
    Column("THEIRS", is_number=True),
    Column("DIFFERENCE", is_number=True),
    Column("CAPTURED", is_number=True),
)


class _Sum(msgspec.Struct, rename="camel"):
    total_neurons: Decimal


class _Dimensions(msgspec.Struct, rename="camel"):
    model_id: str


class _Group(msgspec.Struct):
    sum: _Sum
    dimensions: _Dimensions


class _Account(msgspec.Struct):
    groups: list[_Group]


class _Viewer(msgspec.Struct):
    accounts: list[_Account]


class _Data(msgspec.Struct):
    viewer: _Viewer


class _Problem(msgspec.Struct):
    message: str = ""


class _Reply(msgspec.Struct):
    data: _Data | None = None
    errors: list[_Problem] | None = None


class _Used(msgspec.Struct):
    neurons: Decimal
    model: str | None


class _Bucket(msgspec.Struct):
    results: list[_Used]


@dataclass(slots=True, frozen=True)
class Line:
    """One model. `captured` is our share of theirs in percent, None where they have nothing."""

    model: str
    ours: Decimal
    theirs: Decimal

    @property
    def captured(self) -> Decimal | None:
        return 100 * self.ours / self.theirs if self.theirs else None


def reconcile_day(
    context: typer.Context,
    day: Annotated[str | None, typer.Option(help="A UTC day as 2026-11-01; else yesterday.")] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Compare a day's neurons with Cloudflare's analytics. Its figures follow some minutes behind."""
    date = day or day_before_now()
    start = end_of_day(date) - _DAY
    upstream = load_file(choose_file(config, os.environ), os.environ).settings.upstream
    if not upstream.account_id or not upstream.api_token:
        raise CommandFailed(
            "There are no Cloudflare credentials here, so there is nothing to compare with (a demo has no account).",
            ExitCode.USAGE,
            "Set CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN as for the gateway, or name its file with --config.",
        )
    with connect(context) as connection:
        if msgspec.json.decode(connection.get("/organization/health"), type=Health).is_demo:
            raise CommandFailed(
                "The gateway is a demo: it has used no account, so there is nothing to compare with.",
                ExitCode.REFUSED,
                "--data-dir or --url names another gateway.",
            )
        theirs = _theirs(upstream, date)
        ours = _ours(connection, start)
        exact = msgspec.Raw(f"{sum(theirs.values(), Decimal(0)):f}".encode())  # a number, not through a fraction
        connection.post("/organization/reconciliation", {"start_time": start, "theirs": exact})  # for the metrics
    lines = [
        Line(model, ours.get(model, Decimal(0)), theirs.get(model, Decimal(0))) for model in sorted({*ours, *theirs})
    ]
    if as_json:
        print_json([_object(line) for line in lines])
        return
    total = Line("TOTAL", sum(ours.values(), Decimal(0)), sum(theirs.values(), Decimal(0)))
    print_table(_COLUMNS, [_cells(line) for line in lines], _cells(total))
    print_note(f"Neurons of {date} (UTC). What others spend on the account is theirs only.")


def _ours(connection: Connection, start: int) -> dict[str, Decimal]:
    asked: dict[str, str | int | list[str]] = {"start_time": start, "end_time": start + _DAY, "group_by[]": ["model"]}
    found: dict[str, Decimal] = {}
    for bucket in decode_all(connection.items("/organization/usage/completions", asked), _Bucket):
        for used in bucket.results:
            found[used.model or ""] = found.get(used.model or "", Decimal(0)) + used.neurons
    return found


def _theirs(upstream: UpstreamSettings, date: str) -> dict[str, Decimal]:
    url = upstream.base_url.rstrip("/") + "/graphql"
    body = {"query": _QUERY, "variables": {"account": upstream.account_id, "day": date}}
    headers = {"content-type": "application/json"}
    if upstream.api_token:
        headers["authorization"] = f"Bearer {upstream.api_token}"
    proxy = None if is_loopback(url) else upstream.proxy or None
    try:
        with httpx2.Client(proxy=proxy, trust_env=False, timeout=_TIMEOUT_SECONDS) as client:
            answer = client.post(url, content=msgspec.json.encode(body), headers=headers)
    except (httpx2.TransportError, httpx2.InvalidURL) as error:
        raise CommandFailed(f"The analytics do not answer: {error}.", ExitCode.UNREACHABLE) from error
    try:
        reply = msgspec.json.decode(answer.content, type=_Reply)
    except msgspec.DecodeError as error:
        raise CommandFailed(f"The analytics answered {answer.status_code} without data.", ExitCode.REFUSED) from error
    if reply.data is None or reply.errors:
        why = "; ".join(each.message for each in reply.errors or []) or f"status {answer.status_code}"
        advice = "The token needs the permission Account Analytics Read."
        raise CommandFailed(f"The analytics refuse: {why}.", ExitCode.REFUSED, advice)
    found: dict[str, Decimal] = {}
    for account in reply.data.viewer.accounts:
        for group in account.groups:
            model = group.dimensions.model_id
            found[model] = found.get(model, Decimal(0)) + group.sum.total_neurons
    return found


def _cells(line: Line) -> tuple[str, ...]:
    captured = "–" if line.captured is None else f"{line.captured:.2f} %"
    return line.model, f"{line.ours:.3f}", f"{line.theirs:.3f}", f"{line.theirs - line.ours:.3f}", captured


def _object(line: Line) -> dict[str, str | float | None]:
    return {
        "model": line.model,
        "ours": float(line.ours),
        "theirs": float(line.theirs),
        "difference": float(line.theirs - line.ours),
        "captured_percent": None if line.captured is None else float(line.captured),
    }
