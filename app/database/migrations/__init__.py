"""Numbered migrations, run in order by `guerdon migrate`; each is written once and never changed."""
