from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfectpay_async import CardExpiry, ConfigurationError
from perfectpay_async.bulk import BadRow, BulkJob, ExpiryRow, InputRefused, JobFacts, RowResult
from perfectpay_async.bulk.chunks import CHUNK_ROWS, Fingerprints, fingerprint
from perfectpay_async.bulk.report import Verdict
from perfectpay_async.bulk.rows import Rows

LENGTHS = [1, 999, 1_000, 1_001, 2_000, 2_500]


def fingerprints(rows) -> Fingerprints:
    chunks = [rows[start : start + CHUNK_ROWS] for start in range(0, len(rows), CHUNK_ROWS)]
    return Fingerprints(len(rows), b"".join(map(fingerprint, chunks)))


@pytest.fixture
def job_on(tmp_path):
    """Makes a job whose input has been read, as the command line does."""
    jobs = []

    def make(rows):
        path = tmp_path / f"{len(jobs)}.job"
        facts = JobFacts(rows=len(rows), unit="line")
        jobs.append(BulkJob.create(path, facts, fingerprints(rows)))
        return jobs[-1]

    yield make
    for job in jobs:
        job.close()


@pytest.fixture
def job(tmp_path):
    """A job whose input has never been read, as the library makes it."""
    with BulkJob(tmp_path / "a.job") as job:
        yield job


async def take(job, rows, *, end=(), most=None):
    """Read what remains, and end the rows at some positions; the positions that were given."""
    writer = job.begin(pytest.fail)
    remaining = job.remaining(Rows(rows))
    given = []
    try:
        async for place in remaining:
            given.append(place.position)
            if place.position in end:
                writer.put(place.position, RowResult(place.row.number, "pm", Verdict.OK))
            if len(given) == most:
                break
    finally:
        await writer.flush()
        job.end(remaining.taken if remaining.ended else None)
    return given


class TestTheSameInput:
    @pytest.mark.parametrize("length", [0, *LENGTHS])
    async def test_all_rows_remain_at_first(self, job_on, rows_from, length):
        rows = rows_from(length)

        assert await take(job_on(rows), rows) == list(range(length))

    @pytest.mark.parametrize("length", [0, *LENGTHS])
    async def test_also_of_an_input_that_was_never_read(self, job, rows_from, length):
        rows = iter(rows_from(length))

        assert await take(job, rows) == list(range(length))
        assert job.rows == length

    @pytest.mark.parametrize("length", LENGTHS)
    async def test_those_that_ended_are_left_out(self, job, rows_from, length):
        rows = rows_from(length)
        ended = set(range(0, length, 3))
        await take(job, rows, end=ended)

        assert await take(job, rows) == [n for n in range(length) if n not in ended]

    @pytest.mark.parametrize("length", LENGTHS)
    async def test_nothing_is_left_of_a_complete_job(self, job, rows_from, length):
        rows = rows_from(length)
        await take(job, rows, end=range(length))

        assert await take(job, rows) == []
        assert job.complete

    @pytest.mark.parametrize("most", [1, 500, 999, 1_000, 1_001, 1_700])
    async def test_a_generator_that_was_read_in_part(self, job, rows_from, most):
        rows = rows_from(2_500)
        assert await take(job, iter(rows), end=range(most), most=most) == list(range(most))
        assert job.rows is None

        assert await take(job, iter(rows)) == list(range(most, 2_500))
        assert job.rows == 2_500

    async def test_part_by_part_over_many_runs(self, job, rows_from):
        rows, at = rows_from(2_345), 0
        while at < 2_345:
            given = await take(job, iter(rows), end=range(at + 401), most=401)
            assert given == list(range(at, min(at + 401, 2_345)))
            at += 401

        assert await take(job, iter(rows)) == []

    async def test_bad_rows_are_rows_too(self, job):
        rows = [BadRow(2, "no"), ExpiryRow(3, "pm_1", CardExpiry(1, 2031)), BadRow(4, "no")]

        assert await take(job, rows, end={0, 1}) == [0, 1, 2]
        assert await take(job, rows) == [2]

    async def test_pairs_get_their_numbers_again(self, job):
        rows = [(f"pm_{n}", CardExpiry(1, 2031)) for n in range(1_500)]
        await take(job, rows, end=range(700))

        assert await take(job, rows) == list(range(700, 1_500))

    async def test_ids_that_are_no_utf8(self, job):
        rows = [ExpiryRow(2, "pm_\udce9", CardExpiry(1, 2031))]
        await take(job, rows)

        assert await take(job, rows) == [0]


