from __future__ import annotations

import shutil
import sqlite3
import stat
import subprocess
from pathlib import Path

import pytest

from perfectpay_async import CardExpiry, PerfectPay
from perfectpay_async.bulk import JournalError, RowResult, Verdict
from perfectpay_async.bulk.chunks import CHUNK_ROWS
from perfectpay_async.bulk.jobs import BulkJob, RunRecord, Sample
from perfectpay_async.bulk.jobs.journal import VERSION, Journal
from perfectpay_async.bulk.jobs.records import ChunkState, ProblemGroup
from perfectpay_async.sandbox import Fault, Sandbox


@pytest.fixture
def path(tmp_path):
    return tmp_path / "jobs" / "march.job"


@pytest.fixture
def journal(path, meta):
    Journal.create(path, meta)
    journal = Journal(path)
    yield journal
    journal.close()


def put(journal, *problems):
    with journal.transaction():
        journal.write_problems((position, result, 1.0) for position, result in problems)


class TestRoundTrip:
    def test_what_identifies_the_job(self, journal, meta):
        assert journal.meta() == meta

        journal.set_meta("rows", "12")

        assert journal.meta() == {**meta, "rows": "12"}

    def test_chunks_of_an_input_that_has_been_read(self, path, meta):
        Journal.create(path, meta, [(1_000, b"a" * 16), (7, b"b" * 16)])

        journal = Journal(path, read_only=True)

        first, last = journal.chunk(0), journal.chunk(1)
        assert (first.rows, first.seen, first.fingerprint) == (1_000, 1_000, b"a" * 16)
        assert (last.rows, last.seen, last.fingerprint) == (7, 7, b"b" * 16)
        assert (last.finished, last.complete) == (0, False)
        assert (journal.chunk(2).rows, journal.chunk(2).finished) == (None, 0)
        journal.close()

    def test_a_chunk_of_which_some_rows_have_ended(self, journal):
        state = ChunkState(rows=1_000, seen=1_000, fingerprint=b"x" * 16)
        for offset, verdict in ((0, Verdict.OK), (7, Verdict.SKIPPED), (999, Verdict.REJECTED)):
            state.mark(offset, verdict)

        with journal.transaction():
            journal.write_chunk(3, state)

        found = journal.chunk(3)
        assert [offset for offset in range(CHUNK_ROWS) if offset in found.bitmap] == [0, 7, 999]
        assert [offset for offset in range(CHUNK_ROWS) if offset in found.skips] == [7]
        assert found.counts == state.counts
        assert journal.counts()[Verdict.SKIPPED] == 1

    @pytest.mark.parametrize("verdict", [Verdict.OK, Verdict.SKIPPED])
    def test_a_chunk_of_which_all_rows_have_ended_needs_no_bitmap(self, journal, path, verdict):
        state = ChunkState(rows=3, seen=3, fingerprint=b"x" * 16)
        for offset in range(3):
            state.mark(offset, verdict)

        with journal.transaction():
            journal.write_chunk(0, state)

        found = journal.chunk(0)
        assert found.complete
        assert all(offset in found.bitmap for offset in range(3))
        assert all((offset in found.skips) is (verdict is Verdict.SKIPPED) for offset in range(3))
        with sqlite3.connect(path) as database:
            (stored,) = database.execute("SELECT bitmap, skips FROM chunk")
        database.close()
        assert stored == (None, None)

    def test_problems_in_the_order_of_the_input(self, journal):
        results = {
            position: RowResult(
                position + 2,
                f"pm_{position}",
                verdict,
                attempts=2,
                elapsed=0.25,
                status=503,
                code="HE_00",
                request_id="req-1",
                message="no",
            )
            for position, verdict in ((5, Verdict.UNKNOWN), (0, Verdict.REJECTED))
        }
        put(journal, *results.items())

        assert list(journal.problems()) == [(0, results[0]), (5, results[5])]
        assert list(journal.problems([Verdict.UNKNOWN])) == [(5, results[5])]
        assert list(journal.problems([])) == []

    def test_more_problems_than_are_read_at_once(self, journal, result):
        put(journal, *((n, result(n, Verdict.REJECTED)) for n in range(2_500)))

        assert [position for position, _ in journal.problems()] == list(range(2_500))

    def test_a_row_that_is_run_again_has_one_problem(self, journal, result):
        put(journal, (4, result(4, Verdict.UNKNOWN)))
        put(journal, (4, result(4, Verdict.REJECTED)))

        assert [found.verdict for _, found in journal.problems()] == [Verdict.REJECTED]

    @pytest.mark.parametrize("card", ["pm_\udce9", "pm_é", "pm_\0", "a" * 100_000, None])
    def test_ids_of_any_form(self, journal, card):
        put(journal, (0, RowResult(1, card, Verdict.INVALID, message="no")))

        ((_, found),) = journal.problems()
        assert found.payment_method_id == (r"pm_\udce9" if card == "pm_\udce9" else card)

    def test_groups_the_most_frequent_first(self, journal, result):
        rare = [(n, result(n, Verdict.REJECTED, status=404, message="gone")) for n in (8, 3)]
        often = [(n, result(n, Verdict.UNKNOWN, message="lost")) for n in (20, 21, 22)]
        put(journal, *rare, *often)

        assert journal.problem_groups() == [
            ProblemGroup(Verdict.UNKNOWN, None, None, "lost", 3, 20),
            ProblemGroup(Verdict.REJECTED, 404, None, "gone", 2, 3),
        ]

    def test_runs_and_samples(self, journal):
        run = RunRecord(1, 1.5, 2.5, None, 10, 2)
        ended = RunRecord(1, 1.5, 3.5, "stopped", 11, 2)
        samples = [Sample(1, 2.0, 5, 1, 6, 0, 40.0), Sample(1, 2.5, 9, 1, 10, 1, None)]
        with journal.transaction():
            journal.write_run(run)
            for sample in samples:
                journal.write_sample(sample)
            journal.write_run(ended)

        assert journal.runs() == [ended]
        assert journal.samples() == samples

    def test_a_failed_transaction_leaves_nothing(self, journal, result):
        with pytest.raises(KeyError), journal.transaction():  # noqa: PT012 - the block raises
            journal.write_problems([(0, result(1, Verdict.REJECTED), 1.0)])
            raise KeyError

        assert list(journal.problems()) == []
        put(journal, (1, result(1, Verdict.REJECTED)))
        assert len(list(journal.problems())) == 1


