"""The web service: webhooks, /v1, health, and what describes them."""
