"""Passwords hashed as in the product, with a fraction of the work: hundreds of tests sign somebody in."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class LightArgon2(Argon2PasswordHasher):
    """The product's algorithm; what makes it slow on purpose is turned down."""

    time_cost = 1
    memory_cost = 1024
    parallelism = 1
