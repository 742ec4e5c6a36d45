"""Endpoint of neurons by day: used, free, billed, and what the price book says beside it. Our own extension.

Free neurons are the account's, so the figures are the organisation's: a project's share of them is nobody's to say.
"""

from typing import Final

import msgspec

from gateway.core.errors import InvalidRequest
from gateway.core.forecast import forecast
from gateway.core.neurons import NANO
from gateway.ledger.burn import read_burn
from gateway.ledger.rollups import Bucket, read_usage, total
from gateway.organization.buckets import Report, read_question
from gateway.organization.exchange import Question
from gateway.organization.money import decimal_text
from gateway.organization.objects import Page

_DAY_SECONDS: Final = 86_400
_DAYS: Final = Report(limits={"1d": (7, 180)}, groups=(), models_parameter="models")


class NeuronDay(msgspec.Struct, kw_only=True):
    """One UTC day. Nano-dollars: the price book's cost; the neurons' without and with the day's free ones.

    `difference_nano` is the price book's cost less the neurons' (gross): what it charges beyond the meter.
    """

    object: str = "organization.neurons.day"
    start_time: int
    end_time: int
    neurons: msgspec.Raw
    free_neurons: int
    cost_nano: int
    neuron_cost_nano: int
    billed_nano: int
    difference_nano: int
    forecast_neurons: msgspec.Raw | None = None  # of the day in progress: by its end, at the pace of the last hours
    exhausted_at: int | None = None  # unix s: when its free ones are used up at that pace, or were


async def list_neuron_days(question: Question) -> Page[NeuronDay]:
    """GET /neurons"""
    registry = question.service.registry
    asked = read_question(question.query, _DAYS, await registry.now())
    question.query.done()
    for name in ("project_ids", "api_key_ids", "models"):
        if getattr(asked.usage, name):
            raise InvalidRequest(
                f"Unknown parameter: '{name}'. The free neurons are the whole account's.",
                param=name,
                code="unknown_parameter",
            )
    buckets = await read_usage(registry.store, registry.layout, asked.usage)
    days = [_day(question, bucket) for bucket in buckets]
    burn = await read_burn(registry.store, registry.layout)
    for day in days:
        if day.start_time <= burn.now < day.start_time + _DAY_SECONDS:
            ahead = forecast(burn.by_hour, burn.now, day.free_neurons * NANO)
            day.forecast_neurons = msgspec.Raw(decimal_text(ahead.by_midnight_nano, 9).encode())
            day.exhausted_at = ahead.exhausted_at
    return Page(data=days, has_more=asked.next_page is not None, next_page=asked.next_page)


def _day(question: Question, bucket: Bucket) -> NeuronDay:
    price, use = question.service.neuron_price, total(bucket.results)
    gross = price.gross_nano(use.neurons_nano)
    return NeuronDay(
        start_time=bucket.start,
        end_time=bucket.end,
        neurons=msgspec.Raw(decimal_text(use.neurons_nano, 9).encode()),
        free_neurons=price.free_per_day,
        cost_nano=use.cost_nano,
        neuron_cost_nano=gross,
        billed_nano=price.billed_nano(use.neurons_nano),
        difference_nano=use.cost_nano - gross,
    )
