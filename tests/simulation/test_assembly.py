"""From an equation, a scheme and a region to a step and its numbers; and what cannot be simulated."""
from __future__ import annotations

import math

import numpy as np
import pytest

import langevin_sgd as ls
from langevin_sgd.simulation.assembly import assemble, path_steps

EULER = ls.EulerMaruyama()
Expression = ls.noise.Expression


def components(d, noise):
    return ls.SDE([f"-x{k + 1}" for k in range(d)], noise)


def matrix(d):
    return [["2 + x1**2" if i == j else "1/10" for j in range(d)] for i in range(d)]


def test_sixteen_components_are_the_limit():
    with pytest.raises(ValueError, match="the equation has 17 components, but at most 16 are simulated"):
        assemble(components(17, ls.noise.Constant(1.0)), EULER)


def test_four_components_are_the_limit_of_a_full_matrix():
    assemble(components(4, Expression(matrix(4))), EULER)
    with pytest.raises(ValueError, match=r"factored inside every step, for up to 4 components, but the equation has 5; give its factor "
                                         r"with noise\.from_functions"):
        assemble(components(5, Expression(matrix(5))), EULER)


@pytest.mark.parametrize("interpretation", ["stratonovich", "klimontovich"])
def test_noise_that_jumps_is_simulated_in_ito_only(interpretation):
    jump = ls.SDE("-x", Expression("where(x < 1, 1, 2)"), 1.0, interpretation)
    with pytest.raises(ValueError, match=r"the noise jumps near x = \[1\.\], where .* adds an infinite drift; simulate it in 'ito', or "
                                         "use ls.exact"):
        assemble(jump, EULER)
    assemble(jump.replace(interpretation="ito"), EULER)
    assemble(ls.SDE("-x", Expression("where(x < 1, 1, x)"), 1.0, interpretation), EULER)             # a kink is no jump


def test_noise_that_jumps_in_the_plane_is_found():
    with pytest.raises(ValueError, match="the noise jumps near"):
        assemble(ls.SDE(["-x", "-y"], Expression("1 + where(x + y > 0.5, 1, 0)"), 1.0, "klimontovich"), EULER)


@pytest.mark.parametrize("covariance", ["1 + 50*where(x < 0.3, x - 0.3, 0)**2", "1 + 1000*abs(x - 0.2)", "1 + where(x > 0, sqrt(x), 0)"])
def test_noise_that_bends_steeply_does_not_jump(covariance):
    """What differs across a kink shrinks with the distance, however large it is."""
    assemble(ls.SDE("-x", ls.noise.Expression(covariance), 1.0, "klimontovich"), ls.EulerMaruyama())


def test_a_small_jump_is_one():
    with pytest.raises(ValueError, match=r"the noise jumps near x = \[1\.\]"):
        assemble(ls.SDE("-x", ls.noise.Expression("1 + where(x < 1, 0, 1e-4)"), 1.0, "klimontovich"), ls.EulerMaruyama())


def test_the_strength_is_the_first_number_of_a_step():
    sde = ls.SDE("-k*x", Expression("1 + a*x**2", a=0.5), 0.25, k=3.0)
    made = assemble(sde, EULER, ls.Interval(high=2.0))
    assert made.p[0] == 0.25
    assert sorted(made.p.tolist()) == [0.25, 0.5, 2.0, 3.0]
    assert made.matrix.shape == (0, 0)


def test_a_number_that_two_places_share_is_read_once():
    sde = ls.SDE("-c*x", ls.noise.Constant(1.0), c=0.5)
    made = assemble(sde, EULER, ls.Where("2*c - x"))
    assert sorted(made.p.tolist()) == [0.5, 1.0, 1.0]


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_the_constant_matrix_is_factored_also_where_it_is_singular(rank):
    v = np.random.default_rng(rank).normal(size=(3, rank))
    m = v @ v.T + 0.0
    made = assemble(ls.SDE(["-x", "-y", "-z"], ls.noise.Anisotropic(m)), EULER)
    np.testing.assert_allclose(made.matrix @ made.matrix.T, m, atol=1e-7 * np.abs(m).max())
    np.testing.assert_allclose(made.matrix, made.matrix.T, atol=1e-12)


def test_walls_and_reflecting_ends_keep_their_order():
    made = assemble(ls.SDE("0", ls.noise.Constant(1.0)), EULER, ls.Interval(-1.0, 1.0) & ls.Where("2 - x**2", label="third"))
    assert [wall[0].label for wall in made.walls] == ["low", "high", "third"]
    folded = assemble(ls.SDE("0", ls.noise.Constant(1.0)), EULER, ls.Interval(-1.0, 1.0, reflect="high"))
    assert [(fold.at, fold.sign) for fold in folded.folds] == [(1.0, -1)]


@pytest.mark.parametrize(("t_max", "dt", "steps"), [(1.0, 0.1, 10), (0.3, 0.1, 3), (0.99, 0.1, 9), (0.05, 0.1, 1), (1e6, 1e-3, 10**9)])
def test_limits_are_whole_steps(t_max, dt, steps):
    assert path_steps(t_max, dt) == steps


def test_without_a_limit_the_number_of_steps_is_beyond_any_computer():
    assert path_steps(None, 1e-3) > 10**18
    assert math.isfinite(float(path_steps(None, 1.0)))
