"""Which rewards an event earns: the language of rewards.toml, and what it means. Pure."""
