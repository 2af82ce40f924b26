"""One run over the rows of an input: begun, watched, stopped, and accounted for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, Self, TypeAlias, cast

from attrs import evolve

from perfectpay_async.errors import ConfigurationError, PerfectPayError
from perfectpay_async.http.pipeline import Next
from perfectpay_async.messages import Request, Response

from .clock import running_clock
from .controller import RateFigures
from .driver import Driver
from .jobs import RunRecord, Sample
from .keeping import Keeper, OpenRows, Recorder
from .pace import Pace, Pacing
from .report import BulkReport, RowResult, Tally, Verdict
from .rows import BadRow, ExpiryRow, Place, Places, Rows
from .settings import RunSettings
from .stops import SafetyStops, SafetyWatch
from .updates import FailedAfterLook, RunEnded, cut_short, ends_the_run, failed

GRACE: Final = 10.0
"""Seconds that the rows under way have to end when a run is stopped."""

OnResult: TypeAlias = Callable[[RowResult], None]
OnRate: TypeAlias = Callable[[RateFigures], None]
Work: TypeAlias = Callable[[ExpiryRow, float], Awaitable[RowResult]]

_TICK: Final = 0.25
_MAX_UNREAD: Final = 1_000
_SAMPLES: Final = 500
_NEVER: Final = SafetyStops(max_failures=None, max_outage=None)


class BulkRun(AsyncIterator[RowResult]):
    """A bulk update under way; `client.bulk.expiry_run` makes it.

    It is an async context manager: entering begins the run, and leaving waits for its end. In
    between, it is an async iterator over the results as they come; it need not be used, but 1,000
    results that nobody has read hold the run up until the block is left. When it is left by an
    exception, or the task is cancelled, the rows under way are abandoned.

    Attributes:
        tally: What has been counted so far.

    Examples:
        >>> async def main(client, rows):
        ...     async with client.bulk.expiry_run(rows) as run:
        ...         async for result in run:
        ...             print(result.number, result.verdict)
        ...     return run.report
    """

    def __init__(
        self,
        rows: Rows,
        make_work: Callable[[BulkRun], Work],
        settings: RunSettings,
        *,
        length: int | None,
        job: Keeper | None,
        pace: Pacing | None = None,
        on_result: OnResult | None,
        on_rate: OnRate | None,
    ) -> None:
        self.tally: Tally = Tally()
        self.settings: RunSettings = settings
        self.pace: Pacing | None = pace
        self._rows = rows
        self._make_work = make_work
        self._length = length
        self._job = job
        self._on_result = on_result
        self._on_rate = on_rate
        self._watch = SafetyWatch(settings.stops or _NEVER)
        self._halted = False
        self._stopped_by: PerfectPayError | None = None
        self._task: asyncio.Task[None] | None = None
        self._results: asyncio.Queue[RowResult | None] | None = None
        self._read = asyncio.Event()
        self._record: RunRecord | None = None
        self._writer: Recorder | None = None
        self._next_sample = 0.0
        self._left = settings.max_rows

    @property
    def begun(self) -> bool:
        """Whether it has been entered."""
        return self._task is not None

    @property
    def report(self) -> BulkReport:
        """The account, as it is now; complete when the run has ended."""
        if self._task is None:
            raise _not_begun()
        total = None if self._job is None else self._job.rows
        if total is None:
            total = self._length
        if self._places.ended:
            total = self._places.taken
        ended = self._ended if self._ended is not None else self._now()
        return self.tally.report(
            elapsed=ended - self._began, total=total, stopped_by=self._stopped_by
        )

    def stop(self, grace: float = GRACE) -> None:
        """Begin no more rows, and end.

        Args:
            grace: Seconds that the rows under way have to end; then they are abandoned. Another
                call may shorten it.
        """
        if self._task is None:
            self._left = 0  # it will begin none when it is entered
            return
        self._driver.stop()
        with suppress(RuntimeError):  # the run has ended in this very moment
            until = self._now() + grace
            before = self._limit.when()
            self._limit.reschedule(until if before is None else min(before, until))

    def halt(self, error: PerfectPayError) -> None:
        """Send nothing more from now on, and end. What was sent already may be answered still.

        Args:
            error: Why; it becomes the report's `stopped_by`.
        """
        self._halted = True
        self._stop_by(error)

    def gate(self, request: Request, call_next: Next) -> Awaitable[Response]:
        """Let an attempt pass, but not once nothing more must be sent."""
        if self._halted:
            raise RunEnded("the run ended before the request was sent")
        return call_next(request)

    async def __aenter__(self) -> Self:
        if self._task is not None:
            raise ConfigurationError("a run can be entered once; make another one")
        self._begin()
        self._results = asyncio.Queue()
        self._task = asyncio.create_task(self._to_the_end())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._task is None:
            return
        self._end_of_results()
        self._results = None  # nobody reads them any more
        self._read.set()
        if error is not None:
            self._task.cancel()
            # What left the block comes first. Another cancel reaches the task, and waits for it.
            await asyncio.gather(self._task, return_exceptions=True)
            return
        await self._task

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> RowResult:
        if self._task is None:
            raise _not_begun()
        if self._results is None:
            raise StopAsyncIteration
        result = await self._results.get()
        self._read.set()
        if result is None:
            self._end_of_results()  # for the next one who asks
            raise StopAsyncIteration
        return result

    def _end_of_results(self) -> None:
        if self._results is not None:
            self._results.put_nowait(None)

    def _begin(self) -> None:
        self._now = running_clock()
        self._began = self._now()
        self._ended: float | None = None
        self._limit = asyncio.timeout(None)
        settings = self.settings
        if self.pace is None and settings.rate is not None:
            self.pace = Pace(settings.rate, settings.concurrency)
        self._work = self._make_work(self)
        self._places: OpenRows = Places(self._rows)
        if self._job is not None:
            self.tally.resume(self._job.counts, self._job.problems())
            self._writer = self._job.begin(self.halt)
            self._places = self._job.remaining(self._rows)
            self._record = self._job.new_run()
        self._driver = Driver(self._ready, self._next, self._process)

    async def _to_the_end(self) -> None:
        self._note_moment()
        watching = asyncio.create_task(self._keep_watch())
        try:
            await self._driver.run(self.settings.concurrency, self._limit)
        finally:
            watching.cancel()
            self._ended = self._now()
            self._end_of_results()
            await asyncio.wait([watching])
            self._note_rate()
            await self._end_in_the_journal()
        if not watching.cancelled():
            watching.result()
        self._tell_rate()

    async def _end_in_the_journal(self) -> None:
        if self._job is None or self._writer is None:
            return
        self._note_moment(ending=self._ending())
        try:
            await self._writer.flush()
            self._job.end(self._places.taken if self._places.ended else None)
        except PerfectPayError:
            if not cast("asyncio.Task[None]", asyncio.current_task()).cancelling():
                raise  # else the cancel wins

    def _ending(self) -> str:
        if self._stopped_by is not None:
            return type(self._stopped_by).__name__
        return "end of input" if self._places.ended else "stopped"

    async def _keep_watch(self) -> None:
        try:
            while True:
                await asyncio.sleep(_TICK)
                self._look()
        except Exception:  # of `on_rate`; it is raised at the end
            self.stop()
            raise

    def _look(self) -> None:
        now = self._now()
        self._note_rate()
        self._tell_rate()
        closed_for = self.pace.closed_for if isinstance(self.pace, Pace) else 0.0
        why = self.tally.rate.trouble if self.tally.rate else ""
        if (reason := self._watch.reason(now, closed_for, why)) is not None:
            self._stop_by(reason)
        longest = self.settings.max_duration
        if longest is not None and now - self._began >= longest and not self._driver.stopped:
            self.stop()
        if now >= self._next_sample:
            # Closer in the beginning than later, so that even weeks make few of them.
            self._next_sample = now + max(1.0, (now - self._began) / _SAMPLES)
            self._note_moment()

    def _stop_by(self, error: PerfectPayError) -> None:
        if self._stopped_by is None:
            self._stopped_by = error.with_traceback(None)
            self.stop()

    def _ready(self) -> Place | None:
        if (
            self._left is not None
            or (self._writer is not None and self._writer.full)
            or (self._results is not None and self._results.qsize() >= _MAX_UNREAD)
            or (self.pace is not None and not self.pace.has_room())
        ):
            return None
        return self._places.ready()

    async def _next(self) -> Place | None:
        if self._left == 0:
            return None
        await self._room()
        place = await anext(self._places, None)
        if place is not None and self._left is not None and self._is_mine(place):
            self._left -= 1
        return place

    def _is_mine(self, place: Place) -> bool:
        shard = self.settings.shard
        return shard is None or place in shard

    async def _room(self) -> None:
        """Wait until a further row may be begun."""
        if self._writer is not None:
            await self._writer.room()
        while self._results is not None and self._results.qsize() >= _MAX_UNREAD:
            self._read.clear()
            await self._read.wait()
        if self.pace is not None:
            await self.pace.room()

    async def _process(self, place: Place) -> None:
        row = place.row
        if isinstance(row, BadRow) or (self.settings.shard and not self._is_mine(place)):
            self._deliver(place, self._left_out(place))
            await asyncio.sleep(0)  # else a million such rows would hold the loop
            return
        began = self._now()
        result: RowResult | None
        try:
            result = await self._work(row, began)
        except PerfectPayError as error:
            result = self._failed(row, error, began)
        except FailedAfterLook as failure:
            result = self._failed(row, failure.error, began, failure.looks)
        except (asyncio.CancelledError, Exception) as error:
            self._deliver(place, cut_short(row, error, self._now() - began))
            raise
        if result is not None:
            if result.settled:
                self._watch.note(result, began)
            self._deliver(place, result)

    def _failed(
        self, row: ExpiryRow, error: PerfectPayError, began: float, looks: int = 0
    ) -> RowResult | None:
        if ends_the_run(error):
            self.halt(error)
        if isinstance(error, RunEnded) and not error.attempts:
            self.tally.attempts += looks
            return None  # the update was never begun
        return failed(row, error, self._now() - began, looks)

    def _left_out(self, place: Place) -> RowResult:
        row = place.row
        if isinstance(row, BadRow) and self._is_mine(place):
            return RowResult(row.number, row.payment_method_id, Verdict.INVALID, message=row.reason)
        return RowResult(row.number, row.payment_method_id, Verdict.SKIPPED)

    def _deliver(self, place: Place, result: RowResult) -> None:
        if self._writer is None:
            self.tally.add(result)
        elif result.settled:
            self.tally.add(result)
            self._writer.put(place.position, result)
        else:
            self.tally.attempts += result.attempts  # the job runs the row again
        if self._results is not None:
            self._results.put_nowait(result)
        if self._on_result is not None:
            self._on_result(result)

    def _note_rate(self) -> None:
        if isinstance(self.pace, Pace):
            self.tally.rate = self.pace.figures

    def _tell_rate(self) -> None:
        if self._on_rate is not None and self.tally.rate is not None:
            self._on_rate(self.tally.rate)

    def _note_moment(self, ending: str | None = None) -> None:
        """Enter what the run has done so far into the journal."""
        if self._writer is None or self._record is None:
            return
        tally, now = self.tally, time.time()
        self._record = evolve(
            self._record,
            seen=now,
            ending=ending,
            requests=tally.attempts,
            retried=tally.retried,
        )
        rate = tally.rate
        self._writer.note_run(
            self._record,
            Sample(
                run=self._record.number,
                at=now,
                finished=tally.rows,
                failed=tally.failed,
                requests=tally.attempts,
                throttled=rate.rejected if rate else 0,
                granted=rate.granted if rate else None,
            ),
        )


def _not_begun() -> ConfigurationError:
    return ConfigurationError("the run has not begun; enter it with 'async with'")
