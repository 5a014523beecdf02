"""Fields: the scalar face (compiled or not) and the vector face give the same numbers, for every kind of field."""
import functools
import math

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import langevin_sgd as ls
from langevin_sgd.models.covariance import Squared
from langevin_sgd.models.expressions import parse
from langevin_sgd.models.fields import FunctionField, SumField, SymbolicField, add, renamed
from tests.models.formulas import POINTS, checked, texts, value

VARIABLES = ("x", "y", "z")
VALUES = {"a": 0.7, "b": -1.3, "c": 2.0}


def symbolic(entries, dim, shape=()):
    return SymbolicField(tuple(map(parse, entries)), VARIABLES[:dim], shape)


def states(dim, count=5):
    return np.random.default_rng(dim).uniform(0.2, 1.8, (count, dim))


def faces(field, names, x, t=0.4, compiled=False):
    """Return the field at states (n, d) from both faces, as arrays of one shape."""
    p = tuple(VALUES[n] for n in names)
    one = numba.njit(error_model="numpy")(field.scalar(names)) if compiled else field.scalar(names)
    scalars = np.array([np.reshape(one(float(s[0]) if field.dim == 1 else tuple(map(float, s)), t, np.array(p) if compiled else p),
                                   field.shape) for s in x])
    return scalars, field.vector(names)(x, t, p)


# ---------------------------------------------------------------------------------------------------------------- symbolic

@checked(60)
@given(st.data(), st.sampled_from([(1, ()), (1, (1,)), (1, (1, 1)), (2, ()), (2, (2,)), (2, (2, 2)), (3, (3,)), (3, (3, 3))]),
       st.permutations("abc"))
def test_both_faces_of_random_expressions_are_the_formula(data, kind, names):
    dim, shape = kind
    entries = [data.draw(texts(depth=2, singular=False)) for _ in range(math.prod(shape))]
    if dim == 1:
        entries = [text.replace("y", "b") for text in entries]
    x = np.column_stack([POINTS, POINTS[::-1]])[:4, :dim]
    true = [[value(e, *s[:2], a=VALUES["a"]) if dim > 1 else value(e.replace("b", "y"), s[0], VALUES["b"]) for e in entries] for s in x]
    x = x[[None not in row for row in true]]
    true = np.array([row for row in true if None not in row], dtype=float).reshape(-1, *shape)
    scalars, vectors = faces(symbolic(entries, dim, shape), tuple(names), x)
    assert vectors.shape == true.shape
    assert np.allclose(vectors, true, rtol=1e-9, atol=1e-9)
    assert np.allclose(scalars.reshape(true.shape), true, rtol=1e-9, atol=1e-9)


ALL = ["exp(-x)*sin(y*t) + a", "log(x)*cos(y) - tan(b*x/3)", "asin(x/2) + acos(y/2) - atan(c*x)", "sinh(x)/cosh(y) + tanh(t)*erf(x)",
       "abs(x - y) + sign(y - 1)", "min(x, y, a) + max(x, 1)", "where(0.5 < x <= 1.2 and not y > 1, x**2.5, y**-1.5)",
       "(x + y)**a + sqrt(x*y)", "pi*x**3/3 - 2**y"]


def test_compiled_code_gives_the_same_numbers_as_numpy():
    x = states(3, 40)
    field = symbolic(ALL, 3, (3, 3))
    compiled, vectors = faces(field, ("c", "b", "a"), x, compiled=True)
    assert np.allclose(compiled, vectors, rtol=1e-14, atol=1e-14)
    plain, _ = faces(field, ("a", "b", "c"), x)
    assert np.allclose(plain, vectors, rtol=1e-14, atol=1e-14)


def test_one_dimension_returns_a_float_and_compiles_as_one():
    compiled, vectors = faces(symbolic(["a*exp(-x**2) + c*abs(x - 1)"], 1, (1,)), ("b", "c", "a"), states(1), compiled=True)
    assert np.allclose(compiled, vectors, rtol=1e-14)
    assert type(symbolic(["2"], 1, (1,)).scalar(())(0.0, 0.0, ())) is float
    assert symbolic(["1", "x", "y", "2"], 2, (2, 2)).scalar(())((3.0, 4.0), 0.0, ()) == ((1.0, 3.0), (4.0, 2.0))
    assert symbolic(["1", "x"], 2, (2,)).scalar(())((3.0, 4.0), 0.0, ()) == (1.0, 3.0)


@pytest.mark.parametrize("shape", [(2,), (7, 2), (3, 4, 2), (0, 2)])
def test_values_follow_the_shape_of_the_states(shape):
    x = np.random.default_rng(0).uniform(0.5, 1.5, shape)
    f = symbolic(["x*y", "x", "1", "y"], 2, (2, 2)).vector(())(x, 0.0, ())
    assert f.shape == (*shape[:-1], 2, 2)
    assert np.array_equal(f[..., 0, 0], x[..., 0] * x[..., 1])
    assert np.array_equal(f[..., 1, 1], x[..., 1])


