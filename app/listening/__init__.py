"""Sources that connect by a protocol of their own: ports, clients with a deadline, floods borne."""
