"""The verbs of playbooks: what people do to rules, permissions and brakes. The only writers."""
