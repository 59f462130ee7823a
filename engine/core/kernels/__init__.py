"""The column kernels: a text column in, a typed column and its faults out.

Each kernel first tries the whole column at once, where a cheap look at the column's bytes proves that Arrow's cast,
which accepts more than our types do, can only accept what the reference accepts. If that fails, cells of the common
shape (a pattern for which the cast is known to succeed) still go through the cast, and only the rest go to the
reference converter one by one.
"""

from collections.abc import Callable

import pyarrow as pa

from engine.core.columns import Converted
from engine.core.kernels.documents import to_json
from engine.core.kernels.numbers import DecimalKernel, to_float, to_int
from engine.core.kernels.octets import to_bytes
from engine.core.kernels.times import DateKernel, TimestampKernel
from engine.core.kernels.words import BoolKernel, to_string, to_uuid

__all__ = [
    "BoolKernel",
    "DateKernel",
    "DecimalKernel",
    "Kernel",
    "TimestampKernel",
    "to_bytes",
    "to_float",
    "to_int",
    "to_json",
    "to_string",
    "to_uuid",
]

type Kernel = Callable[[pa.Array], Converted]
