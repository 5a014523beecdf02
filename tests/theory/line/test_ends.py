"""The ends of the domain around a start: what the region, the noise and Feller make of them."""
import math

import numpy as np
import pytest

import langevin_sgd as ls
from langevin_sgd.theory.line.ends import Fate, ends_around, exits_at, point_inside
from langevin_sgd.theory.line.fates import first_look, looks_around
from langevin_sgd.theory.line.vanishing import first_singularity


def equation(drift: str, covariance: str = "1", interpretation: str = "ito") -> ls.SDE:
    return ls.SDE(drift, ls.noise.Expression(covariance), 1.0, interpretation)


# ----------------------------------------------------------------------------------------------------------- the region

@pytest.mark.parametrize(("region", "x0", "low", "high"), [
    (ls.Interval(-1, 2), 0.0, (-1.0, "low"), (2.0, "high")),
    (ls.Interval(high=2), 0.0, (-math.inf, ""), (2.0, "high")),
    (ls.Interval(-1, 2, reflect="high"), 0.0, (-1.0, "low"), (2.0, "")),
    (ls.Interval(-3, 2, reflect="low") & ls.Interval(-1, 4), 0.0, (-1.0, "low"), (2.0, "high")),
    (ls.Ball([1.0], 2.0), 0.0, (-1.0, "ball"), (3.0, "ball")),
    (ls.HalfSpace([-2.0], 2.0), 0.0, (-1.0, "half-space"), (math.inf, "")),
    (~ls.Interval(-1, 2), 5.0, (2.0, "high"), (math.inf, "")),
    (~ls.Interval(-1, 2), -5.0, (-math.inf, ""), (-1.0, "low")),
    (ls.Interval(-1, 2) | ls.Interval(1, 3), 0.0, (-1.0, "low"), (3.0, "high")),
    (ls.Where("1 - x**2") & ls.Where("x + 0.5"), 0.0, (-0.5, "where"), (1.0, "where")),
    (ls.Where("sin(x)"), 1.0, (0.0, "where"), (math.pi, "where")),
    (ls.Where("1e6 - x"), 0.0, (-math.inf, ""), (1e6, "where")),
])
def test_the_piece_of_a_region(region, x0, low, high):
    ends = ends_around(equation("-x"), region, x0)
    assert [(end.at, end.label) for end in ends] == [(pytest.approx(at, abs=1e-12), label) for at, label in (low, high)]
    assert [end.sign for end in ends] == [-1, 1]
    without = ends_around(equation("-x"), region, x0, exits=False)
    assert all(end.label == "" and end.reflects == math.isfinite(end.at) for end in without)


def test_names_of_the_exit_at_a_point():
    sde = equation("-x")
    assert exits_at(sde, ls.Interval(-1, 2), 0.0) == ()
    assert exits_at(sde, ls.Interval(-1, 2), 2.0) == ("high", "high")
    assert exits_at(sde, ls.Ball([0.0], 1.0), -1.0) == ("ball", "low")


@pytest.mark.parametrize(("covariance", "region", "point"), [
    ("1", ls.Interval(), 0.0), ("1", ls.Interval(2, 5), 3.5), ("x", ls.Interval(), 1.0), ("-x", ls.Interval(), -1.0),
    ("1", ls.Interval(high=-7), -8.0), ("1", ls.Where("x - 20"), 100.0),
])
def test_a_point_inside(covariance, region, point):
    assert point_inside(equation("-x", covariance), region) == point


# --------------------------------------------------------------------------------------------------- singular points

@pytest.mark.parametrize(("drift", "covariance", "to", "at", "cause"), [
    ("-x", "1 + x**2", -math.inf, None, ""), ("-x", "x", -math.inf, 0.0, "the noise vanishes"),
    ("-x", "x**2", -math.inf, 0.0, "the noise vanishes"), ("-x", "(x + 2.7)**4", -math.inf, -2.7, "the noise vanishes"),
    ("-x", "x*(3 - x)", math.inf, 3.0, "the noise vanishes"), ("-x", "abs(x - 1.7)", 4.0, 1.7, "the noise vanishes"),
    ("-x", "sqrt(abs(x - 1.7))", 4.0, 1.7, "the noise vanishes"), ("-x", "(x - 1.7)**2 + 1e-9", 4.0, None, ""),
    ("-x", "sin(x)**2", 20.0, math.pi, "the noise vanishes"), ("-x", "x", 0.0, None, ""),
    ("1/x", "1", -math.inf, 0.0, "the drift diverges"), ("1/(2 - x)**2", "1", math.inf, 2.0, "the drift diverges"),
    ("-sinh(x)", "1", math.inf, None, ""), ("-x", "exp(-x**2)", math.inf, None, ""), ("-x", "1 + 0.9*sin(7*x)", math.inf, None, ""),
    ("-sin(3*x)", "0.2 + cos(x)**2", -math.inf, None, ""),
])
def test_the_nearest_singular_point(drift, covariance, to, at, cause):
    sde = equation(drift, covariance)
    found = first_singularity(sde, 1.0, to, 1.0, sde.kinks(-10.0, 10.0))
    assert (found is None) == (at is None)
    if found is not None:
        assert found.at == pytest.approx(at, abs=1e-12) and found.cause == cause


