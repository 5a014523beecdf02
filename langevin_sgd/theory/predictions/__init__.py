"""The closed forms that have a meaning for an equation, filled in from it."""
