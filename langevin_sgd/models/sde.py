"""The equation dX = f(X, t) dt + sqrt(ε C(X, t)) dW, read in a named interpretation."""
from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from langevin_sgd.models.affine import AffineField
from langevin_sgd.models.arguments import Array, covariance_matrix, finite, matrix, parameter_values, points, state, whole
from langevin_sgd.models.covariance import Covariance, Structure
from langevin_sgd.models.expressions import parse, symbol, variable_names
from langevin_sgd.models.fields import Field, FunctionField, Names, SumField, SymbolicField, add
from langevin_sgd.models.interpretation import Interpretation
from langevin_sgd.models.interpretation import interpretation as interpretation_called
from langevin_sgd.models.landscape import Landscape, check_known, check_landscape, check_parameters, field_kinks
from langevin_sgd.models.noise_families import Anisotropic, Constant, Noise
from langevin_sgd.models.sampled import SampledLoss
from langevin_sgd.models.strength import NAMES as STRENGTH_NAMES
from langevin_sgd.models.strength import Strength

if TYPE_CHECKING:
    from sympy import Expr

Drift = str | float | Sequence[str | float] | Callable[..., Any]
LARGEST_WRITTEN = 16    # components of a linear drift that is written out in expressions: their number grows with the square
RESERVED = (*STRENGTH_NAMES, "noise", "interpretation", "drift", "dim", "variables")


