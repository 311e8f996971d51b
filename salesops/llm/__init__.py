"""Language models: asked side by side, paid within a budget, every answer stored before anybody reads it.

The web process never needs one, so the client library is imported by the first question and not before. This package
knows no app: where answers are kept and what may be spent are ports (:mod:`salesops.llm.ports`).
"""
