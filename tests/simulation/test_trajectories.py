"""`simulate`: times, shapes, files, and arguments that are refused."""
from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

import langevin_sgd as ls

OU = ls.systems.ornstein_uhlenbeck()
PLANE = ls.SDE(["-x", "-y"], ls.noise.Constant(1.0))
OU_LATER = ls.SDE("-x + t", ls.noise.Constant(1.0))


# ---------------------------------------------------------------------------------------------------------------- times

def test_without_a_wish_101_times_are_saved():
    runs = ls.simulate(OU, 0.0, (0, 10), 1e-2, 3, rng=1)
    np.testing.assert_allclose(runs.t, np.linspace(0, 10, 101), atol=1e-12)
    assert runs.x.shape == (3, 101)
    assert ls.simulate(OU, 0.0, (0, 0.05), 0.01, 3, rng=1).t.size == 6                # no more than there are steps
    odd = ls.simulate(OU, 0.0, (0, 1.37), 0.01, 3, rng=1)
    assert odd.t.size == 101
    assert odd.t[-1] == pytest.approx(1.37)
    np.testing.assert_allclose(odd.t / 0.01, np.round(odd.t / 0.01), atol=1e-9)


def test_the_first_time_is_the_start():
    runs = ls.simulate(OU, [1.0, 2.0], (3.0, 4.0), 0.5, t_eval=[3.0, 3.5, 4.0], rng=1)
    assert runs.x[:, 0].tolist() == [1.0, 2.0]
    assert runs.t.tolist() == [3.0, 3.5, 4.0]
    assert (runs.status == ls.Status.COMPLETED).all()
    assert (runs.reached == 4.0).all()


def test_one_time_may_be_a_number():
    assert ls.simulate(OU, 0.0, (0, 1), 0.1, 4, t_eval=0.7, rng=1).x.shape == (4, 1)


def test_times_may_be_off_the_grid_by_rounding_only():
    h = 0.1
    ls.simulate(OU, 0.0, (0, 0.3), h, 2, t_eval=[0.1 + 0.2], rng=1)                    # 0.30000000000000004
    with pytest.raises(ValueError, match=r"`t_eval` holds the time 0\.25, which is not a whole number of steps dt = 0\.1 after 0; the "
                                         r"nearest that is: 0\.2"):
        ls.simulate(OU, 0.0, (0, 1), h, 2, t_eval=[0.1, 0.25])
    with pytest.raises(ValueError, match=r"`t_span` holds the time 1\.04.*nearest that is: 1\.0"):
        ls.simulate(OU, 0.0, (0, 1.04), h, 2)


@pytest.mark.parametrize("h", [1e-3, 0.1, 1 / 3, 0.007])
def test_long_spans_stay_on_the_grid(h):
    end = 12_345 * h
    runs = ls.simulate(OU, 0.0, (0, end), h, 1, t_eval=[end], rng=1)
    assert runs.t[0] == pytest.approx(end, rel=1e-14)


REFUSED_TIMES = [({"t_span": (1, 0)}, "first time, last time"), ({"t_span": (0, 0)}, "first time, last time"),
                 ({"t_span": (0, 1, 2)}, "`t_span`"), ({"t_span": (0, math.inf)}, "`t_span` holds inf"), ({"t_span": 3.0}, "`t_span`"),
                 ({"dt": 0.0}, "`dt` is 0, but must be positive"),
                 ({"dt": -0.1}, "`dt` is -0.1"), ({"dt": math.nan}, "`dt` is nan"), ({"dt": "a"}, "`dt` is 'a'"),
                 ({"t_eval": [0.2, 0.1]}, "increasing"), ({"t_eval": []}, "increasing"), ({"t_eval": [0.1, 0.1]}, "increasing"),
                 ({"t_eval": [0.5, 1.5]}, r"from 0\.5 to 1\.5, beyond `t_span`, from 0 to 1"), ({"t_eval": [-0.1]}, "beyond `t_span`"),
                 ({"t_eval": [math.nan]}, "`t_eval` holds nan")]


@pytest.mark.parametrize(("changes", "message"), REFUSED_TIMES)
def test_times_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        ls.simulate(OU, 0.0, **{"t_span": (0, 1), "dt": 0.1, "n_paths": 2, **changes})


# ----------------------------------------------------------------------------------------------------- other arguments

