"""Retries, waits and deadlines: how often and how long."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .evidence import Evidence
from .plan import ATTEMPT_TIMEOUT, MAX_ATTEMPTS

GRACE: Final = 0.1
"""Seconds by which something may be late, on top of how late the event loop was."""
CLOCK: Final = 0.002
"""Seconds by which a timer may be early."""


def attempts_and_budget(evidence: Evidence) -> Iterator[str]:
    """No more attempts than the policy has, and no more retries than the budget pays for."""
    budget, granted = evidence.plan.budget, evidence.budget.retries
    retries = paid = refunds = cancelled = 0
    for done in evidence.calls:
        cancelled += done.cancelled is not None
        refunds += sum(sent.number == 1 and sent.status == 200 for sent in done.sent)
        for before, after in done.retries:
            if after.number != before.number + 1 or after.number > MAX_ATTEMPTS:
                yield f"{done}: attempt {after.number} after {before.number}"
            cost = budget.throttled_cost if before.status == 429 else budget.retry_cost
            retries += 1
            paid += cost
            refunds += cost if after.status == 200 else 0
    if not retries <= granted <= retries + cancelled:
        yield f"{retries} retries were made, {granted} were granted"
    if paid > budget.capacity + refunds:
        yield f"retries for {paid} tokens, of {budget.capacity} + {refunds}"


def retry_after_is_obeyed(evidence: Evidence) -> Iterator[str]:
    """No request of a call arrives before the server's Retry-After is over."""
    for done in evidence.calls:
        for before, after in done.retries:
            if before.retry_after is None or before.request is None or after.request is None:
                continue
            gap = after.request.received - (before.request.finished or 0.0)
            if gap < before.retry_after - CLOCK:
                yield f"{done}: back after {gap:.3f} s, asked for {before.retry_after}"


def waits_are_spread(evidence: Evidence) -> Iterator[str]:
    """No two calls wait equally long, and each waits as long as it says."""
    waits = []
    for done in evidence.calls:
        ends = {id(before): after.began for before, after in done.retries}
        for attempt, sent in done.reported:
            if attempt.wait is None or sent is None:
                continue
            waits.append(attempt.wait)
            if ends.get(id(sent), float("inf")) - sent.ended < attempt.wait - CLOCK:
                yield f"{done}: did not wait for {attempt.wait:.3f} s"
    if len(set(waits)) < 0.9 * len(waits):
        yield f"{len(waits)} waits of {len(set(waits))} different lengths"


def deadlines_hold(evidence: Evidence) -> Iterator[str]:
    """A call ends by its deadline, and nothing is sent after it."""
    for done in evidence.calls:
        end = done.began + done.ask.deadline
        if done.ended > end + _grace(evidence, end, done.ended):
            yield f"{done}: took {done.ended - done.began:.3f} s of {done.ask.deadline}"
        for sent in done.sent:
            if sent.requests and sent.began > end + GRACE:
                yield f"{done}: sent {sent.began - end:.3f} s after the deadline"


def attempts_end_in_time(evidence: Evidence) -> Iterator[str]:
    """An attempt ends by its timeout; waiting for a free connection has as long again."""
    most = ATTEMPT_TIMEOUT * (2 if evidence.plan.max_connections < evidence.plan.workers else 1)
    for done in evidence.calls:
        for sent in done.sent:
            end = sent.began + most
            if sent.ended > end + _grace(evidence, end, sent.ended):
                yield f"{done}: attempt {sent.number} took {sent.ended - sent.began:.3f} s"


def cancelled_at_once(evidence: Evidence) -> Iterator[str]:
    """A cancelled call ends as cancelled, without finishing anything first."""
    for done in evidence.calls:
        if done.cancelled is None:
            continue
        if type(done.error).__name__ != "CancelledError":
            yield f"{done}: cancelled, but ended with {done.error!r}"
        elif done.ended > done.cancelled + _grace(evidence, done.cancelled, done.ended):
            yield f"{done}: took {done.ended - done.cancelled:.3f} s to cancel"


def _grace(evidence: Evidence, start: float, end: float) -> float:
    return GRACE + evidence.heartbeat.lag(start, end)
