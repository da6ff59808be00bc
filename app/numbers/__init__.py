"""What operators ask in numbers: by the hour, of rules, of what is open; cheap however old the ledger is."""
