"""Paths of least action against reference numbers, exact quasi-potentials, quadrature, Lyapunov's equation, and one another."""
import dataclasses
import math

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

import langevin_sgd as ls
from langevin_sgd.theory.weak_noise.equation import WeakNoise
from langevin_sgd.theory.weak_noise.relaxed_path import chain_action, relaxed
from langevin_sgd.theory.weak_noise.ritz_path import first_path, refined
from tests import oracles
from tests.cases import each
from tests.theory.weak_noise.known_quasipotentials import CIRCLING, SADDLE, START, TURNING, VALLEY, X, Y, Z, solved_backwards

MAIER_STEIN = oracles.select("quasipotential", dim=2)

# ------------------------------------------------------------------------------------------------ reference numbers

@pytest.mark.parametrize("entry", MAIER_STEIN, ids=oracles.ids(MAIER_STEIN))
def test_maier_stein(entry):
    p = entry["parameters"]
    found = ls.minimum_action_path(ls.systems.maier_stein(p["beta"]), p["start"], p["end"])
    assert found.action == pytest.approx(entry["value"], abs=6e-8)
    assert found.chain_action == pytest.approx(entry["value"], abs=6e-8)
    assert found.error < 1e-8
    leaves = np.abs(found.path[:, 1]).max()
    assert (leaves > 0.1) == (p["beta"] > 4)


def test_the_linear_reference_numbers():
    """εφ = U with ε = 1: φ = xᵀ U x / 2 of the decomposition, for drift F x and noise sqrt(2 D)."""
    for prefix in {e["id"].rsplit("-", 1)[0] for e in oracles.ORACLES if e["quantity"] == "U[0,0]"}:
        entries = {e["quantity"]: e for e in oracles.ORACLES if e["id"].startswith(prefix) and e["quantity"].startswith("U[")}
        p = entries["U[0,0]"]["parameters"]
        sde = ls.linear(p["F"], p["D"])
        expected = [entries["U[0,0]"]["value"] / 2, entries["U[1,1]"]["value"] / 2,
                    (entries["U[0,0]"]["value"] + entries["U[1,1]"]["value"]) / 2 + entries["U[0,1]"]["value"]]
        ends = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
        assert np.allclose(ls.quasipotential(sde, [0.0, 0.0], ends), expected, rtol=1e-6)
        assert ls.minimum_action_path(sde, [0.0, 0.0], ends[0]).action == pytest.approx(expected[0], rel=1e-6)


# --------------------------------------------------------------------------------------------- exact quasi-potentials

@pytest.mark.parametrize("end", each(2, [SADDLE, [-0.6, 1.0], [-1.5, 0.2]]))
def test_no_gradient_and_a_covariance_that_turns_with_the_state(end):
    sde, u = solved_backwards(VALLEY, TURNING, CIRCLING)
    found = ls.minimum_action_path(sde, START, end)
    assert found.action == pytest.approx(u(end) - u(START), rel=1e-6)
    assert found.chain_action == pytest.approx(u(end) - u(START), rel=1e-5)
    along = np.array([u(x) for x in found.path]) - u(START)             # and U is spent all along the path, not only at its end
    assert np.abs(found.work - along).max() < 2e-3 * along[-1]


def test_three_dimensions():
    potential = (X**2 - 1)**2 / 4 + (Y - X)**2 + (Z + X * Y / 2)**2
    rotation = [[0, 1, 0.5], [-1, 0, -0.3], [-0.5, 0.3, 0]]
    sde, u = solved_backwards(potential, sympy.diag(1, 2, 0.5), rotation, (X, Y, Z))
    start, end = [-1.0, -1.0, -0.5], [0.0, 0.0, 0.0]
    found = ls.minimum_action_path(sde, start, end)
    assert found.action == pytest.approx(u(end) - u(start), rel=1e-6)
    assert found.path.shape == (len(found.work), 3)