class TestAnotherInput:
    """Nothing of a chunk that differs is given."""

    async def test_a_changed_row(self, job_on, rows_from):
        rows = rows_from(2_500)
        job = job_on(rows)
        changed = [*rows]
        changed[1_700] = ExpiryRow(1_702, "pm_1700", CardExpiry(11, 2031))

        with pytest.raises(InputRefused, match=r"^from line 1002 on, the input is not the one"):
            await take(job, changed, end=range(2_500))
        assert job.counts[Verdict.OK] == 1_000  # what is before it was right

    async def test_a_row_that_moved(self, job_on, rows_from):
        rows = rows_from(10)
        moved = [ExpiryRow(row.number + 1, row.payment_method_id, row.expiry) for row in rows]

        with pytest.raises(InputRefused, match=r"^from line 3 on"):
            await take(job_on(rows), moved)

    async def test_two_rows_in_another_order(self, job_on, rows_from):
        rows = rows_from(10)
        swapped = [rows[1], rows[0], *rows[2:]]

        with pytest.raises(InputRefused):
            await take(job_on(rows), swapped)

    @pytest.mark.parametrize("length", [1, 999, 1_500, 2_499])
    async def test_a_shorter_one(self, job_on, rows_from, length):
        rows = rows_from(2_500)

        with pytest.raises(InputRefused, match=r"^from line \d+ on, the input is not the one"):
            await take(job_on(rows), rows[:length])

    @pytest.mark.parametrize("length", [0, 1_000, 2_000])
    async def test_one_that_ends_with_a_chunk(self, job_on, rows_from, length):
        rows = rows_from(2_500)

        with pytest.raises(InputRefused, match=r"^it ends too early: the input is not the one"):
            await take(job_on(rows), rows[:length])

    @pytest.mark.parametrize("length", [0, *LENGTHS])
    async def test_a_longer_one(self, job_on, rows_from, length):
        rows = rows_from(length + 1)
        job = job_on(rows[:length])

        with pytest.raises(InputRefused, match=f"^from line {length + 2} on, the input is longer"):
            await take(job, rows, end=range(length + 1))
        assert job.counts[Verdict.OK] == length

    @pytest.mark.parametrize("length", [0, *LENGTHS])
    async def test_also_when_it_was_first_read_by_a_run(self, job, rows_from, length):
        rows = rows_from(length + 1)
        await take(job, rows[:length], end=range(length))

        with pytest.raises(InputRefused, match="the input is longer"):
            await take(job, rows)

    async def test_a_change_in_what_a_run_read_in_part(self, job, rows_from):
        rows = rows_from(1_500)
        await take(job, iter(rows), end=range(1_200), most=1_200)
        changed = [*rows]
        changed[1_100] = ExpiryRow(1_102, "pm_other", CardExpiry(12, 2031))

        with pytest.raises(InputRefused, match=r"^from row 1002 on"):
            await take(job, iter(changed))

    async def test_a_change_beyond_it_is_no_change(self, job, rows_from):
        """A generator may give rows that did not exist yet."""
        rows = rows_from(1_500)
        await take(job, iter(rows), end=range(1_200), most=1_200)

        assert await take(job, iter(rows_from(1_300))) == list(range(1_200, 1_300))
        assert job.rows == 1_300


def test_only_a_run_can_ask_for_it(job):
    with pytest.raises(ConfigurationError, match="the job is not running"):
        job.remaining(Rows([]))


class TestSlowSources:
    async def test_a_new_row_is_given_as_soon_as_it_is_there(self, job):
        async def source():
            yield ("pm_1", CardExpiry(1, 2031))
            await asyncio.Event().wait()

        writer = job.begin(pytest.fail)
        place = await asyncio.wait_for(anext(job.remaining(Rows(source()))), 10)

        assert place.position == 0
        await writer.flush()

    async def test_chunks_that_have_ended_let_others_run(self, job, rows_from):
        rows = rows_from(5_000)
        await take(job, rows, end=range(5_000))
        ticks = []

        async def tick():
            while True:
                ticks.append(None)
                await asyncio.sleep(0)

        ticking = asyncio.create_task(tick())
        await take(job, rows)
        ticking.cancel()

        assert len(ticks) >= 5


runs = st.lists(
    st.tuples(st.integers(1, 2_300), st.sets(st.integers(0, 2_299), max_size=60), st.booleans()),
    max_size=4,
)


@settings(max_examples=25)
@given(length=st.integers(0, 2_300), runs=runs, known=st.booleans())
def test_what_remains_is_what_has_not_ended_in_order(length, runs, known):
    """For any number of runs, each of which reads some rows and ends some of them."""
    rows = [ExpiryRow(n + 2, f"pm_{n}", CardExpiry(1, 2031)) for n in range(length)]

    async def all_runs(job):
        ended: set[int] = set()
        for most, some, whole in runs:
            wanted = set(range(most)) if whole else some
            expected = [n for n in range(length) if n not in ended]
            given = await take(job, iter(rows), end=wanted, most=most)
            assert given == expected[:most]
            ended |= wanted & set(given)
        assert await take(job, iter(rows)) == [n for n in range(length) if n not in ended]
        assert sum(job.counts.values()) == len(ended)
        assert job.rows == length

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "a.job"
        facts = JobFacts(rows=length if known else -1)
        with BulkJob.create(path, facts, fingerprints(rows) if known else ()) as job:
            asyncio.run(all_runs(job))
