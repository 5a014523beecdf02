"""Runs of SGD against the same iteration in NumPy on the same random words; bits, exits, divergence, budgets and bad arguments."""
from __future__ import annotations

import numpy as np
import pytest
from numba import njit

import langevin_sgd as ls
from langevin_sgd.core.streams import next_word, stream
from langevin_sgd.models.key import Key

RNG = np.random.default_rng(5)
X, Y = RNG.normal(size=(23, 6)), RNG.normal(size=23)
FEW = ls.losses.linear_regression(X[:, :2], Y)          # in lanes
MANY = ls.losses.linear_regression(X, Y)                # one path after the other
ONE = ls.losses.linear_regression(X[:, 0], Y)


@njit
def words(low, high, path, count):
    out, state = np.empty(count, np.uint64), stream(low, high, path)
    for k in range(count):
        state, out[k] = next_word(state)
    return out


def batches(key: Key, path: int, n: int, size: int, steps: int, sampling: str) -> list[np.ndarray]:
    """The samples of every step of a path, from the words of its stream."""
    u = (words(*map(np.uint64, key.words), np.uint64(path), steps * size) >> np.uint64(12)) * 2.0**-52
    if sampling == "iid":
        return list(np.floor(u * n).astype(int).reshape(steps, size))
    order, place, found = np.arange(n), 0, []
    for step in u.reshape(steps, size):
        if sampling == "without" or place + size > n:
            place = 0
        for v in step:
            other = place + int(v * (n - place))
            order[[place, other]] = order[[other, place]]
            place += 1
        found.append(order[place - size:place].copy())
    return found


def reference(w: np.ndarray, x: np.ndarray, y: np.ndarray, drawn: list[np.ndarray], rates: np.ndarray, mu: float,
              decay: float) -> np.ndarray:
    m, path = np.zeros_like(w), [w]
    for batch, rate in zip(drawn, rates, strict=True):
        gradient = x[batch].T @ (x[batch] @ w - y[batch]) / len(batch)
        m = mu * m + gradient + decay * w
        w = w - rate * m
        path.append(w)
    return np.array(path)


@pytest.mark.parametrize("loss", [ONE, FEW, MANY], ids=["one weight", "in lanes", "many weights"])
@pytest.mark.parametrize(("sampling", "mu", "decay"), [
    ("iid", 0.0, 0.0), ("iid", 0.7, 0.2), ("without", 0.0, 0.1), ("reshuffle", 0.5, 0.0)])
def test_every_step_is_that_of_the_formula(loss: ls.SampledLoss, sampling: str, mu: float, decay: float) -> None:
    steps, size, start = 40, 5, 0.1 * np.arange(1, loss.dim + 1)
    rates = 0.05 / (1 + 0.1 * np.arange(steps))
    done = ls.run_sgd(loss, start if loss.dim > 1 else start[0], learning_rate=lambda k: 0.05 / (1 + 0.1 * k), batch_size=size,
                      n_steps=steps, sampling=sampling, momentum=mu, weight_decay=decay, n_paths=70, rng=9)
    assert done.w.shape == (70, steps + 1, loss.dim)
    assert done.t == pytest.approx(np.concatenate([[0.0], np.cumsum(rates)]))
    for path in (0, 3, 69):
        drawn = batches(done.key, path, 23, size, steps, sampling)
        assert done.w[path] == pytest.approx(reference(start, X[:, :loss.dim], Y, drawn, rates, mu, decay), rel=1e-9, abs=1e-12)


def test_batches_are_what_they_are_called() -> None:
    """By the reference: without replacement no sample twice in a batch, reshuffled no sample twice in an epoch of 4 batches of 5 out of 23.
    """
    key = Key(77)
    assert all(len(set(b)) == 5 for b in batches(key, 0, 23, 5, 40, "without"))
    epochs = np.concatenate(batches(key, 0, 23, 5, 40, "reshuffle")).reshape(10, 20)
    assert all(len(set(epoch)) == 20 for epoch in epochs)
    assert any(len(set(b)) < 5 for b in batches(key, 0, 23, 5, 40, "iid"))


