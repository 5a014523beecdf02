"""The generator on a grid, in one to three dimensions, and its elimination without subtraction."""
