from __future__ import annotations

import stat
import subprocess
import sys
from contextlib import closing

import attrs
import pytest

from perfectpay_async.bulk import JobFacts, JobRefused, JournalError, Verdict
from perfectpay_async.bulk.chunks import Fingerprints
from perfectpay_async.bulk.jobs import JobStore
from perfectpay_async.bulk.jobs.journal import Journal
from perfectpay_async.bulk.jobs.lock import FileLock
from perfectpay_async.bulk.jobs.records import ChunkState

ROWS = 10
PRINTS = Fingerprints(ROWS, b"f" * 16)
FACTS = JobFacts(
    host="https://sandbox.example",
    input="march cards.csv",
    path="/in/march cards.csv",
    sha256="aa",
    rows=ROWS,
)


@pytest.fixture
def store(tmp_path):
    return JobStore(tmp_path / "jobs")


@pytest.fixture
def make(store):
    """Makes a job of which some rows have ended; returns its journal."""

    def make(facts=FACTS, *, ended=0, supersede=False):
        with store.create(facts, PRINTS, supersede=supersede) as job:
            path = job.path
        if ended:
            state = ChunkState(ROWS, ROWS, b"f" * 16)
            for offset in range(ended):
                state.mark(offset, Verdict.OK)
            with closing(Journal(path)) as journal, journal.transaction():
                journal.write_chunk(0, state)
        return path

    return make


def new(facts: JobFacts, **changes) -> JobFacts:
    """The facts of another job: it has an id of its own."""
    return attrs.evolve(facts, id=JobFacts().id, **changes)


def test_a_row_is_never_opened_again_with_the_key_it_had(make, store, monkeypatch):
    """Killed in between, the job has the new generation already."""

    def killed(_journal, _positions):
        raise KeyboardInterrupt

    with closing(store.open(make())) as job:
        monkeypatch.setattr(Journal, "forget_problems", killed)
        with pytest.raises(KeyboardInterrupt):
            job.reopen([0], 2)

        assert job.facts.generation == 2


class TestNames:
    def test_a_job_is_named_after_its_input(self, make, store):
        assert make().name == "march-cards-1.job"
        assert stat.S_IMODE(store.directory.stat().st_mode) == 0o700

    def test_further_ones_are_numbered(self, make):
        make(ended=ROWS)

        assert make(new(FACTS)).name == "march-cards-2.job"
        assert make(new(FACTS, path="/other/march cards.csv", sha256="bb")).name == (
            "march-cards-3.job"
        )

    @pytest.mark.parametrize(
        ("name", "stem"),
        [
            ("../../etc/passwd", "passwd"),
            (".hidden", "hidden"),
            ("-rf.csv", "rf"),
            ("Überweisung €.csv", "berweisung"),
            ("€€€", "job"),
            ("", "job"),
            ("a" * 300 + ".csv", "a" * 40),
            ("new\nline.csv", "new-line"),
            ("standard input", "standard-input"),
        ],
    )
    def test_whatever_the_input_is_called(self, make, store, name, stem):
        path = make(new(FACTS, input=name, path="", sha256=name))

        assert path == store.directory / f"{stem}-1.job"

    @pytest.mark.parametrize("name", ["march-cards-1", "march-cards-1.job"])
    def test_it_is_found_by_its_name(self, make, store, name):
        made = make()

        assert store.path(name) == made

    @pytest.mark.parametrize("name", ["", "none", "../jobs/march-cards-1", "/etc/passwd", "."])
    def test_but_nothing_else_is(self, make, store, name):
        make()

        with pytest.raises(JournalError, match="'perfectpay bulk status' lists them"):
            store.path(name)


class TestListing:
    def test_no_directory_no_jobs(self, store):
        assert store.jobs() == []
        assert not store.directory.exists()

    def test_the_newest_first(self, make, store):
        make(new(FACTS, created=2.0), ended=4)
        make(new(FACTS, created=3.0, path="", sha256="b", input="b.csv"))
        make(new(FACTS, created=1.0, path="", sha256="c", input="c.csv"), ended=ROWS)

        assert [(entry.name, entry.finished, entry.complete) for entry in store.jobs()] == [
            ("b-1", 0, False),
            ("march-cards-1", 4, False),
            ("c-1", ROWS, True),
        ]

    def test_foreign_files_are_left_out(self, make, store, tmp_path):
        make()
        (store.directory / "empty.job").write_bytes(b"")
        (store.directory / "text.job").write_text("not a database" * 100)
        (store.directory / "directory.job").mkdir()
        (store.directory / "gone.job").symlink_to(tmp_path / "nowhere")
        (store.directory / "notes.txt").write_text("")
        Journal.create(store.directory / "bare.job", {"id": "1"})
        Journal.create(
            store.directory / "odd.job",
            {key: str(value) for key, value in {**attrs.asdict(FACTS), "rows": "many"}.items()},
        )

        assert [entry.name for entry in store.jobs()] == ["march-cards-1"]


