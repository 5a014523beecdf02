"""Starts from the law of paths that have stayed in a region for long: `QuasiStationary`."""
from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from langevin_sgd.models.arguments import Array, positive
from langevin_sgd.models.key import Key
from langevin_sgd.models.region import Region
from langevin_sgd.models.sde import SDE

ROUNDS = 20             # of attempts, after which too few paths survive their burn-in
BURN_IN = 0x51D         # where the keys of burn-in are spawned: apart from those of the paths themselves


@dataclass(frozen=True, eq=False)
class QuasiStationary:
    """The law of paths that have stayed in a region for long, as a start for `simulate` and `first_passage`.

    Paths run from `start` for the time `burn_in`; those that leave the region before are discarded and run anew.  From the
    quasi-stationary law itself the time of exit is exactly exponential, with the rate of escape, and independent of where the path leaves;
    from a point it is neither.

    Parameters
    ----------
    domain
        The region, usually the well that is left.
    burn_in
        In units of t: several relaxation times of the well, and much less than the time to leave it.
    start
        A state in the region; None: the middle of an `Interval` or `Box` with two ends, or the centre of a `Ball`.

    Notes
    -----
    Source: `theory`, 8.1.  What is left of the start falls like exp(−burn_in / t₂), t₂ the relaxation time within the region.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> sde, well = ls.langevin(ls.landscapes.double_well(), temperature=0.1), ls.Interval(high=0.0)
    >>> ends = ls.first_passage(sde, ls.QuasiStationary(well, burn_in=5.0, start=-1.0), well, dt=0.01, n_paths=2000, rng=1)
    >>> ends.mean()                                 # 1 / rate of escape: 29.81; from the point -1: 30.82
    30.3 [28.94, 31.66] (95 %, 2000 of 2000 exited, Itô, dt = 0.01)
    """

    domain: Region
    burn_in: float
    start: Any = None

    def __post_init__(self) -> None:
        if not isinstance(self.domain, Region):
            raise ValueError(f"`domain` is {self.domain!r}, but must be a region such as ls.Interval(low, high).")
        positive("burn_in", self.burn_in)

    def state(self) -> Any:
        """Return the state from which paths burn in."""
        if self.start is not None:
            return self.start
        centre = getattr(self.domain, "center", None)
        if centre is None:
            ends = np.array([getattr(self.domain, end, np.nan) for end in ("low", "high")], dtype=float)
            centre = ends.mean(axis=0)
            if not np.isfinite(centre).all():
                raise ValueError(f"`start` is not given, and {self.domain!r} has no middle; give a state inside it, "
                                 "QuasiStationary(domain, burn_in, start=...).")
        return centre

    def drawn(self, sde: SDE, dt: float, n_paths: int, first_path: int, key: Key, **how: Any) -> Array:
        """Return a state for each path (path, d); that of path q depends on the key and q alone.

        Raises
        ------
        ValueError
            If too few paths survive their burn-in.
        """
        from langevin_sgd.simulation.first_passage import first_passage
        states, missing = np.empty((n_paths, sde.dim)), np.ones(n_paths, bool)
        for attempt in range(ROUNDS):
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=".* paths diverged")       # they are run anew, like those that leave
                ends = first_passage(sde, self.state(), self.domain, dt, n_paths, self.burn_in, first_path=first_path,
                                     rng=key.spawn(BURN_IN, attempt), progress=False, **how)
            if ends.stopped:
                raise KeyboardInterrupt                 # nothing of what was asked for has begun
            here = missing & ends.censored
            states[here] = ends.exit_point.reshape(n_paths, sde.dim)[here]
            missing &= ~here
            if not missing.any():
                return states
        raise ValueError(f"`burn_in` is {self.burn_in:g}: {missing.sum()} of {n_paths} paths left {self.domain!r} within it {ROUNDS} times "
                         "in a row; it must be much shorter than the time to leave. Give a shorter one.")

    def __repr__(self) -> str:
        return f"QuasiStationary({self.domain!r}, burn_in={self.burn_in:g}, start={self.start!r})"
