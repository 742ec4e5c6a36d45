"""Charges against the rules of FOCUS 1.2, copied here as a table."""

import re
from datetime import datetime
from decimal import Decimal

import msgspec
import pytest

from gateway.cli.focus import COLUMNS, Account, charge
from gateway.cli.views import LedgerRow

STRING, DECIMAL, MOMENT, JSON = "string", "decimal", "moment", "json"

# Column → (feature level, type, may be null, allowed values), of the columns' normative requirements in 1.2.
RULES: dict[str, tuple[str, str, bool, tuple[str, ...]]] = {
    "BilledCost": ("mandatory", DECIMAL, False, ()),
    "BillingAccountId": ("mandatory", STRING, False, ()),
    "BillingAccountName": ("mandatory", STRING, True, ()),
    "BillingAccountType": ("conditional", STRING, False, ()),
    "BillingCurrency": ("mandatory", STRING, False, ("USD",)),
    "BillingPeriodEnd": ("mandatory", MOMENT, False, ()),
    "BillingPeriodStart": ("mandatory", MOMENT, False, ()),
    "ChargeCategory": ("mandatory", STRING, False, ("Usage", "Purchase", "Tax", "Credit", "Adjustment")),
    "ChargeClass": ("mandatory", STRING, True, ("Correction",)),
    "ChargeDescription": ("mandatory", STRING, True, ()),
    "ChargeFrequency": ("recommended", STRING, False, ("One-Time", "Recurring", "Usage-Based")),
    "ChargePeriodEnd": ("mandatory", MOMENT, False, ()),
    "ChargePeriodStart": ("mandatory", MOMENT, False, ()),
    "CommitmentDiscountStatus": ("conditional", STRING, True, ("Used", "Unused")),
    "ConsumedQuantity": ("conditional", DECIMAL, False, ()),
    "ConsumedUnit": ("conditional", STRING, False, ()),
    "ContractedCost": ("mandatory", DECIMAL, False, ()),
    "ContractedUnitPrice": ("conditional", DECIMAL, False, ()),
    "EffectiveCost": ("mandatory", DECIMAL, False, ()),
    "InvoiceId": ("recommended", STRING, True, ()),
    "InvoiceIssuerName": ("mandatory", STRING, False, ()),
    "ListCost": ("mandatory", DECIMAL, False, ()),
    "ListUnitPrice": ("conditional", DECIMAL, False, ()),
    "PricingCategory": ("conditional", STRING, False, ("Standard", "Dynamic", "Committed", "Other")),
    "PricingCurrency": ("conditional", STRING, False, ("USD",)),
    "PricingCurrencyContractedUnitPrice": ("conditional", DECIMAL, False, ()),
    "PricingCurrencyEffectiveCost": ("conditional", DECIMAL, False, ()),
    "PricingCurrencyListUnitPrice": ("conditional", DECIMAL, False, ()),
    "PricingQuantity": ("mandatory", DECIMAL, False, ()),
    "PricingUnit": ("mandatory", STRING, False, ()),
    "ProviderName": ("mandatory", STRING, False, ()),
    "PublisherName": ("mandatory", STRING, False, ()),
    "ResourceId": ("conditional", STRING, True, ()),
    "ResourceName": ("conditional", STRING, True, ()),
    "ResourceType": ("conditional", STRING, True, ()),
    "ServiceCategory": ("mandatory", STRING, False, ("AI and Machine Learning",)),
    "ServiceName": ("mandatory", STRING, False, ()),
    "ServiceSubcategory": ("recommended", STRING, False, ("Generative AI",)),
    "SkuId": ("conditional", STRING, False, ()),
    "SkuMeter": ("conditional", STRING, False, ()),
    "SkuPriceDetails": ("conditional", STRING, True, ()),
    "SkuPriceId": ("conditional", STRING, False, ()),
    "SubAccountId": ("conditional", STRING, True, ()),
    "SubAccountName": ("conditional", STRING, False, ()),
    "SubAccountType": ("conditional", STRING, False, ()),
    "Tags": ("conditional", JSON, True, ()),
}


def a_row(**given: object) -> LedgerRow:
    plausible: dict[str, object] = {
        "id": "req_1", "created": 1_767_268_800, "created_ms": 1_767_268_800_900, "project_id": "proj_1",
        "api_key_id": "key_1", "surface": "chat", "requested_model": "auto", "route": "auto", "reason": "cheapest",
        "model": "@cf/m", "prompt_tokens": 100, "completion_tokens": 20, "cached_tokens": 0, "cost_nano": 20_940,
        "usage_source": "reported", "price_source": "test", "end_reason": "stop", "status": 200, "stream": False,
        "latency_ms": 1900, "upstream": "simulator", "attempts": [], "tags": {"team": "ä,b"}, "neurons": "1.9",
    }  # fmt: skip
    return msgspec.convert({**plausible, **given}, LedgerRow, strict=False)


def check(column: str, value: str) -> None:
    _, kind, may_be_null, allowed = RULES[column]
    if value == "":
        assert may_be_null, column
        return
    assert not allowed or value in allowed, column
    if kind is DECIMAL:
        assert re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value), column
    if kind is MOMENT:
        assert re.fullmatch(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z", value), column
    if kind is JSON:
        msgspec.json.decode(value, type=dict[str, str])


@pytest.mark.parametrize(
    "row",
    [
        a_row(),
        a_row(cost_nano=0, neurons=None, tags={}),
        a_row(cost_nano=1, created=1_769_903_999),
        a_row(latency_ms=0),
    ],
)
def test_charge_follows_the_rules_of_its_columns(row: LedgerRow) -> None:
    values = charge(row, Account("acc", {"proj_1": "Search"}))
    assert values is not None
    found = dict(zip(COLUMNS, values, strict=True))
    for column, value in found.items():
        if not column.startswith("x_"):
            check(column, value)
    assert found["ChargePeriodStart"] < found["ChargePeriodEnd"]
    assert found["BillingPeriodStart"] <= found["ChargePeriodStart"] < found["BillingPeriodEnd"]
    assert datetime.fromisoformat(found["BillingPeriodEnd"]).day == 1
    assert Decimal(found["ConsumedQuantity"]) > 0
    assert found["SubAccountName"] == "Search"


def test_columns_have_every_mandatory_one_and_own_ones_are_marked() -> None:
    assert {name for name, rule in RULES.items() if rule[0] == "mandatory"} <= set(COLUMNS)
    assert [name for name in COLUMNS if not name.startswith("x_")] == sorted(RULES)
    assert len(set(COLUMNS)) == len(COLUMNS)


def test_charge_cost_is_exact_and_nothing_used_is_no_charge() -> None:
    values = charge(a_row(), Account("acc", {}))
    assert values is not None
    found = dict(zip(COLUMNS, values, strict=True))
    assert found["BilledCost"] == "0.000020940"
    assert (found["ChargePeriodStart"], found["ChargePeriodEnd"]) == ("2026-01-01T12:00:00Z", "2026-01-01T12:00:03Z")
    assert charge(a_row(prompt_tokens=0, completion_tokens=0), Account("acc", {})) is None
