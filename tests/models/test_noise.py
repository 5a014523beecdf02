"""Noise families: C(x) against the formula of each, what is refused, and what new numbers change."""
import dataclasses
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import langevin_sgd as ls
from langevin_sgd.models.covariance import Structure
from tests import oracles
from tests.models.formulas import checked

numbers = st.floats(-3, 3)
variances = st.floats(0, 4)
PAIR = [[2.0, 0.3], [0.3, 1.0]]


def c_at(noise, x, names=("x", "y", "z")):
    """Return the matrix C at one state (d,)."""
    x = np.atleast_1d(x)
    c = noise.covariance(names[:len(x)])
    return c.at(np.asarray(x, dtype=float), 0.0, c.values)


def vectors(d, elements=numbers):
    return st.lists(elements, min_size=d, max_size=d).map(np.array)


# ---------------------------------------------------------------------------------------------------------------- formulas

@checked(40)
@given(variances, numbers)
def test_constant_is_the_same_variance_in_every_direction(variance, x):
    assert c_at(ls.noise.Constant(variance), x).tolist() == [[variance]]
    assert np.array_equal(c_at(ls.noise.Constant(variance), [x, 1.0, 2.0]), variance * np.eye(3))


@checked(30)
@given(st.integers(1, 3).flatmap(lambda d: st.tuples(vectors(d * d), vectors(d))))
def test_anisotropic_is_its_matrix(given_):
    factor, x = given_
    matrix = factor.reshape(len(x), -1) @ factor.reshape(len(x), -1).T
    assert np.allclose(c_at(ls.noise.Anisotropic(matrix), x), matrix, rtol=1e-15, atol=0)


@checked(60)
@given(variances, variances, st.floats(-1, 1), numbers, numbers)
def test_quadratic_in_one_dimension(g, h, share, center, x):
    gh = share * math.sqrt(g * h)
    assume(g * h == 0 or g * h > 1e-100)
    c = c_at(ls.noise.Quadratic(g, gh, h, center), x)[0, 0]
    assert c == pytest.approx(g + 2 * gh * (x - center) + h * (x - center)**2, rel=1e-12, abs=1e-12)
    assert c >= -1e-12


@checked(30)
@given(vectors(3, variances), vectors(3, variances), vectors(3, st.floats(-1, 1)), vectors(3), vectors(3))
def test_quadratic_with_arrays_is_the_same_component_by_component(g, h, share, center, x):
    gh = share * np.sqrt(g * h) * (1 - 1e-9)
    delta = x - center
    expected = np.diag(g + 2 * gh * delta + h * delta**2)
    assert np.allclose(c_at(ls.noise.Quadratic(g, gh, h, center), x), expected, rtol=1e-12, atol=1e-12)
    assert np.allclose(c_at(ls.noise.Quadratic(g, quadratic=1.5), x), np.diag(g + 1.5 * x**2), rtol=1e-12, atol=1e-12)


@checked(30)
@given(vectors(4), vectors(4), vectors(2), vectors(2))
def test_quadratic_with_matrices_is_the_power_law_dynamic(a, b, center, x):
    g = a.reshape(2, 2) @ a.reshape(2, 2).T + 0.5 * np.eye(2)
    h = b.reshape(2, 2) @ b.reshape(2, 2).T @ g                       # so that Σ_H Σ_g⁻¹ is positive semi-definite
    delta = x - center
    expected = g * (1 + delta @ h @ np.linalg.inv(g) @ delta)
    assert np.allclose(c_at(ls.noise.Quadratic(g, quadratic=h, center=center), x), expected, rtol=1e-9, atol=1e-9)


@checked(40)
@given(st.floats(0.1, 5), st.floats(0.1, 5), numbers)
def test_loss_proportional_is_an_affine_function_of_the_loss(coefficient, floor, x):
    loss = ls.landscapes.double_well()
    noise = ls.noise.LossProportional(loss, coefficient, floor, minimum=0.0)
    assert c_at(noise, x)[0, 0] == pytest.approx(coefficient * (loss(x) + floor), rel=1e-13)
    assert c_at(dataclasses.replace(noise, minimum=-1.5), x)[0, 0] == pytest.approx(coefficient * (loss(x) + 1.5 + floor), rel=1e-13)


