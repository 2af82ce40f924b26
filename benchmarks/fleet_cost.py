"""What a fleet costs over one machine, and how it scales.

Run it with `python -m benchmarks.fleet_cost`; it takes some two minutes. The cost is the CPU time
(user and system) per update: of a worker process and the coordinator together, against that of
`perfectpay bulk run` on the same input; what each takes for an input of one row is taken off. The
scaling is that of the time for the same input with one worker process and with two, against a
server that takes 50 ms, from the ledger of the sandbox.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess

from tests.fleet.servers import Postgres, RabbitMq
from tests.fleet.world import Fleet, fleet

LATENCY = "latency=1:seconds=0.05"


def cpu_until_end(process: subprocess.Popen[bytes]) -> float:
    """Wait for a process, and return the CPU seconds that it took."""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in {0, 1}:
        raise RuntimeError(f"a command ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def one_machine(made: Fleet) -> float:
    return cpu_until_end(
        made.start("bulk", "run", str(made.input), "--supersede", "--rate", "off", "--quiet")
    )


def many(made: Fleet) -> tuple[float, float]:
    worker = made.start_worker("--rate", "off")
    coordinator = cpu_until_end(made.submit("--supersede"))
    worker.send_signal(signal.SIGTERM)
    return cpu_until_end(worker), coordinator


def cost(rows: int, rounds: int) -> None:
    with Postgres() as postgres, RabbitMq() as rabbitmq, fleet(postgres, rabbitmq) as made:
        cards = made.sandbox.seed(rows)
        made.write_input(cards[:1])
        alone_base = one_machine(made)
        worker_base, coordinator_base = many(made)
        made.write_input(cards)
        ratios: list[float] = []
        for _ in range(rounds):  # in turns: a machine that gets slower gets slower for both
            alone = one_machine(made) - alone_base
            worker, coordinator = many(made)
            worker, coordinator = worker - worker_base, coordinator - coordinator_base
            ratios.append((worker + coordinator) / alone)
            print(
                f"CPU per update: one machine {alone / rows * 1e6:.0f} us, fleet "
                f"{(worker + coordinator) / rows * 1e6:.0f} us (worker "
                f"{worker / rows * 1e6:.0f}, coordinator {coordinator / rows * 1e6:.0f}): "
                f"x{ratios[-1]:.2f}",
                flush=True,
            )
        print(f"median: x{statistics.median(ratios):.2f}")


def seconds(rows: int, workers: int) -> float:
    with (
        Postgres() as postgres,
        RabbitMq() as rabbitmq,
        fleet(postgres, rabbitmq, faults=LATENCY) as made,
    ):
        made.write_input(made.sandbox.seed(rows))
        for _ in range(workers):
            made.start_worker("--rate", "off", "--concurrency", "16")
        made.await_workers(workers)
        submitted = made.submit()
        submitted.wait(600)
        times = made.sandbox.evidence().times
        return times[-1] - times[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    cost(options.rows, options.rounds)
    one, two = seconds(12_000, 1), seconds(12_000, 2)
    print(
        f"12,000 rows, 50 ms a request, 16 at once in each worker: {one:.1f} s with one worker, "
        f"{two:.1f} s with two: x{one / two:.2f}"
    )


if __name__ == "__main__":
    main()
