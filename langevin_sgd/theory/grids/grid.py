"""Grids of cells in a box, in one to three dimensions."""
from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from langevin_sgd.models.arguments import Array, numbers, whole

Whole = NDArray[np.integer]
FEWEST = 16             # cells along an axis
COARSER = 4             # cells go by fours: answers are compared on every second and every fourth edge


class Grid:
    """Cells in a box; a value on a cell belongs to its centre.

    Parameters
    ----------
    bounds
        (low, high) of each axis; in one dimension a single pair will do.  The box ends there with a wall that gives paths back,
        unless a region ends there too.
    cells
        Number of cells along each axis, or one number for all: at least 16, and a multiple of 4.

    See Also
    --------
    Grid.from_edges : cells of different size.

    Examples
    --------
    >>> import langevin_sgd as ls
    >>> ls.Grid([(-2, 0), (-1.5, 1.5)], (80, 60))
    Grid(80 × 60 cells in [-2, 0] × [-1.5, 1.5])
    """

    def __init__(self, bounds: ArrayLike, cells: int | Sequence[int]) -> None:
        box = np.atleast_2d(numbers("bounds", bounds))
        if box.ndim != 2 or box.shape[1] != 2 or len(box) > 3 or not (box[:, 0] < box[:, 1]).all():
            raise ValueError(f"`bounds` is {bounds!r}, but must be (low, high) for each of one to three axes, low below high.")
        counts = [whole("cells", n) for n in np.ravel(np.asarray(cells, dtype=object))]
        counts = counts * len(box) if len(counts) == 1 else counts
        if len(counts) != len(box):
            raise ValueError(f"`cells` is {cells!r}, but must be one number, or one for each of the {len(box)} axes of `bounds`.")
        self._set([np.linspace(low, high, n + 1) for (low, high), n in zip(box, counts, strict=True)])

    @classmethod
    def from_edges(cls, *edges: ArrayLike) -> Grid:
        """Return the grid with these edges of cells along each axis; their distances should change smoothly.

        Examples
        --------
        >>> import langevin_sgd as ls
        >>> import numpy as np
        >>> ls.Grid.from_edges(np.linspace(-1, 0, 41), np.sinh(np.linspace(-4, 4, 41)))
        Grid(40 × 40 cells in [-1, 0] × [-27.2899, 27.2899])
        """
        if not 1 <= len(edges) <= 3:
            raise ValueError(f"`edges` has {len(edges)} axes, but must have one to three.")
        grid = cls.__new__(cls)
        grid._set([numbers("edges", e) for e in edges])
        return grid

    def _set(self, edges: Sequence[Array]) -> None:
        for e in edges:
            if e.ndim != 1 or not (np.diff(e) > 0).all():
                raise ValueError("`edges` must be an increasing array of numbers for each axis.")
            if len(e) - 1 < FEWEST or (len(e) - 1) % COARSER:
                raise ValueError(f"`cells` has {len(e) - 1} cells along an axis, but needs a multiple of {COARSER} of at least "
                                 f"{FEWEST}: the error is estimated on every second and every fourth edge.")
        self.edges = tuple(edges)

    def coarser(self, step: int) -> Grid:
        """Return the grid of every `step`-th edge."""
        grid = Grid.__new__(Grid)
        grid.edges = tuple(e[::step] for e in self.edges)
        return grid

    @property
    def dim(self) -> int:
        """Number of axes."""
        return len(self.edges)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of cells along each axis."""
        return tuple(len(e) - 1 for e in self.edges)

    @property
    def bounds(self) -> Array:
        """The box (d, 2)."""
        return np.array([(e[0], e[-1]) for e in self.edges])

    @property
    def centres(self) -> tuple[Array, ...]:
        """The centres of cells along each axis."""
        return tuple((e[1:] + e[:-1]) / 2 for e in self.edges)

    @property
    def points(self) -> Array:
        """The centres of all cells (cells, d), the last axis fastest."""
        return np.stack([c.ravel() for c in np.meshgrid(*self.centres, indexing="ij")], axis=-1)

    @property
    def volumes(self) -> Array:
        """The volumes of all cells (cells,)."""
        widths = np.meshgrid(*(np.diff(e) for e in self.edges), indexing="ij")
        return np.prod(widths, axis=0).ravel()

    @property
    def is_uniform(self) -> bool:
        """Tell whether all cells have one shape."""
        return all(np.ptp(np.diff(e)) <= 1e-9 * np.diff(e).max() for e in self.edges)

    def natural_order(self) -> Whole:
        """Return all cells ordered along the longest axis, so that neighbours are at most the other axes' product apart."""
        axes = sorted(range(self.dim), key=lambda k: -self.shape[k])
        return np.arange(int(np.prod(self.shape))).reshape(self.shape).transpose(axes).ravel()

    def __repr__(self) -> str:
        box = " × ".join(f"[{low:g}, {high:g}]" for low, high in self.bounds)
        return f"Grid({' × '.join(map(str, self.shape))} cells in {box})"
