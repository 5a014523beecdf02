"""The strength ε: where it comes from, and what is refused."""
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import langevin_sgd as ls
from langevin_sgd.models.strength import Strength
from tests.models.formulas import checked

LOSS, NOISE = ls.Landscape("x**2/2"), ls.noise.Constant(1.0)


@checked(50)
@given(st.floats(1e-6, 10), st.integers(1, 1000), st.integers(2, 10_000))
def test_epsilon_is_learning_rate_over_batch_size_once(eta, batch, n):
    assert Strength(learning_rate=eta, batch_size=batch).value == eta / batch
    if batch < n:
        without = Strength(learning_rate=eta, batch_size=batch, dataset_size=n, replacement=False).value
        assert without == pytest.approx(eta * (n - batch) / (batch * (n - 1)), rel=1e-15)
        assert without <= eta / batch


def test_the_factor_without_replacement_is_the_variance_of_a_mean_of_distinct_samples():
    samples, batch = np.random.default_rng(0).normal(size=7), 3
    choices = [(i, j, k) for i in range(7) for j in range(i) for k in range(j)]
    variance = np.var([samples[list(c)].mean() for c in choices]) / samples.var()
    assert Strength(learning_rate=1.0, batch_size=batch, dataset_size=7, replacement=False).value == pytest.approx(variance, rel=1e-12)


def test_a_temperature_counts_twice_and_a_strength_once():
    assert Strength(temperature=0.1).value == 0.2
    assert Strength(strength=0.1).value == 0.1
    sde = ls.langevin(LOSS, temperature=0.3)
    assert (sde.diffusion(1.0), sde.strength.value) == (0.3, 0.6)


@pytest.mark.parametrize(("numbers", "text"), [
    ({"strength": 0.25}, "ε = 0.25"), ({"temperature": 0.1}, "ε = 0.2 (temperature 0.1)"),
    ({"learning_rate": 0.1, "batch_size": 8}, "ε = 0.0125 (learning rate 0.1, batch size 8)"),
    ({"learning_rate": 0.1, "batch_size": 2, "dataset_size": 5, "replacement": False},
     "ε = 0.0375 (learning rate 0.1, batch size 2 of 5 without replacement)"),
])
def test_it_prints_where_it_comes_from(numbers, text):
    assert str(Strength(**numbers)) == text


@pytest.mark.parametrize(("numbers", "words"), [
    ({"learning_rate": 0.0}, "`learning_rate` is 0, but must be positive"),
    ({"learning_rate": math.nan}, "`learning_rate` is nan, but must be a finite number"),
    ({"learning_rate": "fast"}, "`learning_rate` is 'fast', but must be a number"),
    ({"batch_size": 0}, "`batch_size` is 0, but must be at least 1"),
    ({"batch_size": 2.5}, "`batch_size` is 2.5, but must be a whole number"),
    ({"batch_size": -4}, "`batch_size` is -4, but must be at least 1"),
    ({"dataset_size": 0}, "`dataset_size` is 0, but must be at least 1"),
    ({"replacement": False}, "`dataset_size` is missing: without replacement the noise depends on"),
    ({"replacement": False, "batch_size": 8, "dataset_size": 8},
     "`batch_size` is 8 out of `dataset_size` 8: .* that is the whole dataset, and there is no noise"),
    ({"replacement": False, "batch_size": 9, "dataset_size": 8}, "`batch_size` is 9 out of `dataset_size` 8"),
    ({"replacement": "reshuffle"}, "Reshuffling whole epochs has no white-noise ε: successive batches are anticorrelated"),
    ({"replacement": "reshuffle", "dataset_size": 100}, "`replacement` is 'reshuffle', but must be True or False"),
])
def test_what_is_no_batch_is_refused(numbers, words):
    with pytest.raises(ValueError, match=words):
        ls.sgd(LOSS, NOISE, **{"learning_rate": 0.1, **numbers})


@pytest.mark.parametrize(("make", "words"), [
    (lambda: ls.langevin(LOSS, temperature=-1.0), "`temperature` is -1, but must be positive"),
    (lambda: ls.langevin(LOSS, temperature=math.inf), "`temperature` is inf, but must be a finite number"),
    (lambda: ls.SDE("-x", NOISE, strength=0), "`strength` is 0, but must be positive"),
    (lambda: ls.SDE("-x", NOISE, strength=None),
     "the noise strength is None: `strength`, `temperature`, or both `learning_rate` and `batch_size` must be"),
    (lambda: ls.sgd(LOSS, NOISE, 0.1, None), "the noise strength is None"),
])
def test_temperatures_and_strengths_are_positive(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_new_numbers_go_where_the_old_ones_were():
    sde = ls.sgd(LOSS, NOISE, learning_rate=0.1, batch_size=4)
    assert sde.replace(learning_rate=0.2).strength.value == 0.05
    assert sde.replace(learning_rate=0.2, batch_size=1).diffusion(0.0) == 0.1
    assert sde.replace(batch_size=2, dataset_size=3, replacement=False).strength.value == pytest.approx(0.1 / 4, rel=1e-15)
    assert ls.langevin(LOSS, 0.1).replace(temperature=0.4).diffusion(0.0) == 0.4
    assert ls.SDE("-x", NOISE, 0.1).replace(strength=0.4).diffusion(0.0) == 0.2
    assert sde.strength.value == 0.025


@pytest.mark.parametrize(("sde", "numbers", "words"), [
    (ls.sgd(LOSS, NOISE, 0.1), {"temperature": 0.1},
     "this equation has no `temperature`: its noise strength is given by learning_rate, batch_size"),
    (ls.sgd(LOSS, NOISE, 0.1), {"strength": 0.1}, "this equation has no `strength`"),
    (ls.langevin(LOSS, 0.1), {"learning_rate": 0.1}, "this equation has no `learning_rate`: its noise strength is given by temperature"),
    (ls.SDE("-x", NOISE), {"batch_size": 2}, "this equation has no `batch_size`: its noise strength is given by strength"),
    (ls.sgd(LOSS, NOISE, 0.1), {"learning_rate": None}, "the noise strength is None"),
    (ls.sgd(LOSS, NOISE, 0.1), {"batch_size": 1.5}, "`batch_size` is 1.5, but must be a whole number"),
    (ls.sgd(LOSS, NOISE, 0.1), {"replacement": "reshuffle"}, "Reshuffling whole epochs"),
])
def test_a_number_that_the_equation_does_not_have_is_refused(sde, numbers, words):
    with pytest.raises(ValueError, match=words):
        sde.replace(**numbers)
