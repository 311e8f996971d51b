"""Pure functions over plain values: what a number means. Nothing here knows Django or a database."""
