"""The quasi-potential as a field: exact fields, paths of least action, what does not change it, and what is not known."""
import dataclasses
import math
import pickle

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

import langevin_sgd as ls
from langevin_sgd.theory.weak_noise import quasipotential_field, swept_grid
from langevin_sgd.theory.weak_noise.curved_update import cost, momentum
from langevin_sgd.theory.weak_noise.equation import WeakNoise
from langevin_sgd.theory.weak_noise.near_attractor import near_attractor
from tests import oracles
from tests.cases import each
from tests.theory.weak_noise.known_quasipotentials import CIRCLING, START, TURNING, VALLEY, X, Y, solved_backwards

MAIER_STEIN = oracles.select("quasipotential", dim=2)
START_MS, BOX = [-1.0, 0.0], [(-1.6, 0.4), (-0.8, 0.8)]

# Not polynomials: the series around the attractor holds in a part of the grid only, and the sweep has to do the rest.
BOWL = X**2 + Y**2 + X**3 / 6 + X * Y / 2 + (1 - sympy.cos(4 * X)) / 10 + Y**4 / 4
ROUND = 1 + (X**2 + Y**2) / 3
FLAT, HALF = sympy.eye(2), sympy.Rational(1, 2)


def turning(rate):
    return [[0, rate], [-rate, 0]]


def deviations(field, u) -> np.ndarray:
    """The error at all nodes that are known."""
    x = field.grid.points.T
    known = np.isfinite(field.values).ravel()
    return np.abs(field.values.ravel() - u(x) + u(field.attractor))[known]


# ------------------------------------------------------------------------------------------------------ exact fields

FIELDS = [
    ("a gradient with unit noise", BOWL, FLAT, turning(0), 2.5e-7, 1.5e-5),
    ("a gradient, and noise with two strengths", BOWL, sympy.diag(1, 3), turning(0), 3.5e-7, 2e-5),
    ("turning as fast as it relaxes", BOWL, FLAT, turning(HALF), 5e-7, 1.5e-4),
    ("turning ten times as fast", BOWL, FLAT, turning(5), 3e-4, 5e-2),
    ("noise that grows outwards", BOWL, ROUND * FLAT, turning(0), 5e-7, 2e-5),
    ("a full covariance that turns with the state, and circulation that does too", BOWL, TURNING, [[0, 1 + X], [-1 - X, 0]], 5e-6, 1.5e-3),
]


@pytest.mark.parametrize(("potential", "covariance", "rotation", "bound", "of_slope"), [f[1:] for f in FIELDS], ids=[f[0] for f in FIELDS])
def test_fields_that_are_known(potential, covariance, rotation, bound, of_slope):
    sde, u = solved_backwards(potential, covariance, rotation)
    field = ls.quasipotential_field(sde, [0.0, 0.0], ls.Grid([(-1.0, 1.1), (-1.0, 0.9)], (100, 80)))
    found, known = deviations(field, u), np.isfinite(field.values)
    assert known.mean() > 0.4
    assert found.max() < bound
    assert (found <= 1.3 * field.error[known] + 1e-12).all()        # and it is not above the one that is claimed
    slope = sympy.lambdify([(X, Y)], [sympy.diff(potential, v) for v in (X, Y)])
    exact = np.stack(np.broadcast_arrays(*slope(field.grid.points.T)), axis=-1).reshape(*field.grid.shape, 2)
    assert np.nanmax(np.abs(field.gradient - exact)) < of_slope
    states = np.random.default_rng(1).uniform(-0.3, 0.3, (20, 2))
    assert np.abs(field.values_at(states) - u(states.T) + u([0.0, 0.0])).max() < bound


