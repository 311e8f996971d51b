"""Addresses of the playbook pages."""

from django.urls import path

from playbooks import views

app_name = "playbooks"
urlpatterns = [
    path("playbooks/", views.playbook_list, name="list"),
    path("playbooks/versions/<int:version_id>/", views.version_page, name="version"),
    path("playbooks/versions/<int:version_id>/diff/", views.version_diff, name="diff"),
    path("playbooks/versions/<int:version_id>/copy/", views.new_version, name="new_version"),
    path("playbooks/<int:playbook_id>/two-people/", views.two_people, name="two_people"),
    path("playbooks/versions/<int:version_id>/yaml/", views.version_yaml, name="yaml"),
]