@pytest.mark.parametrize("temperature", [0.1, 0.3])
def test_a_gradient_with_unit_noise_is_twice_the_height(temperature):
    loss = ls.Landscape("(x**2 - 1)**2/4 + (y - x**2 + 1)**2")
    sde = ls.langevin(loss, temperature)
    found = ls.minimum_action_path(sde, [-1.0, 0.0], [1.0, 0.0])
    assert found.action == pytest.approx(0.5, rel=1e-7)
    assert found.exponent == pytest.approx(0.25 / temperature, rel=1e-7)
    assert np.allclose(found.crossings, [[0.0, -1.0]], atol=1e-9)
    at = int(np.argmin(np.linalg.norm(found.path - found.crossings, axis=1)))
    assert np.allclose(found.work[at:], found.action, rtol=1e-6)           # downhill nothing is spent
    valley = found.path[:at]
    assert np.abs(valley[:, 1] - _steepest(loss, valley[:, 0])).max() < 1e-3


def _steepest(loss: ls.Landscape, x: np.ndarray) -> np.ndarray:
    """y on the path of steepest descent from the saddle (0, −1) towards (−1, 0), by SciPy."""
    from scipy.integrate import solve_ivp
    run = solve_ivp(lambda _, p: -loss.gradient(p), (0, 40), [-1e-7, -1.0], rtol=1e-11, atol=1e-13)
    return np.interp(-x, -run.y[0], run.y[1])


def test_a_focus_is_left_in_a_spiral():
    """Subcritical Hopf: f = −∇(r²/2 − r⁴/4) with rotation, which costs nothing; U = r² − r⁴/2 up to the unstable cycle r = 1."""
    sde = ls.SDE(["-x - y + x*(x**2 + y**2)", "x - y + y*(x**2 + y**2)"], ls.noise.Constant(1.0), 0.1)
    found = ls.minimum_action_path(sde, [0.0, 0.0], [0.9, 0.0])
    assert found.action == pytest.approx(0.81 - 0.81**2 / 2, rel=1e-7)
    r2 = (found.path**2).sum(-1)
    assert np.abs(found.work - (r2 - r2**2 / 2)).max() < 1e-5
    with pytest.raises(ValueError, match="leads from there to no fixed point"):
        ls.minimum_action_path(sde, [0.0, 0.0], [1.1, 0.0])


@pytest.mark.slow
def test_the_saddle_of_mueller_brown():
    loss = ls.landscapes.mueller_brown()
    first, _, middle, _, saddle = loss.critical_points([(-2, 1.5), (-0.5, 2.5)])
    found = ls.minimum_action_path(ls.langevin(loss, 10.0), first.x, middle.x)
    assert found.action == pytest.approx(2 * (saddle.value - first.value), rel=1e-6)
    assert np.allclose(found.crossings[0], saddle.x, atol=1e-6)


NOISES = [("x - x**3", "1 + x**2", -1.0, 0.0), ("x - x**3", "1 + x**2", -1.0, -2.5), ("-x", "1 + 0.5*sin(3*x)", 0.0, 2.0),
          ("where(x < 1, -x, x - 2)", "1 + 2*abs(x)", 0.0, 2.0)]


@pytest.mark.parametrize(("drift", "noise", "start", "end"), NOISES)
def test_in_one_dimension_it_is_the_integral_of_2_f_over_c(drift, noise, start, end):
    sde = ls.SDE(drift, ls.noise.Expression(noise), 0.1)
    found = ls.minimum_action_path(sde, start, end)
    c = ls.Landscape(noise)
    value, _ = quad(lambda x: -2 * sde.drift(x) / c(x), start, end, points=[1.0] if end == 2.0 else None, epsabs=1e-13)
    assert found.action == pytest.approx(value, rel=1e-9)
    assert found.chain_action == pytest.approx(value, rel=1e-6)
    assert found.path.ndim == 1
    assert ls.quasipotential(sde, start, end).value == found.action


