"""When somebody is to be told how much of a budget is used: the amounts to watch, and what is said once one is reached.

Every budget of a calendar window or in total is watched at the configured percentages; spend alerts, which
administrators set, at an amount of money per month. Rolling windows and concurrency are rates, not budgets. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

import msgspec

from gateway.core.limits import (
    END_OF_TIME_MS,
    KINDS,
    WINDOWS,
    Kind,
    Meter,
    Window,
    check_limit,
    shown_amount,
    window_at,
)
from gateway.core.pricing import dollars_text
from gateway.core.records import Limit

_ALL = 100  # percent
_KINDS: Mapping[str, Kind] = {kind: kind for kind in KINDS}
# Any other kind is counted in itself.
_UNITS: Mapping[str, str] = {"money": "nano_usd", "neurons": "nano_neurons"}


class SpendAlert(msgspec.Struct, frozen=True, omit_defaults=True):
    """An amount of money per calendar month at which to tell somebody; of the organisation or of a project."""

    id: str
    created: int  # unix seconds
    threshold_nano: int
    recipients: tuple[str, ...] = ()
    subject_prefix: str | None = None


class ReachedThreshold(msgspec.Struct, frozen=True):
    """What is told: to the log, to the webhook, to the history. Amounts are in `unit`."""

    scope: str  # "organization", "project" or "key"
    id: str
    name: str
    kind: str
    window: str
    unit: str
    limit: int | None  # None where a spend alert stands without a budget
    threshold: int
    percent: int | None  # None for a spend alert
    used: int
    resets_at: int | None  # unix seconds
    spend_alert: SpendAlert | None = None

    def sentence(self) -> str:
        """For people."""
        name = f"{self.scope} {self.name} ({self.id})"
        reset = "" if self.resets_at is None else f"; it starts anew {_moment(self.resets_at)}"
        per = "in total" if self.window == "total" else f"per {self.window}"
        if self.spend_alert is not None:
            amount = self._amount(self.threshold)
            return f"{name} has spent {self._amount(self.used)} {per}; a spend alert stands at {amount}{reset}"
        limit = f"{self._amount(self.limit or 0)} {per}"
        if self.percent == _ALL:
            return f"{name} has used up its limit of {limit}: {self._amount(self.used)}; requests are refused{reset}"
        return f"{name} has used {self.percent} % of its limit of {limit}: {self._amount(self.used)}{reset}"

    def _amount(self, amount: int) -> str:
        if self.kind == "money":
            return f"${dollars_text(amount)}"
        return f"{shown_amount(self.kind, amount)} {self.kind}"


@dataclass(slots=True, frozen=True)
class Owner:
    """Whose budgets: an organisation, project or key with its limits and spend alerts."""

    scope: str
    id: str
    name: str
    limits: Sequence[Limit]
    spend_alerts: Sequence[SpendAlert] = ()


@dataclass(slots=True, frozen=True)
class WatchedAmount:
    """An amount in one counter. `claim` is the name under which it is raised once, until `ends_ms`."""

    owner: Owner
    meter: Meter
    threshold: int
    percent: int | None = None
    spend_alert: SpendAlert | None = None

    @property
    def claim(self) -> str:
        """Tells it from every other: also from the same percentage of another limit, and of another window."""
        mark = f"{self.percent}%{self.meter.limit}" if self.spend_alert is None else self.spend_alert.id
        return f"{self.owner.scope}|{self.owner.id}|{self.meter.used_field}|{mark}|{self.threshold}"

    @property
    def ends_ms(self) -> int:
        """When the window is over and the claim of no use any more."""
        return self.meter.window.end_ms

    def reached(self, used: int) -> ReachedThreshold:
        """What is told of it."""
        meter, owner = self.meter, self.owner
        return ReachedThreshold(
            scope=owner.scope,
            id=owner.id,
            name=owner.name,
            kind=meter.kind,
            window=meter.window.name,
            unit=_UNITS.get(meter.kind, meter.kind),
            limit=meter.limit if self.spend_alert is None else None,
            threshold=self.threshold,
            percent=self.percent,
            used=used,
            resets_at=None if self.ends_ms == END_OF_TIME_MS else self.ends_ms // 1000,
            spend_alert=self.spend_alert,
        )


def budget_windows(now_ms: int, zone: tzinfo = UTC) -> dict[str, Window]:
    """The windows of budgets that a moment (unix ms) lies in, by name."""
    return {name: window_at(name, now_ms, zone) for name in WINDOWS}


def watched_counters(owner: Owner, windows: Mapping[str, Window]) -> list[Meter]:
    """The counters to look at. A limit of nothing cannot be approached; one of 0 here stands for spend alerts alone."""
    found = [
        Meter(kind, windows[limit.window], check_limit(limit.limit, kind))
        for limit in owner.limits
        if limit.window in windows and limit.model is None and limit.limit > 0 and (kind := _KINDS.get(limit.kind))
    ]
    if owner.spend_alerts and not any(_counts_spend_alerts(meter) for meter in found):
        found.append(Meter("money", windows["month"], 0))
    return found


def reached_amounts(owner: Owner, meter: Meter, used: int, percents: Sequence[int]) -> list[WatchedAmount]:
    """What of this counter is reached, the lower before the higher of a budget."""
    found = []
    if meter.limit and percents and used * 100 >= meter.limit * min(percents):
        # Rounded up: a third of one request is reached by none.
        amounts = [(-(-meter.limit * each // 100), each) for each in sorted(percents)]
        found = [WatchedAmount(owner, meter, amount, each) for amount, each in amounts if used >= amount]
    if owner.spend_alerts and _counts_spend_alerts(meter):
        alerts = sorted(owner.spend_alerts, key=lambda each: each.threshold_nano)
        found += [
            WatchedAmount(owner, meter, each.threshold_nano, spend_alert=each)
            for each in alerts
            if used >= each.threshold_nano
        ]
    return found


def _counts_spend_alerts(meter: Meter) -> bool:
    return (meter.kind, meter.window.name) == ("money", "month")


def _moment(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d %H:%M UTC")
