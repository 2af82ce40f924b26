"""Looks at cards and compares their expiry with what an input says: proof, not belief."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable
from enum import StrEnum
from typing import Final, TypeAlias

from attrs import define, field, frozen

from perfectpay_async.errors import NotFound, PerfectPayError, RouteNotFound
from perfectpay_async.http.pipeline import pass_through
from perfectpay_async.resources.payment_methods import PaymentMethods

from .driver import Driver
from .pace import Pace
from .rows import BadRow, ExpiryRow, Place, Places, RowLike, Rows
from .settings import RunSettings
from .updates import Paced, ends_the_run, row_options

MAX_DIFFERENCES: Final = 1_000
"""So many cards that do not hold their expiry are kept in a report; all are counted."""


class Finding(StrEnum):
    """What a look at a card found.

    Attributes:
        HOLDS: The card has the expiry of its row.
        DIFFERS: It has another one, or none.
        GONE: There is no such card.
        UNREAD: It could not be looked at.
    """

    HOLDS = "holds"
    DIFFERS = "differs"
    GONE = "gone"
    UNREAD = "unread"


@frozen
class Check:
    """What a look at the card of one row found.

    Attributes:
        number: The row's number in the input.
        payment_method_id: Which card.
        finding: What was found.
        message: Why it could not be looked at; else empty. It never holds an expiry.
    """

    number: int
    payment_method_id: str
    finding: Finding
    message: str = ""


OnCheck: TypeAlias = Callable[[Check], None]


@define
class VerifyReport:
    """The account of a verification.

    Attributes:
        counts: Cards per finding.
        problems: The first 1,000 checks that did not find what the row says.
        stopped_by: The error that ended it early, such as a refused key.
    """

    counts: dict[Finding, int] = field(factory=lambda: dict.fromkeys(Finding, 0))
    problems: list[Check] = field(factory=list[Check])
    stopped_by: PerfectPayError | None = None

    @property
    def checked(self) -> int:
        """Cards that were looked at, or could not be."""
        return sum(self.counts.values())

    @property
    def proven(self) -> bool:
        """Whether every card holds its expiry."""
        return self.stopped_by is None and self.checked == self.counts[Finding.HOLDS]

    def add(self, check: Check) -> None:
        """Count a check."""
        self.counts[check.finding] += 1
        if check.finding is not Finding.HOLDS and len(self.problems) < MAX_DIFFERENCES:
            self.problems.append(check)


class Verification:
    """Looks at the cards of an input.

    Args:
        paced: As for `Bulk`.
        settings: How fast, how many at once, and how patiently.
        on_check: Called with every check as it comes.
    """

    def __init__(
        self,
        paced: Paced,
        settings: RunSettings,
        on_check: OnCheck | None,
    ) -> None:
        self._concurrency = settings.concurrency
        self._on_check = on_check
        self._report = VerifyReport()
        self._pace = None if settings.rate is None else Pace(settings.rate, settings.concurrency)
        options = row_options(settings, self._pace)
        caller = paced(self._pace or pass_through, pass_through, options)
        self._methods = PaymentMethods(caller)

    async def of(self, rows: Iterable[RowLike] | AsyncIterable[RowLike]) -> VerifyReport:
        """Look at the card of each row, and return the account. Bad rows are passed over."""
        places, pace = Places(Rows(rows)), self._pace

        def ready() -> Place | None:
            return places.ready() if pace is None or pace.has_room() else None

        async def wait() -> Place | None:
            if pace is not None:
                await pace.room()
            return await anext(places, None)

        self._driver = Driver(ready, wait, self._process)
        await self._driver.run(self._concurrency)
        return self._report

    async def _process(self, place: Place) -> None:
        row = place.row
        if isinstance(row, BadRow):
            return
        try:
            method = await self._methods.retrieve(row.payment_method_id)
        except PerfectPayError as error:
            if ends_the_run(error):
                self._report.stopped_by = self._report.stopped_by or error.with_traceback(None)
                self._driver.stop()
            check = _failed(row, error)
        else:
            expiry = None if method.card is None else method.card.expiry
            finding = Finding.HOLDS if expiry == row.expiry else Finding.DIFFERS
            check = Check(row.number, row.payment_method_id, finding)
        self._report.add(check)
        if self._on_check is not None:
            self._on_check(check)


def _failed(row: ExpiryRow, error: PerfectPayError) -> Check:
    gone = isinstance(error, NotFound) and not isinstance(error, RouteNotFound)
    finding = Finding.GONE if gone else Finding.UNREAD
    return Check(row.number, row.payment_method_id, finding, error.message)