def test_equal_fields_are_one_function_so_that_nothing_compiles_twice():
    names = ("a",)
    assert symbolic(["a*x"], 1).scalar(names) is symbolic([" a * x"], 1).scalar(names)
    assert symbolic(["a*x"], 1).scalar(names) is not symbolic(["2*a*x"], 1).scalar(names)


def test_a_branch_that_is_not_taken_may_overflow_in_silence():
    f = symbolic(["where(x > 1, log(x - 1) + exp(1000*(2 - x)), 1/x)"], 1)
    assert f.vector(())(np.array([[0.5], [3.0]]), 0.0, ()).tolist() == [2.0, math.log(2)]


def test_a_parameter_without_value_is_named():
    with pytest.raises(ValueError, match=r"the parameter `b` has no value; give it by keyword, b=\.\.\."):
        symbolic(["a*x + b"], 1).vector(("a",))
    assert symbolic(["b*x + a + t"], 1).parameters == ("a", "b")


def test_partial_derivatives_and_gradients_are_in_order():
    f = symbolic(["x*y**2", "x**3"], 2, (2,))
    x = np.array([[2.0, 3.0]])
    assert f.partial(1).vector(())(x, 0.0, ()).tolist() == [[12.0, 0.0]]
    assert f.gradient().vector(())(x, 0.0, ()).tolist() == [[[9.0, 12.0], [12.0, 0.0]]]
    assert (-f).vector(())(x, 0.0, ()).tolist() == [[-18.0, -8.0]]
    assert f.depends_on(("y",))
    assert not symbolic(["x**2", "t"], 2, (2,)).depends_on(("y", "z"))


# --------------------------------------------------------------------------------------------------------------- functions

def number(x, p):
    return p[0] * math.exp(-x) + p[1] * x


def vector(x, t, p):
    return (p[1] * x[0] + t, p[0] - x[1]**2)


def matrix(x):
    return ((x[0], 1.0), (x[1] * x[0], 2.0))


def bare(x):
    return x * x


@pytest.mark.parametrize(("field", "texts_"), [
    (FunctionField(bare, 1, (1,)), ["x**2"]), (FunctionField(number, 1, (), ("b", "a")), ["b*exp(-x) + a*x"]),
    (FunctionField(numba.njit(number), 1, (), ("c", "b")), ["c*exp(-x) + b*x"]),
    (FunctionField(vector, 2, (2,), ("c", "a")), ["a*x + t", "c - y**2"]),
    (FunctionField(matrix, 2, (2, 2)), ["x", "1", "x*y", "2"]),
], ids=["f(x)", "f(x, p)", "jitted", "f(x, t, p)", "matrix"])
def test_a_users_function_gives_the_numbers_of_its_formula_whatever_the_order_of_parameters(field, texts_):
    x = states(field.dim)
    formula = faces(symbolic(texts_, field.dim, field.shape), ("a", "b", "c"), x)[1]
    for names in (("a", "b", "c"), ("c", "a", "b")):
        scalars, vectors = faces(field, names, x)
        assert np.allclose(vectors, formula, rtol=1e-14)
        assert np.allclose(scalars, formula, rtol=1e-14)


def test_a_function_is_called_for_states_of_any_shape():
    x = np.random.default_rng(0).uniform(0.5, 1.5, (3, 4, 2))
    f = FunctionField(vector, 2, (2,), ("a", "b")).vector(("a", "b"))(x, 1.0, (0.7, -1.3))
    assert np.allclose(f, np.stack([-1.3 * x[..., 0] + 1.0, 0.7 - x[..., 1]**2], axis=-1), rtol=1e-14)


# -------------------------------------------------------------------------------------------------------------------- sums

def test_a_sum_of_expressions_and_functions_is_the_sum():
    x = states(2)
    parts = [(symbolic(["x*y", "b"], 2, (2,)), 2.0, ("a",)), (FunctionField(vector, 2, (2,), ("c", "a")), -0.5, ()),
             (symbolic(["1", "x"], 2, (2,)), 1.0, ("a", "c"))]
    total = SumField(tuple(parts))
    assert total.parameters == ("a", "b", "c")
    formula = faces(symbolic(["2*a*x*y - 0.5*(a*x + t) + a*c", "2*a*b - 0.5*(c - y**2) + a*c*x"], 2, (2,)), ("a", "b", "c"), x)[1]
    for names in (("a", "b", "c"), ("b", "c", "a")):
        scalars, vectors = faces(total, names, x)
        assert np.allclose(vectors, formula, rtol=1e-14)
        assert np.allclose(scalars, formula, rtol=1e-14)


def test_a_sum_compiles():
    total = SumField(((FunctionField(numba.njit(bare), 1, (1,)), 3.0, ("b",)),
                      (FunctionField(numba.njit(number), 1, (1,), ("a", "c")), -1.0, ())))
    scalars, vectors = faces(total, ("c", "b", "a"), states(1))
    x = states(1)
    assert np.allclose(vectors, 3 * VALUES["b"] * x**2 - (0.7 * np.exp(-x) + 2.0 * x), rtol=1e-14)
    assert np.allclose(scalars, vectors, rtol=1e-14)


