"""The way in: a delivery is accepted, or waits; its events are paid, exactly once."""
