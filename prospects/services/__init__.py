"""The verbs of prospects: the only writers of its tables, each in one transaction."""
