"""The field's test landscapes are what their docstrings say."""
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import langevin_sgd as ls
from tests.models.formulas import checked

curvatures = st.floats(0.05, 20)


def test_quadratic():
    loss = ls.landscapes.quadratic(3.0)
    assert (loss(2.0), loss.gradient(2.0), loss.hessian(-5.0)) == (6.0, 6.0, 3.0)


@pytest.mark.parametrize(("loss", "barrier"),
                         [(ls.landscapes.double_well(), 0.25), (ls.landscapes.double_well(0.25), 0.25),
                          (ls.landscapes.double_well(3.0), 3.0)])
def test_double_well(loss, barrier):
    left, right, saddle = loss.critical_points()
    assert [left.x, right.x, saddle.x] == pytest.approx([-1.0, 1.0, 0.0], abs=1e-12)
    assert (left.value, right.value, saddle.value) == (0.0, 0.0, barrier)
    assert (left.hessian, right.hessian, saddle.hessian) == (8 * barrier, 8 * barrier, -4 * barrier)


def test_sharp_flat_has_two_wells_of_one_depth_and_curvatures_2_and_two_fifths():
    loss = ls.landscapes.sharp_flat()
    assert (loss(-1.0), loss(1.0), loss.gradient(-1.0), loss.gradient(1.0)) == (0.0, 0.0, 0.0, 0.0)
    assert (loss.hessian(-1.0), loss.hessian(1.0)) == (2.0, 0.4)
    x = np.linspace(-3, 3, 31)
    assert np.allclose(loss(x), (x**2 - 1)**2 / (4 * (1 + (x + 1)**2)), rtol=1e-14)


# --------------------------------------------------------------------------------------------------- piecewise quadratic

@checked(40)
@given(curvatures, curvatures, st.floats(0.05, 10), st.one_of(st.none(), curvatures))
def test_piecewise_quadratic_is_continuous_with_its_slope_and_has_the_curvatures_asked_for(h, hs, barrier, other):
    loss = ls.landscapes.piecewise_quadratic(h, hs, barrier, other)
    saddle = math.sqrt(2 * barrier * (1 / h + 1 / hs))
    end = saddle if other is None else saddle + math.sqrt(2 * barrier * (1 / other + 1 / hs))
    joins = loss.kinks(-1.0, end + 1.0)
    assert len(joins) == (1 if other is None else 2)
    for join, left, right in zip(joins, (h, -hs), (-hs, other), strict=False):
        slope, d = loss.gradient(join), 1e-6 * end             # one value and one slope at the join, and beside it the two parabolas
        for side, curvature in ((-d, left), (d, right)):
            assert loss(join + side) == pytest.approx(loss(join) + slope * side + curvature * side**2 / 2, abs=1e-13 * barrier)
            assert loss.gradient(join + side) == pytest.approx(slope + curvature * side, rel=1e-9)
    assert joins[0] == pytest.approx(saddle * hs / (h + hs), rel=1e-9)
    middle = [0.5 * joins[0], 0.5 * (joins[0] + (joins[1] if other else 2 * saddle)), *([0.5 * (joins[1] + end)] if other else [])]
    assert [loss.hessian(x) for x in middle] == pytest.approx([h, -hs, other][:len(middle)], rel=1e-12)
    assert (loss(0.0), loss.gradient(0.0), loss.hessian(-1.0)) == (0.0, 0.0, pytest.approx(h, rel=1e-14))
    assert (loss(saddle), loss.gradient(saddle)) == (pytest.approx(barrier, rel=1e-12), pytest.approx(0.0, abs=1e-12 * hs * saddle))
    if other:
        assert (loss(end), loss.gradient(end)) == (pytest.approx(0.0, abs=1e-12 * barrier), pytest.approx(0.0, abs=1e-10 * other * end))


@checked(40)
@given(curvatures, st.floats(0.05, 10), st.floats(-2, 5))
def test_the_mirrored_parabola_is_the_piecewise_one_with_equal_curvatures(h, barrier, x):
    mirrored, piecewise = ls.landscapes.mirrored_parabola(h, barrier), ls.landscapes.piecewise_quadratic(h, h, barrier)
    m = math.sqrt(barrier / h)
    value = h * (x * m)**2 / 2 if x < 1 else barrier - h * (x * m - 2 * m)**2 / 2
    assert mirrored(x * m) == pytest.approx(value, rel=1e-9, abs=1e-9 * barrier)
    assert mirrored(x * m) == pytest.approx(piecewise(x * m), rel=1e-9, abs=1e-9 * barrier)
    assert mirrored.gradient(x * m) == pytest.approx(piecewise.gradient(x * m), rel=1e-7, abs=1e-9 * h * m)


