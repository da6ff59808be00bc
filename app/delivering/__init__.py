"""Claims delivered to consoles of games: sent at most once, or known to be of an unknown outcome."""
