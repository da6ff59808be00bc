"""What `guerdon init` and `guerdon plugin new` write: a studio's folder, and plugins to begin with."""
