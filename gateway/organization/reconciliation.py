"""Endpoints of the reconciliation with the provider's analytics: tell a day's figure, read the last outcome. Ours."""

import msgspec

from gateway.core.errors import NotFound
from gateway.core.neurons import NANO
from gateway.ledger.reconciliation import Reconciliation, read_reconciliation, reconcile
from gateway.organization.exchange import Question
from gateway.organization.money import decimal_text
from gateway.organization.parameters import missing_parameter

_LATEST_SECOND = 4_102_444_800  # 2100-01-01
_MOST_NEURONS = 10**12
_DAY = 86_400


class ReconciliationObject(msgspec.Struct, kw_only=True):
    """A UTC day's neurons: the ledger's, the provider's, theirs less ours, and the share the ledger has."""

    object: str = "organization.reconciliation"
    start_time: int
    ours: msgspec.Raw
    theirs: msgspec.Raw
    difference: msgspec.Raw
    captured: float | None


async def retrieve_reconciliation(question: Question) -> ReconciliationObject:
    """GET /reconciliation"""
    question.query.done()
    registry = question.service.registry
    found = await read_reconciliation(registry.store, registry.layout)
    if found is None:
        raise NotFound("Nothing was reconciled yet: see `gateway reconcile`.", code="not_found")
    return _object(found)


async def keep_reconciliation(question: Question) -> ReconciliationObject:
    """POST /reconciliation"""
    question.query.done()
    body, registry = question.body, question.service.registry
    start = body.integer("start_time", 0, _LATEST_SECOND)
    theirs = body.required_number("theirs", 0, _MOST_NEURONS)
    body.done()
    if start is None:
        raise missing_parameter("start_time")
    nano = int((theirs * NANO).to_integral_value(rounding="ROUND_HALF_UP"))
    day = start - start % _DAY
    await registry.tell(question.actor, "ledger.reconciled", "ledger", {"day": day, "theirs_nano_neurons": nano})
    return _object(await reconcile(registry.store, registry.layout, day, nano))


def _object(found: Reconciliation) -> ReconciliationObject:
    return ReconciliationObject(
        start_time=found.day,
        ours=_neurons(found.ours_nano),
        theirs=_neurons(found.theirs_nano),
        difference=_neurons(found.theirs_nano - found.ours_nano),
        captured=found.captured,
    )


def _neurons(nano: int) -> msgspec.Raw:
    return msgspec.Raw(decimal_text(nano, 9).encode())
