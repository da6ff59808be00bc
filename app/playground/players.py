"""Players to play with, in Guerdon's own table."""

DEMO_PLAYERS = ("Alice", "Bob", "PlayerName")
