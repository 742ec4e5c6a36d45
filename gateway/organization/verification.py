"""Endpoints of the books' check: a portion per request, looked at (GET) or put right (POST). Our own extension."""

import msgspec

from gateway.core.errors import Conflict, InvalidRequest
from gateway.ledger.audit.auditor import read_standing
from gateway.ledger.audit.finding import Finding
from gateway.ledger.audit.verification import Assignment, Portion, UnknownCursor, Verifier
from gateway.organization.exchange import Question
from gateway.store.lease import Lease

_LATEST_SECOND = 4_102_444_800  # 2100-01-01
_LEASE_MS = 120_000  # how long a repair that died keeps the next one out
_NAMED_REPAIRS = 100  # written into one audit entry


class FindingObject(msgspec.Struct):
    """A place where the books do not agree: eight sums of a roll-up, or one amount."""

    check: str
    place: str
    subject: str
    expected: tuple[int, ...]
    found: tuple[int, ...]


class Verification(msgspec.Struct, kw_only=True):
    """One portion of a check. `position` and `until` (unix seconds) measure the way; `next_page` goes on."""

    object: str = "organization.verification"
    position: int
    until: int
    rows: int
    hours: int
    moving: int
    waiting: int
    findings: list[FindingObject]
    repaired: list[FindingObject]
    verified_at: int | None
    drift: int
    has_more: bool
    next_page: str | None


async def verify_books(question: Question) -> Verification:
    """GET /verify"""
    query = question.query
    assignment = Assignment(query.integer("start_time", 0, _LATEST_SECOND), query.text("page"))
    query.done()
    return await _verify(question, assignment)


async def repair_books(question: Question) -> Verification:
    """POST /verify: what does not follow from the rows is rebuilt from them, and written to the audit stream."""
    question.query.done()
    body = question.body
    since, page = body.integer("start_time", 0, _LATEST_SECOND), body.text("page")
    is_repair = body.flag("repair") or False
    body.done()
    store, layout = question.service.registry.store, question.service.registry.layout
    lease = Lease(store, layout.shared("repair_lease"), question.actor.request_id, _LEASE_MS)
    if not await lease.hold():
        raise Conflict("The books are being repaired by somebody else; try again in a minute.")
    try:
        if is_repair and page is None:  # said before anything is done, so that no repair escapes the audit
            await question.service.registry.tell(
                question.actor, "ledger.repair.started", "ledger", {"start_time": since}
            )
        answer = await _verify(question, Assignment(since, page, is_repair=is_repair))
    finally:
        await lease.release()
    if answer.repaired:
        named = [msgspec.structs.asdict(each) for each in answer.repaired[:_NAMED_REPAIRS]]
        await question.service.registry.tell(
            question.actor, "ledger.repaired", "ledger", {"count": len(answer.repaired), "repaired": named}
        )
    return answer


async def _verify(question: Question, assignment: Assignment) -> Verification:
    registry = question.service.registry
    try:
        verifier = Verifier(registry.store, registry.layout, question.service.waiting)
        portion = await verifier.portion(assignment)
    except UnknownCursor as error:
        raise InvalidRequest(
            "Invalid 'page': it is no cursor of a verification.", param="page", code="invalid_value"
        ) from error
    standing = await read_standing(registry.store, registry.layout)
    return _object(portion, standing.verified_at, standing.drift)


def _object(portion: Portion, verified_at: int, drift: int) -> Verification:
    return Verification(
        position=portion.position,
        until=portion.until,
        rows=portion.rows,
        hours=portion.hours,
        moving=portion.moving,
        waiting=portion.waiting,
        findings=[_finding(each) for each in portion.findings],
        repaired=[_finding(each) for each in portion.repaired],
        verified_at=verified_at or None,
        drift=drift,
        has_more=portion.cursor is not None,
        next_page=portion.cursor,
    )


def _finding(finding: Finding) -> FindingObject:
    return FindingObject(finding.check, finding.place, finding.subject, finding.expected, finding.found)
