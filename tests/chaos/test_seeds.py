"""Seeded chaos: random calls under random faults, and the invariants afterwards.

More seeds: `CHAOS_SEEDS=200 pytest tests/chaos/test_seeds.py`. One again: `CHAOS_SEED=17 ...`.
More calls in each: `CHAOS_CALLS=4000 ...`.
"""

import os
from collections import Counter

import pytest

from tests.chaos.plan import Plan
from tests.chaos.rules import violations
from tests.chaos.world import run

CALLS = int(os.environ.get("CHAOS_CALLS", "400"))
SEEDS = (
    [int(os.environ["CHAOS_SEED"])]
    if "CHAOS_SEED" in os.environ
    else range(int(os.environ.get("CHAOS_SEEDS", "10")))
)


@pytest.mark.parametrize("seed", SEEDS)
async def test_whatever_goes_wrong_the_invariants_hold(seed):
    plan = Plan.of(seed, CALLS)
    evidence = await run(plan)
    found = violations(evidence)
    if found:
        counts = Counter(name for name, _ in found)
        said = "\n".join(f"  {name}: {sentence}" for name, sentence in found[:20])
        pytest.fail(
            f"{plan.weather}, {counts}\n{said}\n"
            f"replay: CHAOS_SEED={seed} CHAOS_CALLS={CALLS} pytest {__file__}",
            pytrace=False,
        )