def test_loss_proportional_takes_a_matrix_beside_a_known_minimum():
    loss = ls.Landscape("3 + x**2 + 2*y**2")
    noise = ls.noise.LossProportional(loss, 0.5, 2.0, matrix=PAIR, minimum=3.0)
    assert c_at(noise, [1.0, 1.0]) == pytest.approx(0.5 * (3.0 + 2.0) * np.array(PAIR))


def test_expressions_come_in_three_shapes():
    x = [0.5, -2.0]
    assert c_at(ls.noise.Expression("1 + a*x**2", a=2.0), 0.5).tolist() == [[1.5]]
    assert np.array_equal(c_at(ls.noise.Expression("1 + x*y**2"), x), 3.0 * np.eye(2))
    assert np.array_equal(c_at(ls.noise.Expression(["x", "y**2"]), x), np.diag([0.5, 4.0]))
    assert c_at(ls.noise.Expression([["1 + y**2", "x*y"], ["y*x", 2]]), x).tolist() == [[5.0, -1.0], [-1.0, 2.0]]
    assert np.array_equal(c_at(ls.noise.Expression(np.array(PAIR)), x), PAIR)


def g1(x, p):
    return p[1] + p[0] * x


def g1_slope(x, p):
    return 2 * p[0] * (p[1] + p[0] * x)


def g2(x, t, p):
    return ((p[0], 0.0), (x[0], 1.0 + x[1]**2))


def test_functions_give_a_factor():
    assert c_at(ls.noise.from_functions(g1, g1_slope, a=2.0, b=1.0), 0.5).tolist() == [[4.0]]
    factor = np.array([[3.0, 0.0], [0.5, 5.0]])
    assert c_at(ls.noise.from_functions(g2, dim=2, a=3.0), [0.5, -2.0]).tolist() == (factor @ factor.T).tolist()


def test_the_divergence_of_functions_is_what_was_given():
    noise = ls.noise.from_functions(g1, g1_slope, a=2.0, b=1.0)
    sde = ls.SDE("-x", noise, 0.2, "klimontovich")
    assert sde.ito_drift(0.5) == pytest.approx(-0.5 + 0.1 * 2 * 2.0 * 2.0, rel=1e-14)
    assert ls.noise.from_functions(g1, a=2.0, b=1.0).covariance(("x",)).divergence is None


# ------------------------------------------------------------------------------------------------- the batch is in ε alone

@pytest.mark.parametrize("batch", [1, 4, 32])
def test_the_batch_size_divides_once(batch):
    for noise in (ls.noise.Constant(1.5), ls.noise.Quadratic(0.5, quadratic=2.0), ls.noise.Expression("1 + x**2")):
        sde = ls.sgd(ls.Landscape("x**2/2"), noise, learning_rate=0.2, batch_size=batch)
        assert sde.diffusion(0.7) == pytest.approx(0.5 * 0.2 / batch * c_at(noise, 0.7)[0, 0], rel=1e-14)