@pytest.mark.parametrize("loss", [FEW, MANY], ids=["in lanes", "many weights"])
def test_bits_depend_on_key_and_path_alone(loss: ls.SampledLoss) -> None:
    def run(n_paths: int = 150, first_path: int = 0, threads: int = 1, **more):
        return ls.run_sgd(loss, np.zeros(loss.dim), learning_rate=0.1, batch_size=3, n_steps=60, sampling="reshuffle", n_paths=n_paths,
                          first_path=first_path, threads=threads, rng=4, average_from=1.0, **more)
    whole = run()
    for other, rows in [(run(threads=2), slice(None)), (run(40, 100), slice(100, 140)), (run(1, 77), slice(77, 78))]:
        assert np.array_equal(whole.w[rows], other.w)
        assert np.array_equal(whole.path_covariance[rows], other.path_covariance)
    assert len({w.tobytes() for w in whole.w[:, -1]}) == 150
    again = run(t_eval=[whole.t[3], whole.t[41]])
    assert np.array_equal(again.w, whole.w[:, [3, 41]])
    assert np.array_equal(ls.run_sgd(loss, np.zeros(loss.dim), learning_rate=0.1, batch_size=3, n_steps=60, sampling="reshuffle", n_paths=2,
                                     rng=whole.key).w, whole.w[:2])


@pytest.mark.parametrize("loss", [ONE, FEW, MANY], ids=["one weight", "in lanes", "many weights"])
def test_averages_are_those_of_the_saved_weights(loss: ls.SampledLoss) -> None:
    done = ls.run_sgd(loss, np.full(loss.dim, 3.0) if loss.dim > 1 else 3.0, learning_rate=0.1, batch_size=3, n_steps=50, average_from=2.0,
                      average_every=3, n_paths=65, rng=1)
    kept = done.w[:, 21:51:3]             # t = 2 is after 20 steps
    assert np.all(done.n_averaged == kept.shape[1])
    assert done.path_mean == pytest.approx(kept.mean(axis=1))
    away = kept - kept.mean(axis=1, keepdims=True)
    assert done.path_covariance == pytest.approx(np.einsum("qti,qtj->qij", away, away) / kept.shape[1], abs=1e-12)
    flat = kept.reshape(-1, loss.dim)
    assert np.atleast_2d(done.covariance) == pytest.approx(np.cov(flat.T, ddof=0).reshape(loss.dim, loss.dim), abs=1e-12)
    assert np.atleast_1d(done.mean) == pytest.approx(flat.mean(axis=0))


@pytest.mark.parametrize("loss", [ONE, MANY], ids=["in lanes", "many weights"])
def test_a_far_start_costs_no_digits(loss: ls.SampledLoss) -> None:
    """Weights of 1e5 that spread by 1e-3 about the minimum: their variance is that of the saved ones to 1e-6."""
    x, away = loss.data[:, :-1], np.full(loss.dim, 1e5)
    far = ls.losses.linear_regression(x, x @ away + 1e-3 * np.sin(np.arange(len(x))))
    done = ls.run_sgd(far, np.zeros(loss.dim) if loss.dim > 1 else 0.0, learning_rate=0.2, batch_size=10, n_steps=1000, average_from=180.0,
                      t_eval=180.0 + 0.2 * np.arange(1, 101), n_paths=4, rng=1)
    expected = [np.cov(w.T, bias=True).reshape(loss.dim, loss.dim) for w in done.w - away]
    assert done.path_covariance == pytest.approx(np.array(expected), rel=1e-6, abs=1e-12)
    assert done.path_mean == pytest.approx(done.w.mean(axis=1), rel=1e-15, abs=1e-9)


@pytest.mark.parametrize("loss", [ONE, MANY], ids=["in lanes", "many weights"])
def test_a_time_may_be_asked_for_twice(loss: ls.SampledLoss) -> None:
    times = np.unique(np.concatenate([np.arange(11) * 0.1, np.cumsum([0.1] * 10)]))
    assert len(times) > 11                                  # which differ by rounding
    start = np.zeros(loss.dim) if loss.dim > 1 else 0.0
    done = ls.run_sgd(loss, start, learning_rate=0.1, batch_size=5, n_steps=10, n_paths=3, rng=1, t_eval=times)
    once = ls.run_sgd(loss, start, learning_rate=0.1, batch_size=5, n_steps=10, n_paths=3, rng=1)
    assert np.array_equal(done.w, once.w[:, np.round(times / 0.1).astype(int)])


@pytest.mark.parametrize(("time", "count"), [(0.0, 100), (0.05, 100), (0.1, 99), (9.8, 2), (9.95, 1)])
@pytest.mark.parametrize("rates", [0.1, [0.1] * 100], ids=["one rate", "a rate for each step"])
def test_averages_are_over_what_is_after_the_time(time: float, count: int, rates) -> None:
    done = ls.run_sgd(ONE, 0.0, learning_rate=rates, batch_size=5, n_steps=100, n_paths=1, rng=1, average_from=time)
    assert done.n_averaged == [count]


