"""The executable invariants: the sentences in the ``.feature`` files; ``conftest.py`` says what they mean."""

import pytest
from pytest_bdd import scenarios

scenarios("structural.feature", "semantic.feature", "acceptance.feature", "implementations.feature")
pytestmark = pytest.mark.django_db