def test_six_samples_have_the_covariance_and_the_batch_noise_of_the_oracle():
    """The covariance of per-sample gradients is the quadratic noise, and one step of SGD has the variance 2 D dt."""
    data = oracles.BY_ID["quadcov-sg"]["parameters"]
    x, y = np.array(data["x"]), np.array(data["y"])
    w, h, sg, sh, sgh = (oracles.BY_ID[f"quadcov-{n}"]["value"] for n in ("wstar", "H", "sg", "sH", "sgH"))
    noise, q = ls.noise.Quadratic(sg, sgh, sh, w), 1.3
    gradients = x * (q * x - y)
    assert c_at(noise, q)[0, 0] == pytest.approx(gradients.var(), rel=1e-10)
    eta, n = 0.2, len(x)
    pairs = [(i, j) for i in range(n) for j in range(n)]
    for replacement, allowed in ((True, pairs), (False, [(i, j) for i, j in pairs if i != j])):
        sde = ls.sgd(ls.Landscape("h*(x - w)**2/2", h=h, w=w), noise, eta, 2, dataset_size=n, replacement=replacement)
        steps = np.array([-eta * (gradients[i] + gradients[j]) / 2 for i, j in allowed])
        assert steps.mean() == pytest.approx(eta * sde.drift(q), rel=1e-9)
        assert steps.var() == pytest.approx(2 * eta * sde.diffusion(q), rel=1e-9)


# ------------------------------------------------------------------------------------------------------- what C must not be

