"""Endpoints of usage and costs: OpenAI's reports, read from the ledger's roll-ups and, by the minute, from its rows."""

import msgspec

from gateway.core.neurons import NeuronPrice
from gateway.ledger import rollups
from gateway.organization.buckets import BucketQuestion, Report, read_question
from gateway.organization.exchange import Question
from gateway.organization.money import decimal_text, dollars
from gateway.organization.objects import Page

_USAGE = Report(
    limits={"1d": (7, 31), "1h": (24, 168), "1m": (60, 1440)},
    groups=("project_id", "user_id", "api_key_id", "model", "batch", "service_tier", "api_source"),
    models_parameter="models",
    has_tags=True,
)
_COSTS = Report(
    limits={"1d": (7, 180)},
    groups=("project_id", "user_id", "line_item", "api_key_id", "api_source"),
    models_parameter="line_items",
)


class UsageResult(msgspec.Struct, kw_only=True):
    """Tokens and requests of one group in one bucket. Text is all there is, so audio and images are zero.

    The last ones are ours: the tag's value, requests that ended `failed`, those whose client left, cost in
    nano-dollars, neurons (reported by the upstream, else computed), and what these cost without any free ones.
    """

    object: str = "organization.usage.completions.result"
    input_tokens: int
    output_tokens: int
    num_model_requests: int
    input_cached_tokens: int
    input_cache_write_tokens: int = 0
    input_uncached_tokens: int
    input_text_tokens: int
    output_text_tokens: int
    input_cached_text_tokens: int
    input_audio_tokens: int = 0
    input_cached_audio_tokens: int = 0
    output_audio_tokens: int = 0
    input_image_tokens: int = 0
    input_cached_image_tokens: int = 0
    output_image_tokens: int = 0
    project_id: str | None
    user_id: None = None
    api_key_id: str | None
    model: str | None
    batch: bool | None
    service_tier: str | None
    api_source: str | None
    tag: str | None  # the value of the tag asked for
    num_failed_requests: int
    num_client_gone: int
    cost_nano: int
    neurons: msgspec.Raw
    neuron_cost_nano: int


class Amount(msgspec.Struct):
    """Money: an exact decimal."""

    value: msgspec.Raw
    currency: str = "usd"


class CostsResult(msgspec.Struct, kw_only=True):
    """Money of one group in one bucket. A line item is a model; its quantity is its input and output tokens."""

    object: str = "organization.costs.result"
    amount: Amount
    line_item: str | None
    project_id: str | None
    user_id: None = None
    api_key_id: str | None
    api_source: str | None
    quantity: int | None
    quantity_unit: str | None


class Bucket(msgspec.Struct, kw_only=True):
    """A stretch of time with what happened in it."""

    object: str = "bucket"
    start_time: int
    end_time: int
    results: list[UsageResult] | list[CostsResult]


async def usage_completions(question: Question) -> Page[Bucket]:
    """GET /usage/completions"""
    asked, buckets = await _read(question, _USAGE)
    price = question.service.neuron_price
    return _page(asked, [_bucket(each, [_usage_result(use, asked, price) for use in each.results]) for each in buckets])


async def costs(question: Question) -> Page[Bucket]:
    """GET /costs"""
    asked, buckets = await _read(question, _COSTS)
    return _page(asked, [_bucket(each, [_costs_result(use, asked) for use in each.results]) for each in buckets])


async def _read(question: Question, report: Report) -> tuple[BucketQuestion, list[rollups.Bucket]]:
    registry = question.service.registry
    asked = read_question(question.query, report, await registry.now())
    question.query.done()
    buckets = await rollups.read_usage(registry.store, registry.layout, asked.usage)
    if asked.is_empty:
        buckets = [rollups.Bucket(each.start, each.end, []) for each in buckets]
    return asked, buckets


def _page(asked: BucketQuestion, buckets: list[Bucket]) -> Page[Bucket]:
    return Page(data=buckets, has_more=asked.next_page is not None, next_page=asked.next_page)


def _bucket(read: rollups.Bucket, results: list[UsageResult] | list[CostsResult]) -> Bucket:
    return Bucket(start_time=read.start, end_time=read.end, results=results)


def _usage_result(use: rollups.Usage, asked: BucketQuestion, price: NeuronPrice) -> UsageResult:
    uncached = use.prompt_tokens - use.cached_tokens
    return UsageResult(
        input_tokens=use.prompt_tokens,
        output_tokens=use.completion_tokens,
        num_model_requests=use.requests,
        input_cached_tokens=use.cached_tokens,
        input_uncached_tokens=uncached,
        input_text_tokens=uncached,
        output_text_tokens=use.completion_tokens,
        input_cached_text_tokens=use.cached_tokens,
        project_id=use.project_id,
        api_key_id=use.api_key_id,
        model=use.model,
        batch=False if "batch" in asked.group_by else None,
        service_tier="default" if "service_tier" in asked.group_by else None,
        api_source="unlabeled" if "api_source" in asked.group_by else None,
        tag=use.tag,
        num_failed_requests=use.failed,
        num_client_gone=use.client_gone,
        cost_nano=use.cost_nano,
        neurons=msgspec.Raw(decimal_text(use.neurons_nano, 9).encode()),
        neuron_cost_nano=price.gross_nano(use.neurons_nano),
    )


def _costs_result(use: rollups.Usage, asked: BucketQuestion) -> CostsResult:
    is_itemised = "line_item" in asked.group_by
    return CostsResult(
        amount=Amount(dollars(use.cost_nano)),
        line_item=use.model,
        project_id=use.project_id,
        api_key_id=use.api_key_id,
        api_source="unlabeled" if "api_source" in asked.group_by else None,
        quantity=use.prompt_tokens + use.completion_tokens if is_itemised else None,
        quantity_unit="tokens" if is_itemised else None,
    )