class SDE:
    """A stochastic differential equation dX = f(X, t) dt + sqrt(ε C(X, t)) dW, with D = ε C / 2.

    Parameters
    ----------
    drift
        f: one expression in one dimension, a list of d expressions in more; or a numba-compilable function ``f(x)``, ``f(x, p)`` or
        ``f(x, t, p)``, where x is a float (a tuple of d floats) and p the tuple of parameters in the order of `values`.
    noise
        C, one of `langevin_sgd.noise`.
    strength
        ε.
    interpretation
        "ito" (SGD evaluates its noise before the step), "stratonovich", or "klimontovich" (the divergence form; "anti-ito" where
        that is the same).
    dim, variables
        Number of components of a drift function; other names for the components than x; x, y; x, y, z; x1 ... xn.
    **values
        Values of all other symbols of drift and noise: one name, one value.

    Raises
    ------
    ValueError
        For a parameter without a value, a value without a parameter, two values for one name, an interpretation that the noise does
        not allow, or a function that Numba cannot compile.

    See Also
    --------
    sgd, langevin, linear : the common ways to make one.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.SDE("a*x - x**3", ls.noise.Expression("1 + x**2"), strength=0.2, a=1.0)
    SDE(drift 'a*x - x**3', noise Expression('1 + x**2'), ε = 0.2, Itô, a=1)
    """

    def __init__(self, drift: Drift, noise: Noise, strength: float = 1.0, interpretation: str = "ito", *, dim: int | None = None,
                 variables: Sequence[str] | None = None, **values: float) -> None:
        field, text = _drift_field(drift, dim, variables, values)
        self._set(field, text, noise, Strength(strength=strength), interpretation, parameter_values(values))

    def _set(self, drift: Field, text: str, noise: Noise, strength: Strength, interpretation: str, own: Mapping[str, float],
             landscape: Landscape | None = None, variables: Names | None = None) -> None:
        self.drift_field, self.text, self.landscape = drift, text, landscape
        self.noise, self.strength, self._own_values = _checked(noise), strength, dict(own)
        self.variables = variables or getattr(drift, "variables", None) or variable_names([], None, (), drift.dim)
        self._added = (0.0, 0.0)            # shares of the Stratonovich and the Klimontovich correction that f contains
        self.interpretation = interpretation_called(
            interpretation, divergence_form_is_anti_ito=self.covariance.eigenvectors_are_constant)
        self._check()

    def _check(self) -> None:
        for name in (*self._own_values, *self.noise.values):
            if name in RESERVED:
                raise ValueError(f"`{name}` is a reserved word of the library; give the parameter another name.")
            if name in self.variables:
                raise ValueError(f"`{name}` is given a value, but is a component of the state ({', '.join(self.variables)}) of the "
                                 f"equation {self.text!r}; give the parameter another name.")
        check_parameters(f"the equation {self.text!r}", self._needed(), {k: v for k, v in self.values.items() if k != "strength"})
        if self.interpretation is not Interpretation.ITO:
            self._corrections(*_unit(self.interpretation))
        probe = np.full((1, self.dim), 0.5)
        for field in (self.drift_field, self.covariance.field):
            if not isinstance(field, SymbolicField):
                self.evaluate(field, probe)

    def _needed(self) -> tuple[str, ...]:
        fields = [self.drift_field, self.covariance.field, self.covariance.divergence]
        fields += [self.landscape.value_field] if self.landscape is not None else []
        needed = {name for field in fields if field is not None for name in field.parameters}
        internal = {name for name in self.covariance.values if not name.isidentifier()}
        return tuple(sorted((needed | internal) - {"strength"}))

    # ------------------------------------------------------------------------------------------------ what it is made of

    @property
    def dim(self) -> int:
        """Number of components of the state."""
        return self.drift_field.dim

    @functools.cached_property
    def covariance(self) -> Covariance:
        """C, in the form that the rest of the library works with."""
        return self.noise.covariance(self.variables)

    @functools.cached_property
    def values(self) -> dict[str, float]:
        """Values of all parameters, ε under the name "strength" first."""
        merged: dict[str, float] = {"strength": self.strength.value}
        for source in (self._own_values, self.covariance.values):
            for name, value in source.items():
                if merged.setdefault(name, value) != value:
                    raise ValueError(f"the parameter `{name}` has the value {merged[name]:g} in one place and {value:g} in another; "
                                     "one name has one value in the whole equation.")
        return merged

    @property
    def depends_on_time(self) -> bool:
        """Tell whether drift or noise change with t."""
        return self.drift_field.depends_on_time() or self.covariance.field.depends_on_time()

    @functools.cached_property
    def ito_drift_field(self) -> Field:
        """The field b of the Itô drift."""
        share = _unit(self.interpretation)
        return self._with_corrections(self._added[0] + share[0], self._added[1] + share[1])

    @functools.cached_property
    def flux_drift_field(self) -> Field:
        """The field c = b − ∇·D of the drift in divergence form, where the flux is c p − D ∇p."""
        share = _unit(self.interpretation)
        return self._with_corrections(self._added[0] + share[0], self._added[1] + share[1] - 1.0)

    @property
    def effective_alpha(self) -> float:
        """The α for which `drift_field`, as it was given, is the drift (one dimension): so nobody needs to differentiate D."""
        return self.interpretation.alpha + 0.5 * self._added[0] + self._added[1]

    def kinks(self, low: float, high: float) -> list[float]:
        """Return where pieces of drift or noise meet, in one dimension and within (low, high)."""
        return field_kinks([self.drift_field, self.covariance.field], self.values, low, high)

    # ------------------------------------------------------------------------------------------------------- values

    def drift(self, x: ArrayLike, t: float = 0.0) -> Any:
        """Return f at states x (...), or (..., d) in more dimensions; the shape of x."""
        return self._at_surface(self._with_corrections(*self._added), x, t)

    def ito_drift(self, x: ArrayLike, t: float = 0.0) -> Any:
        """Return the drift b of the same process in the Itô convention; the shape of x."""
        return self._at_surface(self.ito_drift_field, x, t)

    def diffusion(self, x: ArrayLike, t: float = 0.0) -> Any:
        """Return D = ε C / 2 at states x: the shape of x in one dimension, (..., d, d) in more."""
        d = 0.5 * self.values["strength"] * self.covariance.at(points("x", x, self.dim), finite("t", t), self.values)
        if self.dim > 1:
            return d
        return d.reshape(np.shape(x)) if np.ndim(x) else float(d[0, 0])

    def evaluate(self, field: Field, x: Array, t: float = 0.0) -> Array:
        """Return the values of a field of this equation at states (..., d)."""
        return field.vector(tuple(self.values))(x, t, tuple(self.values.values()))

    def _at_surface(self, field: Field, x: ArrayLike, t: float) -> Any:
        values = self.evaluate(field, points("x", x, self.dim), finite("t", t))
        if self.dim == 1:
            values = values.reshape(np.shape(x))
        return float(values) if values.ndim == 0 else values

    # ------------------------------------------------------------------------------------------------- the same, changed

    def in_interpretation(self, interpretation: str) -> SDE:
        """Return the same process, written in another convention: the drift f changes by what the conversion adds.

        Examples
        --------
        >>> import langevin_sgd as ls
        >>> sde = ls.SDE("-x", ls.noise.Quadratic(1.0, quadratic=2.0), strength=0.1, interpretation="stratonovich")
        >>> ito = sde.in_interpretation("ito")
        >>> ito.drift(1.0), ito.ito_drift(1.0) == sde.ito_drift(1.0)
        (-0.9, True)
        """
        new = interpretation_called(interpretation, divergence_form_is_anti_ito=self.covariance.eigenvectors_are_constant)
        old, share = _unit(self.interpretation), _unit(new)
        added = tuple(a + o - s for a, o, s in zip(self._added, old, share, strict=True))
        other = self._copy(interpretation=new, _added=added)
        other._corrections(*added)
        return other

    def replace(self, *, interpretation: str | None = None, noise: Noise | None = None, **values: Any) -> SDE:
        """Return the equation with new numbers; nothing is compiled again.

        Parameters
        ----------
        interpretation
            The same f and C read in another convention: another process (see `in_interpretation` for the same process).
        noise
            Another noise.
        **values
            New values of `learning_rate`, `batch_size`, `temperature` or `strength` (whichever the equation has), and of parameters.

        Examples
        --------
        >>> import langevin_sgd as ls
        >>> sde = ls.sgd(ls.Landscape("h*x**2/2", h=1.0), ls.noise.Constant(1.0), learning_rate=0.1, batch_size=10)
        >>> sde.replace(learning_rate=0.2, h=2.0)
        SDE(loss 'h*x**2/2', noise Constant(variance=1.0), ε = 0.02 (learning rate 0.2, batch size 10), Itô, h=2)
        """
        strength = {name: value for name, value in values.items() if name in STRENGTH_NAMES}
        named = {name: value for name, value in values.items() if name not in STRENGTH_NAMES}
        other = self._copy(strength=self.strength.replace(**strength))
        if noise is not None:
            other.noise = _checked(noise)
        check_known(f"the equation {self.text!r}", named, {**self._own_values, **other.noise.values})
        other._own_values = {**self._own_values, **parameter_values({k: v for k, v in named.items() if k in self._own_values})}
        in_noise = {name: value for name, value in named.items() if name in other.noise.values}
        if in_noise:
            other.noise = other.noise.replace(**in_noise)
        if self.landscape is not None and named:
            other.landscape = self.landscape.replace(**{k: v for k, v in named.items() if k in self.landscape.values})
        if interpretation is not None:
            other.interpretation = interpretation_called(
                interpretation, divergence_form_is_anti_ito=other.covariance.eigenvectors_are_constant)
        other._check()
        return other

    def component(self, k: int) -> SDE | None:
        """Return the equation of one component, if that is an equation by itself; None if it depends on the others.

        Its landscape is the loss along that axis through the origin of the other components; None where that is infinite.
        """
        if whole("k", k, least=0) >= self.dim:
            raise ValueError(f"`k` is {k}, but the components are numbered 0 to {self.dim - 1}.")
        drift, c = self.drift_field, self.covariance
        if self.dim == 1:
            return self
        if not (isinstance(drift, SymbolicField) and isinstance(c.field, SymbolicField) and c.structure is Structure.COMPONENTWISE):
            return None
        name, others = self.variables[k], [v for j, v in enumerate(self.variables) if j != k]
        f = SymbolicField((drift.expressions[k],), (name,), (1,))
        variance = SymbolicField((c.field.expressions[k],), (name,), (1,))
        if f.depends_on(others) or variance.depends_on(others):
            return None
        own = {n: v for n, v in self.values.items() if n in f.parameters and n != "strength"}
        noise = _Variance(variance.expressions[0], {n: v for n, v in self.values.items() if n in variance.parameters})
        part = SDE.__new__(SDE)
        part._set(f, f"{self.text}, component {name}", noise, self.strength, self.interpretation, own,
                  _restricted(self.landscape, name, others), (name,))
        part._added = self._added
        return part

    def on_line(self, row: int, axis: int, at: ArrayLike, diffusion: float) -> SDE | None:
        """Return dx = f_row dt + sqrt(2 diffusion) dW on the line through a point along an axis; None if f is given by functions."""
        drift, name = self.drift_field, self.variables[axis]
        if not isinstance(drift, SymbolicField):
            return None
        held = {symbol(v): float(value) for k, (v, value) in enumerate(zip(self.variables, np.asarray(at), strict=True)) if k != axis}
        f = SymbolicField((drift.expressions[row].subs(held),), (name,), (1,))
        own = {n: v for n, v in self.values.items() if n in f.parameters and n != "strength"}
        part = SDE.__new__(SDE)
        part._set(f, f"{self.text}, row {row} along {name}", Constant(2.0), Strength(strength=diffusion), "ito", own, None, (name,))
        return part

    def _copy(self, **changes: Any) -> SDE:
        other = SDE.__new__(SDE)
        kept = {k: v for k, v in self.__dict__.items() if k not in ("covariance", "values", "ito_drift_field", "flux_drift_field")}
        other.__dict__.update(kept, **changes)
        return other

    # ---------------------------------------------------------------------------------------------------- interpretation

    def _with_corrections(self, stratonovich: float, klimontovich: float) -> Field:
        return add([(self.drift_field, 1.0, ()), *self._corrections(stratonovich, klimontovich)])

    def _corrections(self, stratonovich: float, klimontovich: float) -> list[tuple[Field, float, Names]]:
        """The terms that shares of the two corrections add to a drift: multiples of ε/2 ∇·C, and of ε/2 Σ G ∂G."""
        c = self.covariance
        if stratonovich == 0.0 == klimontovich or c.is_constant:
            return []
        if c.divergence is None:
            raise ValueError("noise given by functions without `divergence` can be read as 'ito' only; give "
                             "noise.from_functions(factor, divergence), the sums of derivatives of C.")
        if c.eigenvectors_are_constant:
            return [(c.divergence, 0.5 * (klimontovich + 0.5 * stratonovich), ("strength",))]
        terms: list[tuple[Field, float, Names]] = [(c.divergence, 0.5 * klimontovich, ("strength",))] if klimontovich else []
        if stratonovich:
            root = c.added_drift()
            if root is None:
                raise ValueError(f"for a full matrix of noise in {self.dim} dimensions, 'stratonovich' depends on the factor of C "
                                 "and is offered for a 2 x 2 matrix of expressions only; use 'ito' with the drift that you mean, "
                                 "or 'klimontovich', which does not depend on the factor.")
            terms.append((root, 0.5 * stratonovich, ("strength",)))
        return terms

    def __repr__(self) -> str:
        kind = "loss" if self.landscape is not None else "drift"
        values = [f"{k}={v:g}" for k, v in self._own_values.items() if k.isidentifier()]
        origin = "" if self._added == (0.0, 0.0) else f", rewritten from α = {self.effective_alpha:g}"
        return (f"SDE({', '.join([f'{kind} {self.text!r}', f'noise {self.noise!r}', str(self.strength)])}, "
                f"{self.interpretation.label}{origin}{''.join(', ' + v for v in values)})")


