"""Elimination of a Markov jump process without subtraction: what a rate matrix is asked, with every digit, at any mean time.

The matrix of a mean passage time τ has an eigenvalue 1/τ, and its diagonal is the sum of what leaves a state: the rate into the target
is rounded away when that sum is stored, and an elimination that subtracts has lost every digit where τ reaches 1e14.  After
Grassmann, Taksar & Heyman (Oper. Res. 33, 1107 (1985)), states are taken out of the process one by one: what jumped there is sent on to
where that state would have gone.  The pivot is the sum of what leaves it; only products and sums of positive numbers occur, so every
answer has a small relative error, entry by entry (O'Cinneide, Numer. Math. 65, 109 (1993)).

Rates are stored in a band: entry (i, j − i + w) of an array (n, 2 w + 1) is the rate i → j.  The cost is n w².
"""
from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from langevin_sgd.models.arguments import Array

compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc"})


@dataclass(frozen=True, eq=False)
class Band:
    """A process that ends, after elimination state by state."""

    band: Array
    pivot: Array

    @property
    def bytes(self) -> float:
        """The memory of what is kept."""
        return float(self.band.nbytes + self.pivot.nbytes)

    @property
    def ends(self) -> bool:
        """Whether the process ends from everywhere."""
        return bool((self.pivot > 0).all())

    def solve(self, source: Array) -> Array:
        """Return t with Σ_j q_ij (t_i − t_j) + kill_i t_i = source_i ≥ 0."""
        return np.asarray(solve(self.band, self.pivot, source))

    def solve_transposed(self, source: Array) -> Array:
        """Return the mean times p spent in each state: p_i (kill_i + Σ_j q_ij) − Σ_j p_j q_ji = source_i ≥ 0."""
        return np.asarray(solve_transposed(self.band, self.pivot, source))


@compiled
def eliminate(band: Array, kill: Array) -> Array:
    """Eliminate in place, from the last state to the first, and return the pivots (n,); a pivot is zero where nothing leaves.

    Above the diagonal the band then holds shares of jumps i → k, below it the rates of k among the states before.
    """
    n, w = band.shape[0], band.shape[1] // 2
    killed, pivot = kill.copy(), np.empty(n)
    for k in range(n - 1, -1, -1):
        first = max(0, k - w)
        count = k - first
        leaving = band[k, w - count:w]
        total = killed[k]
        for j in range(count):
            total += leaving[j]
        pivot[k] = total
        if total == 0.0:
            continue
        for i in range(first, k):
            rate = band[i, k - i + w]
            if rate > 0.0:
                share = rate / total
                row = band[i, first - i + w:k - i + w]
                for j in range(count):              # also i → i, which nobody reads
                    row[j] += share * leaving[j]
                band[i, k - i + w] = share
                killed[i] += share * killed[k]
    return pivot


@compiled
def solve(band: Array, pivot: Array, source: Array) -> Array:
    """Return t with Σ_j q_ij (t_i − t_j) + kill_i t_i = source_i ≥ 0."""
    n, w = band.shape[0], band.shape[1] // 2
    r, t = source.copy(), np.empty(n)
    for i in range(n - 1, -1, -1):
        total = r[i]
        for k in range(i + 1, min(i + w + 1, n)):
            total += band[i, k - i + w] * r[k]
        r[i] = total
    for k in range(n):
        total = r[k]
        for j in range(max(0, k - w), k):
            total += band[k, j - k + w] * t[j]
        t[k] = total / pivot[k]
    return t


@compiled
def solve_transposed(band: Array, pivot: Array, source: Array) -> Array:
    """Return the mean times p spent in each state: p_i (kill_i + Σ_j q_ij) − Σ_j p_j q_ji = source_i ≥ 0."""
    n, w = band.shape[0], band.shape[1] // 2
    p = source.copy()
    for k in range(n - 1, -1, -1):
        p[k] /= pivot[k]
        for j in range(max(0, k - w), k):
            p[j] += band[k, j - k + w] * p[k]
    for i in range(n):
        for k in range(i + 1, min(i + w + 1, n)):
            p[k] += band[i, k - i + w] * p[i]
    return p


@compiled
def stationary(band: Array) -> Array:
    """Return the stationary law of a process without kill, its largest entries about 1; zero where it is below 1e-300 of them."""
    n, w = band.shape[0], band.shape[1] // 2
    p = np.zeros(n)
    p[0] = 1.0
    for i in range(n):
        if p[i] > 1e200:
            p *= 1e-200
        for k in range(i + 1, min(i + w + 1, n)):
            p[k] += band[i, k - i + w] * p[i]           # a share of jumps: it was divided by the pivot when k was taken out
    return p
