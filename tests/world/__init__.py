"""The world around a test: servers, platforms, proxies, crowds, and how Guerdon is started in it."""
