"""The invariants: what must hold after a run, whatever went wrong in it.

Each rule looks at the evidence and yields a sentence per violation. What no client can promise, no
rule demands: a server may work on when the client has given an attempt up, so a write that is
applied later than that stands outside the order of the calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from . import rules_of_data, rules_of_errors, rules_of_time, rules_of_traces
from .evidence import Evidence

Rule = Callable[[Evidence], Iterator[str]]

RULES: Final[dict[str, Rule]] = {
    "I1 one end": rules_of_errors.one_end,
    "I2 ok was applied": rules_of_data.ok_was_applied,
    "I2 reads are right": rules_of_data.reads_are_right,
    "I3 refused was not applied": rules_of_data.refused_was_not_applied,
    "I4 nothing else was applied": rules_of_data.nothing_else_was_applied,
    "I5 last asked is last applied": rules_of_data.last_asked_is_last_applied,
    "I6 one in flight": rules_of_data.one_in_flight,
    "I7 creates once": rules_of_data.creates_once,
    "I7 deletes stay deleted": rules_of_data.deletes_stay_deleted,
    "I7 one idempotency key": rules_of_data.one_idempotency_key,
    "I8 attempts and budget": rules_of_time.attempts_and_budget,
    "I8 Retry-After": rules_of_time.retry_after_is_obeyed,
    "I8 waits are spread": rules_of_time.waits_are_spread,
    "I9 deadlines": rules_of_time.deadlines_hold,
    "I9 attempt timeouts": rules_of_time.attempts_end_in_time,
    "I9 cancelled at once": rules_of_time.cancelled_at_once,
    "I10 no secret shows": rules_of_traces.no_secret_shows,
    "I10 nothing goes elsewhere": rules_of_traces.nothing_goes_elsewhere,
    "I11 nothing is left": rules_of_traces.nothing_is_left,
    "I13 facts": rules_of_errors.facts_are_right,
    "I13 summed up": rules_of_errors.calls_are_summed_up,
}


def violations(evidence: Evidence) -> list[tuple[str, str]]:
    """Return the name of the rule and a sentence for each violation."""
    return [(name, said) for name, rule in RULES.items() for said in rule(evidence)]
