"""Strong orders of both schemes, on problems that can fail: the error against the exact solution on the same Wiener path.

The same key gives the same Wiener increments to another equation, so dX = dW run with the same key, dt and paths is W itself.  Each order
is a slope over five steps with 5000 paths, within 4 of its own standard errors (reported when it fails) and 0.08 for the next order in dt.
"""
from __future__ import annotations

import math

import numpy as np
import pytest

import langevin_sgd as ls
from langevin_sgd.core.noise_text import NoiseForm
from langevin_sgd.core.steps import StepModel
from tests.cases import each
from tests.core.kernel_runs import horizon
from tests.laws.standard_errors import Slope, slope
from tests.simulation import reference as ref

pytestmark = pytest.mark.law
N, END, KEY = 5000, 1.0, ls.Key(2718281828)
DTS = [2.0**-k for k in range(5, 10)]
Expression = ls.noise.Expression
EULER, MILSTEIN = ls.EulerMaruyama(), ls.Milstein()


def cubic_solution(w):
    e = 1.2 * np.exp(w)
    return (e - 0.8) / (e + 0.8)


# name: equation, start, exact solution at the end for W there
PROBLEMS = {
    "geometric": (ls.SDE("a*x", Expression("x**2"), 0.64, a=0.5), 1.0, lambda w: np.exp(0.5 - 0.32 + 0.8 * w)),
    "arctan": (ls.SDE("-p**2*sin(x)*cos(x)**3", Expression("cos(x)**4"), 1.0, p=1.0), 0.5, lambda w: np.arctan(w + math.tan(0.5))),
    "cubic": (ls.SDE("-x*(1 - x**2)/4", Expression("(1 - x**2)**2/4")), 0.2, cubic_solution),
    "arctan in Stratonovich": (ls.SDE("0", Expression("cos(x)**4"), 1.0, "stratonovich"), 0.5, lambda w: np.arctan(w + math.tan(0.5))),
    "three of them, diagonal": (ls.SDE(["x/2", "-sin(y)*cos(y)**3", "-z*(1 - z**2)/4"],
                                       Expression(["16/25*x**2", "cos(y)**4", "(1 - z**2)**2/4"])),
                                [1.0, 0.5, 0.2], lambda w: np.stack([np.exp(0.5 - 0.32 + 0.8 * w[:, 0]), np.arctan(w[:, 1] + math.tan(0.5)),
                                                                      cubic_solution(w[:, 2])], axis=1)),
}
CHANGING_WITH_TIME = (ls.SDE("b/sqrt(1 + t) - x/(2*(1 + t))", Expression("a**2*b**2/(1 + t)", a=0.7), b=1.5), 2.0,
                      lambda w: 2.0 / math.sqrt(2) + 1.5 * (1 + 0.7 * w) / math.sqrt(2))


def wiener(dim: int, dt: float, n_paths: int = N, *, every: bool = False) -> np.ndarray:
    """W at the end (or at every step) on the paths of the key."""
    sde = ls.SDE(["0"] * dim, ls.noise.Constant(1.0)) if dim > 1 else ls.SDE("0", ls.noise.Constant(1.0))
    times = np.arange(round(END / dt) + 1) * dt if every else [END]
    w = ls.simulate(sde, np.zeros(dim) if dim > 1 else 0.0, (0, END), dt, n_paths, times, rng=KEY).x
    return w if every else w[:, 0]


def strong_errors(solution, run, dts=DTS) -> Slope:
    """The slope of the root mean square error at the end."""
    errors, noise = [], []
    for dt in dts:
        square = (run(dt) - solution(dt)) ** 2
        square = square.sum(axis=1) if square.ndim > 1 else square
        rms = math.sqrt(square.mean())
        errors.append(rms)
        noise.append(square.std() / math.sqrt(len(square)) / (2 * rms))
    return slope(dts, errors, noise)


def order(problem, scheme) -> Slope:
    sde, x0, exact = problem
    return strong_errors(lambda dt: exact(wiener(sde.dim, dt)),
                         lambda dt: ls.simulate(sde, x0, (0, END), dt, N, [END], scheme, rng=KEY).x[:, 0])


@pytest.mark.parametrize("name", each(2, PROBLEMS))
@pytest.mark.parametrize("scheme", [EULER, MILSTEIN], ids=["Euler", "Milstein"])
def test_euler_has_order_one_half_and_milstein_order_one(name, scheme):
    found = order(PROBLEMS[name], scheme)
    assert found.is_about(scheme.strong_order), found
    other = 1.5 - scheme.strong_order                                       # the control: it is not the other's order
    assert not found.is_about(other), found


