"""Checks of arguments: what passes comes back as it should, and what does not is named in a sentence."""
import math

import numpy as np
import pytest

import langevin_sgd as ls
from langevin_sgd.models import arguments
from langevin_sgd.simulation.ensemble import initial_states


@pytest.mark.parametrize(("check", "given", "result"), [
    (arguments.finite, np.float32(0.5), 0.5), (arguments.finite, 3, 3.0), (arguments.positive, 1e-300, 1e-300),
    (arguments.not_negative, 0, 0.0), (arguments.whole, 1e6, 1_000_000), (arguments.whole, np.int64(2), 2),
    (arguments.fraction, 0.95, 0.95),
])
def test_good_numbers_come_back_as_plain_ones(check, given, result):
    assert check("n", given) == result
    assert type(check("n", given)) is type(result)


@pytest.mark.parametrize(("check", "given", "message"), [
    (arguments.finite, math.nan, "`n` is nan, but must be a finite number."),
    (arguments.finite, -math.inf, "`n` is -inf, but must be a finite number."),
    (arguments.finite, "two", "`n` is 'two', but must be a number."),
    (arguments.finite, None, "`n` is None, but must be a number."),
    (arguments.finite, 1j, "`n` is 1j, but must be a number."),
    (arguments.positive, 0, "`n` is 0, but must be positive."),
    (arguments.positive, -2.5, "`n` is -2.5, but must be positive."),
    (arguments.positive, math.inf, "`n` is inf, but must be a finite number."),
    (arguments.not_negative, -1e-3, "`n` is -0.001, but must not be negative."),
    (arguments.whole, 2.5, "`n` is 2.5, but must be a whole number."),
    (arguments.whole, True, "`n` is True, but must be a whole number."),
    (arguments.whole, 0, "`n` is 0, but must be at least 1."),
    (arguments.fraction, 95, "`n` is 95, but must lie between 0 and 1; 95 % is written 0.95."),
    (arguments.fraction, 1, "`n` is 1, but must lie between 0 and 1; 95 % is written 0.95."),
])
def test_bad_numbers_are_refused_by_name(check, given, message):
    with pytest.raises(ValueError) as told:
        check("n", given)
    assert str(told.value) == message


def test_arrays_are_floats_of_their_own():
    given = np.array([1, 2])
    array = arguments.numbers("v", given)
    array[0] = 5
    assert array.dtype == float
    assert given[0] == 1
    assert arguments.numbers("v", [math.inf, -math.inf], infinite=True).tolist() == [math.inf, -math.inf]


@pytest.mark.parametrize(("given", "words"), [
    ([1.0, math.nan], "`v` holds nan at index (1,), but every entry must be finite."),
    ([[0.0, 1.0], [math.inf, 1.0]], "`v` holds inf at index (1, 0), but every entry must be finite."),
    (math.nan, "`v` holds nan, but it must be finite."),
    ([[1.0], [1.0, 2.0]], "`v` is [[1.0], [1.0, 2.0]], but must be numbers in an array of one shape."),
    ("text", "`v` is 'text', but must be numbers in an array of one shape."),
    (np.array([1j]), "`v` is array([0.+1.j]), but must be numbers in an array of one shape."),
])
def test_bad_arrays_are_refused_with_the_place(given, words):
    with pytest.raises(ValueError) as told:
        arguments.numbers("v", given)
    assert str(told.value) == words


def test_masked_entries_are_no_numbers():
    masked = np.ma.masked_array([1.0, 2.0, 999.0], mask=[False, False, True])
    for given in (masked, [masked, masked[:2]], [1.0, np.ma.masked]):
        with pytest.raises(ValueError, match=r"`v` holds 1 masked entry, but every entry must be a number: leave .* out, or put"):
            arguments.numbers("v", given)
    assert arguments.numbers("v", masked[:2]).tolist() == [1.0, 2.0]         # a mask that hides nothing


