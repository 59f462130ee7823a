"""What the engine must make of a CSV file, worked out the slow and plain way.

Written from the contract's words, with the standard library (and the ``regex`` package, whose patterns the contract
promises) alone: ``csv.reader(strict=True)`` and one small function a type and a step. It shares no code with the
engine, so where the two agree, neither is likely to be wrong.

Covers every type, format, step but ``call``, constraint and ``on_error`` policy, budgets, every setting of a mapping's
``csv`` section but ``compression``, byte order marks, and the limits of a cell and of a row.
"""

from tests.oracle.faults import Bad
from tests.oracle.files import BadHeader, Expected, Failure, Reject, expect
from tests.oracle.readback import read_jsonl, read_rejects
from tests.oracle.values import Json, shown, text_of

__all__ = [
    "Bad",
    "BadHeader",
    "Expected",
    "Failure",
    "Json",
    "Reject",
    "expect",
    "read_jsonl",
    "read_rejects",
    "shown",
    "text_of",
]