def test_for_additive_noise_euler_has_order_one_also_where_everything_changes_with_time():
    found = order(CHANGING_WITH_TIME, EULER)
    assert found.is_about(1.0), found


def test_a_clock_that_stands_still_would_be_seen():
    """The control of the test above: with the coefficients of the start at all times there is no convergence."""
    sde = ls.SDE("b - x/2", Expression("a**2*b**2", a=0.7), b=1.5)
    assert order((sde, *CHANGING_WITH_TIME[1:]), EULER).is_about(0.0)


def test_the_wrong_convention_does_not_converge():
    """The control of the arctan problem: its Stratonovich drift 0 read as an Itô drift."""
    sde = PROBLEMS["arctan in Stratonovich"][0].replace(interpretation="ito")
    assert order((sde, *PROBLEMS["arctan in Stratonovich"][1:]), MILSTEIN).is_about(0.0)


# ------------------------------------------------------------------------------------------------- noise that does not commute

FINER = 8           # steps of the reference within one step, on a refinement of the same Wiener path
FEW, LONGER = 2000, [2.0**-k for k in range(5, 9)]


def refined(w: np.ndarray, rng: np.random.Generator, h: float) -> np.ndarray:
    """Normals of steps h / FINER on a Wiener path that passes through w (path, step, component): bridges between its points."""
    z = rng.normal(size=(len(w), w.shape[1] - 1, FINER, w.shape[2]))
    z += (np.diff(w, axis=1) / math.sqrt(h))[:, :, None] / math.sqrt(FINER) - z.mean(axis=2, keepdims=True)
    return z.reshape(len(w), -1, w.shape[2])


def fine_solution(factor):
    """The end of dX = G dW from (½, ½), by a reference that shares nothing with the library but W at its steps."""
    def solution(dt):
        z, x = refined(wiener(2, dt, FEW, every=True), np.random.default_rng(1), dt), np.full((FEW, 2), 0.5)
        for k in range(z.shape[1]):
            x = ref.euler(x, lambda x, t: 0.0, factor, z[:, k:k + 1], dt / FINER)[:, -1]
        return x
    return solution


def isotropic(x, t):
    return np.sqrt(0.25 * (1 + (x**2).sum(axis=1)))[:, None, None] * np.eye(2)


def full(x, t, scale=1.0):
    c = np.empty((len(x), 2, 2))
    c[:, 0, 0], c[:, 1, 1] = 1 + x[:, 0] ** 2 / 2, 1 + x[:, 0] ** 2 / 4
    c[:, 0, 1] = c[:, 1, 0] = x[:, 1] / 4
    return math.sqrt(0.5 * scale) * ref.lower_root(c)


def still(x, t, p):
    return 0.0, 0.0


def grows(x, t, p):
    v = 1.0 + x[0] * x[0] + x[1] * x[1]
    return v, v


def slopes(x, t, p):
    return 2.0 * x[0], 2.0 * x[1]


def test_milstein_forced_onto_noise_that_does_not_commute_has_order_one_half():
    """Why the library refuses it: C = (1 + |x|²) I, with the step compiled past the refusal."""
    model = StepModel(2, 1, still, grows, NoiseForm.COMPONENTWISE, slopes)

    def run(dt):
        return horizon(model, np.full((FEW, 2), 0.5), dt, [round(END / dt)], KEY.words, (0.25,)).x[:, 0]
    found = strong_errors(fine_solution(isotropic), run, LONGER)
    assert found.is_about(0.5), found
    assert not found.is_about(1.0), found


def test_euler_converges_for_a_full_matrix_that_does_not_commute():
    """With the lower triangular factor that the step uses; and not against twice the noise."""
    sde = ls.SDE(["0", "0"], Expression([["1 + x**2/2", "y/4"], ["y/4", "1 + x**2/4"]]), 0.5)

    def run(dt):
        return ls.simulate(sde, [0.5, 0.5], (0, END), dt, FEW, [END], rng=KEY).x[:, 0]
    found = strong_errors(fine_solution(full), run, LONGER)
    assert found.is_about(0.5), found
    control = strong_errors(fine_solution(lambda x, t: full(x, t, 2.0)), run, LONGER)
    assert control.is_about(0.0), control
