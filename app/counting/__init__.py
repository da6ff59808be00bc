"""Counters, and what they decide: counts, streaks, limits, budgets, draws, exact on any number of hosts."""
