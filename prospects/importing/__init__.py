"""Reading other people's files: from bytes to rows, columns, values and identities. Pure: no Django, no database."""
