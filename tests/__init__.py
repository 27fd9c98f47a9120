"""The tests. Examples of a rule have no time limit: a busy machine makes no test fail."""

from hypothesis import settings

settings.register_profile("gtchat", deadline=None)
settings.load_profile("gtchat")