def test_in_one_dimension_downhill_is_free_and_every_top_is_a_crossing():
    sde = ls.langevin(ls.Landscape("1 - cos(2*pi*x)"), 0.1)
    found = ls.minimum_action_path(sde, 0.0, 2.25)
    assert found.action == pytest.approx(2 * (2 + 2 + 1), rel=1e-9)
    assert np.allclose(found.crossings, [0.5, 1.5])
    back = ls.minimum_action_path(sde, 2.0, -0.25)
    assert back.action == pytest.approx(10, rel=1e-9)
    assert np.allclose(back.crossings, [1.5, 0.5])


@pytest.mark.parametrize(("shear", "turn"), [(2.0, 1.5), *(pytest.param(*case, marks=pytest.mark.slow) for case in (
    (0.0, 0.0), (0.0, 1.5), (2.0, 0.0), (-1.5, 0.0), (-1.5, 1.5)))])
def test_a_linear_system_that_is_not_normal(shear, turn):
    f, d = np.array([[-1.0, shear + turn], [-turn, -2.0]]), np.array([[0.5, 0.2], [0.2, 0.4]])
    sigma = np.linalg.solve(np.kron(f, np.eye(2)) + np.kron(np.eye(2), f), -2 * d.ravel()).reshape(2, 2)
    sde, end = ls.linear(f, d), np.array([1.0, 0.7])
    value = end @ np.linalg.solve(sigma, end) / 2
    assert ls.quasipotential(sde, [0.0, 0.0], end).value == pytest.approx(value, rel=1e-12)
    found = ls.minimum_action_path(sde, [0.0, 0.0], end)
    assert found.action == pytest.approx(value, rel=1e-6)
    assert found.chain_action == pytest.approx(value, rel=1e-3)


def test_noise_on_one_component_reaches_all_of_a_linear_system():
    """An oscillator with friction: U = 2 γ E, though C has no inverse and no path is drawn."""
    sde = ls.linear([[0.0, 1.0], [-4.0, -0.5]], np.diag([0.0, 1.0]))
    assert ls.quasipotential(sde, [0, 0], [1.0, 1.0]).value == pytest.approx(0.5 * (4 / 2 + 1 / 2), rel=1e-12)


# ------------------------------------------------------------------------------------------- what does not change it

@pytest.mark.slow
def test_the_convention_does_not_change_the_leading_order():
    """The drifts of the conventions differ by ε ∇·C / 2 and the like, which vanishes as ε → 0; nor does ε itself."""
    sde, u = solved_backwards(VALLEY, TURNING, CIRCLING)
    value = u(SADDLE) - u(START)
    other = sde.replace(interpretation="klimontovich")
    for same in (other, other.in_interpretation("ito"), sde.replace(interpretation="stratonovich"), sde.replace(strength=3.0)):
        assert ls.minimum_action_path(same, START, SADDLE).action == pytest.approx(value, rel=1e-6)
    assert "Klimontovich, the same in every convention" in repr(ls.minimum_action_path(other, START, SADDLE))


HUNDREDTHS = st.integers(-300, 300).map(lambda k: k / 100)


@settings(max_examples=3, deadline=None)
@given(HUNDREDTHS, st.tuples(HUNDREDTHS, HUNDREDTHS), st.integers(30, 300).map(lambda k: k / 100))
def test_moving_turning_and_stretching_the_coordinates_changes_nothing(angle, shift, stretch):
    c, s = math.cos(angle), math.sin(angle)
    a = np.array([[c, -s], [s, c]]) @ np.diag([1.0, stretch])           # new = a old + shift
    old = sympy.Matrix(np.linalg.inv(a)) * (sympy.Matrix([X, Y]) - sympy.Matrix(shift))
    f = sympy.Matrix(a) * sympy.Matrix([X - X**3 - 10 * X * Y**2, -(1 + X**2) * Y]).subs({X: old[0], Y: old[1]}, simultaneous=True)
    sde = ls.SDE([str(sympy.expand(e)) for e in f], ls.noise.Anisotropic(a @ a.T), 0.1)
    found = ls.minimum_action_path(sde, a @ [-1.0, 0.0] + shift, np.array(shift))
    assert found.action == pytest.approx(0.3400414, abs=3e-7)