class TestOpening:
    def test_a_newer_version_is_refused(self, journal, path):
        journal._database.execute(f"PRAGMA user_version={VERSION + 1}")
        journal.close()

        with pytest.raises(JournalError, match=r"written by a newer version .* go on with that"):
            Journal(path)

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            (b"", "is not a journal of a bulk job"),
            (b"payment_method_id,exp_month,exp_year\n" * 100, "is damaged, or is not a journal"),
        ],
    )
    def test_a_file_that_is_no_journal(self, path, content, sentence):
        path.parent.mkdir()
        path.write_bytes(content)

        with pytest.raises(JournalError, match=sentence):
            Journal(path)

        assert path.read_bytes() == content

    def test_a_database_of_something_else(self, path):
        path.parent.mkdir()
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE accounts (id)")
        database.close()

        with pytest.raises(JournalError, match="is not a journal of a bulk job"):
            Journal(path)

    def test_a_damaged_file(self, journal, path, result):
        put(journal, *((n, result(n, Verdict.REJECTED)) for n in range(500)))
        journal.close()
        content = bytearray(path.read_bytes())
        content[4_096:] = b"\xff" * (len(content) - 4_096)
        path.write_bytes(content)

        with pytest.raises(JournalError, match="is damaged"):
            list(Journal(path, read_only=True).problems())

    def test_a_journal_that_lacks_what_identifies_the_job(self, path):
        Journal.create(path, {"id": "1"})

        with pytest.raises(JournalError, match="is damaged"):
            BulkJob(path)

    def test_none_at_all(self, path):
        with pytest.raises(JournalError, match="there is no journal"):
            Journal(path)

    def test_a_directory(self, path):
        path.mkdir(parents=True)

        with pytest.raises(JournalError, match="there is no journal"):
            Journal(path)

    def test_a_reader_changes_nothing(self, journal, path):
        reader = Journal(path, read_only=True)

        with pytest.raises(JournalError, match="is read-only"):
            reader.set_meta("rows", "1")
        reader.close()

    def test_a_network_file_system(self, path, meta, monkeypatch):
        monkeypatch.setattr(
            "perfectpay_async.bulk.jobs.file_systems.file_system_of", lambda _path: "nfs4"
        )

        with pytest.raises(JournalError, match=r"network file system \(nfs4\)"):
            Journal.create(path, meta)


