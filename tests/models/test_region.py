"""Regions: what is inside, against boolean logic on random states; the parts of their boundaries, and their labels."""
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import langevin_sgd as ls
from langevin_sgd.models.region import Reflection, boundary
from tests.models.equations import differences
from tests.models.formulas import checked

RNG = np.random.default_rng(17)
STATES = {1: RNG.uniform(-2, 2, (200, 1)), 2: RNG.uniform(-2, 2, (200, 2))}
NAMES = {1: ("x",), 2: ("x", "y")}
coordinates, lengths = st.floats(-1.5, 1.5), st.floats(0.3, 1.8)


class Case(NamedTuple):
    """A region, and how far inside its parts states (n, d) are: positive inside, of any scale."""

    region: ls.Region
    inside: Callable[[np.ndarray], np.ndarray]


def box(low, width):
    low, high = np.array(low), np.array(low) + width
    return Case(ls.Box(low, high), lambda x: np.minimum(x - low, high - x).min(axis=1))


def ball(center, radius):
    return Case(ls.Ball(center, radius), lambda x: radius - np.linalg.norm(x - center, axis=1))


def half_space(normal, offset):
    return Case(ls.HalfSpace(normal, offset), lambda x: offset - x @ np.array(normal))


BOWL = {1: ls.Landscape("a*x**2 + x", a=1.5), 2: ls.Landscape("a*x**2 + x*y + y**4", a=1.5)}
TEXTS = {1: ("c - x**3", lambda x, c: c - x[:, 0]**3), 2: ("c - sin(2*x) - y", lambda x, c: c - np.sin(2 * x[:, 0]) - x[:, 1])}


def sublevel(d, height):
    return Case(ls.Sublevel(BOWL[d], height), lambda x: height - BOWL[d](x if d > 1 else x[:, 0]))


def where(d, c):
    text, function = TEXTS[d]
    return Case(ls.Where(text, c=c), lambda x: function(x, c))


@st.composite
def cases(draw, d: int, depth: int = 3) -> tuple[Case, Callable[[np.ndarray], np.ndarray]]:
    """Draw a tree of regions, and its boolean evaluation; NaN where a state is too near to the boundary of a part."""
    numbers = st.lists(coordinates, min_size=d, max_size=d)
    kind = draw(st.sampled_from(["leaf", "leaf", "and", "or", "not"])) if depth else "leaf"
    if kind == "leaf":
        leaf = draw(st.one_of(st.builds(box, numbers, lengths), st.builds(ball, numbers, lengths), st.builds(sublevel, st.just(d), lengths),
                              st.builds(half_space, numbers.filter(lambda n: max(map(abs, n)) > 0.1), coordinates),
                              st.builds(where, st.just(d), coordinates)))
        return leaf.region, lambda x: np.where(np.abs(leaf.inside(x)) < 1e-9, np.nan, leaf.inside(x) > 0)
    a, true_a = draw(cases(d, depth - 1))
    if kind == "not":
        return ~a, lambda x: 1 - true_a(x)
    b, true_b = draw(cases(d, depth - 1))
    return (a & b, lambda x: true_a(x) * true_b(x)) if kind == "and" else (a | b, lambda x: 1 - (1 - true_a(x)) * (1 - true_b(x)))


def level(region, x):
    return region.level(x if x.shape[1] > 1 else x[:, 0])


@checked(60)
@given(st.sampled_from([1, 2]).flatmap(lambda d: st.tuples(st.just(d), cases(d))))
def test_inside_is_what_boolean_logic_says(drawn):
    d, (region, true) = drawn
    x = STATES[d]
    expected, sure = true(x), ~np.isnan(true(x))
    contained = region.contains(x if d > 1 else x[:, 0])
    assert np.array_equal(contained[sure], expected[sure].astype(bool))
    assert np.array_equal(contained, level(region, x) > 0)