def test_functions_and_expressions_give_the_same():
    def drift(x):
        return x[0] - x[0]**3 - 5 * x[0] * x[1]**2, -(1 + x[0]**2) * x[1]

    def root(x):
        return ((1 + x[0]**2)**0.5, 0.0), (0.0, 1.0)

    by_text = ls.SDE(["x - x**3 - 5*x*y**2", "-(1 + x**2)*y"], ls.noise.Expression(["1 + x**2", 1]), 0.1)
    by_function = ls.SDE(drift, ls.noise.from_functions(root, dim=2), 0.1, dim=2)
    one, other = (ls.minimum_action_path(s, [-1.0, 0.0], [0.0, 0.0]).action for s in (by_text, by_function))
    assert one == pytest.approx(other, rel=1e-9)
    line = ls.SDE("x - x**3", ls.noise.from_functions(lambda x: (1 + x * x)**0.5), 0.1)
    assert ls.minimum_action_path(line, -1.0, 0.0).action == pytest.approx(2 * math.log(2) - 1, rel=1e-9)


# ------------------------------------------------------------------------------------------------- the two methods

def test_the_derivatives_of_the_action_are_derivatives():
    sde, _ = solved_backwards(VALLEY, TURNING, CIRCLING)
    noise, rng, h = WeakNoise(sde), np.random.default_rng(3), 1e-5
    x, v = rng.normal(size=(2, 7, 2))
    value, by_v, by_x = noise.lagrangian_and_slopes(x, v)
    assert np.allclose(value, noise.lagrangian(x, v), rtol=1e-10)
    for k, axis in enumerate(np.eye(2)):
        for found, plus, minus in ((by_v, (x, v + h * axis), (x, v - h * axis)), (by_x, (x + h * axis, v), (x - h * axis, v))):
            difference = (noise.lagrangian(*plus) - noise.lagrangian(*minus)) / (2 * h)
            assert np.allclose(found[:, k], difference, rtol=1e-6, atol=1e-7)


def test_either_method_finds_the_path_alone():
    """The chain from a path that nobody refined, and the degree of Ritz's method rising by itself, come to the same path."""
    noise, start, end = WeakNoise(ls.systems.maier_stein(10.0)), np.array([-1.0, 0.0]), np.array([0.0, 0.0])
    s = np.linspace(0, 1, 21)
    chain = relaxed(noise, np.stack([s - 1, 0.2 * np.sin(np.pi * s)], axis=1))
    ritz = refined(noise, first_path(noise, start, end, at_rest=(True, True)))
    assert chain.action == pytest.approx(ritz.action, rel=1e-8)
    assert ritz.error < 1e-8
    path, _ = ritz.sampled(400, noise)
    mirrored = np.abs(path)
    nearest = np.linalg.norm(np.abs(chain.path)[:, None] - mirrored, axis=-1).min(axis=1)
    assert nearest.max() < 5e-3


# ------------------------------------------------------------------------------------------------- negative controls

def test_the_straight_line_costs_more():
    noise = WeakNoise(ls.systems.maier_stein(10.0))
    line = chain_action(noise, np.linspace([-1.0, 0.0], [0.0, 0.0], 2001))
    assert line == pytest.approx(0.5, rel=1e-5)
    assert line > 1.4 * ls.minimum_action_path(ls.systems.maier_stein(10.0), [-1.0, 0.0], [0.0, 0.0]).action


@pytest.mark.slow
def test_another_noise_is_seen():
    sde, u = solved_backwards(VALLEY, TURNING, CIRCLING)
    value = u(SADDLE) - u(START)
    doubled = [[str(2 * e) for e in row] for row in TURNING]
    swapped = [[str(TURNING[1][1]), str(TURNING[0][1])], [str(TURNING[1][0]), str(TURNING[0][0])]]
    wrong = [ls.minimum_action_path(sde.replace(noise=ls.noise.Expression(c)), START, SADDLE).action for c in (doubled, swapped)]
    assert wrong[0] == pytest.approx(value / 2, rel=0.35)
    assert all(abs(w / value - 1) > 0.05 for w in wrong)
    gradient = ls.langevin(ls.Landscape("(x**2 - 1)**2/4 + (y - x**2 + 1)**2"), 0.1).replace(noise=ls.noise.Constant(2.0))
    assert ls.minimum_action_path(gradient, [-1.0, 0.0], [0.0, -1.0]).action == pytest.approx(0.25, rel=1e-6)