def test_the_critical_points_of_the_piecewise_ones():
    loss = ls.landscapes.piecewise_quadratic(5.0, 1.0, 1.0, 1.0)
    assert [(p.kind, p.value, p.hessian) for p in loss.critical_points()] == [
        ("minimum", 0.0, 5.0), ("minimum", pytest.approx(0.0, abs=1e-15), 1.0), ("saddle", pytest.approx(1.0, rel=1e-14), -1.0)]
    assert [p.x for p in loss.critical_points()] == pytest.approx([0.0, math.sqrt(2.4) + 2.0, math.sqrt(2.4)], rel=1e-12)
    assert [(p.x, p.index) for p in ls.landscapes.mirrored_parabola(4.0, 1.0).critical_points()] == [(0.0, 0),
                                                                                                     (pytest.approx(1.0, rel=1e-12), 1)]


# -------------------------------------------------------------------------------------------------------------- the others

def test_tilted_cosine_has_minima_while_the_tilt_is_below_the_height():
    loss = ls.landscapes.tilted_cosine(0.5, 2.0)
    minima = [p for p in loss.critical_points((-4, 10)) if p.index == 0]
    assert sorted(p.x for p in minima) == pytest.approx([math.asin(0.25), math.asin(0.25) + 2 * math.pi], abs=1e-12)
    assert minima[0].hessian == pytest.approx(2 * math.cos(math.asin(0.25)), rel=1e-12)
    assert ls.landscapes.tilted_cosine(1.5, 1.0).critical_points() == []
    assert ls.landscapes.tilted_cosine(-0.5).gradient(0.0) == 0.5


def test_three_hole_has_the_published_form_and_points():
    """Deep wells near (±1, 0), a shallow one near (0, 1.5), saddles near (±0.6, 1.1) and (0, −0.4), a maximum at (0, 0.5)."""
    loss = ls.landscapes.three_hole()
    x, y = np.random.default_rng(1).uniform(-2, 2, (2, 50))
    v = 3 * np.exp(-x**2 - (y - 1 / 3)**2) - 3 * np.exp(-x**2 - (y - 5 / 3)**2) + 0.2 * x**4 + 0.2 * (y - 1 / 3)**4
    v -= 5 * np.exp(-(x - 1)**2 - y**2) + 5 * np.exp(-(x + 1)**2 - y**2)
    assert np.allclose(loss(np.stack([x, y], -1)), v, rtol=1e-13, atol=1e-13)
    points = loss.critical_points([(-2, 2), (-1.5, 2.5)])
    published = {0: [(-1.0, 0.0), (1.0, 0.0), (0.0, 1.5)], 1: [(-0.6, 1.1), (0.6, 1.1), (0.0, -0.4)], 2: [(0.0, 0.5)]}
    assert {k: len([p for p in points if p.index == k]) for k in published} == {0: 3, 1: 3, 2: 1}
    for index, places in published.items():
        for place in places:
            assert min(np.abs(p.x - place).max() for p in points if p.index == index) < 0.11


def test_mueller_brown_has_the_minima_and_saddles_of_the_literature():
    points = ls.landscapes.mueller_brown().critical_points([(-1.5, 1.2), (-0.2, 2.0)])
    published = [(-0.558224, 1.441726, -146.699517), (0.623499, 0.028038, -108.166724), (-0.050011, 0.466694, -80.767818),
                 (-0.822001, 0.624313, -40.664844), (0.212487, 0.292988, -72.248940)]
    assert [p.index for p in points] == [0, 0, 0, 1, 1]
    for x, y, v in published:
        nearest = min(points, key=lambda p, place=(x, y): np.abs(p.x - place).max())
        assert [*nearest.x, nearest.value] == pytest.approx([x, y, v], abs=2e-6)


@pytest.mark.parametrize(("make", "words"), [
    (lambda: ls.landscapes.quadratic(0.0), "`curvature` is 0, but must be positive"),
    (lambda: ls.landscapes.double_well(-1.0), "`barrier` is -1, but must be positive"),
    (lambda: ls.landscapes.piecewise_quadratic(saddle_curvature=-1.0), "`saddle_curvature` is -1, but must be positive"),
    (lambda: ls.landscapes.piecewise_quadratic(other_curvature=0.0), "`other_curvature` is 0, but must be positive"),
    (lambda: ls.landscapes.mirrored_parabola(math.inf), "`curvature` is inf, but must be a finite number"),
    (lambda: ls.landscapes.tilted_cosine(0.5, 0.0), "`height` is 0, but must be positive"),
])
def test_curvatures_and_barriers_are_positive(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_parameters_can_be_changed_afterwards():
    loss = ls.landscapes.piecewise_quadratic(1.0, 1.0, 1.0).replace(barrier=4.0, curvature=2.0)
    fresh = ls.landscapes.piecewise_quadratic(2.0, 1.0, 4.0)
    x = np.linspace(-1, 6, 29)
    assert np.array_equal(loss(x), fresh(x))
