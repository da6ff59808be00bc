"""The plugins: found, loaded, and asked."""
