"""Pictures of stationary laws and tails: what is drawn is what was given, on the right axes."""
from __future__ import annotations

import math

import numpy as np
import pytest

import langevin_sgd as ls

X = np.random.default_rng(1).normal(size=(50, 400))


def normal(x, width: float = 1.0):
    return np.exp(-(np.asarray(x) / width) ** 2 / 2) / (math.sqrt(2 * math.pi) * width)


def points(ax, k: int = 0):
    container = ax.containers[k]
    return container[0].get_xdata(), container[0].get_ydata(), container[2][0].get_segments()


def test_a_histogram_is_that_of_its_law_within_its_errors() -> None:
    """20 000 normal numbers: all bins within 5 standard errors; a law that is 10 % wider is not."""
    upper, lower = ls.plots.draw_stationary_laws(X, {"own": normal, "wider": lambda x: normal(x, 1.1)}, bins=30, title="a law")
    place, density, bars = points(upper)
    error = np.array([(high - low) / 2 for (_, low), (_, high) in bars])
    assert len(place) > 20 and upper.get_yscale() == "log" and upper.get_xscale() == "linear"
    for k, (label, agrees) in enumerate((("own", True), ("wider", False))):
        line = next(line for line in upper.lines if line.get_label() == label)
        expected = np.interp(place, line.get_xdata(), line.get_ydata())
        assert bool(np.abs((density - expected) / error).max() < 5) is agrees
        assert points(lower, k)[1] == pytest.approx(density / expected)
    assert [t.get_text() for t in upper.get_legend().get_texts()] == ["own", "wider", "measured"] and upper.get_title(loc="left") == "a law"


def test_distances_are_folded_and_a_tail_has_its_slope() -> None:
    x = np.random.default_rng(2).standard_t(2.0, size=(50, 2000)) + 3.0
    upper, _ = ls.plots.draw_stationary_laws(x, {"own": lambda v: (1 + (np.asarray(v) - 3.0)**2 / 2) ** -1.5 / (2 * math.sqrt(2))},
                                             center=3.0, tails={"A": 2.0})
    assert upper.get_xscale() == upper.get_yscale() == "log"
    place, density, bars = points(upper)
    error = np.array([(high - low) / 2 for (_, low), (_, high) in bars])
    law, tail = (line for line in upper.lines if line.get_label() in ("own", "A, A = 2"))
    assert np.abs((density - np.interp(place, law.get_xdata(), law.get_ydata())) / error).max() < 5
    assert np.diff(np.log(tail.get_ydata())) / np.diff(np.log(tail.get_xdata())) == pytest.approx([-3.0])


def test_error_bars_of_independent_numbers_are_those_of_counts() -> None:
    upper, _ = ls.plots.draw_stationary_laws(X.ravel(), {"own": normal}, bins=20)
    _, density, bars = points(upper)
    width = np.ptp(X) / 20
    for value, ((_, low), (_, high)) in zip(density, bars, strict=True):
        assert (high - low) / 2 == pytest.approx(math.sqrt(value * X.size * width) / (X.size * width))


def test_a_tail_over_thresholds() -> None:
    tail = ls.tail_exponent(X)
    ax = tail.plot(exact=3.0)
    place, values, _ = points(ax)
    assert place == pytest.approx(tail.fractions) and values == pytest.approx(tail.values) and ax.xaxis_inverted()
    assert any(line.get_ydata()[0] == 3.0 for line in ax.lines)
    several = ls.plots.draw_tail_exponent({"a": tail, "b": tail}, exact={"a": math.inf})
    assert [t.get_text() for t in several.get_legend().get_texts()] == ["a", "b"]