def test_a_gradient_is_twice_the_landscape_in_the_convention_of_the_library():
    loss = ls.Landscape("(x**2 - 1)**2/4 + (y - x**2 + 1)**2")
    field = ls.quasipotential_field(ls.langevin(loss, 0.1), [-1.0, 0.0], ls.Grid([(-2.0, 2.0), (-2.0, 1.4)], (100, 84)))
    states = np.array([[-1.1, 0.3], [-0.5, -0.4], [-0.9, 0.1]])
    assert np.abs(field.values_at(states) - 2 * loss(states)).max() < 1e-4
    assert field.at([0.0, -1.0]).value == pytest.approx(2 * loss([0.0, -1.0]), abs=1e-4)
    for wrong in (1, 4):                                        # control: the factors of other conventions
        assert np.abs(field.values_at(states) - wrong * loss(states)).min() > 0.01


def short_series(noise, a, bounds, error):
    """The series, in a tenth of its level only."""
    near = near_attractor(noise, a, bounds, error)
    return dataclasses.replace(near, level=near.level / 10)


@pytest.mark.parametrize("turn", [0.0, 3.0])
def test_a_linear_system_that_is_not_normal(monkeypatch, turn):
    """U = δᵀ Σ⁻¹ δ / 2; the series is exact there, so that it is cut short to see the sweep."""
    f, d = np.array([[-1.0, 0.7 + turn], [-turn, -2.0]]), np.array([[0.5, 0.2], [0.2, 0.4]])
    sigma = np.linalg.solve(np.kron(f, np.eye(2)) + np.kron(np.eye(2), f), -2 * d.ravel()).reshape(2, 2)
    monkeypatch.setattr(swept_grid, "near_attractor", short_series)
    field = ls.quasipotential_field(ls.linear(f, d), [0.0, 0.0], ls.Grid([(-1.0, 1.0), (-1.0, 1.0)], 80))
    found = deviations(field, lambda x: np.einsum("in,ij,jn->n", x.reshape(2, -1), np.linalg.inv(sigma), x.reshape(2, -1)) / 2)
    assert found.max() < (1e-6 if turn == 0 else 3e-5)
    normal, offset = np.array([2.0, 1.0]), 0.6
    point, u = field.lowest_on_boundary(ls.HalfSpace(normal, offset))
    assert u.value == pytest.approx(offset**2 / (2 * normal @ sigma @ normal), abs=(u.high - u.low))
    assert np.allclose(point, offset * sigma @ normal / (normal @ sigma @ normal), atol=1e-3)


def test_the_error_falls_like_the_third_power_of_a_cell():
    sde, u = solved_backwards(BOWL, FLAT, turning(3))
    grids = [ls.Grid([(-1.0, 1.1), (-1.0, 0.9)], n) for n in (40, 80, 160)]
    fields = [ls.quasipotential_field(sde, [0.0, 0.0], grid) for grid in grids]
    coarse, middle, fine = (deviations(field, u).mean() for field in fields)
    assert coarse / middle > 5.5 and middle / fine > 5.5            # 8 for the third order, 4 for the second
    claimed = [np.nanmean(field.error) for field in fields]
    assert claimed[1] / claimed[2] > 5.5


def test_a_stronger_noise_lowers_it_in_proportion():
    sde, _ = solved_backwards(BOWL, TURNING, turning(1))
    double = sde.replace(noise=ls.noise.Expression([[str(2 * e) for e in row] for row in TURNING]))
    one, other = (ls.quasipotential_field(s, [0.0, 0.0], ls.Grid([(-1, 1), (-1, 1)], 40)) for s in (sde, double))
    assert np.allclose(one.values, 2 * other.values, rtol=1e-6, equal_nan=True)


# --------------------------------------------------------------------------------------------- paths of least action

@pytest.mark.parametrize("entry", each(2, MAIER_STEIN), ids=oracles.ids(MAIER_STEIN))
def test_maier_stein(entry):
    sde = ls.systems.maier_stein(entry["parameters"]["beta"])
    field = ls.quasipotential_field(sde, START_MS, ls.Grid(BOX, (100, 80)))
    at_saddle = field.at([0.0, 0.0])
    assert at_saddle.value == pytest.approx(entry["value"], abs=2e-5)
    assert at_saddle.low <= entry["value"] + 1e-6 and at_saddle.high >= entry["value"] - 1e-6
    few = ls.quasipotential_field(sde, START_MS, ls.Grid(BOX, 48)).at([0.0, 0.0])      # behind the saddle such cells are too large
    assert abs(few.value - entry["value"]) < min(1e-4, few.high - few.low + 1e-6)        # at a saddle twice the error that is claimed
    point, lowest = field.lowest_on_boundary(ls.HalfSpace([1.0, 0.0], 0.0))
    assert np.allclose(point, [0.0, 0.0], atol=2e-3) and lowest.value == pytest.approx(entry["value"], abs=2e-5)


