"""Why was, or was not, this paid? It reads what is kept."""
