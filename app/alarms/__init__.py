"""Alarms: what is wrong with the service is told to a person, once a window, and when it is over."""
