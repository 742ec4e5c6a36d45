"""Ledger rows as FOCUS 1.2 (FinOps Open Cost and Usage Specification): one charge per request. Pure formatting.

A request is priced by two or three token rates at once, so it is one priced unit of its own: `PricingQuantity` 1,
`PricingUnit` `Requests`, its tokens in `ConsumedQuantity`; its unit price is its cost. The SKU is the model, the SKU
price the entry of the price book. What the gateway knows beyond stands in `x_` columns.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec

from gateway.cli.views import LedgerRow

COLUMNS = (
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingAccountType", "BillingCurrency",
    "BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency",
    "ChargePeriodEnd", "ChargePeriodStart", "CommitmentDiscountStatus", "ConsumedQuantity", "ConsumedUnit",
    "ContractedCost", "ContractedUnitPrice", "EffectiveCost", "InvoiceId", "InvoiceIssuerName", "ListCost",
    "ListUnitPrice", "PricingCategory", "PricingCurrency", "PricingCurrencyContractedUnitPrice",
    "PricingCurrencyEffectiveCost", "PricingCurrencyListUnitPrice", "PricingQuantity", "PricingUnit", "ProviderName",
    "PublisherName", "ResourceId", "ResourceName", "ResourceType", "ServiceCategory", "ServiceName",
    "ServiceSubcategory", "SkuId", "SkuMeter", "SkuPriceDetails", "SkuPriceId", "SubAccountId", "SubAccountName",
    "SubAccountType", "Tags", "x_ApiKeyId", "x_CachedTokens", "x_EndReason", "x_InputTokens", "x_Neurons",
    "x_NeuronsSource", "x_OutputTokens", "x_PriceSource", "x_RequestedModel", "x_RequestId", "x_UsageSource",
)  # fmt: skip

_COSTS = (
    "BilledCost", "ContractedCost", "ContractedUnitPrice", "EffectiveCost", "ListCost", "ListUnitPrice",
    "PricingCurrencyContractedUnitPrice", "PricingCurrencyEffectiveCost", "PricingCurrencyListUnitPrice",
)  # fmt: skip
# What is the same of every charge.
_ALWAYS: Mapping[str, str] = {
    "BillingAccountType": "Account",
    "ChargeCategory": "Usage",
    "ChargeFrequency": "Usage-Based",
    "ConsumedUnit": "Tokens",
    "PricingCategory": "Standard",
    "PricingQuantity": "1.0",
    "PricingUnit": "Requests",
    "ResourceType": "Model",
    "ServiceCategory": "AI and Machine Learning",
    "ServiceName": "Workers AI",
    "ServiceSubcategory": "Generative AI",
    "SkuMeter": "Requests",
    "SubAccountType": "Project",
    **dict.fromkeys(("BillingCurrency", "PricingCurrency"), "USD"),
    **dict.fromkeys(("InvoiceIssuerName", "ProviderName", "PublisherName"), "Cloudflare"),
}
_NANO = Decimal(10) ** -9
_MOMENT = "%Y-%m-%dT%H:%M:%SZ"


class Account(msgspec.Struct, frozen=True):
    """Who is billed, and the names of the projects that share the account."""

    id: str
    projects: Mapping[str, str]


def charge(row: LedgerRow, account: Account) -> tuple[str, ...] | None:
    """The charge of one request in the order of `COLUMNS`; None where nothing was used."""
    tokens = row.prompt_tokens + row.completion_tokens
    if not tokens:
        return None
    cost = f"{Decimal(row.cost_nano) * _NANO:f}"
    start = datetime.fromtimestamp(row.created, UTC)
    end = start + timedelta(seconds=1 + (row.created_ms % 1000 + row.latency_ms) // 1000)
    month = start.replace(day=1, hour=0, minute=0, second=0)
    values = {
        **_ALWAYS,
        **dict.fromkeys(_COSTS, cost),
        "BillingAccountId": account.id,
        "BillingAccountName": account.id,
        "BillingPeriodStart": month.strftime(_MOMENT),
        "BillingPeriodEnd": (month + timedelta(days=31)).replace(day=1).strftime(_MOMENT),
        "ChargeDescription": f"{row.model}: {row.prompt_tokens} input and {row.completion_tokens} output tokens",
        "ChargePeriodStart": start.strftime(_MOMENT),
        "ChargePeriodEnd": end.strftime(_MOMENT),
        "ConsumedQuantity": f"{tokens}.0",  # a decimal, as the specification has it
        **dict.fromkeys(("ResourceId", "ResourceName", "SkuId"), row.model),
        "SkuPriceId": _price_id(row),
        "SubAccountId": row.project_id,
        "SubAccountName": account.projects.get(row.project_id, row.project_id),
        "Tags": msgspec.json.encode(row.tags, order="sorted").decode(),
        **_own_columns(row),
    }
    return tuple(values.get(name, "") for name in COLUMNS)


def _price_id(row: LedgerRow) -> str:
    """The price that made up the charge: of the last attempt that was billed."""
    ids = [msgspec.json.decode(attempt.get("price_id", b'""'), type=str) for attempt in row.attempts]
    return next((found for found in reversed(ids) if found), row.model)


def _own_columns(row: LedgerRow) -> dict[str, str]:
    return {
        "x_ApiKeyId": row.api_key_id,
        "x_CachedTokens": str(row.cached_tokens),
        "x_EndReason": row.end_reason,
        "x_InputTokens": str(row.prompt_tokens),
        "x_Neurons": "" if row.neurons is None else f"{row.neurons:f}",
        "x_NeuronsSource": row.neurons_source or "",
        "x_OutputTokens": str(row.completion_tokens),
        "x_PriceSource": row.price_source,
        "x_RequestedModel": row.requested_model,
        "x_RequestId": row.id,
        "x_UsageSource": row.usage_source,
    }
