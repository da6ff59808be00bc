"""What is kept of a player: exported, erased, and stripped when it is old."""
