"""Property tests draw the same examples everywhere: what passes here passes there."""
from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")