@pytest.mark.parametrize("loss", [ONE, MANY], ids=["in lanes", "many weights"])
def test_a_start_on_the_boundary_has_left(loss: ls.SampledLoss) -> None:
    starts = np.zeros((3, loss.dim))
    starts[1, 0] = 1.0
    region = ls.Where("1 - " + loss.variables[0], variables=loss.variables)
    done = ls.run_sgd(loss, starts, learning_rate=0.1, batch_size=5, n_steps=10, rng=1, domain=region, average_from=0.0)
    free = ls.run_sgd(loss, starts, learning_rate=0.1, batch_size=5, n_steps=10, rng=1)
    assert (done.status[1], done.time[1], done.n_averaged[1]) == (ls.Status.EXITED, 0.0, 0)
    assert np.array_equal(done.w[1, 0], starts[1]) and np.array_equal(done.last[1], starts[1])
    assert np.isnan(done.w[1, 1:]).all() and np.isnan(done.path_mean[1]).all()
    assert np.array_equal(done.w[[0, 2]], free.w[[0, 2]])


def test_when_a_run_blows_up_does_not_depend_on_the_times_that_are_saved() -> None:
    with pytest.warns(RuntimeWarning, match="diverged"):
        ends = [ls.run_sgd(MANY, np.ones(6), learning_rate=50.0, batch_size=5, n_steps=1000, n_paths=3, rng=1, t_eval=times).time
                for times in (None, [50_000.0], 50.0 * np.arange(1001))]
    assert np.array_equal(ends[0], ends[1]) and np.array_equal(ends[0], ends[2])


def test_memory_does_not_grow_with_the_number_of_steps() -> None:
    with pytest.warns(RuntimeWarning, match="stopped by max_seconds"):
        done = ls.run_sgd(ONE, 0.0, learning_rate=0.1, batch_size=5, n_steps=10**13, n_paths=2, max_seconds=0.05, rng=1)
    assert done.t[-1] == pytest.approx(1e12)


@pytest.mark.parametrize("loss", [ONE, FEW, MANY], ids=["one weight", "in lanes", "many weights"])
def test_exits_are_the_first_weights_outside(loss: ls.SampledLoss) -> None:
    start = np.full(loss.dim, 1.0)
    box = ls.Box(np.full(loss.dim, -0.3), np.full(loss.dim, 1.05)) if loss.dim > 1 else ls.Interval(-0.3, 1.05)
    common = {"learning_rate": 0.2, "batch_size": 1, "n_steps": 30, "n_paths": 300, "rng": 2}
    free = ls.run_sgd(loss, start if loss.dim > 1 else 1.0, **common)
    done = ls.run_sgd(loss, start if loss.dim > 1 else 1.0, domain=box, **common)
    inside = ((free.w > -0.3) & (free.w < 1.05)).all(axis=2)
    for q in range(300):
        if inside[q].all():
            assert done.status[q] == ls.Status.COMPLETED
            assert np.array_equal(done.w[q], free.w[q])
            continue
        k = int(np.argmin(inside[q]))
        assert done.status[q] == ls.Status.EXITED
        assert done.time[q] == free.t[k]
        assert np.array_equal(done.last[q], free.w[q, k])
        assert np.array_equal(done.w[q, :k], free.w[q, :k])
        assert np.isnan(done.w[q, k:]).all()
        crossed = done.labels[done.label_index[q]]
        component = dict(zip(loss.variables, done.last[q], strict=True)).get(crossed.split()[0], done.last[q, 0])
        assert component >= 1.05 if crossed.endswith("high") else component <= -0.3
    ends = done.exits
    assert np.array_equal(ends.exited, ~inside.all(axis=1))
    assert ends.mean().n_events == ends.exited.sum()
    assert "SGD(learning rate 0.2" in repr(ends)
    assert ends.to_xarray().attrs["batch_size"] == 1


def test_a_union_of_regions_is_left_when_both_are() -> None:
    union = ls.Ball([1.0, 1.0], 0.5, label="first") | ls.Ball([0.6, 0.4], 0.4, label="second")
    done = ls.run_sgd(FEW, [1.0, 1.0], learning_rate=0.2, batch_size=1, n_steps=40, domain=union, n_paths=200, rng=2)
    free = ls.run_sgd(FEW, [1.0, 1.0], learning_rate=0.2, batch_size=1, n_steps=40, n_paths=200, rng=2)
    inside = union.contains(free.w)
    first_out = np.where(inside.all(axis=1), 40, inside.argmin(axis=1))
    assert np.array_equal(np.round(done.time / 0.2).astype(int), first_out)
    passed = (~ls.Ball([1.0, 1.0], 0.5).contains(free.w) & inside).any()
    assert passed, "no run went from one ball into the other"
    assert set(done.exits.exit_label) <= {"first", "second", ""}


