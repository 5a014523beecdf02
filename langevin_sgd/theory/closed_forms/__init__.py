"""Closed forms of escape, one function each, for plain numbers."""
