"""A good copy of the database while the service runs; and whether a copy would do."""
