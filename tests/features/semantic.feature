Feature: What is true at the end of every cycle
  Semantic invariants: evidence is real, scores are sums, stages are earned.

  Background:
    Given the demo playbook rules
    And a company that fits and has just started to hire
    And a company that fits but has no news
    And a company that was acquired
    And a company of the wrong kind

  Scenario: Every piece of evidence rests on facts of its own prospect
    When the agents converge
    Then every piece of evidence cites at least one signal of its own prospect
    And every derived signal leads back to an imported one
    And every quote stands word for word in a signal it cites

  Scenario: A score is nothing but the sum of its evidence
    When the agents converge
    Then every composite can be added up again from its breakdown
    And every line of a breakdown names evidence of that prospect or is unknown

  Scenario: Every stage was reached by a logged and legal move
    When the agents converge
    Then every prospect stands where its last transition ends
    And every qualified prospect has 3 independent categories of evidence

  Scenario: A strong negative outweighs any sum
    When the agents converge
    Then the company that was acquired is cold and rejected

  Scenario: Every sentence that states a fact accounts for it
    When the agents converge
    Then every message cites evidence of its own prospect
    And every claim stands in its message
    And no message has an unresolved placeholder

  Scenario: Nobody is written to before being qualified
    When the agents converge
    Then only qualified prospects have messages

  Scenario: An agent cannot write what its team may not
    Given the qualification team may not write evidence
    When the agents converge
    Then there is no evidence at all
    And every refusal is a diagnostic with an audit entry
