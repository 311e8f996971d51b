Feature: Whoever does an agent's work, what is promised holds
  Rules, a language model, a person or nobody: an implementation only proposes.

  Background:
    Given the demo playbook rules
    And a model on this machine that answers honestly

  Scenario Outline: Each agent alone in other hands
    When each agent in turn is done by <way> and the agents converge
    Then every prospect has a verdict and a reason
    And every stalled prospect says what is missing
    And every prospect stands where its last transition ends
    And every piece of evidence cites at least one signal of its own prospect
    And every quote stands word for word in a signal it cites
    And every composite can be added up again from its breakdown
    And every qualified prospect has 3 independent categories of evidence
    And every message cites evidence of its own prospect
    And no prospect is asked about twice at once
    And no decision, dispatch or mail exists

    Examples:
      | way   |
      | llm   |
      | human |
      | off   |

  Scenario Outline: All agents at once in other hands
    When every agent that can be is done by <way> and the agents converge
    Then every prospect has a verdict and a reason
    And every stalled prospect says what is missing
    And every prospect stands where its last transition ends
    And every message cites evidence of its own prospect
    And no prospect is asked about twice at once
    And no decision, dispatch or mail exists

    Examples:
      | way   |
      | rules |
      | llm   |
      | human |
      | off   |
