"""Landscapes: values and derivatives, critical points told apart, and functions in place of expressions."""
import math

import numpy as np
import pytest

import langevin_sgd as ls
from langevin_sgd.models.landscape import CriticalPoint
from tests import oracles
from tests.models import formulas

# --------------------------------------------------------------------------------------------------------------- evaluation


def test_one_dimension_takes_and_gives_plain_shapes():
    loss = ls.Landscape("h*(x**2 - 1)**2/4", h=2.0)
    assert type(loss(0.0)) is type(loss.gradient(0.0)) is type(loss.hessian(0.0)) is float
    assert (loss(0.0), loss.gradient(2.0), loss.hessian(2.0)) == (0.5, 12.0, 22.0)
    x = np.linspace(-2, 2, 12).reshape(3, 4)
    assert loss(x).shape == loss.gradient(x).shape == loss.hessian(x).shape == (3, 4)
    assert np.allclose(loss.gradient(x), 2 * x * (x**2 - 1), rtol=1e-14, atol=1e-14)


def test_more_dimensions_have_the_component_last():
    loss = ls.Landscape("x**2*y + 3*y**2")
    assert (loss.dim, loss.variables) == (2, ("x", "y"))
    assert type(loss([1.0, 2.0])) is float
    assert loss([1.0, 2.0]) == 14.0
    assert loss.gradient([1.0, 2.0]).tolist() == [4.0, 13.0]
    assert loss.hessian([1.0, 2.0]).tolist() == [[4.0, 2.0], [2.0, 6.0]]
    x = np.random.default_rng(0).normal(size=(3, 4, 2))
    assert (loss(x).shape, loss.gradient(x).shape, loss.hessian(x).shape) == ((3, 4), (3, 4, 2), (3, 4, 2, 2))
    assert ls.Landscape("x1**2 + x5").gradient(np.ones(5)).tolist() == [2.0, 0.0, 0.0, 0.0, 1.0]
    assert ls.Landscape("q**2*p", variables=["p", "q"]).gradient([2.0, 3.0]).tolist() == [9.0, 12.0]


def test_an_overflow_is_infinite_and_silent():
    assert ls.Landscape("exp(x**2)")(100.0) == math.inf


