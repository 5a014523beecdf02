"""Steps: what is compiled, what is shared, and that lanes which have ended are left alone."""
from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from langevin_sgd.core.kernels import COMPLETED, DIVERGED, EXITED, STOPPED
from langevin_sgd.core.lanes import LANES
from langevin_sgd.core.noise_text import NoiseForm
from langevin_sgd.core.steps import Fold, Wall, compile_step, layout, step_source
from tests.core.kernel_runs import horizon, nothing, passage, plain

HIGH = Wall((lambda x, t, p: p[1] - x,), (lambda x, t, p: -1.0,))


def ahead(x, t, p):
    return 1.0


def escaping(x, t, p):
    return x * x * x


def test_equal_models_share_one_step():
    model = plain(ahead)
    assert compile_step(model) is compile_step(plain(ahead))
    assert compile_step(model) is not compile_step(dataclasses.replace(model, form=NoiseForm.MODULATED))


def test_new_numbers_compile_nothing():
    model = plain(lambda x, t, p: -p[1] * x, n_parameters=2)
    compile_step(model)
    before = compile_step.cache_info().misses
    for k in range(4):
        horizon(model, [[1.0]], 0.1 / (k + 1), [k + 1], key=(k, k), p=(0.1 + k, 2.0 + k), t_start=float(k))
    assert compile_step.cache_info().misses == before
    assert len(compile_step(model).signatures) == 1


@pytest.mark.parametrize("d", [1, 2, 5, 16])
def test_the_rows_of_the_lane_memory_do_not_overlap(d):
    rows = layout(d)
    blocks = [(rows["X"], d), (rows["Z"], 2 * d), (rows["Y"], d), *((rows[name], 1) for name in ("N", "END", "A", "V"))]
    taken = [row for first, count in blocks for row in range(first, first + count)]
    assert sorted(taken) == list(range(rows["rows"]))


def test_the_text_of_a_step_holds_no_number_of_the_model():
    """Else another value would be another text, and compile again."""
    text = step_source(plain(lambda x, t, p: -12.345 * p[1] * x, n_parameters=2, walls=(HIGH,), bridge=True))
    assert "12.345" not in text


def test_a_path_that_has_left_keeps_the_state_it_left_with():
    """Without noise x = n h: each lane leaves in the step that its own start says, and `after` is the first state outside."""
    starts = np.linspace(-3.0, 0.95, 150)[:, None]
    ends = passage(plain(ahead, nothing, n_parameters=2, walls=(HIGH,)), starts, 0.1, 10**6, p=(1.0, 1.0))
    assert (ends.status == EXITED).all()
    steps = np.ceil(np.round((1.0 - starts[:, 0]) / 0.1, 9)).astype(int)
    assert ends.reached.tolist() == steps.tolist()
    np.testing.assert_allclose(ends.after[:, 0], starts[:, 0] + 0.1 * steps, rtol=1e-12)
    np.testing.assert_allclose(ends.before[:, 0], starts[:, 0] + 0.1 * (steps - 1), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("n_steps", [1, 2, 7, 8])
def test_the_horizon_is_kept_also_in_the_middle_of_a_pair_of_steps(n_steps):
    ends = passage(plain(ahead, nothing, n_parameters=2, walls=(HIGH,)), np.zeros((5, 1)), 0.01, n_steps, p=(1.0, 1.0))
    assert (ends.status == COMPLETED).all()
    assert (ends.reached == n_steps).all()
    np.testing.assert_allclose(ends.after, 0.01 * n_steps, rtol=1e-12)


@pytest.mark.parametrize("fold", [Fold(1, 1), Fold(1, -1)])
def test_a_reflecting_end_folds_the_step(fold):
    """Without noise, a path driven against the end at 0.5 is given back as far as it would have gone beyond."""
    speed = -1.0 * fold.sign
    model = plain(lambda x, t, p: p[2], nothing, n_parameters=3, walls=(), folds=(fold,))
    ends = passage(model, [[0.5 + 0.25 * fold.sign]], 1.0, 1, p=(1.0, 0.5, speed))
    assert ends.after[0, 0] == pytest.approx(0.5 + 0.75 * fold.sign)


@pytest.mark.parametrize("n", [1, 2, LANES - 1, LANES, LANES + 1, 2 * LANES + 3])
def test_any_number_of_paths_fits_the_lanes(n):
    model = plain(lambda x, t, p: -x)
    all_paths = horizon(model, np.zeros((2 * LANES + 3, 1)), 0.1, [3, 10])
    some = horizon(model, np.zeros((n, 1)), 0.1, [3, 10])
    assert np.array_equal(some.x, all_paths.x[:n])
    assert (some.status == COMPLETED).all()
    assert (some.reached == 10).all()


def test_a_state_that_is_not_finite_is_never_an_exit():
    """Far out the cubic drift overflows within a few steps, through the wall: the path is not counted as gone."""
    model = plain(lambda x, t, p: escaping(x, t, p) + math.sqrt(x), nothing, n_parameters=2, walls=(HIGH,))
    ends = passage(model, [[-1.0]], 0.1, 10**6, p=(1.0, 1.0))
    assert ends.status[0] == EXITED                         # it has ended, ...
    assert np.isnan(ends.after[0, 0])                       # ... with a state by which the caller sees what happened


def test_a_path_that_blows_up_inside_ends_as_diverged():
    below = Wall((lambda x, t, p: p[1] + x,), (lambda x, t, p: 1.0,))
    ends = passage(plain(escaping, nothing, n_parameters=2, walls=(below,)), [[2.0], [-0.5]], 0.5, 10**6, p=(1.0, 1.0))
    assert ends.status.tolist() == [DIVERGED, EXITED]
    assert ends.reached[0] < 30


def test_a_fixed_horizon_marks_what_blew_up_and_when():
    runs = horizon(plain(escaping, nothing), [[2.0], [0.0]], 0.5, [1, 3, 40])
    assert runs.status.tolist() == [DIVERGED, COMPLETED]
    assert np.isfinite(runs.x[0, 0]).all()
    assert np.isnan(runs.x[0, 2]).all()
    assert (runs.x[1] == 0.0).all()
    assert 3 <= runs.reached[0] <= 40


@pytest.mark.parametrize("run", [lambda m: horizon(m, np.zeros((3, 1)), 0.1, [4], stop=True),
                                 lambda m: passage(dataclasses.replace(m, n_parameters=2, walls=(HIGH,)), np.zeros((3, 1)), 0.1, 4,
                                                   p=(1.0, 1.0), stop=True)], ids=["horizon", "passage"])
def test_the_stop_word_is_obeyed_before_the_first_step(run):
    result = run(plain(ahead))
    assert set(result.status.tolist()) <= {STOPPED, 255}
    assert (result.reached == 0).all()