REFUSED = [(OU, {"x0": math.nan}, "`x0` holds nan"), (OU, {"x0": [0.0, math.inf]}, r"`x0` holds inf at index \(1,\)"),
           (OU, {"x0": []}, "`x0` is empty"),
           (OU, {"x0": [[1.0, 2.0]]}, r"`x0` has shape \(1, 2\), but must be a number, or one number per path"),
           (PLANE, {"x0": 0.0}, r"`x0` has shape \(\), but must be 2 numbers, or an array \(path, 2\)"),
           (PLANE, {"x0": [1.0, 2.0, 3.0]}, r"shape \(3,\)"), (PLANE, {"x0": np.zeros((3, 2, 2))}, r"shape \(3, 2, 2\)"),
           (PLANE, {"x0": [[1.0, 2.0], [3.0]]}, "`x0` .* numbers in an array of one shape"), (OU, {"x0": "here"}, "`x0` is 'here'"),
           (OU, {"x0": [0.0, 1.0], "n_paths": 3}, "`n_paths` is 3, but `x0` has a state for each of 2 paths"),
           (OU, {"n_paths": 0}, "`n_paths` is 0, but must be at least 1"),
           (OU, {"n_paths": 2.5}, r"`n_paths` is 2\.5, but must be a whole number"),
           (OU, {"first_path": -1}, "`first_path` is -1"), (OU, {"threads": 0}, "`threads` is 0"), (OU, {"rng": "seed"}, "`rng` is 'seed'"),
           (OU, {"scheme": "milstein"}, "`scheme` is 'milstein', but must be a scheme such as ls.EulerMaruyama"),
           (OU, {"scheme": ls.Milstein}, "`scheme` is <class"), (OU, {"executor": 4}, "`executor` is 4, but must be an executor"),
           ("x", {}, "`sde` is 'x', but must be an equation")]


@pytest.mark.parametrize(("sde", "changes", "message"), REFUSED, ids=[next(iter(r[1]), "sde") + f" {k}" for k, r in enumerate(REFUSED)])
def test_arguments_that_make_no_sense_are_refused(sde, changes, message):
    with pytest.raises(ValueError, match=message):
        ls.simulate(sde, **{"x0": [0.0, 0.0] if sde is PLANE else 0.0, "t_span": (0, 1), "dt": 0.1, **changes})


def test_whole_numbers_may_come_as_floats():
    assert ls.simulate(OU, 0.0, (0, 1), 0.1, 3.0, rng=1).n_paths == 3
    assert ls.simulate(OU, 0.0, (0, 1), 0.5, rng=1).n_paths == 1000


@pytest.mark.parametrize(("sde", "x0", "message"), [
    (ls.SDE("0", ls.noise.Expression("x")), -1.5, r"no covariance at the start -1\.5: C has the eigenvalue -1\.5 there"),
    (ls.SDE("0", ls.noise.Expression("x")), [1.0, 0.5, -2.0], r"at the start -2\.: C has the eigenvalue -2 there"),
    (ls.SDE("0", ls.noise.Expression("sqrt(x)")), -1.0, "it holds nan there"),
    (ls.SDE(["-x", "-y"], ls.noise.Expression([["1", "2"], ["2", "1"]])), [0.0, 0.0], r"start \[0\. 0\.\]: C has the eigenvalue -1 there")])
def test_noise_that_is_no_covariance_at_the_start_is_refused(sde, x0, message):
    with pytest.raises(ValueError, match=message):
        ls.simulate(sde, x0, (0, 1), 0.1, 3 if np.ndim(x0) != 1 or sde.dim > 1 else None)


# --------------------------------------------------------------------------------------------------------------- results

def test_one_dimension_has_no_component_axis():
    assert ls.simulate(OU, 0.0, (0, 1), 0.1, 7, rng=1).x.shape == (7, 11)
    assert ls.simulate(PLANE, [0.0, 1.0], (0, 1), 0.1, 7, rng=1).x.shape == (7, 11, 2)


def test_a_dataset_has_named_dimensions_and_says_what_was_run():
    runs = ls.simulate(PLANE, [0.0, 1.0], (0, 1), 0.1, 7, rng=1, first_path=5)
    data = runs.to_xarray()
    assert dict(data.sizes) == {"path": 7, "time": 11, "component": 2}
    assert data.path.values.tolist() == list(range(5, 12))
    assert data.component.values.tolist() == ["x", "y"]
    np.testing.assert_array_equal(data.x.sel(component="y").isel(time=0), 1.0)
    assert data.status.attrs["flag_meanings"].split()[ls.Status.DIVERGED] == "diverged"
    assert data.attrs["dt"] == 0.1
    assert data.attrs["interpretation"] == "ito"
    assert ls.Key(int(data.attrs["key"], 16)) == runs.key
    assert dict(ls.simulate(OU, 0.0, (0, 1), 0.1, 7, rng=1).to_xarray().sizes) == {"path": 7, "time": 11}


def test_a_result_prints_how_it_came_about_and_survives_pickling():
    runs = ls.simulate(OU, 0.0, (0, 1), 0.1, 7, rng=1, scheme=ls.Milstein())
    assert repr(runs) == f"Trajectories(7 paths, 11 times from 0 to 1, dt = 0.1, Itô, Milstein(), {runs.key})"
    copy = pickle.loads(pickle.dumps(runs))
    assert np.array_equal(copy.x, runs.x)
    assert repr(copy) == repr(runs)


def test_time_is_that_of_the_equation():
    """dX = (t - X) dt: after a later start the drift is that of the later time."""
    late = ls.simulate(OU_LATER, 0.0, (5.0, 5.1), 0.1, 100, rng=1).x[:, -1]
    early = ls.simulate(OU_LATER, 0.0, (0.0, 0.1), 0.1, 100, rng=1).x[:, -1]
    np.testing.assert_allclose(late - early, 0.5, rtol=1e-12)
