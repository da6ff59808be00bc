"""The screens: a file for each, its template of the same name."""
