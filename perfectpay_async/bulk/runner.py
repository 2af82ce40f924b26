"""`Bulk`: one operation on any number of cards, with an account of every row."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable, Sized
from typing import Unpack

import attrs

from perfectpay_async.errors import ClientClosedError
from perfectpay_async.http.pipeline import pass_through
from perfectpay_async.http.transport import Transport
from perfectpay_async.resources.payment_methods import UPDATE
from perfectpay_async.wire.dialects import Dialect

from .jobs import BulkJob
from .keeping import Keeper
from .keys import RowKeys
from .pace import Pacing
from .report import BulkReport
from .rows import RowLike, Rows
from .run import BulkRun, OnRate, OnResult, Work
from .settings import ATTEMPTS, CONCURRENCY, DEADLINE, RATE, RunOptions, RunSettings
from .updates import ExpiryUpdates, Paced, row_options
from .verification import OnCheck, Verification, VerifyReport


class Bulk:
    """Bulk operations of a client.

    Args:
        paced: Returns the client's caller with other defaults, and with two more middlewares:
            each attempt passes one before all others and one after them.
        dialect: Form of the request bodies.
        host: Root of the API.
        transport: Sends the requests. One that does not tell whether it is `closed`, or its
            `max_connections`, is taken to be open and to have no such limit.
    """

    def __init__(self, paced: Paced, dialect: Dialect, host: str, transport: Transport) -> None:
        self._paced = paced
        self._dialect: Dialect = dialect
        self._host = host
        self._transport = transport

    async def update_expiries(
        self,
        rows: Iterable[RowLike] | AsyncIterable[RowLike],
        *,
        job: BulkJob | None = None,
        on_result: OnResult | None = None,
        on_rate: OnRate | None = None,
        **options: Unpack[RunOptions],
    ) -> BulkReport:
        """Give many cards a new expiry.

        The memory it takes does not depend on the length of the input. Never are two requests
        under way for one card: a further row for a card waits for the earlier one, so the last
        one wins.

        The rate finds itself: it starts at 10 requests per second, doubles each second up to
        `rate`, goes down when the server throttles (429) and up again when it does not. While the
        server refuses most requests nothing is sent but a probe now and then, and no row is begun.

        A refused key (401, 403), and whatever else every row would meet, ends the run: no more
        requests are sent but those under way, and the report's `stopped_by` says why. So do the
        `stops`. When the task is cancelled, the rows under way are abandoned and given to
        `on_result` as unknown.

        With a job, each result is on the disk some 50 ms after it came, and the run goes on where
        an earlier one ended: give it the same rows again, from the first one on. A row that was
        cut short is run again.

        Args:
            rows: `ExpiryRow`s, or pairs of a payment method id and a `CardExpiry`, from any
                iterable or async iterable, such as `read_csv(path)`.
            job: Keeps the account on the disk. By default nothing is kept.
            on_result: Called in the event loop with every result as it comes; keep it short.
            on_rate: Called in the same way with the figures of the rate control, four times a
                second.
            **options: Any of the attributes of `RunSettings`: `concurrency` (64 rows), `rate`
                (40 requests per second), `attempts` (6), `deadline` (60 seconds per row),
                `only_forward`, `max_rows`, `max_duration` (seconds), `shard`, `stops`.

        Returns:
            The account of the run, or of the job if there is one.

        Raises:
            ConfigurationError: A setting breaks its rule.
            ClientClosedError: The client is closed. No row was read.
            InputRefused: The source met something that makes its whole input doubtful, or the job
                was begun with another input. The rows before that place have been sent.
            JobRefused: The job was begun on another host, or with another shard.
            JournalError: The job's journal cannot be written. Nothing more was sent.
            Exception: What `rows`, `on_result` or one of your middlewares raised. No more rows are
                begun then, and those under way are finished first.
        """
        run = self.expiry_run(rows, job=job, on_result=on_result, on_rate=on_rate, **options)
        async with run:
            pass
        return run.report

    def expiry_run(
        self,
        rows: Iterable[RowLike] | AsyncIterable[RowLike],
        *,
        job: Keeper | None = None,
        on_result: OnResult | None = None,
        on_rate: OnRate | None = None,
        pace: Pacing | None = None,
        **options: Unpack[RunOptions],
    ) -> BulkRun:
        """Return a run that does what `update_expiries` does, to be entered with `async with`.

        It gives the results as an async iterator, can be watched, and can be stopped. Entering it
        raises `ClientClosedError` when the client is closed.

        Args:
            rows: As for `update_expiries`; so are the others.
            job: As above.
            on_result: As above.
            on_rate: As above.
            pace: One that this run has in common with others; by default it has its own.
            **options: As above.

        Raises:
            ConfigurationError: A setting breaks its rule.
            JobRefused: The job was begun on another host, or with another shard.
            JournalError: The job's journal cannot be written.
        """
        settings = self._within_the_pool(RunSettings(**options))
        if job is not None:
            job.bind(UPDATE.name, self._host, str(settings.shard or ""))

        def make_work(run: BulkRun) -> Work:
            self._check_open()
            return ExpiryUpdates(
                self._paced(run.pace or pass_through, run.gate, row_options(settings, run.pace)),
                self._dialect,
                deadline=settings.deadline,
                key=RowKeys() if job is None else RowKeys(job.facts.id, job.facts.generation),
                only_forward=settings.only_forward,
            )

        return BulkRun(
            Rows(rows),
            make_work,
            settings,
            length=len(rows) if isinstance(rows, Sized) else None,
            job=job,
            on_result=on_result,
            on_rate=on_rate,
            pace=pace,
        )

    async def verify_expiries(
        self,
        rows: Iterable[RowLike] | AsyncIterable[RowLike],
        *,
        on_check: OnCheck | None = None,
        concurrency: int = CONCURRENCY,
        rate: float | None = RATE,
        attempts: int = ATTEMPTS,
        deadline: float = DEADLINE,
    ) -> VerifyReport:
        """Retrieve many cards, and compare their expiry with what the rows say.

        Args:
            rows: As for `update_expiries`. Bad rows are passed over.
            on_check: Called in the event loop with every check as it comes; keep it short.
            concurrency: Cards looked at at once.
            rate: Most requests per second; it finds itself as in `update_expiries`.
            attempts: Most attempts for one card.
            deadline: Seconds for one card.

        Returns:
            How many cards hold their expiry, and which do not. A refused key ends it early.

        Raises:
            ConfigurationError: A setting breaks its rule.
            ClientClosedError: The client is closed. No row was read.
            InputRefused: The source met something that makes its whole input doubtful.
        """
        self._check_open()
        settings = RunSettings(
            concurrency=concurrency, rate=rate, attempts=attempts, deadline=deadline
        )
        settings = self._within_the_pool(settings)
        return await Verification(self._paced, settings, on_check).of(rows)

    def _check_open(self) -> None:
        if getattr(self._transport, "closed", False):
            raise ClientClosedError("the client is closed")

    def _within_the_pool(self, settings: RunSettings) -> RunSettings:
        # A request that waits there for a connection would be sent when the run has ended, too.
        most: int = getattr(self._transport, "max_connections", settings.concurrency)
        return attrs.evolve(settings, concurrency=min(settings.concurrency, most))