def test_the_lower_of_two_saddles_is_taken():
    """Two ways around a hill, one tilted down: minima near (±1, 0), saddles on both sides."""
    loss = ls.Landscape("(x**2 + y**2 - 1)**2 + 0.3*y**2 + 0.1*y")
    points = loss.critical_points([(-2, 2), (-2, 2)])
    minima, saddles = ([p for p in points if p.index == k] for k in (0, 1))
    assert len(minima) == len(saddles) == 2
    low, high = sorted(saddles, key=lambda p: p.value)
    sde = ls.langevin(loss, 0.1)
    found = ls.minimum_action_path(sde, minima[0].x, minima[1].x)
    assert found.action == pytest.approx(2 * (low.value - minima[0].value), rel=1e-6)
    over = ls.minimum_action_path(sde, minima[0].x, high.x).action
    assert over == pytest.approx(2 * (high.value - minima[0].value), rel=1e-6)
    assert over > 1.2 * found.action


# -------------------------------------------------------------------------------------------- the quasi-potential

def test_the_quasipotential_says_how_it_was_found():
    loss = ls.Landscape("x**4/4 + x**2/2 + 2*y**2 + x*y")
    closed = ls.quasipotential(ls.langevin(loss, 0.1), [0, 0], [1.0, -0.5])
    assert closed.value == pytest.approx(2 * loss([1.0, -0.5]), rel=1e-12)
    assert "gradient" in closed.method and "U / ε = " in closed.verdict
    by_path = ls.quasipotential(ls.SDE(["-x**3 - x - y", "-4*y - x"], ls.noise.Constant(1.0), 0.2), [0, 0], [1.0, -0.5])
    assert by_path.method == "path of least action"
    assert by_path.low <= by_path.value <= by_path.high
    assert by_path.value == pytest.approx(closed.value, rel=1e-6)
    assert "Lyapunov" in ls.quasipotential(ls.linear(-np.eye(2), np.eye(2)), [0, 0], [1, 1]).method


def test_the_quasipotential_of_many_states():
    well = ls.langevin(ls.landscapes.double_well(), 0.1)
    x = np.array([[-1.0, -0.5], [0.0, 0.5]])
    assert np.allclose(ls.quasipotential(well, -1.0, x), [[0.0, 2 * 0.140625], [0.5, 0.5]], rtol=1e-9)
    plane = ls.linear(-np.eye(2), 0.5 * np.eye(2))
    xy = np.random.default_rng(1).normal(size=(2, 3, 2))
    assert np.allclose(ls.quasipotential(plane, [0, 0], xy), (xy**2).sum(-1), rtol=1e-12)


def test_a_gradient_with_noise_that_is_not_one_number_is_no_closed_case():
    sde = ls.sgd(ls.Landscape("x**4/4 + x**2 + y**2 + x*y"), ls.noise.Anisotropic([[1.0, 0.0], [0.0, 3.0]]), 0.1)
    found = ls.quasipotential(sde, [0, 0], [1.0, 0.5])
    assert found.method == "path of least action"
    assert abs(found.value / (2 * sde.landscape([1.0, 0.5])) - 1) > 0.05


def test_the_global_law_is_that_of_the_lower_attractor_only_in_its_own_basin():
    """In one dimension, U from −1 stays level behind the saddle, until it rises again from the bottom of the other well."""
    well = ls.langevin(ls.landscapes.double_well(), 0.1)
    assert ls.quasipotential(well, -1.0, 1.0).value == pytest.approx(0.5, rel=1e-9)
    assert ls.quasipotential(well, -1.0, 1.5).value == pytest.approx(0.5 + 2 * (1.5**2 - 1)**2 / 4, rel=1e-9)


# ------------------------------------------------------------------------------------------------------- refusals