class TestGenerations:
    def test_an_account_names_the_newest_job_that_has_replaced_its_own(self, make, store):
        make(ended=ROWS)
        make(new(FACTS), ended=4)
        make(new(FACTS), supersede=True)
        make(new(FACTS, path="", sha256="c"))

        assert {account.name: account.superseded_by for account in store.accounts()} == {
            "march-cards-1": "march-cards-3",
            "march-cards-2": "march-cards-3",
            "march-cards-3": None,
            "march-cards-4": None,
        }
        assert store.account("march-cards-1").state == "finished"
        assert store.account("march-cards-2").state == "superseded"
        assert store.account("march-cards-3").state == "unfinished"
        with pytest.raises(JournalError, match="there is no job gone"):
            store.account("gone")

    def test_each_job_on_an_input_has_a_higher_one(self, make, store):
        make(ended=ROWS)
        make(new(FACTS), ended=ROWS)
        make(new(FACTS))

        assert sorted(entry.facts.generation for entry in store.siblings(FACTS)) == [1, 2, 3]
        assert store.newest(FACTS).name == "march-cards-3"
        assert store.next_generation(FACTS) == 4

    @pytest.mark.parametrize(
        "changes",
        [
            {"host": "https://other.example"},
            {"operation": "other"},
            {"path": "/in/april.csv", "sha256": "bb"},
            {"path": "", "sha256": ""},
        ],
    )
    def test_a_job_on_something_else_is_no_sibling(self, make, store, changes):
        make(ended=4)
        other = new(FACTS, **changes)

        assert list(store.siblings(other)) == []
        assert store.newest(other) is None
        make(other)

    @pytest.mark.parametrize("changes", [{"path": "/moved/cards.csv"}, {"sha256": "changed"}])
    def test_one_on_a_moved_or_changed_file_is(self, make, store, changes):
        make()

        assert store.newest(new(FACTS, **changes)).name == "march-cards-1"

    @pytest.mark.parametrize(
        ("shard", "other", "is_sibling"),
        [
            ("", "", True),
            ("0/4", "0/4", True),
            ("0/4", "1/4", False),
            ("", "1/4", True),
            ("0/4", "", True),
            ("0/4", "1/8", True),
        ],
    )
    def test_shards_are_siblings_when_they_share_rows(self, make, store, shard, other, is_sibling):
        make(new(FACTS, shard=shard))

        assert bool(list(store.siblings(new(FACTS, shard=other)))) is is_sibling

    def test_a_job_elsewhere_that_has_not_ended(self, make, store):
        make(ended=4)

        assert store.elsewhere(new(FACTS, host="https://other.example")).name == "march-cards-1"
        assert store.elsewhere(FACTS) is None

    def test_one_that_has_ended_is_of_no_concern(self, make, store):
        make(ended=ROWS)

        assert store.elsewhere(new(FACTS, host="https://other.example")) is None


class TestMaking:
    def test_an_unfinished_job_stands_in_the_way(self, make):
        make(ended=4)

        with pytest.raises(JobRefused) as caught:
            make(new(FACTS))

        assert str(caught.value) == (
            "the job march-cards-1 on this input is not finished: 4 of 10 rows have ended; say "
            "--resume to go on with it, or --supersede to give it up and begin anew"
        )

    def test_unless_it_is_given_up(self, make, store):
        old = make(ended=4)
        make(new(FACTS), supersede=True)

        with pytest.raises(JobRefused, match="has been replaced by march-cards-2, a newer one"):
            store.open(old)
        with closing(store.open(store.path("march-cards-2"))) as job:
            assert job.facts.generation == 2

    def test_refusing_does_not_keep_it_locked(self, make, store):
        old = make(ended=4)
        make(new(FACTS), supersede=True)

        for _ in range(2):
            with pytest.raises(JobRefused, match="has been replaced"):
                store.open(old)

    def test_or_nothing_of_it_is_recorded(self, make):
        make()
        make(new(FACTS))

    def test_one_that_is_being_run_stands_in_the_way_of_all(self, make, store):
        with (
            closing(store.open(make())),
            pytest.raises(JobRefused, match="march-cards-1 on this input is being run"),
        ):
            store.create(new(FACTS), PRINTS, supersede=True)

    def test_and_stays_locked(self, make, store):
        """To ask whether a job is being run must not end the lock of the process that runs it."""
        path = make()
        code = "import sys; from perfectpay_async.bulk import BulkJob; BulkJob(sys.argv[1])"
        with closing(store.open(path)):
            with pytest.raises(JobRefused):
                store.create(new(FACTS), PRINTS, supersede=True)
            store.jobs()
            other = subprocess.run(
                [sys.executable, "-c", code, str(path)], capture_output=True, check=False
            )

        assert b"another process is running the job" in other.stderr

    def test_two_at_the_same_moment(self, store, make):
        make()
        lock = FileLock(store.directory / "jobs.lock", "")

        with closing(lock), pytest.raises(JobRefused, match="is making a job in this very moment"):
            store.create(new(FACTS), PRINTS)

    def test_or_one_made_and_another_opened(self, store, make):
        """Between the look for a newer job and the run, none may come into being."""
        path = make()
        lock = FileLock(store.directory / "jobs.lock", "")

        with closing(lock), pytest.raises(JobRefused, match="is making a job in this very moment"):
            store.open(path)

    def test_a_directory_that_cannot_be_made(self, tmp_path):
        (tmp_path / "file").write_text("")

        with pytest.raises(JournalError, match="cannot be made"):
            JobStore(tmp_path / "file" / "jobs").create(FACTS, PRINTS)
