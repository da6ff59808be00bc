"""Sentences that lower chapters make, said in a page's language where a person reads them."""
