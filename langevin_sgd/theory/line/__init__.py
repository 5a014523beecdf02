"""Exact answers in one dimension: panels, integrals in log space, ends, and what becomes of paths there."""
