from django.apps import AppConfig


class SalesOpsConfig(AppConfig):
    name = "salesops"
    verbose_name = "SalesOps"