@pytest.mark.parametrize("beta", each(2, [2.0, 10.0]))
def test_field_and_paths_agree(beta):
    """Also on the axis, where for beta > 4 paths from both sides meet and ∇U jumps."""
    sde = ls.systems.maier_stein(beta)
    field = ls.quasipotential_field(sde, START_MS, ls.Grid(BOX, (100, 80)))
    for x in ([-0.4, 0.0], [-0.2, 0.1]):
        path = ls.quasipotential(sde, START_MS, x)
        assert field.at(x).value == pytest.approx(path.value, abs=2e-6)
        assert field.at(x).low - 1e-9 <= path.value <= field.at(x).high + 1e-9
    on_axis = ls.quasipotential(sde, START_MS, [-0.5, 0.0]).value
    for cells in (60, 80):
        assert ls.quasipotential_field(sde, START_MS, ls.Grid(BOX, cells)).at([-0.5, 0.0]).value == pytest.approx(on_axis, abs=3e-6)
    path = ls.minimum_action_path(sde, START_MS, [0.0, 0.0])
    along = field.values_at(path.path)
    assert np.abs(along - path.work).max() < 2e-5


@pytest.mark.slow
def test_above_the_saddle_paths_may_come_round_by_the_other_well():
    """There U is above the smooth potential that the equation was made from; the field knows, without being told."""
    sde, u = solved_backwards(VALLEY, FLAT, turning(HALF))
    field = ls.quasipotential_field(sde, START, ls.Grid([(-1.8, 1.8), (-0.8, 1.8)], (120, 80)))
    low = field.grid.points[(field.values < 0.49).ravel()]
    assert np.abs(field.values_at(low) - u(low.T)).max() < 1e-5
    x = [0.2, -0.5]
    path = ls.quasipotential(sde, START, x).value
    assert path > 1.2 * u(x)
    assert field.at(x).low <= path <= field.at(x).high


@pytest.mark.slow
def test_an_attractor_much_narrower_than_a_cell_is_looked_at_closer():
    """The series of beta = 10 holds in a disc of two cells here: smaller boxes go before, for the second grid of larger cells too."""
    sde = ls.systems.maier_stein(10.0)
    field = ls.quasipotential_field(sde, START_MS, ls.Grid([(-2.0, 2.0), (-1.0, 1.0)], (100, 48)))
    assert isinstance(field._fine.origin, swept_grid.SweptGrid)
    found = field.at([-0.5, 0.2])
    assert found.value == pytest.approx(ls.quasipotential(sde, START_MS, [-0.5, 0.2]).value, abs=1e-5)
    assert np.nanmax(field.error) < 2e-3


# ------------------------------------------------------------------------------------------------- what does not matter

def test_neither_convention_nor_strength_matter():
    sde, _ = solved_backwards(BOWL, TURNING, turning(1))
    grid = ls.Grid([(-1, 1), (-1, 1)], 32)
    field = ls.quasipotential_field(sde, [0.0, 0.0], grid)
    other = sde.replace(interpretation="klimontovich")
    for same in (other.in_interpretation("ito"), sde.replace(strength=3.0)):
        assert np.array_equal(ls.quasipotential_field(same, [0.0, 0.0], grid).values, field.values, equal_nan=True)
    assert "Klimontovich, the same in every convention" in repr(ls.quasipotential_field(other, [0.0, 0.0], grid))


HUNDREDTHS = st.integers(-300, 300).map(lambda k: k / 100)


