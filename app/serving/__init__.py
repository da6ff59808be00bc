"""gunicorn, as Guerdon needs it. This chapter alone reaches into it; it was read against 27.0.

gunicorn imports it before a worker has patched the standard library, so it imports nothing else of ours.
"""
