"""A decomposition put together: the A-type process with a given potential, noise and circulation."""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from langevin_sgd.models.a_type import a_type
from langevin_sgd.models.arguments import parameter_values
from langevin_sgd.models.expressions import parse, variable_names
from langevin_sgd.models.fields import Names, SymbolicField
from langevin_sgd.models.landscape import Landscape, check_parameters
from langevin_sgd.theory.decompositions.fields import Decomposition, StateFunction

if TYPE_CHECKING:
    from sympy import Expr

Texts = tuple[str | float, ...]


def compose(potential: str | float | Landscape, D: Any, Q: Any = 0.0, *, variables: Sequence[str] | None = None, **values: float
            ) -> Decomposition:
    """Build the A-type process whose stationary law is exp(−φ), from the potential φ, the noise D and the circulation Q.

    Parameters
    ----------
    potential
        φ, dimensionless: an expression, or a `Landscape`.
    D
        The diffusion matrix: one expression (times the identity), a list of d (the diagonal), or a nested list (d, d); numbers will do.
    Q
        The antisymmetric matrix, a nested list (d, d); in two dimensions the entry Q₁₂ alone will do.
    variables
        Other names for the components.
    **values
        Values of all other symbols.

    Returns
    -------
    Decomposition
        ``.sde()`` is the process, an Itô equation with the drift −(D + Q) ∇φ + ∇·(D + Q).

    Raises
    ------
    ValueError
        If D is not symmetric or Q not antisymmetric, for matrices of another size than the state, for pieces in D or Q, for a part that
        depends on the time, and for a symbol without a value.

    Notes
    -----
    Source: `theory`, 1.4 and 6.1.  ∇·Q is part of it: without it the process is another, with another law.  That exp(−φ) can be
    normalised, and that D is positive, is not checked.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> parts = ls.compose("((x**2 + y**2 - 1)**2/4 + 0.3*x)/T", D=[["T + T*x**2/2", "0"], ["0", "T"]], Q="T*(1 + x*y/2)", T=0.1)
    >>> parts.F([1.0, 0.0]), parts.sde().drift([1.0, 0.0])
    (array([-0.45,  0.3 ]), array([-0.3,  0.3]))
    """
    known = {**(potential.values if isinstance(potential, Landscape) else {}), **parameter_values(values)}
    d_entries, q_entries = _entries("D", D), _entries("Q", Q)
    if isinstance(potential, Landscape):
        phi = potential.value_field
        if not isinstance(phi, SymbolicField):
            raise ValueError("`potential` must be given by an expression, for its derivatives are taken.")
    else:
        texts = [potential, *d_entries[0], *q_entries[0]]
        phi = SymbolicField((parse(potential),), variable_names(texts, variables, known, *d_entries[1][:1]))
    d, q = _symmetric(*d_entries, phi.variables), _antisymmetric(*q_entries, phi.variables)
    _check_smooth(phi, d, q)
    needed = sorted({name for part in (phi, d, q) for name in part.parameters})
    check_parameters(f"the process with the potential {_text(phi)!r}", needed, known)
    text = f"A-type, φ = {_text(phi)}, Q = {[str(e) for e in q.expressions]}"
    sde = a_type(phi, d, q, known, text)

    def at(field: SymbolicField) -> StateFunction:
        f, p = field.vector(tuple(known)), tuple(known.values())
        return lambda x: f(x, 0.0, p)
    return Decomposition(sde, at(phi), at(phi.gradient()), at(q), None, "composed of given parts: exact")


def _entries(name: str, given: Any) -> tuple[Texts, tuple[int, ...]]:
    """The expressions of a matrix, and the shape in which they came."""
    array = np.array(given, dtype=object)
    if array.ndim > 2 or (array.ndim == 2 and array.shape[0] != array.shape[1]):
        raise ValueError(f"`{name}` has shape {array.shape}, but must be one expression, or a (d, d) matrix of them.")
    return tuple(array.ravel().tolist()), array.shape


def _symmetric(texts: Texts, shape: tuple[int, ...], names: Names) -> SymbolicField:
    n, entries = len(names), [parse(text) for text in texts]
    if shape not in ((), (n,), (n, n)):
        raise ValueError(f"`D` has shape {shape}, but a state of {n} components ({', '.join(names)}) needs one expression, {n} of them, "
                         f"or a ({n}, {n}) matrix.")
    if len(shape) < 2:
        diagonal = entries * n if shape == () else entries
        entries = [diagonal[i] if i == j else parse(0) for i in range(n) for j in range(n)]
    _check_pairs("D", "symmetric", entries, n, -1)
    return SymbolicField(tuple(entries), names, (n, n))


def _antisymmetric(texts: Texts, shape: tuple[int, ...], names: Names) -> SymbolicField:
    n, entries = len(names), [parse(text) for text in texts]
    if shape == () and entries[0] == 0:
        entries = [parse(0)] * n**2
    elif shape == () and n == 2:
        entries = [parse(0), entries[0], -entries[0], parse(0)]
    elif shape != (n, n):
        alone = ", or the entry Q₁₂ alone" if n == 2 else ""
        raise ValueError(f"`Q` has shape {shape}, but a state of {n} components ({', '.join(names)}) needs an antisymmetric ({n}, {n}) "
                         f"matrix{alone}.")
    _check_pairs("Q", "antisymmetric", entries, n, 1)
    return SymbolicField(tuple(entries), names, (n, n))


def _check_smooth(phi: SymbolicField, d: SymbolicField, q: SymbolicField) -> None:
    for name, part in (("potential", phi), ("D", d), ("Q", q)):
        if part.depends_on_time():
            raise ValueError(f"`{name}` depends on the time t, but a stationary law does not; fix t.")
        if name != "potential" and part.kink_functions():
            raise ValueError(f"`{name}` has pieces (where, abs, min, max, sign); where one jumps ∇·(D + Q) is infinite: give a smooth one.")


def _check_pairs(name: str, kind: str, entries: Sequence[Expr], n: int, sign: int) -> None:
    for i in range(n):
        for j in range(i + 1 if sign > 0 else i):
            if (entries[i * n + j] + sign * entries[j * n + i]).expand() != 0:
                raise ValueError(f"`{name}` must be {kind}, but entry {(i, j)} is {entries[i * n + j]} and {(j, i)} is "
                                 f"{entries[j * n + i]}.")


def _text(phi: SymbolicField) -> str:
    return str(phi.expressions[0])
