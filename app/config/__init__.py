"""The config and the rules: read, checked whole, and frozen."""
