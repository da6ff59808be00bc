"""What a plugin may see: hooks, types, errors, and what reads and writes bytes safely."""