@pytest.mark.parametrize(("make", "words"), [
    (lambda: ls.noise.Constant(-1), "`variance` is -1, but must not be negative"),
    (lambda: ls.noise.Constant(math.nan), "`variance` is nan, but must be a finite"),
    (lambda: ls.noise.Anisotropic([[1.0, 2.0], [2.0, 1.0]]),
     "`covariance` must be positive semi-definite to be a covariance, but has the eigenvalue -1"),
    (lambda: ls.noise.Anisotropic([[1.0, 2.0]]), r"`covariance` has shape \(1, 2\), but must be a square matrix"),
    (lambda: ls.noise.Anisotropic([[1.0, 0.5], [0.0, 1.0]]), r"`covariance` must be symmetric, but entry \(0, 1\) is 0.5"),
    (lambda: ls.noise.Quadratic(1.0), r"`quadratic` is missing: Quadratic\(constant, quadratic=\.\.\.\)"),
    (lambda: ls.noise.Quadratic(1.0, 1.1, 1.0),
     r"quadratic \* constant = 1 must be at least linear² = 1.21; C = -0.21 at its lowest point"),
    (lambda: ls.noise.Quadratic([1.0, 1.0], [0.0, 2.0], [1.0, 2.0]),
     r"quadratic \* constant = 2 must be at least linear² = 4; C = -1 at its"),
    (lambda: ls.noise.Quadratic(1.0, 1.0, 0.0), "C = -inf at its lowest point"),
    (lambda: ls.noise.Quadratic(-1.0, quadratic=1.0), "`constant` is -1, but a variance must not be negative"),
    (lambda: ls.noise.Quadratic(1.0, quadratic=[1.0, -2.0]), "`quadratic` is -2, but a variance must not be negative"),
    (lambda: ls.noise.Quadratic([1.0, 1.0], quadratic=[1.0, 2.0, 3.0]), "have the shapes .* but must be numbers or arrays of one length"),
    (lambda: ls.noise.Quadratic(PAIR, [0.1, 0.1], PAIR), "`linear` must be 0 with matrices"),
    (lambda: ls.noise.Quadratic([[1.0, 1.0], [1.0, 1.0]], quadratic=PAIR),
     "`constant` must be positive definite to be inverted, but has the eigenvalue"),
    (lambda: ls.noise.Quadratic(PAIR, quadratic=[[-1.0, 0.0], [0.0, 1.0]]),
     r"symmetric part of quadratic @ inv\(constant\) .* has the eigenvalue -0\.5"),
    (lambda: ls.noise.Quadratic(PAIR, quadratic=np.eye(3)), r"`quadratic` has shape \(3, 3\), but must be a \(2, 2\) matrix"),
    (lambda: ls.noise.Quadratic(PAIR, quadratic=PAIR, center=[1.0, 2.0, 3.0]),
     r"`center` has shape \(3,\), but must be a number or 2 numbers"),
    (lambda: ls.noise.Quadratic(1.0, quadratic=math.inf), "`quadratic` holds inf, but it must be finite"),
    (lambda: ls.noise.LossProportional(ls.Landscape("x**2"), -1.0, 1.0), "`coefficient` is -1, but must be positive"),
    (lambda: ls.noise.LossProportional(ls.Landscape("x**2"), 1.0, 0.0), "`floor` is 0, but must be positive"),
    (lambda: ls.noise.LossProportional("x**2", 1.0, 1.0), r"`landscape` is 'x\*\*2', but must be a Landscape"),
    (lambda: ls.noise.LossProportional(ls.Landscape("x**2"), 1.0, 1.0, "fisher"),
     "`matrix` is 'fisher', but must be None, a matrix, or 'hessian'"),
    (lambda: ls.noise.Expression([["1", "x"], ["x"]]), "an expression must be a text or a number"),
    (lambda: ls.noise.Expression([["1", "x", "y"], ["x", "1", "y"]]),
     r"`covariance` has shape \(2, 3\), but must be one expression, a list of d"),
])
def test_what_is_no_covariance_is_refused_with_the_offending_number(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_a_singular_quadratic_is_still_a_covariance():
    assert c_at(ls.noise.Quadratic(1.0, 2.0, 4.0), -0.5)[0, 0] == 0.0
    assert c_at(ls.noise.Quadratic(0.0, quadratic=2.0), 1.0)[0, 0] == 2.0


@pytest.mark.parametrize(("noise", "dim", "words"), [
    (ls.noise.Anisotropic(PAIR), 1, r"`covariance` is a \(2, 2\) matrix, but the equation has 1 components"),
    (ls.noise.Quadratic(1.0, quadratic=1.0), 2,
     r"a state of 2 components needs arrays of shape \(2,\), one number for each, or matrices \(2, 2\)"),
    (ls.noise.Quadratic([1.0, 2.0], quadratic=1.0), 1, r"`constant` of Quadratic has shape \(2,\), but a state of 1 components"),
    (ls.noise.Quadratic(PAIR, quadratic=PAIR), 3, r"`constant` is a \(2, 2\) matrix, but the equation has 3 components"),
    (ls.noise.Expression(["x", "y"]), 3,
     r"`covariance` has shape \(2,\), but a state of 3 components needs one expression, 3 of them, or a \(3, 3\) matrix"),
    (ls.noise.Expression([["1", "x"], ["y", "1"]]), 2, r"`covariance` must be symmetric, but entries \(1, 0\) and \(0, 1\) differ"),
    (ls.noise.LossProportional(ls.Landscape("x**2"), 1.0, 1.0), 2, r"has the variables \('x',\), but the equation has \('x', 'y'\)"),
    (ls.noise.LossProportional(ls.Landscape("x**2 + y**2"), 1.0, 1.0, np.eye(3)), 2,
     r"`matrix` is a \(3, 3\) matrix, but the equation has 2"),
    (ls.noise.LossProportional(ls.Landscape("x**2 + y**2"), 1.0, 1.0, [[1.0, 2.0], [2.0, 1.0]]), 2,
     "`matrix` must be positive semi-definite .* -1"),
    (ls.noise.from_functions(g2, dim=2, a=1.0), 1, "the noise has dim=2, but the equation has 1 components"),
])
def test_a_noise_of_another_size_than_the_state_is_refused(noise, dim, words):
    with pytest.raises(ValueError, match=words):
        ls.SDE(["-x", "-y", "-z"][:dim], noise)


def test_losses_without_expression_have_no_loss_proportional_noise():
    loss = ls.Landscape.from_functions(lambda x: x * x / 2, lambda x: x, lambda x: 1.0)
    with pytest.raises(ValueError,
                       match=r"must be given by an expression; for a loss given by functions, .* ls\.noise\.from_functions"):
        ls.noise.LossProportional(loss, 1.0, 1.0)
    with pytest.raises(ValueError, match="no minimum of the landscape 'x' was found; give bounds that hold one"):
        ls.sgd(ls.Landscape("x"), ls.noise.LossProportional(ls.Landscape("x"), 1.0, 1.0), 0.1)


# ------------------------------------------------------------------------------------------------------------ loss and Hessian

def test_the_matrix_of_loss_proportional_noise():
    bowl, x = ls.Landscape("h*x**2/2 + y**2 + x*y/2 - 3", h=2.0), np.array([0.4, -0.3])
    height = bowl(x) + 3 + 0.25
    for matrix, m in ((None, np.eye(2)), (PAIR, np.array(PAIR)), ("hessian", np.array([[2.0, 0.5], [0.5, 2.0]]))):
        noise = ls.noise.LossProportional(bowl, 2.0, 0.25, matrix)
        assert np.allclose(c_at(noise, x), 2.0 * height * m, rtol=1e-10)
    assert ls.sgd(bowl, ls.noise.LossProportional(bowl, 2.0, 0.25, "hessian"), 0.1).covariance.structure is Structure.MODULATED
    well = ls.landscapes.double_well()
    assert c_at(ls.noise.LossProportional(well, 3.0, 0.5, "hessian"), 0.0)[0, 0] == pytest.approx(3.0 * 0.75 * 2.0, rel=1e-12)


def test_the_minimum_follows_new_parameters_unless_it_was_given():
    loss = ls.Landscape("h*(x - 1)**2/2 - depth", h=1.0, depth=2.0)
    sde = ls.sgd(loss, ls.noise.LossProportional(loss, 4.0, 0.25), 0.1)
    assert sde.diffusion(1.0) == pytest.approx(0.05, rel=1e-12)
    deeper = sde.replace(depth=7.0, h=3.0)
    assert deeper.diffusion(1.0) == pytest.approx(0.05, rel=1e-12)
    assert deeper.diffusion(2.0) == pytest.approx(0.05 * 4 * (1.5 + 0.25), rel=1e-12)
    assert deeper.drift(2.0) == -3.0
    fixed = ls.sgd(loss, ls.noise.LossProportional(loss, 4.0, 0.25, minimum=-2.0), 0.1).replace(depth=1.0)
    assert fixed.diffusion(1.0) == pytest.approx(0.05 * 4 * 1.25, rel=1e-12)


def test_kappa_of_loss_proportional_noise_is_two_over_coefficient_and_strength():
    well = ls.landscapes.piecewise_quadratic(curvature=3.0, saddle_curvature=1.0, barrier=1.0)
    sde = ls.sgd(well, ls.noise.LossProportional(well, coefficient=4.0, floor=0.25), 0.1)
    sigma_h = (c_at(sde.noise, 0.1)[0, 0] - c_at(sde.noise, 0.0)[0, 0]) / 0.1**2
    assert 3.0 / (0.1 * sigma_h) == pytest.approx(2 / (4.0 * 0.1), rel=1e-12)


# -------------------------------------------------------------------------------------------------------------- new numbers

def test_named_parameters_are_replaced_and_others_refused():
    assert ls.noise.Expression("1 + a*x", a=1.0).replace(a=3.0).values == {"a": 3.0}
    assert ls.noise.from_functions(g1, g1_slope, a=2.0, b=1.0).replace(b=5.0).values == {"a": 2.0, "b": 5.0}
    for noise in (ls.noise.Constant(1.0), ls.noise.Anisotropic(PAIR), ls.noise.Quadratic(1.0, quadratic=1.0)):
        assert noise.replace() is noise
        assert dict(noise.values) == {}
        with pytest.raises(ValueError, match="has no parameter called 'a'"):
            noise.replace(a=1.0)


def test_noises_print_what_makes_them():
    assert repr(ls.noise.Anisotropic([[1, 0.5], [0.5, 1]])) == "Anisotropic([[1.0, 0.5], [0.5, 1.0]])"
    assert repr(ls.noise.Expression(["x", "a"], a=2.0)) == "Expression(['x', 'a'], a=2)"
    assert repr(ls.noise.from_functions(g1, a=2.0, b=1.0)) == "noise.from_functions(g1, a=2, b=1)"
