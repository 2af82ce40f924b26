"""What the server holds is what was asked for and reported."""

from __future__ import annotations

from collections.abc import Iterator

from perfectpay_async import NotFound, Outcome

from .evidence import Done, Evidence, wanted
from .facts import required
from .plan import SEEDED
from .watching import Sent


def ok_was_applied(evidence: Evidence) -> Iterator[str]:
    """Reported ok: the server did exactly that."""
    checks = {"create": _created, "update": _updated, "delete": _deleted}
    for done in evidence.calls:
        if done.ok and not checks.get(done.ask.operation, _answered)(evidence, done):
            yield f"{done}: ok, but {[str(request) for request in done.requests]}"


def _created(evidence: Evidence, done: Done) -> bool:
    return done.result.card.expiry == done.ask.expiry and any(
        write.payment_method_id == done.result.payment_method_id and evidence.is_asked(done, write)
        for write in evidence.writes_of(done)
    )


def _updated(evidence: Evidence, done: Done) -> bool:
    writes = evidence.writes_of(done)
    return (
        done.result.card.expiry == done.ask.expiry
        and bool(writes)
        and evidence.request_of(writes[-1]) is done.requests[-1]
        and evidence.is_asked(done, writes[-1])
    )


def _deleted(evidence: Evidence, done: Done) -> bool:
    # After an attempt that may have done it, not found is as good as deleted.
    is_gone = any(map(_may_have_worked, done.sent[:-1])) and done.sent[-1].status == 404
    is_there = done.ask.target in evidence.store.methods
    return not is_there and (is_gone or bool(evidence.writes_of(done)))


def _answered(_: Evidence, done: Done) -> bool:
    return bool(done.sent) and done.sent[-1].status == 200


def _may_have_worked(sent: Sent) -> bool:
    """Whether the client could not know that an attempt had failed."""
    if sent.request is None or sent.status is None:
        return True
    needed = required(sent.request)
    return needed is None or needed[1] is Outcome.UNKNOWN


def reads_are_right(evidence: Evidence) -> Iterator[str]:
    """A retrieve shows the last update where it is certain, else one that was asked for."""
    for lane in evidence.lanes:
        late = any(evidence.late_writes(done) for done in lane)
        possible = {(int(SEEDED[0]), int(SEEDED[1]) % 100)}
        for done in lane:
            if done.ask.operation == "update" and done.ask.expiry is not None:
                asked = wanted(done.ask.expiry)
                possible = {asked} if done.ok and not late else possible | {asked}
            elif done.ask.operation == "delete" and done.ok:
                possible = set()
            elif done.ask.operation == "retrieve" and done.ok:
                shown = done.result.card.expiry
                if wanted(shown) not in possible:
                    yield f"{done}: shows {shown}, not one of {possible}"


def refused_was_not_applied(evidence: Evidence) -> Iterator[str]:
    """Outcome NOT_SENT or REFUSED: no request of the call was applied, then or later."""
    for done in evidence.calls:
        if done.failure is not None and done.failure.outcome is not Outcome.UNKNOWN:
            for request in done.requests:
                if request.applied:
                    yield f"{done}: {done.failure.outcome}, but it was applied"


def nothing_else_was_applied(evidence: Evidence) -> Iterator[str]:
    """Every write is exactly what a call asked for."""
    callers = {request.number: done for done in evidence.calls for request in done.requests}
    for write in evidence.ledger.writes:
        done = callers.get(write.request)
        if done is None or not evidence.is_asked(done, write):
            yield f"{done or 'nobody'}: did not ask for {write}"


def last_asked_is_last_applied(evidence: Evidence) -> Iterator[str]:
    """The writes of a card are in the order of the calls, and what was reported last stands."""
    for lane in evidence.lanes:
        late = {write.request for done in lane for write in evidence.late_writes(done)}
        order = {
            request.number: place for place, done in enumerate(lane) for request in done.requests
        }
        places = [
            order[write.request]
            for write in evidence.ledger.writes
            if write.request in order and write.request not in late
        ]
        if places != sorted(places):
            yield f"{lane[0]} and on: applied in the order {places}"
        updates = [done for done in lane if done.ask.operation == "update"]
        stored = evidence.store.methods.get(updates[-1].ask.target) if updates else None
        if stored is None or stored.card is None or late or not updates[-1].ok:
            continue
        held = (int(stored.card.month), int(stored.card.year) % 100)
        if updates[-1].ask.expiry is None or held != wanted(updates[-1].ask.expiry):
            yield f"{updates[-1]}: ok, but the card holds {held} in the end"


def one_in_flight(evidence: Evidence) -> Iterator[str]:
    """The client has at most one request open for a card, when its caller makes one call at a time.

    On the server there may be two: one that the client has given up, and its successor.
    """
    for lane in evidence.lanes:
        ended = 0.0
        for done in lane:
            for sent in done.sent:
                if len(sent.requests) > 1:
                    yield f"{done}: attempt {sent.number} made {len(sent.requests)} requests"
                if sent.began < ended:
                    yield f"{done}: attempt {sent.number} began while another was under way"
                ended = sent.ended


def creates_once(evidence: Evidence) -> Iterator[str]:
    """A create makes at most one request that may have reached the handler."""
    for done in evidence.calls:
        handled = [
            request
            for request in done.requests
            if request.operation == "payment_methods.create" and request.status not in {425, 429}
        ]
        if len(handled) > 1:
            yield f"{done}: sent {len(handled)} times"


def deletes_stay_deleted(evidence: Evidence) -> Iterator[str]:
    """A delete that was applied, and whose answer was lost, does not end as not found."""
    for done in evidence.calls:
        applied = any(request.applied for request in done.requests)
        if applied and done.ask.operation == "delete" and isinstance(done.error, NotFound):
            yield f"{done}: not found, after it had deleted it"


def one_idempotency_key(evidence: Evidence) -> Iterator[str]:
    """All attempts of a write carry the call's idempotency key, and reads carry none."""
    for done in evidence.calls:
        for sent in done.sent:
            is_read = sent.operation in {"payment_methods.retrieve", "payment_methods.list"}
            if sent.key != ("" if is_read else done.ask.key):
                yield f"{done}: attempt {sent.number} carried the key '{sent.key}'"