def sgd(loss: Landscape | SampledLoss, noise: Noise, learning_rate: float, batch_size: int = 1, interpretation: str = "ito", *,
        dataset_size: int | None = None, replacement: bool = True) -> SDE:
    """Return the diffusion of SGD: dw = −∇L dt + sqrt(ε C) dW, ε = learning_rate / batch_size, time t = learning_rate × iterations.

    Parameters
    ----------
    loss
        L; of a loss over data, its `landscape`.
    noise
        C, the covariance of the gradient of one sample: the batch size is in ε and not in C.
    learning_rate, batch_size
        Of SGD.
    interpretation
        "ito" unless there is a reason; "klimontovich" reproduces the formulas of arXiv:2006.13719.
    dataset_size, replacement
        With ``replacement=False``, batches are drawn without replacement from `dataset_size` = N samples, and
        ε = learning_rate (N − B) / (B (N − 1)).

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.sgd(ls.landscapes.double_well(), ls.noise.Constant(1.0), learning_rate=0.1, batch_size=4)
    SDE(loss '(x**2 - 1)**2 / 4', noise Constant(variance=1.0), ε = 0.025 (learning rate 0.1, batch size 4), Itô)
    """
    strength = Strength(learning_rate=learning_rate, batch_size=batch_size, dataset_size=dataset_size, replacement=replacement)
    return _gradient_flow(loss.landscape if isinstance(loss, SampledLoss) else loss, noise, strength, interpretation)


