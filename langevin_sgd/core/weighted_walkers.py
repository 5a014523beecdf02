"""Walkers with weights, resampled within bins so that everyone's mean weight is kept."""
from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from langevin_sgd.core.lanes import CALLED_FROM_PYTHON


@njit(cache=True, **CALLED_FROM_PYTHON)
def bins_of(scores: Any, n_bins: int, bins: Any) -> None:
    """Find the bin of each score, when their range is divided evenly; those that are no finite numbers are in the lowest."""
    low, high = math.inf, -math.inf
    for s in scores:
        if math.isfinite(s):
            low, high = min(low, s), max(high, s)
    for i in range(len(scores)):
        if high > low and math.isfinite(scores[i]):
            bins[i] = min(int((scores[i] - low) / (high - low) * n_bins), n_bins - 1)
        else:
            bins[i] = 0


@njit(cache=True, **CALLED_FROM_PYTHON)
def resample_in_bins(bins: Any, weight: Any, draws: Any, chosen: Any, new: Any) -> None:
    """Find who is copied, as often as there are walkers, and the weights of the copies.

    Walkers are shared out equally among the bins that hold any, the remainder to the highest.  Within a bin of weight W with m places,
    the walker of weight w gets (m w / W) copies on average, each of weight W / m, by systematic resampling with one draw for each bin.
    """
    n, n_bins = len(bins), len(draws)
    total, held = np.zeros(n_bins), np.zeros(n_bins, np.int64)
    for i in range(n):
        total[bins[i]] += weight[i]
        held[bins[i]] += 1
    occupied = 0
    for b in range(n_bins):
        occupied += held[b] > 0
    place, seen = 0, 0
    for b in range(n_bins - 1, -1, -1):
        if held[b] == 0:
            continue
        m = n // occupied + (1 if seen < n % occupied else 0)
        seen += 1
        at, mark, last, copies = draws[b], 0.0, -1, 0
        for i in range(n):
            if bins[i] != b:
                continue
            share = weight[i] * m / total[b] if total[b] > 0.0 else m / held[b]
            mark += share
            last = i if share > 0.0 else last
            while copies < m and at + copies < mark:
                chosen[place + copies], new[place + copies] = i, total[b] / m
                copies += 1
        while copies < m:                       # the last mark may fall short of m by rounding
            chosen[place + copies], new[place + copies] = last, total[b] / m
            copies += 1
        place += m


@njit(cache=True, nogil=True, **CALLED_FROM_PYTHON)
def resample_runs(scores: Any, weight: Any, draws: Any, chosen: Any, new: Any) -> None:
    """Resample the walkers (run, walker) of each run; `draws` are (run, bin)."""
    bins = np.empty(scores.shape[1], np.int64)
    for j in range(len(scores)):
        bins_of(scores[j], draws.shape[1], bins)
        resample_in_bins(bins, weight[j], draws[j], chosen[j], new[j])
