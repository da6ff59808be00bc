"""guerdon …: what a person types."""
