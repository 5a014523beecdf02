"""Which drifts are seen to be linear, and with which numbers."""
from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import langevin_sgd as ls
from langevin_sgd.models.affine import AffineField, affine_parts

UNIT = ls.noise.Constant(1.0)


def parts(*drift, **values):
    sde = ls.SDE(list(drift), UNIT, **values)
    return affine_parts(sde.ito_drift_field, sde.values)


LINEAR = {
    "with parameters": (parts("-a*x + b*y", "c", a=2.0, b=0.5, c=3.0), [[-2.0, 0.5], [0.0, 0.0]], [0.0, 3.0]),
    "in brackets": (parts("2*(x - 3*(y + 1))", "-(x + y)/k + min(k, 2)", k=4.0), [[2.0, -6.0], [-0.25, -0.25]], [-6.0, 2.0]),
    "squares that cancel": (parts("(x + y)**2 - x**2 - 2*x*y - y**2 + x", "0"), [[1.0, 0.0], [0.0, 0.0]], [0.0, 0.0]),
    "one component in two terms": (parts("a*x + b*x", "y", a=1.0, b=2.0), [[3.0, 0.0], [0.0, 1.0]], [0.0, 0.0]),
}


@pytest.mark.parametrize("name", LINEAR)
def test_a_linear_drift_is_seen_with_its_numbers(name):
    found, F, a = LINEAR[name]
    np.testing.assert_allclose(found[0], F, rtol=1e-15)
    np.testing.assert_allclose(found[1], a, rtol=1e-15)


@pytest.mark.parametrize("drift", [("x*y", "y"), ("x**2", "y"), ("sin(x)", "y"), ("-x + t", "y"), ("t*x", "y"), ("abs(x)", "y"),
                                   ("1/x", "y"), ("where(x > 0, x, 2*x)", "y"), ("sqrt(x**2)", "y")])
def test_another_drift_is_not(drift):
    assert parts(*drift) is None


def test_a_function_is_not_seen_to_be_anything():
    sde = ls.SDE(lambda x: (-x[0], -x[1]), UNIT, dim=2)
    assert affine_parts(sde.drift_field, sde.values) is None


def test_a_quadratic_landscape_has_a_linear_gradient():
    sde = ls.langevin(ls.Landscape("h*(x - 1)**2/2 + x*y + y**2", h=3.0), 0.1)
    F, a = affine_parts(sde.ito_drift_field, sde.values)
    np.testing.assert_allclose(F, [[-3.0, -1.0], [-1.0, -2.0]])
    np.testing.assert_allclose(a, [3.0, 0.0])


@given(st.integers(1, 20), st.integers(0, 10**6))
def test_what_goes_in_comes_out_on_either_side_of_sixteen(d, seed):
    F = np.random.default_rng(seed).normal(size=(d, d))
    sde = ls.linear(F, np.eye(d))
    found = affine_parts(sde.ito_drift_field, sde.values)
    assert np.array_equal(found[0], F)
    assert not found[1].any()


@pytest.mark.parametrize("d", [16, 17, 40])
def test_a_large_equation_has_the_values_of_its_matrices(d):
    rng = np.random.default_rng(d)
    F, G = rng.normal(size=(d, d)), rng.normal(size=(d, d))
    sde, x = ls.linear(F, G @ G.T), rng.normal(size=(3, d))
    np.testing.assert_allclose(sde.drift(x), x @ F.T, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(sde.diffusion(x[0]), G @ G.T, rtol=1e-12, atol=1e-12)
    assert sde.drift_field.depends_on_time() is False
    assert len(repr(sde)) < 20_000
    copy = pickle.loads(pickle.dumps(sde))
    assert np.array_equal(copy.drift(x), sde.drift(x))


def test_a_matrix_is_not_written_out_as_a_function():
    with pytest.raises(ValueError, match="a matrix of 17 components is not written out as a function"):
        AffineField(np.eye(17), np.zeros(17)).scalar(())