@settings(max_examples=3, deadline=None)
@given(st.tuples(HUNDREDTHS, HUNDREDTHS), st.tuples(*[st.integers(30, 300).map(lambda k: k / 100)] * 2), st.booleans())
@pytest.mark.slow
def test_moving_stretching_and_exchanging_the_axes_changes_nothing(shift, stretch, exchange):
    """New coordinates X = s x + shift: cells keep their numbers, so that even the rounding nearly does."""
    sde, _ = solved_backwards(BOWL, TURNING, turning(1))
    bounds = np.array([(-1.0, 1.1), (-1.0, 0.9)])
    plain = ls.quasipotential_field(sde, [0.0, 0.0], ls.Grid(bounds, 32)).values
    order = [1, 0] if exchange else [0, 1]
    (s0, s1), (t0, t1) = stretch, shift
    old = {X: (sympy.Symbol("u") - t0) / s0, Y: (sympy.Symbol("v") - t1) / s1}
    slope = sympy.Matrix([BOWL]).jacobian([X, Y]).T
    f = -sympy.Matrix(TURNING) * slope / 2 + sympy.Matrix(turning(1)) * slope
    f = sympy.diag(s0, s1) * f.subs(old, simultaneous=True)
    c = (sympy.diag(s0, s1) * sympy.Matrix(TURNING) * sympy.diag(s0, s1)).subs(old, simultaneous=True)
    names = [("u", "v")[k] for k in order]
    moved = ls.SDE([str(f[k]) for k in order], ls.noise.Expression([[str(c[j, k]) for k in order] for j in order]), variables=names)
    edges = bounds * np.array(stretch)[:, None] + np.array(shift)[:, None]
    found = ls.quasipotential_field(moved, np.array(shift)[order], ls.Grid(edges[order], 32)).values
    found = found.T if exchange else found
    both = np.isfinite(found) & np.isfinite(plain)
    assert (both == np.isfinite(plain)).mean() > 0.99               # the last node below the wall may go either way
    assert np.allclose(found[both], plain[both], atol=1e-5)


@pytest.mark.slow
def test_functions_and_expressions_give_the_same():
    def drift(x):
        return x[0] - x[0]**3 - 5 * x[0] * x[1]**2, -(1 + x[0]**2) * x[1]

    def root(x):
        return ((1 + x[0]**2)**0.5, 0.0), (0.0, 1.0)

    by_text = ls.SDE(["x - x**3 - 5*x*y**2", "-(1 + x**2)*y"], ls.noise.Expression(["1 + x**2", 1]), 0.1)
    by_function = ls.SDE(drift, ls.noise.from_functions(root, dim=2), 0.1, dim=2)
    grid = ls.Grid(BOX, 40)
    one, other = (ls.quasipotential_field(s, START_MS, grid).values for s in (by_text, by_function))
    assert np.allclose(one, other, atol=1e-9, equal_nan=True)


def test_a_field_can_be_sent_to_another_process():
    field = ls.quasipotential_field(ls.systems.maier_stein(2.0), START_MS, ls.Grid(BOX, 32))
    sent = pickle.loads(pickle.dumps(field))
    assert sent.at([-0.5, 0.2]) == field.at([-0.5, 0.2])


# --------------------------------------------------------------------------------------------------------- the parts

def test_the_series_solves_the_equation():
    sde, u = solved_backwards(VALLEY, TURNING, CIRCLING)
    start, box = np.array(START), np.array([(-1.6, -0.4), (0.0, 1.0)])
    near = near_attractor(WeakNoise(sde), start, box, 1e-9)
    x = np.random.default_rng(2).uniform([-1.2, 0.3], [-0.8, 0.7], (50, 2))
    value, slope, holds = near.known(x)
    assert near.residual < 1e-10 and holds.sum() > 20
    assert np.abs(value - u(x.T))[holds].max() < 1e-12
    k = 1e-6 * np.eye(2)
    differences = np.stack([near.known(x + d)[0] - near.known(x - d)[0] for d in k], axis=-1) / 2e-6
    assert np.abs(slope - differences).max() < 1e-8
    other = near_attractor(WeakNoise(sde.replace(noise=ls.noise.Constant(1.0))), start, box, 1e-9)
    assert np.abs(other.known(x)[0] - u(x.T))[holds].max() > 1e-3           # control: the same drift under another noise


