"""Pure rules of what goes out: plain functions over plain dataclasses, no Django."""
