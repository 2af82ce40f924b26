"""A retry budget: while most calls succeed retries are free, in an outage they stop.

Without one, three attempts per call triple the load on a server that is already failing. The
rules are those of AWS's standard retry mode: every retry takes tokens out, success puts them back.
"""

from __future__ import annotations

from attrs import Factory, define, field


@define
class RetryBudget:
    """A bucket of tokens shared by all calls of one client.

    Attributes:
        capacity: Tokens when full.
        retry_cost: Tokens one retry takes.
        throttled_cost: Tokens a retry after a 429 takes: the server is healthy, merely busy.
        success_refund: Tokens that a call without retries puts back.
        available: Tokens left.
        retries: Retries granted so far.
        refused: Retries refused so far because the budget was spent.
    """

    capacity: int = 500
    retry_cost: int = 14
    throttled_cost: int = 5
    success_refund: int = 1
    available: int = field(default=Factory(lambda self: self.capacity, takes_self=True))
    retries: int = field(default=0, init=False)
    refused: int = field(default=0, init=False)

    def take(self, *, throttled: bool) -> int | None:
        """Take the tokens of one retry.

        Args:
            throttled: Whether the failed attempt was answered 429.

        Returns:
            The tokens taken, to be given back by `refund`, or None when too few are left.
        """
        cost = self.throttled_cost if throttled else self.retry_cost
        if cost > self.available:
            self.refused += 1
            return None
        self.available -= cost
        self.retries += 1
        return cost

    def refund(self, tokens: int) -> None:
        """Put tokens back after a success, never above the capacity."""
        self.available = min(self.capacity, self.available + tokens)
