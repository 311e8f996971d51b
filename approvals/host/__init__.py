"""What the runtime asks of approvals: whom we may write to, and what becomes of drafts and advice."""