@checked(25)
@given(cases(2, 2), cases(2, 2))
def test_levels_obey_de_morgan(first, second):
    (a, _), (b, _), x = first, second, STATES[2][:40]
    assert np.array_equal(level(~a, x), -level(a, x))
    assert np.array_equal(level(a & b, x), np.minimum(level(a, x), level(b, x)))
    assert np.array_equal(level(a | b, x), np.maximum(level(a, x), level(b, x)))
    assert np.array_equal(level(~(a & b), x), level(~a | ~b, x))
    assert np.array_equal(level(~(a | b), x), level(~a & ~b, x))


@checked(25)
@given(st.sampled_from([1, 2]).flatmap(lambda d: st.tuples(st.just(d), cases(d, 2))))
def test_every_face_of_the_boundary_knows_its_own_numbers_and_its_gradient(drawn):
    """All numbers of a boundary live in one namespace: two balls of one label must not share a radius."""
    d, (region, _) = drawn
    x, walls = STATES[d][:20], boundary(region, NAMES[d])
    numbers = {name: value for wall in walls for face in wall for name, value in face.values.items() if name.startswith("region[")}
    lowest = np.full(len(x), np.inf)
    for wall in walls:
        heights = []
        for face in wall:
            known = {**face.values, **numbers}                  # what people name themselves, such as c, has one value in an equation
            names, p = tuple(known), tuple(known.values())
            level_, gradient = face.level.vector(names), face.gradient.vector(names)
            heights.append(level_(x, 0.0, p))
            assert np.allclose(gradient(x, 0.0, p), differences(lambda y, f=level_, q=p: f(y, 0.0, q), x), rtol=1e-7, atol=1e-7)
        lowest = np.minimum(lowest, np.max(heights, axis=0))
    assert np.allclose(lowest, level(region, x), rtol=1e-13, atol=1e-13)


def test_two_balls_of_one_label_keep_their_numbers():
    region = ls.Ball([0.0, 0.0], 1.0) | ls.Ball([3.0, 0.0], 0.5)
    ((a, b),) = boundary(region, ("x", "y"))
    assert a.label == b.label == "ball"
    assert not set(a.values) & set(b.values)
    assert sorted({**a.values, **b.values}.values()) == [0.0, 0.0, 0.0, 0.5, 1.0, 3.0]
    assert region.contains([[0.9, 0.0], [2.1, 0.0], [3.4, 0.0], [1.5, 0.0]]).tolist() == [True, False, True, False]


# ------------------------------------------------------------------------------------------------------ each kind by itself

def test_the_boundary_itself_is_not_inside():
    assert ls.Interval(-1.0, 1.0).contains([-1.0, 0.0, 1.0]).tolist() == [False, True, False]
    assert not (~ls.Ball([0.0, 0.0], 1.0)).contains([1.0, 0.0])
    assert ls.Interval().contains(1e300) is True
    assert ls.Ball([0.0], 1.0).contains(math.inf) is False


@pytest.mark.parametrize(("region", "names", "labels"), [
    (ls.Interval(-1, 1), "x", [["low"], ["high"]]), (ls.Interval(high=1), "x", [["high"]]), (ls.Interval(), "x", []),
    (~ls.Interval(0, 1), "x", [["low", "high"]]),
    (ls.Box([-1, -math.inf], [1, 2]), "x y", [["x low"], ["x high"], ["y high"]]),
    (ls.Box([0, 0], [1, 1]), "x1 x2", [["x1 low"], ["x1 high"], ["x2 low"], ["x2 high"]]),
    (ls.Ball([0], 1) | ls.Ball([3], 1, "right"), "x", [["ball", "right"]]),
    (ls.HalfSpace([1, 1], 0) & ls.HalfSpace([1, 0], 1, "wall"), "x y", [["half-space"], ["wall"]]),
    (ls.Sublevel(BOWL[2], 1.0) & ls.Where("x", label="right of zero"), "x y", [["sublevel"], ["right of zero"]]),
    (ls.Where("x"), "x", [["where"]]),
    (ls.Sublevel(BOWL[2], level=1.0, label="valley"), "x y", [["valley"]]),
    (~(ls.Interval(0, 1) | ls.Interval(2, 3)), "x", [["low", "high"], ["low", "high"]]),
])
def test_exits_are_labelled_with_the_part_of_the_boundary(region, names, labels):
    assert [[face.label for face in wall] for wall in region.walls(tuple(names.split()))] == labels