def langevin(loss: Landscape, temperature: float) -> SDE:
    """Return overdamped Langevin dynamics dx = −∇L dt + sqrt(2 temperature) dW: ε = 2 temperature, C = I.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.langevin(ls.landscapes.double_well(), temperature=0.1).diffusion(0.0)
    0.1
    """
    return _gradient_flow(loss, Constant(1.0), Strength(temperature=temperature), "ito")


def linear(F: ArrayLike, D: ArrayLike, center: ArrayLike = 0.0) -> SDE:
    """Return dX = F (X − center) dt + sqrt(2 D) dW, for a matrix F and a positive semi-definite matrix D (numbers in one dimension).

    Several hundred components are simulated in the same way as two.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.linear([[-1, 2], [-0.5, -2]], [[1, 0.3], [0.3, 0.5]]).drift([1.0, 1.0])
    array([ 1. , -2.5])
    """
    f = matrix("F", np.atleast_2d(np.asarray(F, dtype=float)))
    d = covariance_matrix("D", np.atleast_2d(np.asarray(D, dtype=float)), len(f))
    at = state("center", np.broadcast_to(center, len(f)) if np.ndim(center) == 0 else center, len(f))
    if len(f) > LARGEST_WRITTEN:
        return affine(f, -(f @ at), d, f"F (x - center), F of {len(f)} rows" if at.any() else f"F x, F of {len(f)} rows")
    names, (entries, values) = variable_names([], None, (), len(f)), _named_entries(f)
    shifted = [symbol(n) - symbol(f"center[{k}]") if at[k] else symbol(n) for k, n in enumerate(names)]
    values |= {f"center[{k}]": float(c) for k, c in enumerate(at) if c}
    rows = tuple(sum(e * delta for e, delta in zip(row, shifted, strict=True)) for row in entries)
    text = f"F (x - {at.tolist()}), F = {f.tolist()}" if at.any() else f"F x, F = {f.tolist()}"
    sde = SDE.__new__(SDE)
    sde._set(SymbolicField(rows, names, (len(f),)), text, Anisotropic(2 * d), Strength(strength=1.0), "ito", values)
    return sde