def test_a_sum_of_expressions_alone_is_an_expression():
    f, g = symbolic(["x"], 1, (1,)), symbolic(["x**2"], 1, (1,))
    total = add([(f, 0.5, ("a",)), (g, -1.0, ()), (g, 0.0, ("b",))])
    assert isinstance(total, SymbolicField)
    assert total.expressions == (parse("a*x/2 - x**2"),)
    assert add([(f, 1.0, ()), (g, 0.0, ())]) is f
    assert isinstance(add([(f, 1.0, ()), (FunctionField(bare, 1, (1,)), 1.0, ())]), SumField)


def test_parameters_can_be_renamed():
    total = SumField(((symbolic(["a*x"], 1, (1,)), 2.0, ("a",)), (FunctionField(bare, 1, (1,)), 1.0, ())))
    other = renamed(total, {"a": "b"})
    assert other.parameters == ("b",)
    assert np.allclose(faces(other, ("b",), states(1))[1], 2 * VALUES["b"]**2 * states(1) + states(1)**2, rtol=1e-15)


def test_the_square_of_a_root():
    for root in (symbolic(["a + x"], 1, (1,)), FunctionField(bare, 1, (1,))):
        names = root.parameters
        scalars, vectors = faces(Squared(root), names, states(1))
        assert vectors.shape == (5, 1)
        assert np.allclose(vectors, faces(root, names, states(1))[1]**2, rtol=1e-15)
        assert np.allclose(scalars, vectors, rtol=1e-15)
        assert Squared(root).parameters == names


# -------------------------------------------------------------------------------------------------------------------- time

def moving(x, t, p):
    return x - math.tanh(t)


def standing(x, t, p):
    return x * p[0]


@pytest.mark.parametrize(("field", "moves"), [
    (symbolic(["x + t"], 1, (1,)), True), (symbolic(["a*x"], 1, (1,)), False), (symbolic(["t - t + x"], 1, (1,)), False),
    (FunctionField(moving, 1, (1,)), True),
    (FunctionField(standing, 1, (1,), ("a",)), False), (FunctionField(bare, 1, (1,)), False),
    (Squared(FunctionField(moving, 1, (1,))), True),
    (Squared(FunctionField(bare, 1, (1,))), False),
    (SumField(((FunctionField(bare, 1, (1,)), 1.0, ()), (symbolic(["t"], 1, (1,)), 1.0, ()))), True),
    (SumField(((FunctionField(bare, 1, (1,)), 1.0, ()), (FunctionField(moving, 1, (1,)), 1.0, ()))), True),
    (SumField(((FunctionField(bare, 1, (1,)), 1.0, ()), (symbolic(["x"], 1, (1,)), 1.0, ()))), False),
])
def test_time_dependence_is_seen(field, moves):
    assert field.depends_on_time() is moves


# ----------------------------------------------------------------------------------------------- what can't be compiled

def clumsy(x):
    y = x + 1.0
    return y.shape                      # a float has no shape


def short(x):
    return (x[0],)


def opens(x):
    with open("file") as f:             # bytecode that Numba does not read
        return f


def test_numba_is_retold_in_one_sentence_with_the_users_line():
    with pytest.raises(ValueError) as told:
        ls.SDE(clumsy, ls.noise.Constant(1.0))
    message = str(told.value)
    line = clumsy.__code__.co_firstlineno + 2
    assert message.startswith(f"Numba cannot compile your function `clumsy` (line {line}: 'return y.shape")
    assert "Unknown attribute 'shape' of type float64" in message
    assert message.endswith("The function gets the state as a float and must return a float.")
    assert "\n" not in message
    assert told.value.__suppress_context__


@pytest.mark.parametrize(("function", "dim", "words"), [
    (short, 2, "`short`.* gets the state as a tuple of 2 floats and must return a tuple of shape \\(2,\\)"),
    (lambda x: -x, 2, "`<lambda>`.* gets the state as a tuple of 2 floats"), (opens, 1, "`opens`"),
    (lambda x: "text", 1, ".*must return a float"),
])
def test_what_numba_does_not_take_is_said_at_construction(function, dim, words):
    with pytest.raises(ValueError, match=f"Numba cannot compile your function {words}"):
        ls.SDE(function, ls.noise.Constant(1.0), dim=dim)


@pytest.mark.parametrize("function", [np.sin, math.sin, functools.partial(bare), type("F", (), {"__call__": lambda self, x: x})(), print])
def test_only_python_functions_are_taken(function):
    with pytest.raises(ValueError, match=r"must be a Python function f\(x\), f\(x, p\) or f\(x, t, p\): write one with def\."):
        ls.SDE(function, ls.noise.Constant(1.0))


@pytest.mark.parametrize(("function", "count"), [(lambda: 1.0, 0), (lambda x, t, p, q: 1.0, 4)])
def test_a_function_takes_state_time_and_parameters(function, count):
    with pytest.raises(ValueError, match=rf"`<lambda>` takes {count} arguments, but must be f\(x\), f\(x, p\) or f\(x, t, p\)"):
        ls.SDE(function, ls.noise.Constant(1.0))
