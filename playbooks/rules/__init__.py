"""What a playbook says, as plain data, and what must be true of it. No Django."""
