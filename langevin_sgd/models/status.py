"""How a path ended."""
from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """How a path ended, as it stands in the `status` of every result."""

    COMPLETED = 0       # reached the end of the time span; under first passage: still inside, so the time is censored
    EXITED = 1          # left the region
    DIVERGED = 2        # blew up: neither an exit nor exposure, never averaged in
    STOPPED = 3         # cut short by Ctrl-C or a budget while still inside, so the time is censored


def attributes() -> dict[str, object]:
    """Return the CF attributes that tell readers of a file what the numbers mean."""
    return {"flag_values": [int(s) for s in Status], "flag_meanings": " ".join(s.name.lower() for s in Status)}
