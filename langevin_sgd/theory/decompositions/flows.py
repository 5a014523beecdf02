"""The circulation Q from the flows between the cells of a grid, exactly: a stream function in the plane, a vector potential in space.

The stationary current is J = ∇·(Q p) (`theory`, 1.4), that is J = rot ψ with ψ = Q₁₂ p in the plane, and J = rot A with
A = p (Q₂₃, −Q₁₃, Q₁₂) in space.  The flows of the jump process through the faces of a cell add up to zero to rounding, so that ψ and A
exist on the corners and edges of cells, whatever the size of cells.

Q is not unique: that is its gauge.  In the plane ψ is zero at the outer wall, which leaves no freedom.  In space A runs at right angles to
the wall, and of what is left the Q with the least mean square E |Q|² is taken, for which A / p has no sources; of a linear equation that
is the constant Q.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from langevin_sgd.models.arguments import Array
from langevin_sgd.theory.grids.generator import Jumps
from langevin_sgd.theory.grids.grid import Grid, Whole

PRECISION = 1e-11               # of the least-norm solution, relative to the flows
MOST_ITERATIONS = 20_000


def face_flows(grid: Grid, jumps: Jumps, density: Array) -> list[Array]:
    """Return the probability per unit of time through the faces between cells, for each axis an array with one cell less along it.

    A jump to a cell that is no neighbour passes the faces next to the straight way: half by one chain of neighbours, half by its mirror
    image.
    """
    flow = (density.ravel() * grid.volumes)[jumps.cells[jumps.source]] * jumps.rate
    cell = np.stack(np.unravel_index(jumps.cells, grid.shape), axis=-1)
    start = cell[jumps.source]
    offset = cell[jumps.target] - start
    through: list[Array] = [np.zeros(tuple(n - (k == axis) for k, n in enumerate(grid.shape))) for axis in range(grid.dim)]
    for e in np.unique(offset, axis=0):
        here = (offset == e).all(axis=1)
        chain = _straight(e)
        for axes in (chain, chain[::-1]):
            at = start[here].copy()
            for axis in axes:
                forth = int(np.sign(e[axis]))
                low = at - (forth < 0) * np.eye(grid.dim, dtype=int)[axis]
                np.add.at(through[axis], tuple(low.T), 0.5 * forth * flow[here])
                at[:, axis] += forth
    return through


def _straight(offset: Whole) -> list[int]:
    """The axes of the steps from neighbour to neighbour that stay nearest to the straight way."""
    steps = [((step + 0.5) / abs(int(n)), axis) for axis, n in enumerate(offset) for step in range(abs(int(n)))]
    return [axis for _, axis in sorted(steps)]


# ---------------------------------------------------------------------------------------------------------------- the plane

def stream_function(flows: Sequence[Array]) -> Array:
    """Return ψ = Q₁₂ p on the corners of cells, zero on the wall.

    It is the flow between a corner and the wall, summed towards that of the four sides from which the least has to be summed: so it
    is as accurate where it is small.
    """
    across, up = flows                              # through faces along the first and the second axis
    psi = np.zeros((up.shape[0] + 1, across.shape[1] + 1))
    sides = [*_both_ways(across, 1), *((-value, size) for value, size in _both_ways(up.T, 1))]
    values = [sides[0][0], sides[1][0], sides[2][0].T, sides[3][0].T]
    sizes = [sides[0][1], sides[1][1], sides[2][1].T, sides[3][1].T]
    psi[1:-1, 1:-1] = np.take_along_axis(np.array(values), np.argmin(sizes, axis=0)[None], axis=0)[0]
    return psi


def _both_ways(flow: Array, axis: int) -> list[tuple[Array, Array]]:
    """Sums from the low and from the high end of an axis up to each inner corner, and of the sizes of their terms."""
    def sums(f: Array) -> tuple[Array, Array]:
        return np.cumsum(f, axis=axis)[:, :-1], -np.flip(np.cumsum(np.flip(f, axis), axis=axis), axis)[:, 1:]
    (low, high), (low_size, high_size) = sums(flow), sums(np.abs(flow))
    return [(low, low_size), (high, -high_size)]


# -------------------------------------------------------------------------------------------------------------------- space

def vector_potential(grid: Grid, flows: Sequence[Array], log_density: Sequence[Array]) -> list[Array]:
    """Return A / p on the inner edges of cells: for each axis an array over cells along it and inner corners along the others.

    Parameters
    ----------
    grid, flows
        Three axes, and what `face_flows` gives.
    log_density
        ln p at the middles of the edges, in the same arrays.
    """
    from scipy.sparse import diags_array
    from scipy.sparse.linalg import lsmr
    curl = _curl(grid.shape)
    widths = [np.diff(e) for e in grid.edges]
    gaps = [np.diff(c) for c in grid.centres]
    log_p = np.concatenate([p.ravel() for p in log_density])
    middle = log_p.max()
    lengths = np.concatenate([_product([widths[a] if a == k else np.ones(len(gaps[a])) for a in range(3)]) for k in range(3)])
    areas = np.concatenate([_product([gaps[a] if a != k else np.ones(len(widths[a])) for a in range(3)]) for k in range(3)])
    # The unknowns y make |y|² = Σ volume |A|² / p; the equations are scaled likewise, so that the tails count as much as the middle.
    edge = lengths / np.sqrt(lengths * areas) * np.exp((log_p - middle) / 2)
    row = 1 / np.sqrt(np.asarray(abs(curl) @ edge**2).ravel())
    scaled = diags_array(row) @ curl @ diags_array(edge)
    flow = np.concatenate([f.ravel() for f in flows]) * np.exp(-middle)
    y, stop, *_ = lsmr(scaled, row * flow, atol=PRECISION, btol=PRECISION, conlim=0.0, maxiter=MOST_ITERATIONS)
    if stop not in (0, 1, 2):
        raise ArithmeticError(f"the least circulation was not found in {MOST_ITERATIONS} iterations; use a grid with fewer cells, or a "
                              "smaller box.")
    whole = y / np.sqrt(lengths * areas) * np.exp((middle - log_p) / 2)
    ends = np.cumsum([p.size for p in log_density])[:-1]
    return [part.reshape(p.shape) for part, p in zip(np.split(whole, ends), log_density, strict=True)]


def _product(factors: Sequence[Array]) -> Array:
    a, b, c = factors
    return np.asarray(a[:, None, None] * b[:, None] * c).ravel()


def _curl(shape: tuple[int, ...]) -> Any:
    """The sparse matrix from circulations along inner edges to flows through inner faces: +1 and −1 for the four edges of a face."""
    from scipy.sparse import csr_array
    edges = [tuple(n - (a != k) for a, n in enumerate(shape)) for k in range(3)]
    faces = [tuple(n - (a == k) for a, n in enumerate(shape)) for k in range(3)]
    first_edge, first_face = (np.cumsum([0, *(int(np.prod(s)) for s in shapes)]) for shapes in (edges, faces))
    rows, columns, signs = [], [], []
    for k in range(3):
        at = np.stack(np.unravel_index(np.arange(int(np.prod(faces[k]))), faces[k]), axis=-1)
        for along, normal, sign in (((k + 2) % 3, (k + 1) % 3, 1), ((k + 1) % 3, (k + 2) % 3, -1)):
            for side in (1, 0):                     # the edges on the far and on the near side of the face, unless on the wall
                edge = at.copy()
                edge[:, normal] += side - 1         # inner corner number c lies between cells c and c + 1
                inner = (edge[:, normal] >= 0) & (edge[:, normal] < edges[along][normal])
                rows.append(first_face[k] + np.flatnonzero(inner))
                columns.append(first_edge[along] + np.ravel_multi_index(tuple(edge[inner].T), edges[along]))
                signs.append(np.full(int(inner.sum()), float(sign if side else -sign)))
    entries = np.concatenate(signs), (np.concatenate(rows), np.concatenate(columns))
    return csr_array(entries, shape=(first_face[-1], first_edge[-1]))
