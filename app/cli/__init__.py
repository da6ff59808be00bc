"""guerdon …: what a person types."""

import gc

# A command imports much and leaves little: to look for garbage meanwhile takes a third of its start.
gc.set_threshold(50_000, 20, 20)