def test_the_action_of_the_sweep_is_that_of_the_paths():
    """And the momentum at its end solves the Hamilton–Jacobi equation."""
    rng = np.random.default_rng(4)
    sde, _ = solved_backwards(VALLEY, TURNING, CIRCLING)
    noise, x, v = WeakNoise(sde), *rng.normal(size=(2, 30, 2))
    f, c = noise.drift(x), noise.covariance(x)
    metric = np.linalg.inv(c)
    for k, expected in enumerate(noise.lagrangian(x, v)):
        here = (*f[k], metric[k, 0, 0], metric[k, 0, 1], metric[k, 1, 1])
        assert cost(tuple(v[k]), here) == pytest.approx(expected, rel=1e-9)
        p = np.array(momentum(tuple(v[k]), here))
        assert p @ c[k] @ p / 2 + f[k] @ p == pytest.approx(0.0, abs=1e-9 * (f[k] @ metric[k] @ f[k]))


# --------------------------------------------------------------------------------------------------- what is not known

def test_beyond_an_unstable_cycle_nothing_is_claimed():
    """Subcritical Hopf: U = r² − r⁴/2 up to the cycle r = 1, beyond which the drift leads away."""
    sde = ls.SDE(["-x - y + x*(x**2 + y**2)", "x - y + y*(x**2 + y**2)"], ls.noise.Constant(1.0), 0.1)
    field = ls.quasipotential_field(sde, [0.0, 0.0], ls.Grid([(-1.2, 1.2), (-1.2, 1.2)], 40))
    r2 = (field.grid.points**2).sum(-1).reshape(40, 40)
    known = np.isfinite(field.values)
    assert not known[r2 > 1].any() and known[r2 < 0.9].all()
    assert (np.abs(field.values - (r2 - r2**2 / 2)) <= field.error)[known & (r2 > 0.5)].all()
    assert np.nanmax(field.error) < 5e-3
    with pytest.raises(ValueError, match="does not lead to the attractor"):
        field.at([1.1, 0.0])


def test_beyond_the_wall_nothing_is_claimed():
    """The grid is cut near the attractor on one side: what is above the level there could be reached around the wall."""
    sde, u = solved_backwards(BOWL, FLAT, turning(HALF))
    field = ls.quasipotential_field(sde, [0.0, 0.0], ls.Grid([(-0.3, 1.1), (-1.0, 0.9)], 40))
    exact = u(field.grid.points.T).reshape(40, 40)
    known = np.isfinite(field.values)
    edge = exact[0].min()
    assert field.wall_level == pytest.approx(edge, rel=1e-3)
    assert not known[exact > 1.01 * edge].any() and known[exact < 0.99 * edge].all()
    with pytest.raises(ValueError, match="paths that leave the grid may cost less"):
        field.at([0.3, 0.0])
    with pytest.raises(ValueError, match="or which the sweep did not reach"):
        field.at([0.9, 0.0])
    assert np.isnan(field.values_at([[0.9, 0.0], [-0.5, 0.0]])).all()
    with pytest.raises(ValueError, match="nowhere in the basin on the grid is it reached below"):
        field.lowest_on_boundary(ls.Ball([0.0, 0.0], 0.8))
    with pytest.raises(ValueError, match="must have the attractor"):
        field.lowest_on_boundary(ls.Ball([1.0, 0.0], 0.5))
    with pytest.raises(ValueError, match="`region` is 3, but must be a region"):
        field.lowest_on_boundary(3)
    with pytest.raises(ValueError, match="but the grid covers"):
        field.at([2.0, 0.0])


def test_a_region_that_is_left_more_cheaply_by_the_saddle_is_refused():
    field = ls.quasipotential_field(ls.systems.maier_stein(2.0), START_MS, ls.Grid([(-1.8, 1.8), (-0.9, 0.9)], (72, 40)))
    with pytest.raises(ValueError, match=r"a path leaves the basin for 0\.5"):
        field.lowest_on_boundary(ls.Box([-1.75, -0.8], [1.75, 0.8]))


