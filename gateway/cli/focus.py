"""Ledger rows as FOCUS 1.2 (FinOps Open Cost and Usage Specification): one charge per request. Pure formatting.

A request is priced by two or three token rates at once, so it is one priced unit of its own: `PricingQuantity` 1,
`PricingUnit` `Requests`, its tokens in `ConsumedQuantity`. Unit price and SKU columns, which the specification asks for
only where one published price makes up the charge, are left out; what the gateway knows beyond stands in `x_` columns.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec

from gateway.cli.views import LedgerRow

COLUMNS = (
    "BilledCost", "BillingAccountId", "BillingAccountName", "BillingAccountType", "BillingCurrency",
    "BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency",
    "ChargePeriodEnd", "ChargePeriodStart", "ConsumedQuantity", "ConsumedUnit", "ContractedCost", "EffectiveCost",
    "InvoiceIssuerName", "ListCost", "PricingCategory", "PricingQuantity", "PricingUnit", "ProviderName",
    "PublisherName", "ResourceId", "ResourceName", "ResourceType", "ServiceCategory", "ServiceName",
    "ServiceSubcategory", "SubAccountId", "SubAccountName", "SubAccountType", "Tags", "x_ApiKeyId", "x_CachedTokens",
    "x_EndReason", "x_InputTokens", "x_Neurons", "x_NeuronsSource", "x_OutputTokens", "x_PriceSource",
    "x_RequestedModel", "x_RequestId", "x_UsageSource",
)  # fmt: skip

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
        **dict.fromkeys(("BilledCost", "ContractedCost", "EffectiveCost", "ListCost"), cost),
        "BillingAccountId": account.id,
        "BillingAccountName": account.id,
        "BillingAccountType": "Account",
        "BillingCurrency": "USD",
        "BillingPeriodStart": month.strftime(_MOMENT),
        "BillingPeriodEnd": (month + timedelta(days=31)).replace(day=1).strftime(_MOMENT),
        "ChargeCategory": "Usage",
        "ChargeDescription": f"{row.model}: {row.prompt_tokens} input and {row.completion_tokens} output tokens",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodStart": start.strftime(_MOMENT),
        "ChargePeriodEnd": end.strftime(_MOMENT),
        "ConsumedQuantity": str(tokens),
        "ConsumedUnit": "Tokens",
        "PricingCategory": "Standard",
        "PricingQuantity": "1",
        "PricingUnit": "Requests",
        **dict.fromkeys(("InvoiceIssuerName", "ProviderName", "PublisherName"), "Cloudflare"),
        **dict.fromkeys(("ResourceId", "ResourceName"), row.model),
        "ResourceType": "Model",
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": "Workers AI",
        "ServiceSubcategory": "Generative AI",
        "SubAccountId": row.project_id,
        "SubAccountName": account.projects.get(row.project_id, row.project_id),
        "SubAccountType": "Project",
        "Tags": msgspec.json.encode(row.tags, order="sorted").decode(),
        **_own_columns(row),
    }
    return tuple(values.get(name, "") for name in COLUMNS)


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
