"""python -m app.cli: the same as `guerdon`."""

from app.cli.main import main

main()
