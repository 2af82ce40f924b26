from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing

import pytest

from perfectpay_async.bulk import BulkJob, JobRefused, JournalError, read_account
from perfectpay_async.bulk.jobs.lock import FileLock, is_running, lock_job

HOLD = """
import sys
from perfectpay_async.bulk import BulkJob
with BulkJob(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def journal(tmp_path):
    BulkJob(tmp_path / "march.job").close()
    return tmp_path / "march.job"


@pytest.fixture
def hold():
    """Opens a job in a process of its own; returns it when it has the job."""
    started = []

    def start(journal):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(journal)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def can_be_opened_elsewhere(journal) -> bool:
    code = "import sys; from perfectpay_async.bulk import BulkJob; BulkJob(sys.argv[1]).close()"
    done = subprocess.run(
        [sys.executable, "-c", code, str(journal)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 or "another process is running the job" in done.stderr, done.stderr
    return done.returncode == 0


def test_a_job_has_one_runner(journal, hold):
    hold(journal)

    with pytest.raises(JobRefused, match=f"another process is running the job {journal}"):
        BulkJob(journal)
    assert is_running(journal)
    assert read_account(journal).state == "running"


def test_a_killed_runner_leaves_it_free(journal, hold):
    process = hold(journal)
    process.kill()
    process.wait()

    BulkJob(journal).close()
    assert not is_running(journal)


def test_a_job_can_be_opened_once_in_a_process(journal):
    with BulkJob(journal), pytest.raises(JobRefused):
        BulkJob(journal)
    BulkJob(journal).close()


def test_looking_at_ones_own_job_does_not_give_it_away(journal):
    """Closing a second descriptor of a file ends all POSIX locks of the process on it."""
    with BulkJob(journal):
        assert is_running(journal)
        assert read_account(journal).running
        with pytest.raises(JobRefused):
            BulkJob(journal)

        assert not can_be_opened_elsewhere(journal)
    assert can_be_opened_elsewhere(journal)


def test_looking_makes_no_file_and_does_not_disturb(journal):
    lock = journal.with_name("march.job.lock")
    lock.unlink()

    assert not is_running(journal)
    assert not lock.exists()


def test_a_runner_waits_for_whoever_only_looks(journal):
    lock = journal.with_name("march.job.lock")
    looking = sqlite3.connect(lock, isolation_level=None, check_same_thread=False)
    looking.execute("BEGIN")
    looking.execute("SELECT count(*) FROM sqlite_master").fetchone()  # holds a shared lock
    threading.Timer(0.05, looking.close).start()

    BulkJob(journal).close()


def test_several_may_look_at_once(journal):
    running = []
    threads = [
        threading.Thread(target=lambda: running.extend(is_running(journal) for _ in range(50)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert running == [False] * 200


def test_a_lock_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(JournalError, match="cannot be made or opened"):
        lock_job(tmp_path / "file" / "a.job")


def test_a_lock_file_that_is_something_else(tmp_path):
    (tmp_path / "a.job.lock").write_text("not a database, and too long to be an empty one" * 50)

    with pytest.raises(JournalError, match="cannot be locked"):
        lock_job(tmp_path / "a.job")
    assert not is_running(tmp_path / "a.job")


def test_it_says_what_it_was_told(tmp_path):
    with closing(FileLock(tmp_path / "x", "")), pytest.raises(JobRefused, match="try again"):
        FileLock(tmp_path / "x", "somebody is at it; try again")
