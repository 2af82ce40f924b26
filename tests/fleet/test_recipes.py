"""The programs of docs/fleet-recipes.md, as they stand there, on real servers."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from contextlib import suppress

import pytest

from tests.documentation import examples_of, text_of
from tests.fleet.conftest import new_ledger

PAGE = text_of("docs/fleet-recipes.md")
PROGRAMS = {
    re.findall(r"# (\S+)", program)[0]: program for program in examples_of("docs/fleet-recipes.md")
}
PATIENCE = 60.0


@pytest.fixture
async def run(postgres, rabbitmq, sandbox, tmp_path):
    """Starts a program in the directory of the recipes."""
    for name, program in PROGRAMS.items():
        (tmp_path / name).write_text(program)
    environment = {
        **os.environ,
        "PYTHONPATH": str(tmp_path),
        "PERFECTPAY_API_KEY": sandbox.api_key,
        "PERFECTPAY_BASE_URL": sandbox.url,
        "PERFECTPAY_FLEET_LEDGER": await new_ledger(postgres),
        "PERFECTPAY_FLEET_BROKER": rabbitmq.url,
    }
    environment.pop("PERFECTPAY_ENVIRONMENT", None)
    started = []

    async def start(*command, **more):
        process = await asyncio.create_subprocess_exec(
            sys.executable, *command,
            cwd=tmp_path, env={**environment, **more}, start_new_session=True,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.communicate()


@pytest.mark.parametrize(
    ("worker", "submit"),
    [
        (["-m", "faststream", "run", "fleet_faststream:app"], "submit_faststream.py"),
        (
            ["-m", "celery", "--app", "fleet_celery", "worker", "--concurrency", "1"],
            "submit_celery.py",
        ),
    ],
    ids=["faststream", "celery"],
)
async def test_an_engine_of_your_own(run, sandbox, write_input, worker, submit):
    cards = sandbox.seed_cards(60)
    serving = await run(*worker)
    submitted = await run(submit, write_input(cards))
    async with asyncio.timeout(PATIENCE):
        said, _ = await submitted.communicate()
    if submitted.returncode:
        serving.terminate()
        out, _ = await serving.communicate()
        raise AssertionError(said.decode() + out.decode())
    assert "<Verdict.OK: 'ok'>: 60" in said.decode()
    assert {write.payment_method_id for write in sandbox.ledger.writes} == set(cards)
    assert len(sandbox.ledger.writes) == 60
    serving.terminate()
    async with asyncio.timeout(PATIENCE):
        await serving.communicate()


async def test_the_parts_of_an_indexed_job_are_the_whole(run, sandbox, write_input, tmp_path):
    (line,) = re.findall(r'args: \["(.*)"\]', PAGE)
    (count,) = map(int, re.findall(r"completions: (\d+)", PAGE))
    assert f"$JOB_COMPLETION_INDEX/{count} " in line
    assert f"parallelism: {count}\n" in PAGE
    cards = sandbox.seed_cards(40)
    file = write_input(cards)
    program = f'{sys.executable} -c "from perfectpay_async.cli import main; main()"'
    line = line.replace("perfectpay bulk", f"{program} bulk").replace("/data/cards.csv", file)
    for index in range(count):
        state = tmp_path / f"state{index}"
        part = await run(
            "-c",
            "import subprocess, sys; sys.exit(subprocess.call(['sh', '-c', sys.argv[1]]))",
            line.replace("/state ", f"{state} ").replace("--rate 20", "--rate off"),
            JOB_COMPLETION_INDEX=str(index),
        )
        async with asyncio.timeout(PATIENCE):
            said, _ = await part.communicate()
        assert part.returncode == 0, said.decode()
    assert sorted(write.payment_method_id for write in sandbox.ledger.writes) == sorted(cards)