def test_a_field_that_is_not_resolved_says_so():
    """A bent valley whose walls are three cells apart."""
    sde, u = solved_backwards(X**2 + 20 * (Y - sympy.sin(X)**2 / 2)**2, FLAT, turning(1))
    field = ls.quasipotential_field(sde, [0.0, 0.0], ls.Grid([(-1.0, 1.0), (-0.5, 1.0)], 40))
    found, known = deviations(field, u), np.isfinite(field.values)
    assert (found <= field.error[known] + 1e-9).mean() > 0.99
    assert found.max() > 1e-3 and np.nanmax(field.error) > 1e-2


GRID = ls.Grid(BOX, 16)
MS = ls.systems.maier_stein(2.0)
REFUSED = [
    (lambda: ls.quasipotential_field(MS, [-0.9, 0.0], GRID), "`start` is .* but must be an attractor: the drift there"),
    (lambda: ls.quasipotential_field(MS, [0.0, 0.0], GRID), "`start` is .* must be an attractor: .* eigenvalue with the real part 1"),
    (lambda: ls.quasipotential_field(MS, [1.0, 0.0], GRID), r"`start` is \[1.0, 0.0\], but must be inside the grid, which covers"),
    (lambda: ls.quasipotential_field(MS, [-1.0], GRID), "`start` has shape"),
    (lambda: ls.quasipotential_field(MS, [-1.0, math.nan], GRID), "`start` holds nan"),
    (lambda: ls.quasipotential_field("x", START_MS, GRID), "`sde` is 'x'"),
    (lambda: ls.quasipotential_field(MS, START_MS, 100), "`grid` is 100, but must be a grid"),
    (lambda: ls.quasipotential_field(ls.SDE(["-x + sin(t)", "-y"], ls.noise.Constant(1.0)), [0, 0], GRID), "depends on the time"),
    (lambda: ls.quasipotential_field(ls.SDE("-x", ls.noise.Constant(1.0)), 0.0, ls.Grid((-1, 1), 16)), "the field is for two"),
    (lambda: ls.quasipotential_field(MS, START_MS, ls.Grid([(-1, 1)] * 3, 16)), "`grid` has 3 axes and the equation 2 components"),
    (lambda: ls.quasipotential_field(MS, START_MS, ls.Grid.from_edges(np.linspace(-2, 0, 17), np.sinh(np.linspace(-1, 1, 17)))),
     "cells of one shape"),
    (lambda: ls.quasipotential_field(ls.linear(-np.eye(2), np.diag([1.0, 0.0])), [0, 0], ls.Grid([(-1, 1)] * 2, 16)), "C is singular"),
    (lambda: ls.quasipotential_field(ls.SDE(["-x", "-y"], ls.noise.Expression(["1 - x", 1])), [0, 0], ls.Grid([(-1, 2)] * 2, 16)),
     "`grid` holds the state .* C is singular there"),
    (lambda: ls.quasipotential_field(ls.SDE(["-x*log(1.5 - x)", "-y"], ls.noise.Constant(1.0)), [0, 0], ls.Grid([(-1, 2.2)] * 2, 16)),
     "drift or noise are not finite there"),
    (lambda: ls.quasipotential_field(ls.SDE(["where(x < 0, -x, -4*x)", "-y"], ls.noise.Constant(1.0)), [0, 0], ls.Grid([(-1, 1)]*2, 16)),
     "drift or noise are not smooth at the attractor"),
]


@pytest.mark.parametrize(("call", "words"), REFUSED)
def test_what_has_no_field_is_refused_in_a_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_the_field_says_what_it_is():
    text = repr(ls.quasipotential_field(MS, START_MS, GRID))
    assert text.startswith("QuasipotentialField(of the attractor [-1.0, 0.0] on Grid(16 × 16 cells") and "halving their number" in text
    assert quasipotential_field.METHOD in str(ls.quasipotential_field(MS, START_MS, GRID).at([-0.9, 0.1]))
