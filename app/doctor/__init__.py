"""Is all well, also outside of the config? Each finding has its remedy; it looks, and does nothing."""
