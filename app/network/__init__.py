"""HTTP to others: kept connections, deadlines, and limits on everything an answer could do to us."""