def affine(F: Array, offset: Array, D: Array, text: str, variables: Names | None = None) -> SDE:
    """Return dX = (F X + offset) dt + sqrt(2 D) dW for arrays that have been checked.

    Up to 16 components the drift is an expression whose numbers are parameters, beyond an `AffineField`.
    """
    names = variables or variable_names([], None, (), len(F))
    field: Field = AffineField(F, offset)
    values: dict[str, float] = {}
    if len(F) <= LARGEST_WRITTEN:
        entries, values = _named_entries(F)
        shifts = [symbol(f"offset[{i}]") if offset[i] else 0 for i in range(len(F))]
        values |= {f"offset[{i}]": float(a) for i, a in enumerate(offset) if a}
        rows = (sum((e * symbol(n) for e, n in zip(row, names, strict=True)), shift) for row, shift in zip(entries, shifts, strict=True))
        field = SymbolicField(tuple(rows), names, (len(F),))
    sde = SDE.__new__(SDE)
    sde._set(field, text, Anisotropic(2 * D), Strength(strength=1.0), "ito", values, None, names)
    return sde


def _named_entries(F: Array) -> tuple[list[list[Expr]], dict[str, float]]:
    """A symbol for each entry of a matrix, and their values by name."""
    entries = [[symbol(f"linear[{i},{j}]") for j in range(len(F))] for i in range(len(F))]
    return entries, {entries[i][j].name: float(F[i, j]) for i in range(len(F)) for j in range(len(F))}


