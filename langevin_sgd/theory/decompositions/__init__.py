"""Which part of a drift is a gradient, and which only circulates."""
