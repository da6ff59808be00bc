"""What Guerdon has to hold and to answer, in plain Python, and a machine that compares the two."""
