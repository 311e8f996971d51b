"""Pages of the approval desk, the outbox, the task list and the audit log. Thin: they ask queries and call services."""
