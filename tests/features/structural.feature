Feature: What a playbook and the machine must be before anything runs
  Structural invariants: checked when a playbook is saved and when the program starts.

  Scenario: Layer weights that do not sum to 100 cannot be stored
    Given a draft of the demo playbook
    When its behavioral weight is raised by one
    Then PostgreSQL refuses it and names "layer_weights_sum_to_100"

  Scenario: Only one version of a playbook rules
    Given the demo playbook rules
    When a second version is set active behind the program's back
    Then PostgreSQL refuses it and names "one_active"

  Scenario: A ruling version does not change
    Given the demo playbook rules
    When one of its criteria is made twice as heavy
    Then PostgreSQL refuses it and names "frozen"

  Scenario: Agents know no models
    Then no agent module imports a model

  Scenario: Agents have no clock, no chance and no way out of their own
    Then no agent module reaches for the time, for chance or for the outside

  Scenario: The runtime knows no app
    Then no runtime module imports an app
