"""Whether somebody outside could open an address."""

import pytest

from salesops.reach import why_unreachable


@pytest.mark.parametrize(
    "url", ["https://sales.example.com", "https://sales.example/u/x/", "https://8.8.8.8/", "https://Sales.Example.Com."]
)
def test_an_address_that_everybody_can_open(url: str) -> None:
    assert why_unreachable(url) == ""


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "it is empty"),
        ("sales.example.com", "it is no address"),
        ("https://[1", "it is no address"),
        ("http://sales.example.com", "it does not begin with https"),
        ("ftp://sales.example.com", "it does not begin with https"),
        ("http://127.0.0.1:8000", "127.0.0.1 leads nowhere outside this network"),
        ("https://localhost", "localhost leads nowhere outside this network"),
        ("https://sales", "sales leads nowhere outside this network"),
        ("https://sales.local/u/", "sales.local leads nowhere outside this network"),
        ("https://me@10.0.0.7:8443/", "10.0.0.7 leads nowhere outside this network"),
        ("https://[::1]:8000/", "::1 leads nowhere outside this network"),
        ("https://192.168.1.4", "192.168.1.4 leads nowhere outside this network"),
        ("https://169.254.1.1", "169.254.1.1 leads nowhere outside this network"),
    ],
)
def test_an_address_that_nobody_outside_can_open_says_why(url: str, why: str) -> None:
    assert why_unreachable(url) == why
