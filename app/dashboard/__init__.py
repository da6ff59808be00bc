"""The operators' pages, in a process of their own: what is stuck and why, who was given what, acts on it."""
