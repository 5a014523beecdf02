"""Scores: what is compiled gives what the function or the table says."""
from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator

import langevin_sgd as ls
from langevin_sgd.core.scores import compile_score
from langevin_sgd.simulation.splitting_scores import score_of

C = ls.noise.Constant(1.0)
LINE, PLANE = ls.SDE("-a*x", C, a=2.0), ls.SDE(["-x", "-y"], C)
RIGHT, ABOVE = ls.Interval(low=1.0), ls.HalfSpace([0.0, -1.0], -1.0)
X = np.random.default_rng(2).uniform(-2, 2, (150, 1))
XY = np.random.default_rng(3).uniform(-2, 2, (150, 2))


def near(x):
    return -math.hypot(x[0] - 1.0, x[1])


def test_texts_landscapes_and_functions():
    np.testing.assert_allclose(score_of("a*x**3 + exp(x)", LINE, RIGHT).at(X), (2 * X**3 + np.exp(X))[:, 0], rtol=1e-9)
    np.testing.assert_allclose(score_of("x*y - 1", PLANE, ABOVE).at(XY), XY[:, 0] * XY[:, 1] - 1, rtol=1e-12)
    loss = ls.Landscape("h*x**2 + y", h=3.0)
    np.testing.assert_allclose(score_of(loss, PLANE, ABOVE).at(XY), loss(XY), rtol=1e-12)
    np.testing.assert_allclose(score_of(near, PLANE, ABOVE).at(XY), -np.hypot(XY[:, 0] - 1, XY[:, 1]), rtol=1e-12)
    np.testing.assert_allclose(score_of(lambda x: x * x, LINE, RIGHT).at(X), X[:, 0]**2, rtol=1e-12)


@pytest.mark.parametrize("target", [RIGHT, ~ls.Interval(-1.0, 3.0)])
def test_without_a_score_it_is_nearness_to_the_target(target):
    np.testing.assert_allclose(score_of(None, LINE, target).at(X), -(~target).level(X[:, 0]), atol=1e-14)


def test_nearness_in_the_plane_to_a_target_of_parts():
    target = ls.Ball([2.0, 0.0], 0.5) | (ls.HalfSpace([0.0, -1.0], -1.0) & ls.HalfSpace([1.0, 0.0], 0.0))
    np.testing.assert_allclose(score_of(None, PLANE, target).at(XY), -(~target).level(XY), atol=1e-14)


def test_a_table_is_interpolated_in_each_direction_and_constant_beyond():
    x, y, rng = np.linspace(-1, 1, 9), np.linspace(0, 1.5, 7), np.random.default_rng(1)
    for axes, sde, states in (((x,), LINE, X), ((x, y), PLANE, XY)):
        values = rng.normal(size=tuple(map(len, axes)))
        inside = np.stack([np.clip(s, a[0], a[-1]) for s, a in zip(states.T, axes, strict=True)], axis=-1)
        expected = RegularGridInterpolator(axes, values)(inside)
        np.testing.assert_allclose(score_of((axes, values), sde, RIGHT).at(states), expected, atol=1e-12)
    np.testing.assert_allclose(score_of((x, x**3), LINE, RIGHT).at(x[:, None]), x**3, atol=1e-12)         # one axis by itself


def test_a_table_in_three_dimensions():
    axes = (np.linspace(-1, 1, 5), np.linspace(-1, 2, 4), np.linspace(0, 1, 3))
    values = np.random.default_rng(1).normal(size=(5, 4, 3))
    states = np.random.default_rng(2).uniform([-1, -1, 0], [1, 2, 1], (70, 3))
    space = ls.SDE(["-x", "-y", "-z"], C)
    score = score_of((axes, values), space, ls.Ball([0, 0, 5], 1))
    np.testing.assert_allclose(score.at(states), RegularGridInterpolator(axes, values)(states), atol=1e-12)


def test_a_table_takes_unequal_distances_and_holes():
    x = np.array([-2.0, -1.0, 0.5, 0.6, 2.0])
    fine = score_of((x, 2 + 3 * x), LINE, RIGHT).at(X)
    np.testing.assert_allclose(fine, 2 + 3 * X[:, 0], atol=1e-12)
    holes = score_of((np.arange(4.0), [np.nan, 5.0, 6.0, np.nan]), LINE, RIGHT).at(np.array([[0.0], [1.0], [2.0], [3.0]]))
    np.testing.assert_allclose(holes, [5, 5, 6, 6])


def test_probabilities_are_ordered_as_they_were():
    q = 1 / (1 + np.exp(np.linspace(30, -30, 41)))
    score = score_of((np.linspace(-2, 2, 41), np.concatenate([[0.0], q[1:-1], [1.0]])), LINE, RIGHT)
    assert (np.diff(score.at(np.linspace(-2, 2, 1001)[:, None])) > 0).all()


def test_states_that_are_no_numbers_read_nothing_beyond_the_table():
    score = score_of((np.arange(4.0), np.arange(4.0)), LINE, RIGHT)
    out = score.at(np.array([[np.nan], [np.inf], [-np.inf], [1e300]]))
    assert np.isnan(out[0]) or 0 <= out[0] <= 3
    np.testing.assert_array_equal(out[1:], [3, 0, 3])


def test_the_committor_of_a_grid_is_taken_as_it_comes():
    gen = ls.FokkerPlanck(ls.langevin(ls.landscapes.double_well(), temperature=0.1), ls.Grid((-2, 2), 64))
    q = gen.committor(ls.Interval(high=-0.9), ls.Interval(low=0.9))
    score, x = score_of(q, LINE, RIGHT), q.grid.centres[0]
    middle = (x > -0.85) & (x < 0.85)
    np.testing.assert_allclose(score.at(x[middle, None]), np.log(q.values[middle] / (1 - q.values[middle])), rtol=1e-6)


def test_the_same_score_is_compiled_once():
    score_of("x**3 - 7", LINE, RIGHT).at(X)
    score_of(None, LINE, RIGHT).at(X)
    score_of((np.arange(4.0), np.arange(4.0)), LINE, RIGHT).at(X)
    before = compile_score.cache_info().misses
    score_of("x**3 - 7", LINE.replace(a=3.0), RIGHT).at(X)
    score_of(None, LINE, ls.Interval(low=1.25)).at(X)
    score_of((np.arange(9.0), np.arange(9.0)), LINE, RIGHT).at(X)
    assert compile_score.cache_info().misses == before


REFUSED = [
    (LINE, "c*x", "`c` is neither a component of the state .* write its number"),
    (LINE, "x + t", "depends on the time t"),
    (LINE, "x.real", "attribute access"),
    (LINE, ls.Landscape("x*y"), "of 2 components, but the equation has 1"),
    (LINE, 3.0, "`score` is 3.0, but must be a text"),
    (LINE, (np.arange(3.0), np.arange(4.0)), r"table of shape \(4,\) on axes of 3 points"),
    (PLANE, (np.arange(3.0), np.arange(3.0)), "the equation has 2 components"),
    (LINE, ([0.0, 2.0, 1.0], np.arange(3.0)), "two or more increasing numbers"),
    (LINE, (np.arange(3.0), [np.nan] * 3), "without a finite value"),
    (PLANE, lambda x: x[5], "Numba cannot compile your function"),
]


@pytest.mark.parametrize(("sde", "score", "message"), REFUSED, ids=range(len(REFUSED)))
def test_scores_that_cannot_be_used_are_refused(sde, score, message):
    with pytest.raises(ValueError, match=message):
        score_of(score, sde, RIGHT if sde.dim == 1 else ABOVE)
