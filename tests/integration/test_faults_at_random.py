"""Faults everywhere for a while: all batches commit, and no message is given up."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import LOSE_ANSWER, RESET, Match, Refuse, Rule, fault_proxy
from tests.integration.rig import Rig
from tests.moto import Aws

pytestmark = pytest.mark.one_build("free-threaded")


def test_a_third_of_all_calls_fails_for_a_while(aws: Aws, tmp_path: Path) -> None:
    """Of all calls to queue, source and destination three in ten are answered 503, and some others reset, for five
    seconds of work: each batch is committed, as the oracle has it, and nothing is dead-lettered."""
    with fault_proxy(aws.endpoint_url) as proxy:
        rig = Rig.make(aws, tmp_path, proxy)
        busy = proxy.add(Rule(Match(), Refuse(503), rate=0.3, seed=5, seconds=5))
        reset = proxy.add(Rule(Match(), RESET, rate=0.03, seed=6, seconds=5))
        lost = proxy.add(Rule(Match(), LOSE_ANSWER, rate=0.03, seed=7, seconds=5))
        keys = {f"b{number}": rig.order(f"b{number}") for number in range(3)}
        log = rig.run(ENGINE_SOURCE__ATTEMPTS="5", ENGINE_QUEUE__VISIBILITY_S="5")
        assert busy.hits > 5
        assert reset.hits + lost.hits > 0
        for name, files in keys.items():
            rig.assert_committed(name, files)
        rig.assert_clean()
        assert not [line for line in log if line.get("failure") == "permanent"]
