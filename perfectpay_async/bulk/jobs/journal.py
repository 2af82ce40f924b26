"""The journal of a bulk job: one SQLite file that says of every row whether and how it ended.

Of a row that is ok it holds one bit; of any other row its number, id, class, status, code, request
id, attempts and times. It never holds a card number, CVC, key, holder, body, month or year.

A commit is on the disk when it returns (WAL with `synchronous=FULL`), so what a killed process had
committed is there when the job is resumed.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from perfectpay_async.bulk.chunks import CHUNK_ROWS, Bitmap
from perfectpay_async.bulk.report import Counts, RowResult, Verdict

from .errors import JournalError, said_well
from .file_systems import refuse_network_file_system
from .records import ChunkState, ProblemGroup, RunRecord, Sample

VERSION: Final = 1
"""Version of the file's form. A journal of a newer one is refused."""

_APPLICATION: Final = 0x50504A4C  # "PPJL"
_SCHEMA: Final = f"""
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE chunk (
        number INTEGER PRIMARY KEY,
        rows INTEGER,         -- NULL until the chunk has been read to its end
        seen INTEGER NOT NULL DEFAULT 0,  -- the first rows, of which this is
        fingerprint BLOB,     -- the fingerprint
        bitmap BLOB,          -- rows that have ended; NULL where none or all have
        skips BLOB,           -- those of them that were skipped; NULL as above
        {", ".join(f"{verdict.value} INTEGER NOT NULL DEFAULT 0" for verdict in Verdict)}
    );
    CREATE TABLE problem (
        position INTEGER PRIMARY KEY,
        number INTEGER NOT NULL,
        payment_method_id TEXT,
        verdict TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        elapsed REAL NOT NULL,
        status INTEGER,
        code TEXT,
        request_id TEXT,
        message TEXT NOT NULL,
        ended REAL NOT NULL
    );
    CREATE TABLE run (
        number INTEGER PRIMARY KEY,
        began REAL NOT NULL,
        seen REAL NOT NULL,
        ending TEXT,          -- NULL for a run that was killed, or is under way
        requests INTEGER NOT NULL DEFAULT 0,
        retried INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE sample (
        run INTEGER NOT NULL,
        at REAL NOT NULL,     -- seconds since 1970, as all times here
        finished INTEGER NOT NULL,
        failed INTEGER NOT NULL,
        requests INTEGER NOT NULL,
        throttled INTEGER NOT NULL,
        granted REAL
    );
"""
_COUNTS: Final = ", ".join(verdict.value for verdict in Verdict)
_SUMS: Final = ", ".join(f"total({verdict.value})" for verdict in Verdict)
_PROBLEM_FIELDS: Final = (
    "number, payment_method_id, verdict, attempts, elapsed, status, code, request_id, message"
)