@pytest.mark.parametrize(("make", "words"), [
    (lambda: ls.Landscape("a*x**2"), r"the landscape 'a\*x\*\*2' has the parameter `a` without a value; give it by keyword, a=\.\.\."),
    (lambda: ls.Landscape("a*x**2", a=1.0, b=2.0), r"the landscape 'a\*x\*\*2' has no parameter called `b`: it has a\."),
    (lambda: ls.Landscape("x**2", h=1.0), r"has no parameter called `h`: it has none\."),
    (lambda: ls.Landscape("x**2*y", x=1.0), "has no parameter called `x`"),
    (lambda: ls.Landscape("a*x**2", a=math.inf), "`a` is inf, but must be a finite number"),
    (lambda: ls.Landscape("a*x**2", a="two"), "`a` is 'two', but must be a number"),
    (lambda: ls.Landscape("x**2*cos(t)"), r"depends on the time t; a loss that moves is given to ls\.SDE as a drift"),
    (lambda: ls.Landscape("x**2")(math.nan), "`x` holds nan"),
    (lambda: ls.Landscape("x*y")([1.0, 2.0, 3.0]), r"`x` has shape \(3,\), but states of 2 components need shape \(\.\.\., 2\)"),
    (lambda: ls.Landscape("x*y").gradient(1.0), r"`x` has shape \(\), but states of 2 components"),
    (lambda: ls.Landscape("a*x**2", a=1.0).replace(b=1.0), "has no parameter called `b`: it has a"),
    (lambda: ls.Landscape("a*x**2", a=1.0).replace(a=math.nan), "`a` is nan"),
])
def test_bad_input_is_refused_by_name(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_new_parameters_leave_the_old_landscape_alone():
    loss = ls.Landscape("a*x**2 + b", a=1.0, b=2.0)
    other = loss.replace(a=3.0)
    assert (loss(1.0), other(1.0), other.hessian(0.0)) == (3.0, 5.0, 6.0)
    assert repr(other) == "Landscape('a*x**2 + b', a=3, b=2)"


# ---------------------------------------------------------------------------------------------------------- critical points

def summary(points):
    return [(pytest.approx(np.ravel(p.x).tolist(), abs=1e-9), p.index) for p in points]


def test_the_saddle_of_the_sharp_and_flat_pair_is_the_oracles():
    points = ls.landscapes.sharp_flat().critical_points((-3, 3))
    assert [(p.kind, p.index) for p in points] == [("minimum", 0), ("minimum", 0), ("saddle", 1)]
    saddle = points[2]
    assert saddle.x == pytest.approx(oracles.BY_ID["sharpflat-saddle"]["value"], abs=1e-12)
    text = "(x**2 - 1)**2/(4*(1 + (x + 1)**2))"
    assert saddle.value == pytest.approx(float(formulas.value(text, saddle.x)), rel=1e-14)
    assert saddle.hessian == pytest.approx(formulas.slopes(text, np.array([saddle.x]), 2)[0, 0], rel=1e-12)
    assert [p.x for p in points[:2]] == [-1.0, 1.0]


@pytest.mark.parametrize(("text", "points"), [
    ("x**2", [(0.0, 0.0, 2.0, 0)]), ("-x**2", [(0.0, 0.0, -2.0, 1)]), ("x", []), ("exp(x)", []), ("x**3", []), ("5", []),
    ("x**4", [(0.0, 0.0, 0.0, 0)]),
    ("-x**4", [(0.0, 0.0, 0.0, 1)]), ("abs(x - 0.3)", [(0.3, 0.0, math.inf, 0)]), ("-abs(x)", [(0.0, 0.0, -math.inf, 1)]),
    ("max(x, -2*x + 1)", [(1 / 3, 1 / 3, math.inf, 0)]),
    ("abs(x) + x**2", [(0.0, 0.0, math.inf, 0)]), ("abs(x) + 2*x", []),
    ("where(x < 1, x**2, 1)", [(0.0, 0.0, 2.0, 0), (1.0, 1.0, -math.inf, 1)]),
    ("max(abs(x) - 1, 0)", [(-1.0, 0.0, math.inf, 0), (1.0, 0.0, math.inf, 0)]),
    ("x*exp(-x)", [(1.0, math.exp(-1), -math.exp(-1), 1)]),
    ("1e-200*(x - 1)**2", [(1.0, 0.0, 2e-200, 0)]), ("exp(40*x**2)", [(0.0, 1.0, 80.0, 0)]), ("log(x) + 1/x", [(1.0, 1.0, 1.0, 0)]),
    ("abs(x**2 - 1)", [(-1.0, 0.0, math.inf, 0), (1.0, 0.0, math.inf, 0), (0.0, 1.0, -2.0, 1)]),
])
def test_critical_points_in_one_dimension(text, points):
    found = ls.Landscape(text).critical_points()
    assert [p.index for p in found] == [index for *_, index in points]
    for p, (x, value, hessian, _) in zip(found, points, strict=True):
        assert (p.x, p.value) == (pytest.approx(x, abs=1e-9), pytest.approx(value, abs=1e-12))
        assert p.hessian == (hessian if math.isinf(hessian) else pytest.approx(hessian, rel=1e-8, abs=1e-12))


def test_bounds_decide_where_to_look():
    loss = ls.Landscape("cos(x)")
    assert len(loss.critical_points((0.5, 20.0))) == 6
    assert summary(loss.critical_points((3.0, 3.5))) == [([math.pi], 0)]
    assert len(ls.Landscape("cos(x) + y**2").critical_points([(2.0, 7.0), (-1.0, 1.0)])) == 2
    assert summary(ls.Landscape("(x - 3)**2 + (y + 8)**2").critical_points()) == [([3.0, -8.0], 0)]


@pytest.mark.parametrize(("text", "bounds"),
                         [("x**2", (1, -1)), ("x**2", (1, 1)), ("x**2", 3), ("x**2", [(0, 1), (0, 1)]), ("x*y", (0, 1)),
                          ("x*y", [(0, 1), (1, 0)]),
                                              ("x**2", (0, math.inf)), ("x**2", (math.nan, 1))])
def test_bounds_must_be_pairs_in_order(text, bounds):
    with pytest.raises(ValueError,
                       match=r"`bounds` (is .*, but must be (\(low, high\)|2 pairs \(low, high\)) with low < high|holds (inf|nan))"):
        ls.Landscape(text).critical_points(bounds)


def test_saddles_are_told_apart_by_the_number_of_descending_directions():
    points = ls.Landscape("(x**2 - 1)**2 + (y**2 - 1)**2 + 2*(z**2 - 1)**2").critical_points([(-1.5, 1.5)] * 3)
    assert [p.index for p in points] == [0] * 8 + [1] * 12 + [2] * 6 + [3]
    assert points[-1].kind == "saddle of index 3"
    assert str(points[-1]) == "saddle of index 3 at [0. 0. 0.], value 4"
    for p in points:
        assert np.allclose(np.abs(p.x), np.round(np.abs(p.x)), atol=1e-8)
        assert p.hessian.shape == (3, 3)


def test_a_degenerate_minimum_is_found_once():
    (point,) = ls.Landscape("x**4 + y**2").critical_points([(-1, 2), (-2, 1)])
    assert (point.index, point.kind) == (0, "minimum")
    assert point.x == pytest.approx([0.0, 0.0], abs=1e-3)                # the gradient is below rounding there


def test_lowest_point_is_the_lowest_minimum():
    loss = ls.Landscape("(x**2 - 1)**2 + x/5")
    assert loss.lowest_point() == loss.critical_points()[0]
    assert loss.lowest_point().x < -1
    assert loss.lowest_point((0, 2)).x > 0
    with pytest.raises(ValueError, match=r"no minimum of the landscape '-x\*\*2' was found; give bounds that hold one"):
        ls.Landscape("-x**2").lowest_point()


def test_a_critical_point_prints_in_a_line():
    assert str(CriticalPoint(-0.2290830029, 0.140781, -0.7, 1)) == "saddle at -0.229083, value 0.140781"


# ---------------------------------------------------------------------------------------------------------------- functions

def value(x, p):
    return p[1] * x[0]**2 * x[1]**2 + p[0] * (x[0]**2 + x[1]**2) / 2 - math.cos(x[0])


def gradient(x, p):
    return (2 * p[1] * x[0] * x[1]**2 + p[0] * x[0] + math.sin(x[0]), 2 * p[1] * x[0]**2 * x[1] + p[0] * x[1])


def hessian(x, p):
    mixed = 4 * p[1] * x[0] * x[1]
    return ((2 * p[1] * x[1]**2 + p[0] + math.cos(x[0]), mixed), (mixed, 2 * p[1] * x[0]**2 + p[0]))


def test_functions_and_expression_are_one_landscape():
    from_functions = ls.Landscape.from_functions(value, gradient, hessian, dim=2, k=-1.5, c=0.3)
    expression = ls.Landscape("c*x**2*y**2 + k*(x**2 + y**2)/2 - cos(x)", k=-1.5, c=0.3)
    x = np.random.default_rng(5).normal(size=(4, 3, 2))
    for new in ({}, {"c": 1.0}, {"k": 2.0, "c": 0.1}):
        f, e = from_functions.replace(**new), expression.replace(**new)
        assert np.allclose(f(x), e(x), rtol=1e-13)
        assert np.allclose(f.gradient(x), e.gradient(x), rtol=1e-13, atol=1e-14)
        assert np.allclose(f.hessian(x), e.hessian(x), rtol=1e-13, atol=1e-14)
    box = [(-2.0, 2.0)] * 2
    found, expected = (sorted((p.index, *np.round(p.x, 8)) for p in loss.critical_points(box)) for loss in (from_functions, expression))
    assert found == expected
    assert [row[0] for row in found] == [1, 1, 1, 1, 2]


def test_functions_in_one_dimension():
    loss = ls.Landscape.from_functions(lambda x: x**4 / 4 - x, lambda x: x**3 - 1, lambda x: 3 * x**2)
    assert (loss(2.0), loss.gradient(2.0), loss.hessian(2.0), loss.dim) == (2.0, 7.0, 12.0, 1)
    assert summary(loss.critical_points()) == [([1.0], 0)]
    assert loss.kinks(-2.0, 2.0) == []
    assert repr(loss) == "Landscape('<lambda>')"


@pytest.mark.parametrize(("make", "words"), [
    (lambda: ls.Landscape.from_functions(value, gradient, hessian, dim=2.5), "`dim` is 2.5, but must be a whole number"),
    (lambda: ls.Landscape.from_functions(lambda x: (x, x), lambda x: 2 * x, lambda x: 2.0), "`<lambda>` .* must return a float"),
    (lambda: ls.Landscape.from_functions(lambda x, t, p: x * t, lambda x: x, lambda x: x), "depends on the time t"),
])
def test_functions_that_do_not_fit_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_the_toy_loss_of_the_power_law_paper_has_the_barrier_of_the_oracle_and_flat_minima():
    """15 |w − 1|^2.5 |w + 1|^3 (`theory`, 10): the minima have no curvature, so that no closed form has a number."""
    entry = oracles.BY_ID["toy-barrier"]
    loss = ls.Landscape("15*abs(x - 1)**2.5*abs(x + 1)**3")
    assert loss(entry["parameters"]["w"]) == pytest.approx(entry["value"], rel=1e-12)
    assert loss.gradient(entry["parameters"]["w"]) == pytest.approx(0.0, abs=1e-11)
    for minimum in (-1.0, 1.0):
        predictions = ls.predict(ls.langevin(loss, 1.0), minimum, entry["parameters"]["w"])
        assert all(math.isnan(p.value) and "L is not quadratic" in p.because for p in predictions.values())
