"""The vote sites' lists beside the ledger: what never came is found, and may be fetched and paid."""