class Journal:
    """The file. One process writes it, others may read it meanwhile; no clock and no threads here.

    Args:
        path: The file. It must exist: `create` makes one.
        read_only: Whether it is only looked at.

    Raises:
        JournalError: There is no such file, it is not a journal, is damaged, has been written by a
            newer version, or lies on a network file system.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path: Path = path
        if not path.is_file():
            raise JournalError(f"there is no journal {path}")
        if not read_only:
            refuse_network_file_system(path)
        mode = "ro" if read_only else "rw"
        with said_well(path):
            self._database = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode={mode}",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
                timeout=5.0,
            )
        with ExitStack() as unless_it_is_good, said_well(path):
            unless_it_is_good.callback(self._database.close)
            self._check_version()
            if not read_only:
                self._database.execute("PRAGMA journal_mode=WAL")
                self._database.execute("PRAGMA synchronous=FULL")
            unless_it_is_good.pop_all()
        self._wal = path.with_name(f"{path.name}-wal")
        self._identity = (_identity(path), _identity(self._wal))

    @classmethod
    def create(
        cls, path: Path, meta: Mapping[str, str], chunks: Iterable[tuple[int, bytes]] = ()
    ) -> None:
        """Make a journal that no other user can read.

        Args:
            path: Where. Its directory is made too if need be.
            meta: What identifies the job.
            chunks: The rows and the fingerprint of each chunk of an input that has been read.

        Raises:
            JournalError: There is a file already, or none can be made there.
        """
        if path.exists():
            raise JournalError(f"there is a file {path} already")
        # Made under another name, so that there is never half a journal.
        made = path.with_name(f"{path.name}.new")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            refuse_network_file_system(path)
            made.unlink(missing_ok=True)
            os.close(os.open(made, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
            with said_well(path), closing(sqlite3.connect(made, isolation_level=None)) as database:
                database.executescript(f"BEGIN; {_SCHEMA} PRAGMA application_id={_APPLICATION};")
                database.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
                database.executemany(
                    "INSERT INTO chunk (number, rows, seen, fingerprint) VALUES (?, ?, ?, ?)",
                    ((number, rows, rows, mark) for number, (rows, mark) in enumerate(chunks)),
                )
                database.execute(f"PRAGMA user_version={VERSION}")
                database.execute("COMMIT")
            made.rename(path)
        except OSError as error:
            raise JournalError(f"no journal can be made at {path}: {error.strerror}") from error
        finally:
            with suppress(OSError):
                made.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file."""
        with suppress(sqlite3.Error):
            self._database.close()

    def meta(self) -> dict[str, str]:
        """Return what identifies the job."""
        return dict(self._all("SELECT name, value FROM meta"))

    def set_meta(self, name: str, value: str) -> None:
        """Say something more about the job."""
        with self.transaction():
            self._database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def chunk(self, number: int) -> ChunkState:
        """Return what is known of a chunk."""
        found = self._all(
            f"SELECT rows, seen, fingerprint, bitmap, skips, {_COUNTS} FROM chunk WHERE number = ?",  # noqa: S608 - constants
            (number,),
        )
        if not found:
            return ChunkState()
        rows, seen, mark, bitmap, skips, *numbers = found[0]
        counts = dict(zip(Verdict, numbers, strict=True))
        return ChunkState(
            rows,
            seen,
            mark,
            _unpacked(bitmap, any_marked=any(numbers)),
            _unpacked(skips, any_marked=counts[Verdict.SKIPPED] > 0),
            counts,
        )

    def counts(self) -> Counts:
        """Return how many rows ended how."""
        (sums,) = self._all(f"SELECT {_SUMS} FROM chunk")  # noqa: S608 - constants
        return {verdict: int(count) for verdict, count in zip(Verdict, sums, strict=True)}

    def problems(self, verdicts: Iterable[Verdict] = Verdict) -> Iterator[tuple[int, RowResult]]:
        """Iterate over the rows that are not ok, in the order of the input.

        Args:
            verdicts: Which of them.

        Yields:
            The position in the input, from 0, and the result.
        """
        wanted = tuple(verdict.value for verdict in verdicts)
        last = -1
        while True:  # in pieces: a reader that stays in one place would let the file grow
            page = self._all(
                f"SELECT position, {_PROBLEM_FIELDS} FROM problem WHERE position > ?"  # noqa: S608 - constants
                f" AND verdict IN ({', '.join('?' * len(wanted))}) ORDER BY position LIMIT 1000",
                (last, *wanted),
            )
            if not page:
                return
            for last, number, card, verdict, *rest in page:
                yield last, RowResult(number, card, Verdict(verdict), *rest)

    def applied(self, number: int) -> Callable[[int], bool]:
        """Return a function that tells whether a row of a chunk ended ok, by its position."""
        state = self.chunk(number)
        first = number * CHUNK_ROWS
        problems = {
            position
            for (position,) in self._all(
                "SELECT position FROM problem WHERE position >= ? AND position < ?",
                (first, first + CHUNK_ROWS),
            )
        }

        def is_applied(position: int) -> bool:
            offset = position - first
            return offset in state.bitmap and offset not in state.skips and position not in problems

        return is_applied

    def problem_groups(self) -> list[ProblemGroup]:
        """Return what the rows that are not ok have in common, the most frequent first."""
        found = self._all(
            "SELECT verdict, status, code, message, count(*), min(number) FROM problem "
            "GROUP BY verdict, status, code, message ORDER BY count(*) DESC LIMIT 100"
        )
        return [ProblemGroup(Verdict(verdict), *rest) for verdict, *rest in found]

    def runs(self) -> list[RunRecord]:
        """Return the runs so far."""
        found = self._all(
            "SELECT number, began, seen, ending, requests, retried FROM run ORDER BY number"
        )
        return [RunRecord(*values) for values in found]

    def samples(self) -> list[Sample]:
        """Return the course of all runs."""
        found = self._all(
            "SELECT run, at, finished, failed, requests, throttled, granted FROM sample "
            "ORDER BY run, rowid"  # and not by time: a clock may be put back
        )
        return [Sample(*values) for values in found]

    def write_run(self, run: RunRecord) -> None:
        """Enter a run, or what has become of it."""
        self._database.execute(
            "INSERT OR REPLACE INTO run VALUES (?, ?, ?, ?, ?, ?)",
            (run.number, run.began, run.seen, run.ending, run.requests, run.retried),
        )

    def write_sample(self, sample: Sample) -> None:
        """Enter a moment of a run."""
        self._database.execute(
            "INSERT INTO sample VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                sample.run,
                sample.at,
                sample.finished,
                sample.failed,
                sample.requests,
                sample.throttled,
                sample.granted,
            ),
        )

    def write_chunk(self, number: int, state: ChunkState) -> None:
        """Enter what is known of a chunk now."""
        skipped = state.counts[Verdict.SKIPPED]
        bitmap = None if state.complete or not state.finished else bytes(state.bitmap)
        skips = None if skipped in {0, state.rows} else bytes(state.skips)
        marks = ", ".join("?" * (6 + len(Verdict)))
        self._database.execute(
            "INSERT OR REPLACE INTO chunk "  # noqa: S608 - constants
            f"(number, rows, seen, fingerprint, bitmap, skips, {_COUNTS}) VALUES ({marks})",
            (
                number,
                state.rows,
                state.seen,
                state.fingerprint,
                bitmap,
                skips,
                *state.counts.values(),
            ),
        )

    def write_problems(self, problems: Iterable[tuple[int, RowResult, float]]) -> None:
        """Enter rows that are not ok: position, result, and when it ended."""
        self._database.executemany(
            f"INSERT OR REPLACE INTO problem (position, {_PROBLEM_FIELDS}, ended) "  # noqa: S608 - constants
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    position,
                    result.number,
                    _storable(result.payment_method_id),
                    result.verdict.value,
                    result.attempts,
                    round(result.elapsed, 3),
                    result.status,
                    _storable(result.code),
                    _storable(result.request_id),
                    _storable(result.message),
                    ended,
                )
                for position, result, ended in problems
            ),
        )

    def forget_problems(self, positions: Iterable[int]) -> None:
        """Take the results of some rows that are not ok back, so that the rows are open again.

        Args:
            positions: Where they stand in the input, in ascending order.
        """
        with self.transaction():
            for number, of_chunk in groupby(positions, lambda position: position // CHUNK_ROWS):
                state = self.chunk(number)
                for position in of_chunk:
                    where = "problem WHERE position = ?"
                    ((verdict,),) = self._all(f"SELECT verdict FROM {where}", (position,))  # noqa: S608 - a constant
                    self._database.execute(f"DELETE FROM {where}", (position,))  # noqa: S608 - as above
                    state.bitmap.clear(position % CHUNK_ROWS)
                    state.counts[Verdict(verdict)] -= 1
                self.write_chunk(number, state)

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Make what is written in the context durable, all of it or nothing.

        Raises:
            JournalError: It cannot be, or the file is no longer where it was.
        """
        # A file that was deleted goes on to take everything, for nobody to read again.
        file, wal = self._identity
        if _identity(self.path) != file or (wal and _identity(self._wal) != wal):
            raise JournalError(
                f"the journal {self.path} was deleted or replaced while the job was under way"
            )
        with said_well(self.path):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            finally:
                if self._database.in_transaction:
                    with suppress(sqlite3.Error):
                        self._database.execute("ROLLBACK")
        if wal is None:  # SQLite makes it with the first write
            self._identity = (file, _identity(self._wal))

    def _check_version(self) -> None:
        (application,) = self._database.execute("PRAGMA application_id").fetchone()
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if application != _APPLICATION or version < 1:
            raise JournalError(f"{self.path} is not a journal of a bulk job")
        if version > VERSION:
            raise JournalError(
                f"the journal {self.path} was written by a newer version of perfectpay_async; "
                "go on with that version"
            )

    def _all(self, query: str, values: tuple[Any, ...] = ()) -> list[Any]:
        with said_well(self.path):
            return self._database.execute(query, values).fetchall()


def _unpacked(marks: bytes | None, *, any_marked: bool) -> Bitmap:
    return Bitmap.full() if marks is None and any_marked else Bitmap(marks)


def _storable(text: str | None) -> str | None:
    """Return a text with what SQLite takes in no text, lone surrogates, written out."""
    return None if text is None else text.encode("utf-8", "backslashreplace").decode()


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_dev, state.st_ino
