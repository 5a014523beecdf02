"""Where the two wings meet: what was measured, computed exactly and predicted, side by side and with a verdict."""