def test_the_outside_of_two_boxes_is_two_walls():
    region = ~(ls.Box([0, 0], [1, 1]) | ls.Box([2, 2], [3, 3]) | ls.Box([4, 4], [5, 5]))
    assert [len(wall) for wall in region.walls(("x", "y"))] == [4, 4, 4]


def test_one_dimensional_faces_know_where_they_are():
    places = [(face.label, face.at) for region in (ls.Interval(-1, 2), ls.HalfSpace([2.0], 3.0),
                                                   ls.Box(0, 1)) for wall in region.walls(("x",)) for face in wall]
    assert places == [("low", -1.0), ("high", 2.0), ("half-space", 1.5), ("x low", 0.0), ("x high", 1.0)]
    assert ls.Ball([0.0], 1.0).walls(("x",))[0][0].at is None


def test_the_level_of_a_ball_is_the_distance_near_its_boundary():
    x = np.array([[0.0, 0.999], [0.001 + 1, 0.0], [0.0, 0.0]])
    assert ls.Ball([0.0, 0.0], 1.0).level(x) == pytest.approx([0.001, -0.001, 0.5], abs=1e-6)


def test_states_are_read_with_the_names_of_the_conditions():
    assert ls.Where("0.5 - x").contains(np.array([[0.2, 0.7], [0.1, 0.6]])).tolist() == [[True, False],
                                                                                         [True, False]]     # states of one dimension
    assert ls.Where("x1 + x3").contains([1.0, 9.0, -2.0]) is False
    assert ls.Where("q - p", variables=["p", "q"]).contains([0.0, 1.0]) is True
    assert (~ls.Where("x1 + x3")).contains([1.0, 9.0, -2.0]) is True
    assert (~ls.Where("0.5 - u", variables=["u"])).contains(0.7) is True
    for region in (ls.Where("0.5 - x") & ls.Ball([0.0, 0.0], 1.0), ls.Ball([0.0, 0.0], 1.0) & ls.Where("0.5 - x"),
                   ls.Where("0.5 - x") & ls.Where("1 + y*0 - x**2 - y**2")):
        assert region.contains([[0.2, 0.3], [0.7, 0.0], [0.2, 2.0]]).tolist() == [True, False, False]
    assert (ls.Where("x2 - 0.5") | ls.Ball([0.0] * 4, 1.0)).contains([0.0, 0.7, 5.0, 5.0]) is True
    assert ls.Where("a - x", a=1.0).contains(0.5) is ls.Where("a - x").contains(0.5, a=1.0) is True


def test_a_reflecting_end_is_no_exit_and_nothing_lies_behind_it():
    region = ls.Interval(0.0, 1.0, reflect="low")
    assert [face.label for wall in region.walls(("x",)) for face in wall] == ["high"]
    assert region.reflections == (Reflection(0.0, 1),)
    assert ls.Interval(0.0, 1.0, reflect="high").reflections == (Reflection(1.0, -1),)
    assert region.contains([-0.1, 0.0, 0.5, 1.0]).tolist() == [False, True, True, False]
    assert ls.Interval(0.0, 1.0, reflect="high").contains([0.0, 0.5, 1.0, 1.1]).tolist() == [False, True, True, False]
    both = region & ls.Where("0.5 - x")
    assert both.reflections == region.reflections
    assert both.contains([-0.1, 0.0, 0.4, 0.6]).tolist() == [False, True, True, False]
    for make in (lambda: ~region, lambda: region | ls.Interval(2, 3), lambda: ls.Interval(2, 3) | region, lambda: ~both):
        with pytest.raises(ValueError, match="an interval with a reflecting end can be combined with & only: outside it there is nothing"):
            make()


