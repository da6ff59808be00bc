"""The way out: reports are queued with the payment and sent until the platform has them."""
