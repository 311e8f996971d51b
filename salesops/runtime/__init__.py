"""How agents run: contract, registry, eligibility, validation and the convergence engine.

Nothing here knows a particular agent or app. Agents are discovered in ``<app>/agents/``; apps bring their rows through
the ports in :mod:`salesops.runtime.ports`.
"""
