"""The verbs of approvals: the only writers of its tables, each in one transaction with its audit entry."""
