"""Records that may be one company or one person: who they are, and what pages show of them."""
