"""What a computer measures: ensembles of paths, and the times at which they leave a region."""