def test_nan_is_no_state_even_where_infinity_is():
    with pytest.raises(ValueError, match=r"`x` holds nan at index \(0, 1\), but every entry must be a number\."):
        arguments.points("x", [[0.0, math.nan]], 2)
    assert arguments.points("x", [[0.0, math.inf]], 2).tolist() == [[0.0, math.inf]]


def test_states_get_a_component_axis():
    assert arguments.points("x", 1.0, 1).shape == (1,)
    assert arguments.points("x", np.zeros((4, 3)), 1).shape == (4, 3, 1)
    assert arguments.points("x", np.zeros((4, 3)), 3).shape == (4, 3)
    with pytest.raises(ValueError, match=r"`x` has shape \(4, 3\), but states of 2 components need shape \(\.\.\., 2\)\."):
        arguments.points("x", np.zeros((4, 3)), 2)
    with pytest.raises(ValueError, match=r"`x` has shape \(\), but states of 2 components"):
        arguments.points("x", 0.0, 2)


def test_one_state_is_an_array_of_components():
    assert arguments.state("x0", 1.0, 1).tolist() == [1.0]
    assert arguments.state("x0", [1.0], 1).tolist() == [1.0]
    assert arguments.state("x0", [1, 2], 2).tolist() == [1.0, 2.0]
    with pytest.raises(ValueError, match=r"`x0` has shape \(2,\), but one state of this model is a number\."):
        arguments.state("x0", [1.0, 2.0], 1)
    with pytest.raises(ValueError, match=r"`x0` has shape \(\), but one state of this model is 3 numbers\."):
        arguments.state("x0", 1.0, 3)


def test_matrices_are_square():
    assert arguments.matrix("F", [[1, 2], [3, 4]]).dtype == float
    with pytest.raises(ValueError, match=r"`F` has shape \(1, 2\), but must be a square matrix\."):
        arguments.matrix("F", [[1.0, 2.0]])
    with pytest.raises(ValueError, match=r"`F` has shape \(2, 2\), but must be a \(3, 3\) matrix\."):
        arguments.matrix("F", np.eye(2), 3)


def test_a_covariance_is_symmetric_and_has_no_negative_eigenvalue():
    rng = np.random.default_rng(1)
    for d in (1, 2, 5):
        a = rng.normal(size=(d, max(1, d - 1)))
        singular = a @ a.T
        assert np.array_equal(arguments.covariance_matrix("C", singular), singular)
    with pytest.raises(ValueError, match=r"`C` must be symmetric, but entry \(0, 1\) is 0.5 and \(1, 0\) is 0\."):
        arguments.covariance_matrix("C", [[1.0, 0.5], [0.0, 1.0]])
    with pytest.raises(ValueError, match=r"`C` must be positive semi-definite to be a covariance, but has the eigenvalue -1\."):
        arguments.covariance_matrix("C", [[1.0, 2.0], [2.0, 1.0]])
    with pytest.raises(ValueError, match="eigenvalue -1e-06"):          # small, but far above rounding
        arguments.covariance_matrix("C", np.diag([1.0, -1e-6]))


def test_choices_are_listed():
    assert arguments.one_of("reflect", None, (None, "low")) is None
    with pytest.raises(ValueError, match=r"`reflect` is 'top', but must be one of None, 'low'\."):
        arguments.one_of("reflect", "top", (None, "low"))


def test_parameters_are_finite_numbers():
    assert arguments.parameter_values({"h": np.float64(2), "n": 3}) == {"h": 2.0, "n": 3.0}
    with pytest.raises(ValueError, match="`h` is nan, but must be a finite number"):
        arguments.parameter_values({"n": 3, "h": math.nan})


@pytest.mark.parametrize("loss", [ls.Landscape("(x - 1)**2"), ls.Landscape("(x - 1)**2 + (y - 2)**2")], ids=["line", "plane"])
def test_a_critical_point_is_the_state_where_it_lies(loss):
    point = loss.critical_points([(-3, 3)] * loss.dim)[0]
    given = arguments.state("start", point, loss.dim)
    assert np.array_equal(given, np.ravel(point.x))
    states, count = initial_states(point, loss.dim, 7)
    assert np.array_equal(states, given[None]) and count == 7
