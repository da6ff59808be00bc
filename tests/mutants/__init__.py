"""Dangerous changes to the core, as data, and what tries whether a test notices each: `make mutants`."""
