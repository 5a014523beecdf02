"""Keys: the same `rng` gives the same key, and different places give different ones."""
import pickle

import numpy as np
import pytest

import langevin_sgd as ls


def test_the_same_rng_gives_the_same_key():
    for make in (lambda: 7, lambda: np.random.SeedSequence(7), lambda: np.random.default_rng(7), lambda: np.random.PCG64(7),
                 lambda: [1, 2, 3]):
        assert ls.Key.draw(make()) == ls.Key.draw(make())
    assert len({ls.Key.draw(seed) for seed in range(200)}) == 200
    assert ls.Key.draw() != ls.Key.draw()


def test_a_generator_moves_on_and_a_key_passes_through():
    rng = np.random.default_rng(7)
    first, second = ls.Key.draw(rng), ls.Key.draw(rng)
    assert first != second
    assert first == ls.Key.draw(7)
    assert ls.Key.draw(first) is first


def test_a_key_has_128_bits_in_two_words():
    keys = [ls.Key.draw(seed) for seed in range(400)]
    counts = np.array([[key.value >> bit & 1 for bit in range(128)] for key in keys]).sum(axis=0)
    assert np.abs(counts - 200).max() < 6 * 10             # each a fair coin: 6 standard deviations of 10
    low, high = keys[0].words
    assert low + 2**64 * high == keys[0].value
    assert ls.Key(2**127 + 5).words == (5, 2**63)


def test_places_have_keys_of_their_own_which_can_be_made_again():
    key = ls.Key.draw(7)
    places = [(), *((i,) for i in range(50)), *((i, j) for i in range(20) for j in range(20)), (0, 0, 0), (2**32 - 1,), (1, 0, 1)]
    keys = [key.spawn(*place) for place in places]
    assert len({key, *keys}) == len(places) + 1
    assert keys == [ls.Key(key.value).spawn(*place) for place in places]
    assert ls.Key.draw(8).spawn(0) != key.spawn(0)
    assert key.spawn(np.int64(3)) == key.spawn(3)


@pytest.mark.parametrize("place", [2**32, -1, 0.5, "a"])
def test_a_place_is_given_by_whole_numbers_of_32_bits(place):
    """A larger one would look like two: SeedSequence reads 2**32 as the words 0 and 1."""
    with pytest.raises(ValueError, match="`coordinates` "):
        ls.Key(1).spawn(place)


@pytest.mark.parametrize("rng", ["seven", -1, 0.5, object()])
def test_what_is_no_rng_is_refused(rng):
    with pytest.raises(ValueError,
                       match=r"`rng` is .*, but must be None, an int, a SeedSequence, a Generator, or the `key` of an earlier result"):
        ls.Key.draw(rng)


@pytest.mark.parametrize("value", [-1, 2**128, 0.5, "7"])
def test_a_key_is_a_whole_number_below_2_to_the_128(value):
    with pytest.raises(ValueError, match=r"`value` is .*, but a key is a whole number below 2\*\*128"):
        ls.Key(value)


def test_a_key_survives_pickle_and_prints_as_what_makes_it():
    key = ls.Key.draw(7)
    assert pickle.loads(pickle.dumps(key)) == key
    assert eval(repr(key), {"Key": ls.Key}) == key
    assert repr(ls.Key(255)) == "Key(0x000000000000000000000000000000ff)"
