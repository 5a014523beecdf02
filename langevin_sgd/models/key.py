"""The key of an ensemble: 128 bits, drawn once at the call and recorded in the result."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from langevin_sgd.models.arguments import whole

WORD = 2**64


@dataclass(frozen=True)
class Key:
    """The 128 bits from which every path of an ensemble derives its own random stream.

    The bits of path q depend on (key, q) and on nothing else: not on threads, chunks, executors, or how many paths run beside it.
    `rng=` takes a recorded key back as it is.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.Key.draw(7) == ls.Key.draw(7)
    True
    """

    value: int

    def __post_init__(self) -> None:
        if not isinstance(self.value, int) or not 0 <= self.value < WORD**2:
            raise ValueError(f"`value` is {self.value!r}, but a key is a whole number below 2**128.")

    @classmethod
    def draw(cls, rng: Any = None) -> Key:
        """Return a key from whatever SciPy takes as `rng`: None, an int, a SeedSequence, a Generator, ...; or a Key itself."""
        if isinstance(rng, Key):
            return rng
        low, high = generator(rng).integers(0, WORD - 1, size=2, dtype=np.uint64, endpoint=True)
        return cls(int(low) + WORD * int(high))

    @property
    def words(self) -> tuple[int, int]:
        """The low and the high 64 bits."""
        return self.value % WORD, self.value // WORD

    def spawn(self, *coordinates: int) -> Key:
        """Return an independent key for a place given by whole numbers below 2**32: the same place, the same key."""
        for coordinate in coordinates:
            if not 0 <= whole("coordinates", coordinate, least=0) < 2**32:      # larger ones would look like two
                raise ValueError(f"`coordinates` holds {coordinate}, but must be whole numbers from 0 to 2**32 - 1.")
        sequence = np.random.SeedSequence(self.value, spawn_key=coordinates)
        low, high = (int(w) for w in sequence.generate_state(2, np.uint64))
        return Key(low + WORD * high)

    def __repr__(self) -> str:
        return f"Key({self.value:#034x})"


def generator(rng: Any = None) -> np.random.Generator:
    """Return the NumPy generator of an `rng`: an int or a Generator gives the numbers that it gives in NumPy, a Key those of its bits."""
    try:
        return np.random.default_rng(rng.value if isinstance(rng, Key) else rng)
    except (TypeError, ValueError):
        raise ValueError(f"`rng` is {rng!r}, but must be None, an int, a SeedSequence, a Generator, or the `key` of an earlier "
                         "result.") from None
