"""The structures of C: which one a noise gets, and that C, its divergence and Milstein's slope are what they are called."""
import numpy as np
import pytest

import langevin_sgd as ls
from langevin_sgd.models.covariance import Covariance, Structure, from_matrix, from_modulation, from_variances
from langevin_sgd.models.expressions import parse
from tests.models.equations import NOISES, STATES, TURNING, differences

T = 0.6
STRUCTURES = {
    (1, "constant"): Structure.COMPONENTWISE, (1, "functions"): Structure.COMPONENTWISE, (2, "constant"): Structure.COMPONENTWISE,
    (2, "anisotropic"): Structure.MODULATED, (2, "isotropic"): Structure.COMPONENTWISE, (2, "diagonal"): Structure.COMPONENTWISE,
    (2, "quadratic"): Structure.COMPONENTWISE, (2, "power law"): Structure.MODULATED, (2, "loss"): Structure.COMPONENTWISE,
    (2, "mori"): Structure.MODULATED, (2, "turning"): Structure.FULL, (2, "factor"): Structure.FACTOR,
}


def covariance(dim, noise) -> Covariance:
    return NOISES[dim][noise].covariance(("x", "y")[:dim])


@pytest.mark.parametrize(("dim", "noise"), STRUCTURES)
def test_every_noise_has_the_simplest_structure(dim, noise):
    c = covariance(dim, noise)
    assert c.structure is STRUCTURES[dim, noise]
    assert c.dim == dim
    assert c.eigenvectors_are_constant is (c.structure in (Structure.COMPONENTWISE, Structure.MODULATED))
    assert c.is_constant is (noise in ("constant", "anisotropic"))


@pytest.mark.parametrize(("dim", "noise"), [(d, n) for d, noises in NOISES.items() for n in noises])
def test_c_is_a_symmetric_matrix_at_every_state_and_its_divergence_is_by_differences(dim, noise):
    c, x = covariance(dim, noise), STATES[dim].reshape(-1, dim)
    matrices = c.at(x, T, c.values)
    assert matrices.shape == (len(x), dim, dim)
    assert np.array_equal(matrices, np.swapaxes(matrices, -1, -2))
    assert np.linalg.eigvalsh(matrices).min() > -1e-12
    divergence = c.divergence.vector(tuple(c.values))(x, T, tuple(c.values.values()))
    expected = np.einsum("nijj->ni", differences(lambda y: c.at(y, T, c.values), x))
    assert np.allclose(divergence, expected, rtol=1e-8, atol=1e-9)


def test_a_diagonal_matrix_times_a_number_is_componentwise():
    s, variables = parse("1 + x*y"), ("x", "y")
    c = from_modulation(s, np.diag([2.0, 3.0]), variables, {})
    assert c.structure is Structure.COMPONENTWISE
    assert c.at(np.array([1.0, 0.5]), 0.0, c.values).tolist() == [[3.0, 0.0], [0.0, 4.5]]
    full = from_modulation(s, np.array([[2.0, 1.0], [1.0, 3.0]]), variables, {})
    assert full.structure is Structure.MODULATED
    assert full.at(np.array([1.0, 0.5]), 0.0, full.values).tolist() == [[3.0, 1.5], [1.5, 4.5]]


def test_a_matrix_of_expressions_is_read_row_by_row():
    entries = tuple(parse(e) for row in TURNING for e in row)
    c = from_matrix(entries, ("x", "y"), {})
    assert c.structure is Structure.FULL
    (c11, c12), (c21, c22) = c.at(np.array([0.3, -0.7]), 0.0, {})
    assert (c11, c22) == (1 + 0.045, pytest.approx(0.8 + 0.49 / 3 + 0.06, rel=1e-15))
    assert c12 == c21 == pytest.approx(0.3 * np.sin(-0.21) + 0.1, rel=1e-15)


def test_the_correction_of_the_root_is_known_for_two_by_two_only():
    assert covariance(2, "turning").added_drift() is not None
    for noise in ("diagonal", "power law", "factor"):
        assert covariance(2, noise).added_drift() is None
    three = from_matrix(tuple(parse(e) for e in ("2", "x/9", "0", "x/9", "2", "0", "0", "0", "1")), ("x", "y", "z"), {})
    assert three.added_drift() is None


@pytest.mark.parametrize("noise", list(NOISES[1]))
def test_milsteins_slope_in_one_dimension_is_the_derivative_of_the_variance(noise):
    c, x = covariance(1, noise), STATES[1][:, None]
    slope = c.milstein_slope().vector(tuple(c.values))(x, T, tuple(c.values.values()))
    assert np.allclose(slope, differences(lambda y: c.at(y, T, c.values)[..., 0], x)[..., 0], rtol=1e-8, atol=1e-9)


def test_milstein_needs_components_that_mind_their_own_business():
    own = from_variances((parse("1 + x**2"), parse("2 + y")), ("x", "y"), {})
    assert own.milstein_slope().vector(())(np.array([2.0, 1.0]), 0.0, ()).tolist() == [4.0, 1.0]
    assert covariance(2, "quadratic").milstein_slope() is not None
    for noise in ("isotropic", "diagonal", "power law", "turning", "factor", "loss"):
        assert covariance(2, noise).milstein_slope() is None
    assert ls.noise.from_functions(lambda x: 1.0).covariance(("x",)).milstein_slope() is None
