"""The command `reiqa`: one file a subcommand, flags in, one call out."""
