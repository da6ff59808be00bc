"""What a person has done to many rows: planned, counted, done in the background, kept for ever."""
