"""Pages that belong to the project rather than to an app: sign-in, preferences, stops, errors."""
