"""The kit of plugin authors: pytest fixtures, stand-ins for sites and platforms, contracts to inherit."""