# ------------------------------------------------------------------------------------------------------- after Feller

@pytest.mark.parametrize(("drift", "covariance", "interpretation", "domain", "fates", "is_slow"), [
    ("-x", "1", "ito", ls.Interval(), (Fate.RETURN, Fate.RETURN), (False, False)),
    ("0", "1", "ito", ls.Interval(high=2), (Fate.RETURN, Fate.LEAVE), (True, False)),
    ("1", "1", "ito", ls.Interval(high=2), (Fate.RETURN, Fate.LEAVE), (False, False)),
    ("-1", "1", "ito", ls.Interval(high=2), (Fate.LOST, Fate.LEAVE), (False, False)),
    ("x**3", "1", "ito", ls.Interval(), (Fate.LOST, Fate.LOST), (False, False)),
    ("0", "x**2", "ito", ls.Interval(high=2), (Fate.LOST, Fate.LEAVE), (False, False)),         # ln X drifts down
    ("0", "x**2", "stratonovich", ls.Interval(high=2), (Fate.RETURN, Fate.LEAVE), (True, False)),   # ln X is a Brownian motion
    ("0", "x**2", "klimontovich", ls.Interval(high=2), (Fate.RETURN, Fate.LEAVE), (False, False)),
    ("0.5", "x", "ito", ls.Interval(0, 2), (Fate.RETURN, Fate.LEAVE), (False, False)),              # 2 b = 1: just not reached
    ("0.49", "x", "ito", ls.Interval(0, 2), (Fate.LEAVE, Fate.LEAVE), (False, False)),
    ("0.49", "x", "ito", ls.Interval(high=2), (Fate.RETURN, Fate.LEAVE), (False, False)),           # reflects itself
    ("0", "x", "ito", ls.Interval(high=2), (Fate.LOST, Fate.LEAVE), (False, False)),
    ("0.5 - x", "x*(1 - x)", "ito", ls.Interval(0, 1), (Fate.RETURN, Fate.RETURN), (False, False)),
    ("1/x", "1", "ito", ls.Interval(0, 2), (Fate.RETURN, Fate.LEAVE), (False, False)),
    ("0.5/x", "1", "ito", ls.Interval(0, 2), (Fate.RETURN, Fate.LEAVE), (False, False)),            # Bessel, two dimensions
    ("0.4/x", "1", "ito", ls.Interval(0, 2), (Fate.LEAVE, Fate.LEAVE), (False, False)),
    ("-0.25*x/(1 + x**2)", "1", "ito", ls.Interval(), (Fate.RETURN, Fate.RETURN), (True, True)),
    ("-0.5*x/(1 + x**2)", "1", "ito", ls.Interval(), (Fate.RETURN, Fate.RETURN), (True, True)),     # exactly critical
    ("-0.51*x/(1 + x**2)", "1", "ito", ls.Interval(), (Fate.RETURN, Fate.RETURN), (False, False)),
    ("0.3 - sin(3*x)", "1", "ito", ls.Interval(), (Fate.RETURN, Fate.LOST), (False, False)),
    ("-x + 5*sin(3*x)", "2 + sin(x)", "ito", ls.Interval(), (Fate.RETURN, Fate.RETURN), (False, False)),
    ("0", "2 + sin(x)", "ito", ls.Interval(), (Fate.RETURN, Fate.RETURN), (True, True)),
])
def test_what_becomes_of_paths(drift, covariance, interpretation, domain, fates, is_slow):
    looks = looks_around(equation(drift, covariance, interpretation), domain, 1.0 if domain.high != 1 else 0.5)
    assert tuple(look.end.fate for look in looks) == fates
    assert tuple(look.end.is_slow for look in looks) == is_slow


def test_a_first_look_takes_in_everything():
    """A second well a million units away is on the panels, in the octave where it is."""
    sde = equation("-x + 1e6/cosh(min(abs(x - 1e6)/1e5, 300))")
    low, high = (first_look(sde, end) for end in ends_around(sde, ls.Interval(), 0.0))
    assert high.edges[-1] > 1e100 and low.edges[-1] < -1e100
    assert np.sign(high.slope[(high.nodes > 3e5) & (high.nodes < 3e6)]).min() == -1