MS = ls.systems.maier_stein(10.0)
REFUSED = [
    (lambda: ls.minimum_action_path(MS, [-0.9, 0.0], [0, 0]), "`start` is .* but must be an attractor: the drift there"),
    (lambda: ls.minimum_action_path(MS, [0.0, 0.0], [1, 0]), "`start` is .* but must be an attractor: .* eigenvalue with the real part 1"),
    (lambda: ls.minimum_action_path(ls.langevin(ls.Landscape("x**4/4"), 0.1), 0.0, 1.0), "real part -?0, which must be negative"),
    (lambda: ls.minimum_action_path(MS, [-1.0, 0.0], [0.5, 0.1]), r"`end` is \[0.5, 0.1\], .* it falls to \[1, 0\]"),
    (lambda: ls.minimum_action_path(MS, [-1.0], [0, 0]), "`start` has shape"),
    (lambda: ls.minimum_action_path(MS, [-1.0, 0.0], [0, math.nan]), "`end` holds nan"),
    (lambda: ls.minimum_action_path("x", -1.0, 0.0), "`sde` is 'x'"),
    (lambda: ls.minimum_action_path(ls.SDE("-x + sin(t)", ls.noise.Constant(1.0)), 0.0, 1.0), "depends on the time"),
    (lambda: ls.minimum_action_path(ls.systems.cox_ingersoll_ross(), 1.0, 0.0), "C is singular at 0 on the path"),
    (lambda: ls.minimum_action_path(ls.linear(-np.eye(2), np.diag([1.0, 0.0])), [0, 0], [1, 1]), "C is singular"),
    (lambda: ls.quasipotential(ls.linear(-np.eye(2), np.diag([1.0, 0.0])), [0, 0], [1, 1]), "does not reach all directions"),
    (lambda: ls.minimum_action_path(ls.SDE(["-x + x**3", "-y"], ls.noise.Constant(1.0)), [0, 0], [2.0, 0.0]), "leads .* to no fixed"),
    (lambda: ls.minimum_action_path(ls.langevin(ls.Landscape("(x**2 - 1)**2*(x - 3)**2 + y**2"), 0.1), [-1, 0], [3, 0]), "no saddle was"),
]


@pytest.mark.parametrize(("call", "words"), REFUSED)
def test_what_has_no_path_is_refused_in_a_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_methods_that_disagree_give_no_answer(monkeypatch):
    from langevin_sgd.theory.weak_noise import least_path
    monkeypatch.setattr(least_path, "relaxed", lambda noise, guess: dataclasses.replace(relaxed(noise, guess), action=0.35))
    with pytest.raises(ArithmeticError, match=r"did not converge: its action is 0.3400414 by Ritz's method, and 0.35 by"):
        ls.minimum_action_path(MS, [-1.0, 0.0], [0.0, 0.0])


def test_to_go_nowhere_costs_nothing():
    found = ls.minimum_action_path(MS, [-1.0, 0.0], [-1.0, 0.0])
    assert found.action == 0.0
    assert found.path.shape == (1, 2)


# ------------------------------------------------------------------------------------------------------- pictures

def test_a_picture_has_the_path_over_the_flow_and_the_work_beside():
    found = ls.minimum_action_path(MS, [-1.0, 0.0], [1.0, 0.0])
    plane, work = ls.plots.draw_action(found, title="Maier–Stein").axes
    assert any(np.array_equal(line.get_xydata(), found.path) for line in plane.lines)
    assert any(np.allclose(line.get_xydata(), found.crossings) for line in plane.lines)
    assert np.array_equal(work.lines[0].get_ydata(), found.work)
    assert np.all(np.diff(found.work) >= 0)
    alone = ls.plots.draw_action(ls.minimum_action_path(ls.langevin(ls.landscapes.double_well(), 0.1), -1.0, 1.0))
    assert len(alone.axes) == 1
    with pytest.raises(ValueError, match="only paths of two components"):
        ls.plots.draw_path(ls.minimum_action_path(ls.langevin(ls.landscapes.double_well(), 0.1), -1.0, 1.0))