class TestMaking:
    def test_no_other_user_can_read_it(self, journal, path, result):
        put(journal, (0, result()))

        for made in path.parent.iterdir():
            assert stat.S_IMODE(made.stat().st_mode) == 0o600, made
        assert {made.name for made in path.parent.iterdir()} >= {"march.job", "march.job-wal"}
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700

    def test_nor_its_lock(self, path):
        with BulkJob(path):
            lock = path.with_name("march.job.lock")
            assert stat.S_IMODE(lock.stat().st_mode) == 0o600

    def test_one_that_is_there_is_not_replaced(self, journal, path, meta):
        with pytest.raises(JournalError, match=r"there is a file .* already"):
            Journal.create(path, meta)

    def test_half_a_journal_is_never_left(self, path, meta):
        def chunks():
            yield 1_000, b"a" * 16
            raise KeyError

        with pytest.raises(KeyError):
            Journal.create(path, meta, chunks())

        assert list(path.parent.iterdir()) == []

    def test_a_file_in_the_place_of_its_directory(self, path, meta):
        path.parent.write_text("")

        with pytest.raises(JournalError, match="no journal can be made at"):
            Journal.create(path, meta)

    def test_what_an_earlier_crash_left_is_no_obstacle(self, path, meta):
        path.parent.mkdir()
        path.with_name("march.job.new").write_text("half")

        Journal.create(path, meta)

        assert [made.name for made in path.parent.iterdir()] == ["march.job"]


class TestFaults:
    """Whatever happens to the file, the next commit notices it."""

    def test_a_deleted_file(self, journal, path):
        path.unlink()

        with pytest.raises(JournalError, match="was deleted or replaced"):
            journal.set_meta("rows", "1")

    def test_a_replaced_file(self, journal, path, meta):
        shutil.copy(path, path.with_name("copy"))
        path.with_name("copy").replace(path)

        with pytest.raises(JournalError, match="was deleted or replaced"):
            journal.set_meta("rows", "1")

    def test_a_deleted_wal(self, journal, path):
        journal.set_meta("rows", "1")
        path.with_name("march.job-wal").unlink()

        with pytest.raises(JournalError, match="was deleted or replaced"):
            journal.set_meta("rows", "2")

    def test_a_full_disk(self, journal, result):
        (pages,) = journal._database.execute("PRAGMA page_count").fetchone()
        journal._database.execute(f"PRAGMA max_page_count={pages}")

        with pytest.raises(JournalError, match="the disk is full; make room and resume"):
            put(journal, *((n, result(n, Verdict.REJECTED)) for n in range(1_000)))

        journal._database.execute("PRAGMA max_page_count=1000000")
        put(journal, (0, result(0, Verdict.REJECTED)))
        assert len(list(journal.problems())) == 1

    def test_a_disk_that_is_really_full(self, tmp_path, meta, result):
        place = tmp_path / "tiny"
        place.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
        if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:  # noqa: PLW1510
            pytest.skip("no file system can be mounted here")
        try:
            Journal.create(place / "a.job", meta)
            journal = Journal(place / "a.job")

            def fill():
                for start in range(0, 10_000, 100):
                    numbers = range(start, start + 100)
                    put(journal, *((n, result(n, Verdict.REJECTED)) for n in numbers))

            with pytest.raises(JournalError, match="the disk is full; make room and resume"):
                fill()
            whole = len(list(journal.problems()))
            assert whole % 100 == 0 < whole
            journal.close()
        finally:
            subprocess.run(["umount", str(place)], check=True)

    def test_a_write_that_fails(self, journal, result):
        journal._database.executescript(
            "CREATE TEMP TRIGGER t BEFORE INSERT ON problem BEGIN SELECT RAISE(ABORT, 'no'); END"
        )

        with pytest.raises(JournalError, match="cannot be read or written"):
            put(journal, (0, result()))

    def test_a_read_only_file(self, journal):
        journal._database.execute("PRAGMA query_only=1")

        with pytest.raises(JournalError, match="the file or its directory is read-only"):
            journal.set_meta("rows", "1")

    def test_another_program_that_holds_it(self, journal, path):
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        journal._database.execute("PRAGMA busy_timeout=1")

        with pytest.raises(JournalError, match="is in use by another program"):
            journal.set_meta("rows", "1")
        other.close()


