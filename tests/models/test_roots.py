"""Zeros of functions of one variable, and stationary points in several."""
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from langevin_sgd.models.roots import roots_between, stationary_points
from tests.models.formulas import checked


@checked(60)
@given(st.lists(st.floats(-4.9, 4.9), min_size=1, max_size=6, unique_by=lambda r: round(r * 20)), st.floats(-250, 250))
def test_every_root_of_a_polynomial_is_found_to_rounding(roots, exponent):
    """Whatever its scale: products of function values would over- or underflow."""
    found = roots_between(lambda x: 10.0**exponent * np.prod([np.asarray(x) - r for r in roots], axis=0), -5.0, 5.0)
    assert found == pytest.approx(sorted(roots), abs=1e-11)


def test_a_zero_without_change_of_sign_is_found_on_the_grid_only():
    assert roots_between(lambda x: np.square(x), -1.0, 1.0) == [0.0]
    assert roots_between(lambda x: np.square(np.asarray(x) - 0.12345), -1.0, 1.0) == []


def test_a_flat_root_is_closed_in_on():
    (root,) = roots_between(lambda x: (np.asarray(x) - 0.123)**9, -1.0, 1.0)
    assert root == pytest.approx(0.123, abs=1e-12)


def test_a_jump_through_zero_is_a_root_and_exactly_at_its_kink():
    assert roots_between(lambda x: np.where(np.asarray(x) < 0.1, -1.0, 2.0), -1.0, 1.0, [0.1]) == [0.1]
    assert roots_between(lambda x: np.where(np.asarray(x) < 0.1, -1.0, 2.0), -1.0, 1.0) == pytest.approx([0.1], abs=1e-12)


def test_two_signs_between_neighbours_of_the_grid_are_seen_at_a_kink():
    def spike(x):
        return 1.0 - 1e-7 / np.maximum(np.abs(np.asarray(x) - 0.10001), 1e-12)
    assert roots_between(spike, -1.0, 1.0) == []
    assert roots_between(spike, -1.0, 1.0, [0.10001]) == pytest.approx([0.10001 - 1e-7, 0.10001 + 1e-7], abs=1e-13)


def test_where_the_function_is_not_finite_nothing_is_found_and_nothing_warns():
    def function(x):
        with np.errstate(all="ignore"):
            return np.log(x) * np.where(np.asarray(x) > 3, np.inf, 1.0)
    assert roots_between(function, -5.0, 5.0) == pytest.approx([1.0], abs=1e-12)


def test_a_function_that_vanishes_has_no_roots_to_list():
    assert roots_between(lambda x: 0 * np.asarray(x), -1.0, 1.0) == []
    assert roots_between(lambda x: np.maximum(np.asarray(x) - 0.5, 0), -1.0, 1.0) == []


@checked(15)
@given(st.lists(st.floats(-1, 1), min_size=9, max_size=9), st.lists(st.floats(-1.5, 1.5), min_size=3, max_size=3))
def test_the_centre_of_a_quadratic_form_is_found_once(entries, center):
    a = np.reshape(entries, (3, 3))
    form = a @ a.T + np.diag([1.0, -2.0, 3.0])
    if np.abs(np.linalg.eigvalsh(form)).min() < 0.05:
        form = np.eye(3)
    box = np.array([[-2.0, 2.0]] * 3)
    (found,) = stationary_points(lambda x: (np.asarray(x) - center) @ form, lambda x: form, box)
    assert found == pytest.approx(center, abs=1e-7)


def test_stationary_points_outside_the_box_are_left_out():
    box = np.array([[-2.0, 0.5], [-1.0, 1.0]])
    found = stationary_points(lambda x: np.stack([x[..., 0]**3 - x[..., 0], x[..., 1]], -1), lambda x: np.diag([3 * x[0]**2 - 1, 1.0]), box)
    assert sorted(p.tolist() for p in found) == [pytest.approx([-1, 0], abs=1e-9), pytest.approx([0, 0], abs=1e-9)]
