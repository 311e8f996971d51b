"""Adapters: how an approved message leaves. Only the dispatch service calls them; they know no database."""