@dataclass(frozen=True)
class _Variance:
    """The noise of one component, cut out of a larger one."""

    variance: Any
    values: Mapping[str, float]

    def covariance(self, variables: Names) -> Covariance:
        from langevin_sgd.models.covariance import from_variances
        return from_variances((self.variance,), variables, self.values)

    def replace(self, **values: float) -> _Variance:
        return _Variance(self.variance, {**self.values, **parameter_values(values)})

    def __repr__(self) -> str:
        return f"variance {self.variance}"


def check_is_equation(sde: Any) -> None:
    """Refuse what is no equation, and say how a loss becomes one."""
    if not isinstance(sde, SDE):
        loss = "; a loss becomes one with a noise, ls.sgd(loss, noise, learning_rate)" if isinstance(sde, (Landscape, SampledLoss)) else ""
        raise ValueError(f"`sde` is {sde!r}, but must be an equation, made with ls.SDE, ls.sgd, ls.langevin or ls.linear{loss}.")


def _gradient_flow(loss: Landscape, noise: Noise, strength: Strength, interpretation: str) -> SDE:
    check_landscape("loss", loss)
    gradient = loss.gradient_field
    drift = -gradient if isinstance(gradient, SymbolicField) else SumField(((gradient, -1.0, ()),))
    sde = SDE.__new__(SDE)
    sde._set(drift, loss.text, noise, strength, interpretation, loss.values, loss, loss.variables)
    return sde


def _checked(noise: Noise) -> Noise:
    if not callable(getattr(noise, "covariance", None)):
        cure = f": ls.noise.Constant({noise!r}), for a number" if isinstance(noise, (int, float)) else ", such as ls.noise.Constant(1.0)"
        raise ValueError(f"`noise` is {noise!r}, but must be one of ls.noise{cure}.")
    return noise


def _drift_field(drift: Drift, dim: int | None, variables: Sequence[str] | None, values: Mapping[str, float]) -> tuple[Field, str]:
    if callable(drift):
        d = whole("dim", dim) if dim is not None else len(variables) if variables else 1
        return FunctionField(drift, d, (d,), tuple(values)), getattr(drift, "__name__", repr(drift))
    texts = [drift] if isinstance(drift, (str, int, float)) else list(drift)
    names = variable_names(texts, variables, values, len(texts))
    if len(names) != len(texts) or (dim is not None and dim != len(texts)):
        raise ValueError(f"`drift` has {len(texts)} expressions, but the state has {dim or len(names)} components "
                         f"({', '.join(names)}); give one for each.")
    return SymbolicField(tuple(parse(text) for text in texts), names, (len(texts),)), ", ".join(map(str, texts))


def _restricted(landscape: Landscape | None, name: str, others: Sequence[str]) -> Landscape | None:
    """The loss along one axis, the other components at zero."""
    import sympy
    if landscape is None or not isinstance(landscape.value_field, SymbolicField):
        return None
    expression = landscape.value_field.expressions[0].subs({symbol(other): 0 for other in others})
    if expression.has(sympy.zoo, sympy.nan, sympy.oo, -sympy.oo):
        return None
    value = SymbolicField((expression,), (name,))
    part = Landscape.__new__(Landscape)
    values = {n: v for n, v in landscape.values.items() if n in value.parameters}
    part._set(value, value.gradient(), value.gradient().gradient(), (name,), values, f"{landscape.text}, along {name}")
    return part


def _unit(interpretation: Interpretation) -> tuple[float, float]:
    """The shares (Stratonovich, Klimontovich) of the correction that this interpretation adds to f."""
    return (float(interpretation is Interpretation.STRATONOVICH), float(interpretation is Interpretation.KLIMONTOVICH))
