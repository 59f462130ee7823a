"""A proxy in front of moto that injects faults: ``with fault_proxy(url, Rule(Match("GetObject"), Cut())) as proxy``.

``python -m tests.faults`` runs one for scripts.
"""

from tests.faults.leases import LeaseTable
from tests.faults.operations import Call
from tests.faults.proxy import FaultProxy
from tests.faults.rules import (
    DROP,
    LOSE_ANSWER,
    RESET,
    Alter,
    Cut,
    Delay,
    Drip,
    Hold,
    Match,
    Refuse,
    Replay,
    Rule,
    Substitute,
    replacing,
)
from tests.faults.running import fault_proxy

__all__ = [
    "DROP",
    "LOSE_ANSWER",
    "RESET",
    "Alter",
    "Call",
    "Cut",
    "Delay",
    "Drip",
    "FaultProxy",
    "Hold",
    "LeaseTable",
    "Match",
    "Refuse",
    "Replay",
    "Rule",
    "Substitute",
    "fault_proxy",
    "replacing",
]
