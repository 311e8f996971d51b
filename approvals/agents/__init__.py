"""Message, channel, gate and execution agents, one module each, named for the agent. They import no models."""