@pytest.mark.parametrize(("make", "words"), [
    (lambda: ls.Interval(1, 0), "`low` is 1 and `high` 0, but low must be below high"),
    (lambda: ls.Interval(0, 0), "low must be below high"),
    (lambda: ls.Interval(math.nan), "`low` holds nan"), (lambda: ls.Interval("a"), "`low` is 'a', but must be numbers"),
    (lambda: ls.Interval(0, 1, reflect="both"), "`reflect` is 'both', but must be one of None, 'low', 'high'"),
    (lambda: ls.Interval(0, reflect="high"), "`reflect` is 'high', but that end is infinite; give `high` as well"),
    (lambda: ls.Box([0, 1], [1, 0]), "must be arrays of one length, low below high"),
    (lambda: ls.Box([0, 1], [1]), "must be arrays of one length"),
    (lambda: ls.Box([math.nan], [1]), r"`low` holds nan at index \(0,\)"),
    (lambda: ls.Ball([0, 0], 0), "`radius` is 0, but must be positive"),
    (lambda: ls.Ball([0, math.inf], 1), r"`center` holds inf at index \(1,\)"),
    (lambda: ls.HalfSpace([0, 0], 1), "`normal` is .*, but must be a vector other than zero"),
    (lambda: ls.HalfSpace([1, 0], math.inf), "`offset` is inf, but must be a finite number"),
    (lambda: ls.Sublevel(BOWL[1], math.nan), "`level` is nan"),
    (lambda: ls.Sublevel("x**2", 1.0), r"`landscape` is 'x\*\*2', but must be a Landscape"), (lambda: ls.Where("x < 1"), "is a condition"),
    (lambda: ls.Where("x - t"), "the region 'x - t' depends on the time t; moving boundaries are not offered"),
    (lambda: ls.Where("os.x"), "attribute access"),
    (lambda: ls.Where("a - x", a=math.nan), "`a` is nan"),
    (lambda: ls.Where("a - x").contains(0.0), r"the parameter `a` has no value; give it by keyword, a=\.\.\."),
    (lambda: ls.Interval(0, 1) & (0, 1),
     r"\(0, 1\) is not a region; combine Interval, Ball, HalfSpace, Box, Sublevel and Where with & \| ~"),
    (lambda: ls.Interval(0, 1) | "x", "'x' is not a region"),
    (lambda: (~ls.Interval()).contains(0.0), "the complement of Interval.* is empty"),
    (lambda: ls.Interval(0, 1).walls(("x", "y")),
     "an Interval is one-dimensional, but the state has 2 components; use Box, HalfSpace or Ball"),
    (lambda: ls.Ball([0, 0], 1).walls(("x",)), "the region Ball has 2 components, but the state has 1"),
    (lambda: (ls.Ball([0, 0], 1) & ls.Box(0, 1)).contains([0.0, 0.0]), "the region Box has 1 components, but the state has 2"),
    (lambda: ls.Ball([0, 0], 1).contains([0.0, 0.0, 0.0]), r"`x` has shape \(3,\), but states of 2 components"),
    (lambda: ls.Interval(0, 1).contains(math.nan), "`x` holds nan"),
])
def test_bad_input_is_refused_by_name(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_a_landscape_of_functions_has_sublevels_too():
    loss = ls.Landscape.from_functions(lambda x: x * x, lambda x: 2 * x, lambda x: 2.0)
    region = ls.Sublevel(loss, 1.0)
    assert region.contains([-1.5, 0.5, 1.5]).tolist() == [False, True, False]
    ((face,),) = (~region).walls(("x",))
    names, p = tuple(face.values), tuple(face.values.values())
    assert face.level.vector(names)(np.array([[0.5]]), 0.0, p).tolist() == [-0.75]
    assert face.gradient.vector(names)(np.array([[0.5]]), 0.0, p).tolist() == [[1.0]]


def test_regions_print_as_they_are_written():
    region = (ls.Where("x") & ~ls.Where("y")) | ls.Interval(0, 1)
    assert repr(region) == "((Where('x') & ~Where('y')) | Interval(low=0.0, high=1.0, reflect=None))"
