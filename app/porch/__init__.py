"""What a plugin may see: hooks, types, errors, and what reads and writes bytes safely."""

# Where these names are from, what loads least first. A name is looked for when somebody asks for it: the
# web and the database cost whoever needs neither nothing, and gunicorn none of it may be loaded in before
# its workers have made room for it.
PLACES = (
    "app.porch.types",
    "app.porch.claims",
    "app.porch.errors",
    "app.porch.hookspecs",
    "app.porch.text",
    "app.porch.fields",
    "app.porch.names",
    "app.porch.presets",
    "app.porch.rounds",
    "app.porch.json",
    "app.porch.http",
    "app.porch.lists",
    "app.porch.signatures",
    "app.porch.patterns",
    "app.porch.addresses",
    "app.porch.taking",
    "app.porch.listeners",
    "app.porch.rsa",
    "app.porch.vote_packets",
    "app.porch.masking",
    "app.porch.commands",
    "app.porch.kept_lines",
    "app.network.rcon",
    "app.network.websockets",
    "app.database.opening",
    "app.database.chunks",
    "app.database.plugin_tables",
    "app.database.complaints",
    "app.database.upserting",
    "app.paying.players",
    "app.paying.claims",
    "flask",
)