class TestSecrets:
    """Planted values must not be in any byte of what a run leaves on the disk."""

    HOLDER = "Planted Holder"
    NUMBER = "4111111111111111"
    KEY = "snd_planted_key_0123456789"

    async def test_nothing_of_a_card_or_a_key_is_kept(self, tmp_path):
        path = tmp_path / "a.job"
        held: dict[str, bytes] = {}

        def look(_result):
            for file in tmp_path.iterdir():
                # A copy made by another process: to close the file here would end SQLite's locks.
                held[file.name] = (
                    held.get(file.name, b"")
                    + subprocess.run(["cat", str(file)], capture_output=True, check=True).stdout
                )

        async with (
            Sandbox(seed=1, api_key=self.KEY) as sandbox,
            PerfectPay(self.KEY, base_url=sandbox.url) as client,
        ):
            ids = sandbox.seed_cards(40)
            sandbox.faults.add(
                Fault.status(400, probability=0.3), Fault.status(503, probability=0.3)
            )
            rows = [(card, CardExpiry(11, 2047)) for card in ids]
            rows += [("pm_none", CardExpiry(11, 2047)), ("pm_old", CardExpiry(11, 2017))]
            with BulkJob(path) as job:
                report = await client.bulk.update_expiries(
                    rows, job=job, rate=None, attempts=1, stops=None, concurrency=4, on_result=look
                )
                look(None)
        assert report.problem_count > 5
        for file in tmp_path.iterdir():
            held[file.name] = held.get(file.name, b"") + file.read_bytes()
        assert {"a.job", "a.job-wal", "a.job.lock"} <= set(held)
        everything = b"".join(held.values())
        assert b"pm_none" in everything
        for secret in (self.KEY, "2047", "2017", "11/47", "api-key", "Idempotency"):
            assert secret.encode() not in everything, secret

    async def test_nor_what_a_server_says_of_it(self, tmp_path, client, api):
        """A server that echoes what it should not: what its message holds is redacted."""
        path = tmp_path / "a.job"

        async def echo(_api, _card):
            return 400

        api.answer = echo
        api.message = f"{self.NUMBER} of {self.HOLDER}, key snd_test, month 11"
        with BulkJob(path) as job:
            await client.bulk.update_expiries(
                [("pm_1", CardExpiry(11, 2047))], job=job, rate=None, attempts=1
            )

        everything = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        assert b"the server answered 400" in everything
        for secret in (self.NUMBER, "snd_test"):
            assert secret.encode() not in everything


def test_the_journal_of_ten_million_rows_is_small(path, meta):
    chunks = ((CHUNK_ROWS, bytes(16)) for _ in range(10_000))
    Journal.create(path, meta, chunks)
    journal = Journal(path)
    state = ChunkState(CHUNK_ROWS, CHUNK_ROWS, bytes(16))
    state.counts[Verdict.OK] = CHUNK_ROWS
    with journal.transaction():
        for number in range(10_000):
            journal.write_chunk(number, state)

    assert journal.counts()[Verdict.OK] == 10_000_000
    journal.close()
    assert Path(path).stat().st_size < 1_000_000


class TestOpenAgain:
    """`forget_problems` and `applied`: what retry-failed and verify stand on."""

    @pytest.fixture
    def ended(self, journal, result):
        """A journal of two chunks, all rows of which have ended: every fifth is a problem."""
        for number in range(2):
            state = ChunkState(CHUNK_ROWS, CHUNK_ROWS, bytes(16))
            for offset in range(CHUNK_ROWS):
                verdict = Verdict.UNKNOWN if offset % 5 == 0 else Verdict.OK
                state.mark(offset, Verdict.SKIPPED if offset == 1 else verdict)
            with journal.transaction():
                journal.write_chunk(number, state)
        put(journal, *((n, result(n, Verdict.UNKNOWN)) for n in range(0, 2_000, 5)))
        return journal

    def test_rows_that_are_tried_again_are_open(self, ended):
        ended.forget_problems([0, 5, 1_995])

        assert ended.counts()[Verdict.UNKNOWN] == 397
        assert [position for position, _ in ended.problems()][:2] == [10, 15]
        first, second = ended.chunk(0), ended.chunk(1)
        assert [n for n in range(CHUNK_ROWS) if n not in first.bitmap] == [0, 5]
        assert [n for n in range(CHUNK_ROWS) if n not in second.bitmap] == [995]
        assert not first.complete

    def test_all_or_none_of_them(self, ended):
        with pytest.raises(ValueError, match="not enough values"):
            ended.forget_problems([0, 5, 6])

        assert ended.counts()[Verdict.UNKNOWN] == 400

    def test_what_is_applied(self, ended):
        ended.forget_problems([1_005])
        applied = ended.applied(1)

        assert [n for n in range(1_000, 1_012) if applied(n)] == [
            *(1_002, 1_003, 1_004, 1_006, 1_007, 1_008, 1_009, 1_011),
        ]
