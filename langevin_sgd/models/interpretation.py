"""How the product of noise and increment is read: Itô, Stratonovich or Klimontovich.

With D = ε C / 2 and G Gᵀ = 2 D, the Itô drift of an equation with drift f is (`theory`, conventions 1.3 and 1.4)

    itô             b = f
    stratonovich    b_i = f_i + 1/2 Σ_jk G_jk ∂_j G_ik        G the symmetric square root; in one dimension f + D'/2
    klimontovich    b_i = f_i + Σ_j ∂_j D_ij                  the divergence form: flux f p - D ∇p; in one dimension f + D'
"""
from __future__ import annotations

from enum import StrEnum


class Interpretation(StrEnum):
    """The convention in which an equation with state-dependent noise is read."""

    ITO = "ito"
    STRATONOVICH = "stratonovich"
    KLIMONTOVICH = "klimontovich"

    @property
    def alpha(self) -> float:
        """Where in the step the noise is evaluated, in one dimension: 0 at its beginning, 1/2 in the middle, 1 at its end."""
        return {"ito": 0.0, "stratonovich": 0.5, "klimontovich": 1.0}[self.value]

    @property
    def label(self) -> str:
        """The name as it is printed."""
        return {"ito": "Itô", "stratonovich": "Stratonovich", "klimontovich": "Klimontovich"}[self.value]


def interpretation(name: str, *, divergence_form_is_anti_ito: bool = True) -> Interpretation:
    """Return the interpretation of this name; "anti-ito" is the divergence form, where the two agree.

    Raises
    ------
    ValueError
        For another name, and for "anti-ito" with a noise whose covariance has eigenvectors that turn with the state: there
        α = 1 and the divergence form are different processes.
    """
    if name == "anti-ito":
        if not divergence_form_is_anti_ito:
            raise ValueError("`interpretation` is 'anti-ito', but for a covariance whose eigenvectors may turn with the state "
                             "that is another process than the divergence form; write 'klimontovich' for the latter.")
        return Interpretation.KLIMONTOVICH
    try:
        return Interpretation(name)
    except ValueError:
        raise ValueError(f"`interpretation` is {name!r}, but must be 'ito', 'stratonovich' or 'klimontovich' "
                         "('anti-ito' is accepted where it is the same as the latter).") from None
