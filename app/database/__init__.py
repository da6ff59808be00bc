"""A commit is a promise: connections, transactions, tables and leases on SQLite and MySQL alike."""
