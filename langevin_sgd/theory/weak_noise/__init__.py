"""Paths of least action, and the quasi-potential."""