@pytest.mark.parametrize("loss", [FEW, MANY], ids=["in lanes", "many weights"])
def test_runs_that_blow_up_are_said_and_left_out(loss: ls.SampledLoss) -> None:
    starts = np.zeros((10, loss.dim))
    starts[4] = 1e308
    with pytest.warns(RuntimeWarning, match="1 of 10 runs diverged"):
        done = ls.run_sgd(loss, starts, learning_rate=0.5, batch_size=23, n_steps=100, average_from=1.0, sampling="without", rng=1)
    assert list(np.flatnonzero(done.status == ls.Status.DIVERGED)) == [4]
    assert np.isnan(done.w[4, -1]).all()
    assert np.isfinite(done.covariance).all()


def test_a_budget_stops_and_says_so() -> None:
    with pytest.warns(RuntimeWarning, match="stopped by max_seconds"):
        done = ls.run_sgd(MANY, np.zeros(6), learning_rate=0.01, batch_size=20, n_steps=10**7, max_seconds=0.1, n_paths=3,
                          t_eval=[0.01], rng=1, threads=1)
    assert (done.status == ls.Status.STOPPED).all()
    assert np.isnan(done.w[-1]).all()
    assert np.isfinite(done.w[0]).all()


def test_a_loss_of_ones_own_runs_like_that_of_the_library() -> None:
    def squared(w, sample, gradient):
        r = sample[0] * w[0] - sample[1]
        gradient[0] = r * sample[0]
        return r * r / 2
    own = ls.SampledLoss.from_function(squared, np.column_stack([X[:, 0], Y]), dim=1)
    settings = {"learning_rate": 0.1, "batch_size": 2, "n_steps": 30, "n_paths": 5, "rng": 3}
    assert ls.run_sgd(own, 0.5, **settings).x == pytest.approx(ls.run_sgd(ONE, 0.5, **settings).x, rel=1e-12)


def test_results_say_what_was_run() -> None:
    done = ls.run_sgd(FEW, [0.0, 0.0], learning_rate=0.1, batch_size=2, n_steps=5, momentum=0.5, n_paths=3, rng=3)
    assert "momentum 0.5" in repr(done)
    data = done.to_xarray()
    assert data.w.dims == ("path", "time", "component")
    assert data.attrs["sampling"] == "iid"
    assert data.attrs["key"] == f"{done.key.value:#034x}"
    with pytest.raises(ValueError, match="no domain"):
        _ = done.exits
    with pytest.raises(ValueError, match="were not averaged"):
        _ = done.mean


@pytest.mark.parametrize(("change", "says"), [
    ({"loss": ls.Landscape("x**2")}, "`loss` is"),
    ({"w0": [1.0, 2.0, 3.0]}, "`w0` has shape"), ({"learning_rate": -0.1}, "must be positive"),
    ({"learning_rate": [0.1, 0.2]}, "one for each of 10 steps"),
    ({"batch_size": 0}, "`batch_size`"), ({"batch_size": 24, "sampling": "without"}, "23 samples"),
    ({"sampling": "all"}, "`sampling`"),
    ({"momentum": 1.0}, "`momentum`"), ({"weight_decay": -1.0}, "`weight_decay`"), ({"n_steps": 0}, "`n_steps`"),
    ({"n_steps": 1e20}, "at most 2"), ({"first_path": 2**63}, "at most 2"),
    ({"t_eval": [0.15]}, "the nearest is 0.[12]"), ({"t_eval": [2.0]}, "`t_eval` holds"), ({"average_from": 5.0}, "`average_from`"),
    ({"domain": ls.Ball([5.0, 5.0], 1.0)}, "not inside `domain`"), ({"domain": 3}, "`domain` is 3"),
    ({"domain": ls.Where("a - x", variables=["x", "y"])}, "without a value"),
])
def test_what_is_wrong_is_named(change: dict, says: str) -> None:
    given = {"loss": FEW, "w0": [0.0, 0.0], "learning_rate": 0.1, "batch_size": 2, "n_steps": 10, "n_paths": 2, "rng": 1, **change}
    with pytest.raises(ValueError, match=says):
        ls.run_sgd(given.pop("loss"), given.pop("w0"), **given)


def test_regions_that_hold_no_run_are_refused() -> None:
    with pytest.raises(ValueError, match="SGD does not reflect"):
        ls.run_sgd(ONE, 0.0, learning_rate=0.1, batch_size=2, n_steps=3, domain=ls.Interval(-1.0, 1.0, reflect="low"))
    with pytest.raises(ValueError, match="no boundary"):
        ls.run_sgd(ONE, 0.0, learning_rate=0.1, batch_size=2, n_steps=3, domain=ls.Interval())
