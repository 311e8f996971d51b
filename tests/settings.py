"""Settings of a test session: the product's own, on whatever servers the environment names.

With DATABASE_URL set the product takes itself to be in production. Two things of that cannot hold here: tests speak
plain HTTP, over which secure cookies do not travel, and no secret should be asked for.
"""

import os

os.environ["SECURE_TLS"] = "false"
if os.environ.get("DATABASE_URL"):
    os.environ.setdefault("SECRET_KEY", "signs nothing outside a test session, and is long enough to be accepted")

from salesops.settings import *  # noqa: F403
from salesops.settings import PASSWORD_HASHERS

PASSWORD_HASHERS = ["tests.hashing.LightArgon2", *PASSWORD_HASHERS]
