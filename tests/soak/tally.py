"""What storms have done and what came of it, added up and shown as a table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

__all__ = ["Tally"]


@dataclass(slots=True)
class Tally:
    """Figures of one storm, or of several added up. Belongs to one thread at a time.

    Attributes:
        phases: in which phase workers were struck, killed or frozen.
        faults: calls that a fault of the network struck, by fault.
        returned: messages given back after a failure that may pass.
        complaints: what is wrong, one line each; empty after a good run.
    """

    kills: int = 0
    freezes: int = 0
    restarts: int = 0
    messages: int = 0
    batches: int = 0
    files: int = 0
    resumed: int = 0
    returned: int = 0
    rows_in: int = 0
    rows_out: int = 0
    rejected: int = 0
    seconds: float = 0.0
    duplicates: int = 0
    lost: int = 0
    half_visible: int = 0
    strays: int = 0
    open_uploads: int = 0
    dead_lettered: int = 0
    stale_deletes: int = 0
    phases: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Adds another storm's figures to these."""
        for name in self.__slots__:
            mine, more = getattr(self, name), getattr(other, name)
            if isinstance(mine, Counter):
                mine.update(more)
            else:
                setattr(self, name, mine + more)

    @property
    def good(self) -> bool:
        """Whether all is 0 that must be, and rows add up."""
        return not (self.complaints or any(self._must_be_zero().values())) and self.rows_in == (
            self.rows_out + self.rejected
        )

    def _must_be_zero(self) -> dict[str, int]:
        return {
            "duplicates": self.duplicates,
            "lost": self.lost,
            "half-visible batches": self.half_visible,
            "stray objects": self.strays,
            "open uploads": self.open_uploads,
            "dead-lettered": self.dead_lettered,
            "stale deletes sent": self.stale_deletes,
            "complaints": len(self.complaints),
        }

    def __str__(self) -> str:
        lines: list[tuple[str, str]] = [
            ("kills", f"{self.kills:,}"),
            ("freezes", f"{self.freezes:,}"),
            ("restarts", f"{self.restarts:,}"),
            ("struck in", _listed(self.phases)),
            ("faults injected", _listed(self.faults)),
            ("messages sent", f"{self.messages:,}"),
            ("batches committed", f"{self.batches:,}"),
            ("files", f"{self.files:,}"),
            ("files resumed", f"{self.resumed:,}"),
            ("messages given back", f"{self.returned:,}"),
            ("rows in", f"{self.rows_in:,}"),
            ("rows out", f"{self.rows_out:,}"),
            ("rows rejected", f"{self.rejected:,}"),
            *((name, f"{count:,}") for name, count in self._must_be_zero().items()),
            ("wall time", f"{self.seconds:.0f} s"),
        ]
        width = max(len(name) for name, _ in lines)
        return "\n".join(f"{name:<{width}}  {value}" for name, value in lines)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"
