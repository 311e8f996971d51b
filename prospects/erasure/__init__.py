"""Taking a person out: each app's part in it, and recognising them when they come in again."""
