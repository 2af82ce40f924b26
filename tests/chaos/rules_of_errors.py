"""What a failure says about itself is true."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve

from perfectpay_async import DeadlineExceeded, Outcome, PerfectPayError

from .evidence import Done, Evidence
from .facts import TIMEOUTS, required
from .plan import ATTEMPT_TIMEOUT
from .rules_of_time import CLOCK


def one_end(evidence: Evidence) -> Iterator[str]:
    """Every call ends, once: with a result, one of our errors, or the cancellation it was given."""
    if len({done.ask.key for done in evidence.calls}) != evidence.plan.calls:
        yield f"{len(evidence.calls)} of {evidence.plan.calls} calls ended"
    for done in evidence.calls:
        if not done.ok and done.failure is None and done.cancelled is None:
            yield f"{done}: {done.error!r}"


def facts_are_right(evidence: Evidence) -> Iterator[str]:
    """Each attempt ends with the error and the outcome that its fault requires."""
    for done in evidence.calls:
        for attempt, sent in done.reported:
            said = (attempt.error, attempt.outcome)
            if sent is None or sent.request is None:
                if attempt.outcome is Outcome.REFUSED or attempt.status is not None:
                    yield f"{done}: {said}, but nothing arrived"
            elif attempt.error in TIMEOUTS and attempt.outcome is Outcome.UNKNOWN:
                limit = min(ATTEMPT_TIMEOUT, done.began + done.ask.deadline - sent.began)
                if sent.ended - sent.began < limit - CLOCK:
                    yield f"{done}: {said} after {sent.ended - sent.began:.3f} s"
            elif said != required(sent.request):
                yield f"{done}: {said} after {sent.request}"
            elif (attempt.status, attempt.request_id) != (sent.status, sent.request_id):
                yield f"{done}: another status or request id than {evolve(sent, requests=[])}"


def calls_are_summed_up(evidence: Evidence) -> Iterator[str]:
    """The facts of a failed call are those of its attempts, and an ok call had a good answer."""
    for done in evidence.calls:
        if done.failure is not None:
            yield from _sum(done, done.failure)
        elif done.ok and done.requests:
            needed = required(done.requests[-1])
            is_gone = done.ask.operation == "delete" and needed == ("NotFound", Outcome.REFUSED)
            if needed is not None and not is_gone:
                yield f"{done}: ok after {done.requests[-1]}"


def _sum(done: Done, failure: PerfectPayError) -> Iterator[str]:
    outcomes = {attempt.outcome for attempt, _ in done.reported}
    worst = next((each for each in (Outcome.UNKNOWN, Outcome.REFUSED) if each in outcomes), None)
    if not any(sent.operation.endswith(done.ask.operation) for sent in done.sent):
        # A create that reconciles lists first; when that fails, nothing can have been saved.
        if failure.outcome is Outcome.UNKNOWN:
            yield f"{done}: {failure.outcome}, but it was never sent"
    elif worst is not None and failure.outcome is not worst:
        yield f"{done}: {failure.outcome} after {outcomes}"
    made = [sent.number for sent in done.sent if sent.begun and sent.operation == failure.operation]
    told = [attempt.number for attempt, _ in done.reported]
    # One that began after the deadline, as on a busy machine, sends nothing and is not told of.
    late = isinstance(failure, DeadlineExceeded) and not failure.connecting
    if told != made and not (late and told == made[:-1]):
        yield f"{done}: {type(failure).__name__} tells of the attempts {told} of {made}"
