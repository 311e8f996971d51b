"""Taking out what may not stay: a person who asks for it, and what sources and models said, after its time."""
